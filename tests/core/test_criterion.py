"""Losses of pairs and of weights of their own, cross-batch memory, and losses of another library by name.

What has no other implementation here is compared with its formula, term by term in Python floats.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pytorch_metric_learning import losses as theirs
from pytorch_metric_learning import miners
from torch import Tensor

from vptsp.core.errors import ConfigError
from vptsp.core.losses import LOSSES, library, make_criterion, proxy_nca_plus, recall_at_k_surrogate, smooth_ap
from vptsp.core.losses.criterion import Criterion
from vptsp.core.losses.curricular import CurricularFace
from vptsp.core.losses.memory import CrossBatchMemory
from vptsp.core.losses.soft_triple import SoftTriple

B, C, E = 12, 7, 16


def example(seed: int = 0, images: int | None = None) -> tuple[Tensor, Tensor]:
    """Unit embeddings; labels at random, or ``images`` of each class side by side."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, C - 2, (B,), generator=generator)
    if images is not None:
        labels = torch.arange(B // images).repeat_interleave(images)
    return F.normalize(torch.randn(B, E, generator=generator), dim=1), labels


def same_value_and_gradients(mine: Any, expected: Any, *inputs: Tensor) -> None:
    """Of two functions of some tensors."""
    values = []
    for function in (mine, expected):
        leaves = [each.clone().requires_grad_() for each in inputs]
        value = function(*leaves)
        values.append((value.detach(), *torch.autograd.grad(value, leaves)))
    for value, other in zip(*values, strict=True):
        torch.testing.assert_close(value, other, rtol=1e-4, atol=1e-5)


# --- from formulas ----------------------------------------------------------------------------------
def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def cosines(embeddings: Tensor) -> np.ndarray:
    units = F.normalize(embeddings.double(), dim=1).numpy()
    return units @ units.T


def smooth_ap_by_hand(embeddings: Tensor, labels: Tensor, temperature: float, count_query: bool) -> float:
    s, losses = cosines(embeddings), []
    for q in range(B):
        gallery = [i for i in range(B) if count_query or i != q]
        positives = [i for i in gallery if labels[i] == labels[q]]
        if not positives:
            continue
        precision = 0.0
        for i in positives:
            before = {j: sigmoid((s[q, j] - s[q, i]) / temperature) for j in gallery if j != i}
            precision += (1 + sum(before[j] for j in positives if j != i)) / (1 + sum(before.values()))
        losses.append(1 - precision / len(positives))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("count_query", [False, True])
@pytest.mark.parametrize("temperature", [0.01, 0.3])
def test_smooth_ap_is_its_formula(temperature: float, count_query: bool) -> None:
    data = example()
    mine = smooth_ap(*data, temperature=temperature, count_query=count_query).item()
    assert mine == pytest.approx(smooth_ap_by_hand(*data, temperature, count_query), rel=1e-5)


def test_smooth_ap_is_that_of_pytorch_metric_learning_where_it_counts_the_query() -> None:
    """As many classes as images of each: with other numbers that library takes apart its batch along the wrong side."""
    generator = torch.Generator().manual_seed(1)
    embeddings = F.normalize(torch.randn(9, E, generator=generator), dim=1)
    labels = torch.arange(3).repeat_interleave(3)
    other = theirs.SmoothAPLoss(temperature=0.1)
    same_value_and_gradients(
        lambda x: smooth_ap(x, labels, temperature=0.1, count_query=True), lambda x: other(x, labels), embeddings
    )


def test_the_recall_surrogate_is_its_formula_and_near_recall() -> None:
    embeddings, labels = example()
    s, lost, ks = cosines(embeddings), [], (1, 2, 4)
    for q in range(B):
        gallery = [i for i in range(B) if i != q]
        positives = [i for i in gallery if labels[i] == labels[q]]
        if not positives:
            continue
        ranks = {i: 1 + sum(sigmoid((s[q, j] - s[q, i]) / 0.05) for j in gallery if j != i) for i in positives}
        lost += [1 - sum(sigmoid((k - rank) / 0.5) for rank in ranks.values()) / min(k, len(positives)) for k in ks]
    mine = recall_at_k_surrogate(embeddings, labels, ks=ks, rank_temperature=0.5, temperature=0.05).item()
    assert mine == pytest.approx(sum(lost) / len(lost), rel=1e-5)
    # with steps for sigmoids it is the share of queries whose nearest is of another class
    sharp = recall_at_k_surrogate(embeddings, labels, ks=(1,), rank_temperature=0.02, temperature=1e-5).item()
    np.fill_diagonal(s, -2)
    several = [q for q in range(B) if (labels == labels[q]).sum() > 1]
    nearest = np.mean([labels[s[q].argmax()] == labels[q] for q in several])
    assert sharp == pytest.approx(1 - nearest / 2, abs=1e-3), "sigmoid(0) of a rank that is k exactly is one half"


@pytest.mark.parametrize("tau", [0.0, 0.2])
def test_soft_triple_is_that_of_pytorch_metric_learning_and_its_regulariser_the_formula(tau: float) -> None:
    embeddings, labels = example()
    mine = SoftTriple(C, E, centres=3, tau=tau)
    other = theirs.SoftTripleLoss(C, E, centers_per_class=3, la=20, gamma=0.1, margin=0.01)
    centres = mine.centres.detach().clone()

    def expected(x: Tensor, w: Tensor) -> Tensor:
        del other._parameters["fc"]
        other.fc = w.permute(2, 0, 1).reshape(E, -1)
        loss = other(x, labels)
        other.fc = torch.nn.Parameter(torch.empty(0))
        units = F.normalize(w, dim=2)
        for c in range(C):
            for k in range(3):
                for j in range(k):
                    apart = torch.sqrt(2 + 1e-5 - 2 * (units[c, k] * units[c, j]).sum())
                    loss = loss + tau / (C * 3 * 2) * apart
        return loss

    def ours(x: Tensor, w: Tensor) -> Tensor:
        return torch.func.functional_call(mine, {"centres": w}, (x, labels))

    same_value_and_gradients(ours, expected, embeddings, centres)


def test_proxy_nca_plus_is_that_of_pytorch_metric_learning() -> None:
    embeddings, labels = example()

    def expected(x: Tensor, proxies: Tensor) -> Tensor:
        module = theirs.ProxyNCALoss(C, E, softmax_scale=9)
        del module._parameters["proxies"]
        module.proxies = proxies
        return module(x, labels)

    proxies = torch.randn(C, E)
    same_value_and_gradients(lambda x, p: proxy_nca_plus(x, labels, p), expected, embeddings, proxies)


def test_curricular_face_is_its_formula_over_steps() -> None:
    loss, t, s, m = CurricularFace(), 0.0, 64.0, 0.5
    for step in range(4):
        embeddings, labels = example(step)
        proxies = torch.randn(C, E, generator=torch.Generator().manual_seed(step))
        if step == 3:
            proxies[:5] = -embeddings[:5]  # angles past pi - m
        x, q = embeddings.double().numpy(), F.normalize(proxies.double(), dim=1).numpy()
        cosine = x @ q.T
        t = 0.01 * np.mean([cosine[i, labels[i]] for i in range(B)]) + 0.99 * t
        total = 0.0
        for i in range(B):
            true = cosine[i, labels[i]]
            angle = math.acos(max(-1, min(1, true)))
            shifted = math.cos(angle + m)
            logits = [c if c <= shifted else c * (t + c) for c in cosine[i]]
            logits[labels[i]] = shifted if angle < math.pi - m else true - m * math.sin(m)
            total += math.log(sum(math.exp(s * (c - logits[labels[i]])) for c in logits))
        assert loss(embeddings, labels, proxies).item() == pytest.approx(total / B, rel=1e-4)
        assert loss.t.item() == pytest.approx(t, rel=1e-5)
    loss.eval()(embeddings, labels, proxies)
    assert loss.t.item() == pytest.approx(t, rel=1e-5), "only training is remembered"


@pytest.mark.parametrize("name", ["smooth_ap", "recall_at_k", "soft_triple", "curricular_face", "proxy_nca_plus"])
def test_finite_at_the_extremes_and_in_fp32_under_mixed_precision(name: str) -> None:
    torch.manual_seed(0)
    criterion, proxies = make_criterion(name, C, E), torch.eye(C, E)
    arguments = (proxies,) if criterion.needs == "proxies" else ()
    alone = torch.arange(C)  # no two images of a class: nothing to rank
    for embeddings in (proxies, -proxies, torch.zeros(C, E)):
        for labels in (alone, alone // 2):
            x = embeddings.clone().requires_grad_()
            loss = criterion(x, labels, *arguments)
            (gradient,) = torch.autograd.grad(loss, x)
            assert torch.isfinite(loss)
            assert torch.isfinite(gradient).all()
    x, labels = example()
    criterion.eval()
    exact = criterion(x, labels, *arguments)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = criterion(x, labels, *arguments)
    assert (mixed.dtype, mixed.item()) == (torch.float32, exact.item())


# --- memory -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("miner", [None, "MultiSimilarityMiner"])
def test_cross_batch_memory_is_that_of_pytorch_metric_learning(miner: str | None) -> None:
    """Over batches that fill it, and go round."""
    memory = B * 3
    mine = make_criterion("pml:ContrastiveLoss", C, E, memory=memory, miner=miner and f"pml:{miner}")
    picks = None if miner is None else getattr(miners, miner)()
    other = theirs.CrossBatchMemory(theirs.ContrastiveLoss(), E, memory, picks)
    for step in range(7):
        embeddings, labels = example(step)
        same_value_and_gradients(lambda x, y=labels: mine_once(mine, x, y), lambda x, y=labels: other(x, y), embeddings)


def mine_once(criterion: Criterion, embeddings: Tensor, labels: Tensor) -> Tensor:
    assert isinstance(criterion.memory, CrossBatchMemory)
    return criterion(embeddings, labels)


def test_a_loss_of_this_package_ranks_the_memory_without_the_query_itself() -> None:
    criterion = make_criterion("smooth_ap", C, E, memory=2 * B, arguments={"temperature": 0.2}, batch=(4, 3))
    (first, y1), (second, y2) = example(1, 3), example(2, 3)
    alone = criterion(first, y1)
    torch.testing.assert_close(alone, smooth_ap(first, y1, temperature=0.2)), "only the batch is there so far"
    both = criterion(second, y2)
    everything, labels = torch.cat([first, second]), torch.cat([y1, y2])
    own = torch.arange(B) + B
    torch.testing.assert_close(both, smooth_ap(second, y2, everything, labels, own, temperature=0.2))
    assert both.item() != pytest.approx(smooth_ap(second, y2, temperature=0.2).item())
    state = criterion.state_dict()
    again = make_criterion("smooth_ap", C, E, memory=2 * B, arguments={"temperature": 0.2}, batch=(4, 3))
    again.load_state_dict(state)
    third, y3 = example(3, 3)
    assert torch.equal(again(third, y3), criterion(third, y3))


# --- another library --------------------------------------------------------------------------------
ARGUMENTS: dict[str, dict[str, Any]] = {
    "RankedListLoss": {"margin": 0.4, "Tn": 10, "Tp": 1},
    "HistogramLoss": {"n_bins": 20},
    "MarginLoss": {"learn_beta": True, "num_classes": "run"},
    "TripletMarginLoss": {"margin": 0.1, "distance": {"name": "LpDistance", "p": 1}, "reducer": "MeanReducer"},
}
WITHOUT_LABELS = {"ManifoldLoss", "VICRegLoss"}  # which compare two views of an image
OF_PROXIES = {"ProxyAnchorLoss", "ProxyNCALoss", "NormalizedSoftmaxLoss", "ArcFaceLoss", "CosFaceLoss"}
OF_PROXIES |= {"SphereFaceLoss", "LargeMarginSoftmaxLoss"}
OF_CLASSES = {"SoftTripleLoss", "SubCenterArcFaceLoss", "P2SGradLoss"}


def original(name: str) -> Any:
    """The library's own loss, as somebody makes it who uses the library."""
    from pytorch_metric_learning import distances, reducers

    made: dict[str, Any] = {
        "MarginLoss": {"learn_beta": True, "num_classes": C},
        "TripletMarginLoss": {
            "margin": 0.1,
            "distance": distances.LpDistance(p=1),
            "reducer": reducers.MeanReducer(),
        },
    }
    sizes = {"num_classes": C, "embedding_size": E} if name in OF_PROXIES | OF_CLASSES else {}
    if name == "P2SGradLoss":
        sizes = {"num_classes": C, "descriptors_dim": E}
    return getattr(theirs, name)(**made.get(name, ARGUMENTS.get(name, {})), **sizes)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", sorted(set(library.names("loss")) - WITHOUT_LABELS))
def test_every_loss_of_the_library_by_name(name: str) -> None:
    """Two steps, so that what a loss remembers counts; values, gradients of embeddings, and of its weights."""
    torch.manual_seed(3)
    mine = make_criterion(f"pml:{name}", C, E, arguments=ARGUMENTS.get(name), batch=(4, 3))
    other = original(name)
    needs = "proxies" if name in OF_PROXIES else "classes" if name in OF_CLASSES else "pairs"
    assert mine.needs == needs
    weights = dict(other.named_parameters())
    assert {key.removeprefix("loss.loss.") for key in dict(mine.named_parameters())} == (
        set() if needs == "proxies" else set(weights)
    )
    proxies = None
    if needs == "proxies":
        (weight,) = weights.values()
        proxies = (weight.detach() if len(weight) == C else weight.detach().T).clone().requires_grad_()
    else:
        mine.load_state_dict({f"loss.loss.{key}": value for key, value in weights.items()}, strict=False)
    for step in range(2):
        embeddings, labels = example(step, 3)
        x, y = embeddings.clone().requires_grad_(), embeddings.clone().requires_grad_()
        loss, expected = mine(x, labels, proxies), other(y, labels).reshape(())
        loss.backward()
        if name == "DynamicSoftMarginLoss":
            other.hist_ = other.hist_.detach()  # the library keeps the graph of the step before, and fails there
            expected.backward(retain_graph=True)
        else:
            expected.backward()
        torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(x.grad, y.grad, rtol=1e-3, atol=1e-5)
    if proxies is not None:
        (weight,) = weights.values()
        assert proxies.grad is not None
        assert weight.grad is not None
        expected_grad = weight.grad if len(weight) == C else weight.grad.T
        torch.testing.assert_close(proxies.grad, expected_grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["MultiSimilarityMiner", "TripletMarginMiner", "BatchHardMiner"])
def test_a_miner_picks_what_the_loss_compares(name: str) -> None:
    embeddings, labels = example(0, 3)
    mine = make_criterion("pml:TripletMarginLoss", C, E, miner=f"pml:{name}", arguments={"margin": 0.2})
    pairs = getattr(miners, name)()(embeddings, labels)
    expected = theirs.TripletMarginLoss(margin=0.2)(embeddings, labels, pairs)
    torch.testing.assert_close(mine(embeddings, labels), expected)


def test_weights_of_a_loss_that_proxies_replace_draw_nothing() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    make_criterion("pml:ArcFaceLoss", C, E)
    make_criterion("pml:ContrastiveLoss", C, E, miner="pml:MultiSimilarityMiner")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_library_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(library, "import_module", absent)
    with pytest.raises(ConfigError, match=r"loss='pml:ArcFaceLoss' needs .*: pip install 'vptsp-workbench\[losses\]'$"):
        make_criterion("pml:ArcFaceLoss", C, E)


def test_needs_are_said_where_losses_are_listed() -> None:
    assert {name: LOSSES.needs(name) for name in LOSSES if LOSSES.needs(name) != "proxies"} == {
        "soft_triple": "classes",
        "smooth_ap": "pairs",
        "recall_at_k": "pairs",
    }
