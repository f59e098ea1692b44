"""DA-VPT's parts against loops over its formulas, and against timm's own blocks with prompts as tokens."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from timm.models import create_model
from torch import Tensor

from vptsp.core.backbones.load import Backbone, load_backbone
from vptsp.core.backbones.stochastic_depth import drop_paths
from vptsp.core.backbones.tuned_parts import part_names
from vptsp.core.encoder import embed_patches, encode
from vptsp.core.errors import BackboneError, ConfigError
from vptsp.core.guidance.features import cls_projection, patch_mean, prompt_outputs
from vptsp.core.guidance.guide import PromptGuide
from vptsp.core.guidance.loss import guided_loss
from vptsp.core.guidance.mapping import balanced, cosine_kmeans, map_classes, normalise, random_rows
from vptsp.core.guidance.prompts import GuidedPrompts
from vptsp.core.losses import image_anchor, proxy_anchor

B, P, D, L = 6, 4, 24, 3


def make_backbone(seed: int = 0, pooling: Any = "cls", **keywords: Any) -> Backbone:
    torch.manual_seed(seed)
    small = {"img_size": 32, "patch_size": 8, "embed_dim": D, "depth": L, "num_heads": 2, "num_classes": 0}
    vit = create_model("vit_tiny_patch16_224", **small, **keywords).eval()
    for parameter in vit.parameters():  # away from the zeros and ones of initialisation
        torch.nn.init.normal_(parameter, std=0.1) if parameter.dim() < 2 else None
    half = (0.5, 0.5, 0.5)
    return Backbone(vit, "tiny", "random", 32, half, half, pooling)


# --- the loss ---------------------------------------------------------------------------------------
def looped(features: Tensor, own: Tensor, prompts: Tensor, form: str, ratio: float) -> float:
    """The formula of the module's docstring, term by term in float64."""
    f, p = F.normalize(features.double(), dim=1), F.normalize(prompts.double(), dim=1)
    s = (ratio * f @ p.T).tolist()
    images, count = range(len(features)), len(prompts)
    up = [[math.exp(-32 * (s[b][j] - 0.1)) for j in range(count)] for b in images]
    down = [[math.exp(32 * (s[b][j] + 0.1)) for j in range(count)] for b in images]
    total = 0.0
    if form == "proxy_anchor":
        for j in range(count):
            total += math.log(1 + sum(up[b][j] for b in images if own[b] == j)) / count
            total += math.log(1 + sum(down[b][j] for b in images if own[b] != j)) / count
        return total
    for b in images:
        total += math.log(1 + up[b][int(own[b])]) / len(features)
        total += math.log(1 + sum(down[b][j] for j in range(count) if j != own[b])) / len(features)
    return total


@pytest.mark.parametrize("form", ["proxy_anchor", "image_anchor"])
@pytest.mark.parametrize("ratio", [0.0, 1.0, 5.0])
def test_guided_loss_is_its_formula(form: Any, ratio: float) -> None:
    torch.manual_seed(1)
    own = torch.tensor([0, 2, 2, 0, 2, 1])  # the last prompt has no image
    features, prompts = torch.randn(B, D), torch.randn(P, D, requires_grad=True)
    value = guided_loss(features, own, prompts, form=form, ratio=ratio)
    assert value.item() == pytest.approx(looped(features, own, prompts, form, ratio), rel=1e-5)
    (gradient,) = torch.autograd.grad(value, prompts)
    assert bool(gradient.any()) == (ratio > 0), "with a ratio of 0 the loss is constant, as published for Dogs and MAE"
    if ratio:  # a ratio is a larger scale and a smaller margin
        constants = {"scale": 32 * ratio, "margin": 0.1 / ratio}
        known = image_anchor if form == "image_anchor" else lambda *a, **k: proxy_anchor(*a, **k, positive_mean="all")
        torch.testing.assert_close(value, known(features, own, prompts, **constants), rtol=1e-5, atol=1e-5)


# --- which class is of which prompt ----------------------------------------------------------------
def kmeans_in_numpy(points: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, list[int]]:
    centroids, labels = centroids.copy(), []
    for _ in range(20):
        labels = []
        for point in points:
            cosines = [point @ c / (np.linalg.norm(point) * np.linalg.norm(c)) for c in centroids]
            labels.append(int(np.argmax(cosines)))
        moved = centroids.copy()
        for cluster in range(len(centroids)):
            members = [point for point, label in zip(points, labels, strict=True) if label == cluster]
            if members:
                moved[cluster] = np.mean(members, axis=0)
        if sum(np.linalg.norm(a - b) for a, b in zip(moved, centroids, strict=True)) < 1e-4:
            break
        centroids = moved
    return centroids, labels


@pytest.mark.parametrize("seed", range(4))
def test_kmeans_is_a_loop_in_numpy(seed: int) -> None:
    points = torch.randn(15, 5, generator=torch.Generator().manual_seed(seed))
    start = points[:P] if seed else torch.cat([points[:3], -50 * points.mean(0, keepdim=True)])  # one stays empty
    found = cosine_kmeans(points, start)
    centroids, labels = kmeans_in_numpy(points.double().numpy(), start.double().numpy())
    assert found.of_class.tolist() == labels
    np.testing.assert_allclose(found.centroids.numpy(), centroids, rtol=1e-4, atol=1e-5)


def test_clear_groups_are_found_and_unseen_classes_take_no_part() -> None:
    directions = torch.eye(3).repeat(4, 1) + 0.01 * torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
    seen = torch.ones(12, dtype=torch.bool)
    seen[[4, 7]] = False
    means = directions * seen.unsqueeze(1)
    found = map_classes(means, seen, means[[0, 1, 2]], "l2", unseen=torch.full((12,), 2))
    expected = torch.arange(12) % 3
    expected[[4, 7]] = 2
    assert torch.equal(found.of_class, expected)
    assert torch.equal(balanced(5, 3), torch.tensor([0, 1, 2, 0, 1]))


def test_class_means_are_normalised_by_name() -> None:
    means = torch.randn(3, D) * 4 + 2
    torch.testing.assert_close(normalise(means, "l2").norm(dim=1), torch.ones(3))
    layer = normalise(means, "layer")
    torch.testing.assert_close(layer, (means - means.mean(1, True)) / (means.var(1, False, keepdim=True) + 1e-5).sqrt())
    assert normalise(means, "none") is means
    with pytest.raises(ConfigError, match="4 guided prompts are to be clusters of classes, and images of only 3"):
        random_rows(means, 4, torch.Generator())


def make_guide(**keywords: Any) -> PromptGuide:
    return PromptGuide(6, 3, D, [1, 2], mapping_norm="none", **keywords)


def observed(guide: PromptGuide, classes: list[int]) -> Tensor:
    """Observe two images of each class, whose means are returned."""
    means = torch.randn(len(classes), D, generator=torch.Generator().manual_seed(len(classes)))
    for sign in (1, -1):
        guide.observe(means + sign * 0.3, torch.tensor(classes))
    return means


@pytest.mark.parametrize("unseen", ["random", "keep"])
def test_a_guide_maps_what_it_saw_and_begins_anew(unseen: Any) -> None:
    guide, draws = make_guide(unseen=unseen), torch.Generator().manual_seed(3)
    assert torch.equal(guide.mapping, balanced(6, 3))
    means = observed(guide, [0, 1, 2, 3, 4, 5])
    torch.testing.assert_close(guide.means(), means)
    guide.start(draws)
    assert not guide.seen.any()
    first, centroids = guide.mapping.clone(), guide.centroids.clone()
    means = observed(guide, [1, 3, 5])
    guide.remap(draws)
    again = cosine_kmeans(means, centroids)
    assert torch.equal(guide.mapping[[1, 3, 5]], again.of_class)
    if unseen == "keep":
        assert torch.equal(guide.mapping[[0, 2, 4]], first[[0, 2, 4]])
    before = guide.mapping.clone()
    guide.remap(draws)  # nothing was seen
    assert torch.equal(guide.mapping, before)


def test_classes_that_all_fall_to_one_prompt_keep_their_mapping() -> None:
    guide = make_guide()
    guide.centroids = torch.stack([torch.ones(D), -torch.ones(D), -2 * torch.ones(D)])
    before = guide.mapping.clone()
    guide.observe(torch.ones(6, D), torch.arange(6))
    guide.remap(torch.Generator())
    assert torch.equal(guide.mapping, before)
    torch.testing.assert_close(guide.centroids, torch.ones(3, D))  # class means, to start from next


def test_more_prompts_than_classes_and_fewer_for_the_identity() -> None:
    with pytest.raises(
        ConfigError, match="num_guided_prompts=7 is more than the 6 classes they speak for; legal: 1 to 6"
    ):
        PromptGuide(6, 7, D, [0])
    with pytest.raises(ConfigError, match="num_guided_prompts=3; use num_guided_prompts=6"):
        PromptGuide(6, 3, D, [0], mapped_by="identity")


# --- prompts ---------------------------------------------------------------------------------------
def test_banks_have_the_published_shapes_and_bounds() -> None:
    torch.manual_seed(0)
    prompts = GuidedPrompts(5, 3, [2, 3], [16] * 4, norm="l2", scale=1 / 8)
    assert [tuple(prompt.shape) for prompt in prompts()] == [(3, 16), (3, 16), (5, 16), (5, 16)]
    for bank, count in ((prompts.guided, 5), (prompts.plain, 3)):
        bound = math.sqrt(6 / ((count + 2) * 16)) / 8
        assert 0.9 * bound < bank.abs().max() <= bound
    torch.testing.assert_close(torch.cat(prompts()).norm(dim=1), torch.ones(16))
    torch.testing.assert_close(prompts.proxies(), torch.stack(prompts()[2:]))


def test_guided_blocks_in_the_middle_and_empty_banks() -> None:
    prompts = GuidedPrompts(2, 0, [1], [8] * 3, norm="layer", dropout=0.5)
    assert prompts.plain is None
    assert [len(prompt) for prompt in prompts()] == [0, 2, 0]
    torch.testing.assert_close(prompts.proxies(), F.layer_norm(prompts.guided, (8,), eps=1e-6))
    torch.testing.assert_close(prompts.eval()()[1], prompts.proxies()[0])
    assert GuidedPrompts(2, 3, range(3), [8] * 3).plain is None


@pytest.mark.parametrize("blocks", [[], [-1], [2, 3]])
def test_guided_blocks_that_are_not_there(blocks: list[int]) -> None:
    with pytest.raises(ConfigError, match=r"not all blocks of the backbone, which has 3; legal: one or more of 0 to 2"):
        GuidedPrompts(2, 2, blocks, [8] * 3)


def test_guided_prompts_need_one_width() -> None:
    with pytest.raises(ConfigError, match="need blocks of one width, but this backbone's are 8, 16 wide"):
        GuidedPrompts(2, 2, [0], [8, 16])


# --- what is compared ------------------------------------------------------------------------------
@pytest.mark.parametrize("what", ["query", "key"])
def test_cls_projection_is_what_timm_projects(what: str) -> None:
    backbone, tokens, kept = make_backbone(qk_norm=True), torch.randn(2, 17, D), []
    block = backbone.vit.blocks[1]
    handle = block.attn.qkv.register_forward_hook(lambda module, given, made: kept.append(made))
    block(tokens)
    handle.remove()
    expected = kept[0][:, 0].chunk(3, dim=-1)[["query", "key"].index(what)]
    torch.testing.assert_close(cls_projection(backbone.family, block, tokens, what), expected)  # type: ignore[arg-type]
    assert torch.equal(cls_projection(backbone.family, block, tokens, "cls"), tokens[:, 0])  # type: ignore[arg-type]
    torch.testing.assert_close(patch_mean(tokens, 1), tokens[:, 1:].sum(1) / 16)


@pytest.mark.parametrize("image_only", [False, True])
def test_prompt_outputs_are_those_of_prompt_tokens(image_only: bool) -> None:
    backbone, kept = make_backbone(), []
    block, tokens, prompts = backbone.vit.blocks[1], torch.randn(3, 17, D), torch.randn(P, D)
    own = torch.tensor([2, 0, 2])
    whole = torch.cat([tokens[:, :1], prompts.expand(3, -1, -1), tokens[:, 1:]], dim=1)
    mask = torch.zeros(17 + P, 17 + P)
    if image_only:
        mask[1 : 1 + P, : 1 + P] = float("-inf")
    handle = block.attn.proj.register_forward_pre_hook(lambda module, given: kept.append(given[0]))
    block.attn(block.norm1(whole), attn_mask=mask)
    handle.remove()
    expected = kept[0][torch.arange(3), 1 + own]
    found = prompt_outputs(backbone.family, block, tokens, prompts, own, 1, None, image_only)  # type: ignore[arg-type]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("how", ["see_all", "see_image"])
def test_pooled_prompts_are_those_of_prompt_tokens(how: Any) -> None:
    backbone, images = make_backbone(pooling="mean"), torch.randn(2, 3, 32, 32)
    prompts = [torch.randn(P, D) for _ in range(L)]
    tokens = embed_patches(backbone.vit, images)
    mask = torch.zeros(17 + P, 17 + P)
    if how == "see_image":
        mask[1 : 1 + P, : 1 + P] = float("-inf")
    whole = tokens
    for block, own in zip(backbone.vit.blocks, prompts, strict=True):
        kept = torch.cat([whole[:, :1], whole[:, -16:]], dim=1)
        whole = block(torch.cat([kept[:, :1], own.expand(2, -1, -1), kept[:, 1:]], dim=1), attn_mask=mask)
    expected = backbone.vit.norm(whole)[:, 1:].mean(dim=1)
    found = encode(backbone, tokens, prompts, pool_prompts=how).features
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_guide_of_a_backbone_without_cls() -> None:
    backbone = load_backbone("test_convnext2", "random", 64)
    with pytest.raises(BackboneError, match="follow a CLS token through all blocks, and test_convnext2"):
        make_guide().features(backbone, [], torch.zeros(2, 3, D), torch.zeros(2, dtype=torch.long))


# --- single parts, and paths that are dropped ------------------------------------------------------
def test_split_biases_change_no_number_and_train_alone() -> None:
    backbone, images = make_backbone(), torch.randn(2, 3, 32, 32)
    before = backbone.vit(images)
    names = part_names(backbone, ("v_bias", "norm1", "patch_bias", "cls_token", "norm_bias"))
    torch.testing.assert_close(backbone.vit(images), before)
    sizes = {name: parameter.numel() for name, parameter in backbone.vit.named_parameters() if name in names}
    assert sum(sizes.values()) == L * (D + 2 * D) + D + D + D
    assert {name.split(".", 2)[-1] for name in sizes if name.startswith("blocks.")} == {
        "attn.qkv.v_bias",
        "norm1.weight",
        "norm1.bias",
    }
    assert part_names(backbone, ("v_bias",)) == [f"blocks.{block}.attn.qkv.v_bias" for block in range(L)]


def test_parts_that_are_not_there() -> None:
    backbone = make_backbone(qkv_bias=False)
    with pytest.raises(
        ConfigError, match=r"tuned_parts: tiny has no k_bias; legal: proj_bias, fc1_bias, .*, cls_token"
    ):
        part_names(backbone, ("proj_bias", "k_bias"))
    assert len(part_names(backbone, ("proj_bias", "k_bias"), "skip")) == L


def test_dropped_paths_are_timms() -> None:
    images = torch.randn(8, 3, 32, 32)
    theirs = make_backbone(drop_path_rate=0.6).vit.train()
    backbone = make_backbone()
    drop_paths(backbone, 0.6)
    features = []
    for model in (theirs, backbone.vit.train()):
        torch.manual_seed(5)
        features.append(model(images) if model is theirs else encode(backbone, embed_patches(model, images)).features)
    torch.testing.assert_close(features[1], features[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(backbone.vit.eval()(images), make_backbone().vit(images))
    with pytest.raises(BackboneError, match=r"drop_path=0\.1 is not for test_convnext2"):
        drop_paths(load_backbone("test_convnext2", "random", 64), 0.1)
