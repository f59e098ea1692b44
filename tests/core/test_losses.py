"""Losses against pytorch-metric-learning, against their formulas in float64, and under mixed precision."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import losses as oracle
from torch import Tensor

from vptsp.core.losses import image_anchor, normalized_softmax, proxy_anchor, proxy_nca
from vptsp.core.losses.coding_rate import coding_rate
from vptsp.settings.build import build_loss
from vptsp.settings.config import make_config

B, C, E = 12, 7, 16


def example(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, C - 2, (B,), generator=generator)  # two classes are always absent
    return torch.randn(B, E, generator=generator), labels, torch.randn(C, E, generator=generator)


def with_gradients(loss, embeddings: Tensor, labels: Tensor, proxies: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    embeddings, proxies = embeddings.clone().requires_grad_(), proxies.clone().requires_grad_()
    value = loss(embeddings, labels, proxies)
    return value.detach(), *torch.autograd.grad(value, [embeddings, proxies])


def their(kind, **keywords):
    def loss(embeddings: Tensor, labels: Tensor, proxies: Tensor) -> Tensor:
        module = kind(num_classes=C, embedding_size=E, **keywords)
        name = "W" if hasattr(module, "W") else "proxies"
        del module._parameters[name]
        setattr(module, name, proxies if name == "proxies" else proxies.T)
        return module(embeddings, labels)

    return loss


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (proxy_anchor, their(oracle.ProxyAnchorLoss, margin=0.1, alpha=32)),
        (proxy_nca, their(oracle.ProxyNCALoss, softmax_scale=32)),
        (normalized_softmax, their(oracle.NormalizedSoftmaxLoss, temperature=1 / 32)),
    ],
    ids=["proxy_anchor", "proxy_nca", "normalized_softmax"],
)
def test_equals_pytorch_metric_learning(mine, theirs, seed: int) -> None:
    data = example(seed)
    for value, expected in zip(with_gradients(mine, *data), with_gradients(theirs, *data), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-5)


def brute_force_anchor(embeddings, labels, proxies, positive_mean: str) -> float:
    """Equation 2 of the VPTSP paper, class by class, in Python floats."""
    x, q = F.normalize(embeddings.double(), dim=1), F.normalize(proxies.double(), dim=1)
    pull, push, present = 0.0, 0.0, 0
    for c in range(C):
        own = [float(x[i] @ q[c]) for i in range(B) if labels[i] == c]
        rest = [float(x[i] @ q[c]) for i in range(B) if labels[i] != c]
        present += bool(own)
        pull += math.log1p(sum(math.exp(-32 * (s - 0.1)) for s in own))
        push += math.log1p(sum(math.exp(32 * (s + 0.1)) for s in rest))
    return pull / (present if positive_mean == "present" else C) + push / C


@pytest.mark.parametrize("positive_mean", ["present", "all"])
def test_proxy_anchor_formula(positive_mean: str) -> None:
    data = example()
    expected = brute_force_anchor(*data, positive_mean)
    assert proxy_anchor(*data, positive_mean=positive_mean).item() == pytest.approx(expected, rel=1e-5)


def test_the_published_mean_scales_the_positive_term_by_the_share_of_classes_present() -> None:
    embeddings, labels, proxies = example()
    labels = labels % 3
    paper, published = (proxy_anchor(embeddings, labels, proxies, positive_mean=m) for m in ("present", "all"))
    push = published - (paper - published) / (C / 3 - 1)
    assert (published - push).item() == pytest.approx((paper - push).item() * 3 / C, rel=1e-4)


def test_image_anchor_formula() -> None:
    embeddings, labels, proxies = example()
    similarity = F.normalize(embeddings.double(), dim=1) @ F.normalize(proxies.double(), dim=1).T
    total = 0.0
    for i in range(B):
        own = float(similarity[i, labels[i]])
        rest = [float(similarity[i, c]) for c in range(C) if c != labels[i]]
        total += math.log1p(math.exp(-32 * (own - 0.1))) + math.log1p(sum(math.exp(32 * (s + 0.1)) for s in rest))
    assert image_anchor(embeddings, labels, proxies).item() == pytest.approx(total / B, rel=1e-5)


@given(
    seed=st.integers(0, 1000), name=st.sampled_from(["proxy_anchor", "image_anchor", "proxy_nca", "normalized_softmax"])
)
@settings(max_examples=40, deadline=None)
def test_order_and_length_of_vectors_do_not_matter(seed: int, name: str) -> None:
    loss = build_loss(make_config({"loss": name}))
    embeddings, labels, proxies = example(seed)
    order = torch.randperm(B, generator=torch.Generator().manual_seed(seed))
    changed = loss(3 * embeddings[order], labels[order], 0.2 * proxies)
    torch.testing.assert_close(changed, loss(embeddings, labels, proxies), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["proxy_anchor", "image_anchor", "proxy_nca", "normalized_softmax"])
def test_computed_in_fp32_under_mixed_precision(name: str) -> None:
    loss = build_loss(make_config({"loss": name}))
    embeddings, labels, proxies = example()
    exact = loss(embeddings, labels, proxies)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = loss(embeddings, labels, proxies)
    assert mixed.dtype == torch.float32
    assert mixed.item() == exact.item()


@pytest.mark.parametrize("name", ["proxy_anchor", "image_anchor", "proxy_nca", "normalized_softmax"])
def test_finite_at_the_extremes(name: str) -> None:
    """Perfect and opposite embeddings: no overflow, finite gradients."""
    loss = build_loss(make_config({"loss": name, "loss_scale": 200.0}))
    proxies = torch.eye(C, E)
    labels = torch.arange(C)
    for embeddings in (proxies, -proxies, torch.zeros(C, E)):
        for value in with_gradients(loss, embeddings, labels, proxies):
            assert torch.isfinite(value).all()


# --- coding rate --------------------------------------------------------------------------------------
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 9))
def test_the_coding_rate_is_that_of_its_formula_from_either_side(count: int, size: int, seed: int) -> None:
    rows = torch.randn(count, size, generator=torch.Generator().manual_seed(seed))
    units = F.normalize(rows.double(), dim=1)
    expected = 0.5 * torch.logdet(torch.eye(size).double() + size / (count * 0.25) * units.T @ units)
    torch.testing.assert_close(coding_rate(rows), expected.float(), rtol=1e-4, atol=1e-5)


def test_the_coding_rate_grows_from_collapsed_rows_to_orthogonal_ones_and_pushes_that_way() -> None:
    one = torch.ones(5, 8)
    near = one + 0.1 * torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    assert coding_rate(one) < coding_rate(near) < coding_rate(torch.eye(5, 8))
    rows = near.clone().requires_grad_()
    coding_rate(rows).backward()
    assert rows.grad is not None
    assert coding_rate(near + 0.01 * rows.grad) > coding_rate(near)
