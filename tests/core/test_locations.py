"""Where prompts enter: each location and each form of the prepended ones against plain timm blocks."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn

from benchmarks.token_path import encode_with_prompt_tokens
from vptsp.core.backbones.load import Backbone, load_backbone
from vptsp.core.encoder import embed_patches, encode
from vptsp.errors import ConfigError
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import make_config

TINY: dict[str, Any] = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 2, "num_classes": 0}
FLAVOURS: dict[str, dict[str, Any]] = {
    "plain": {},
    "registers and layer scale": {"reg_tokens": 2, "init_values": 0.5},
    "no class embedding (DeiT-3)": {"no_embed_class": True},
    "pre-norm (CLIP)": {"pre_norm": True},
    "no CLS": {"class_token": False, "global_pool": "avg"},
}
GRID = 4


def make_backbone(seed: int = 0, **keywords: Any) -> Backbone:
    """Three blocks of 24 on 4 x 4 patches, away from the zeros and ones of initialisation."""
    torch.manual_seed(seed)
    vit = timm.create_model("vit_tiny_patch16_224", **TINY, **keywords).eval().requires_grad_(False)
    for parameter in vit.parameters():
        nn.init.normal_(parameter, std=0.2)
    half = (0.5, 0.5, 0.5)
    return Backbone(vit, "tiny", "random", 32, half, half, "mean" if vit.global_pool == "avg" else "cls")


def make_model(backbone: Backbone, **settings: Any) -> ConfiguredModel:
    given = {"method": "vpt_shallow", "num_prompts": 3, "embedding_size": 8}
    return build_model(make_config(given, settings), backbone, 4)


def pooled(backbone: Backbone, tokens: Tensor, extra: int = 0) -> Tensor:
    """timm's feature of the last block's tokens, ``extra`` prompts after the prefix left out."""
    vit = backbone.vit
    tokens = vit.norm(tokens)
    first = vit.num_prefix_tokens + extra
    feature: Tensor = vit.fc_norm(tokens[:, 0] if backbone.pooling == "cls" else tokens[:, first:].mean(dim=1))
    return feature


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def assert_every_prompt_learns(model: ConfiguredModel, features: Tensor) -> None:
    features.square().sum().backward()
    assert model.location is not None
    prompts = dict(model.location.named_parameters())
    assert prompts
    for name, parameter in prompts.items():
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).all(), name


# --- elsewhere than as tokens ---------------------------------------------------------------------
@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(("method", "depth"), [("vpt_shallow", 1), ("vpt_deep", 2), ("vpt_deep", None)])
def test_added_prompts_are_added_to_every_token_before_a_block(flavour: str, method: str, depth: int | None) -> None:
    backbone = make_backbone(**FLAVOURS[flavour])
    plain = copy.deepcopy(backbone.vit)
    model = make_model(backbone, method=method, prompt_location="add", prompt_depth=depth)
    assert len(model.location.layers) == (depth or 3)
    images = torch.randn(2, 3, 32, 32)
    tokens = plain.norm_pre(plain._pos_embed(plain.patch_embed(images)))
    for block, prompt in zip(plain.blocks, [*model.location.layers, 0, 0], strict=False):
        tokens = block(tokens + prompt)
    features = model(images).encoded.features
    close(features, pooled(backbone, tokens))
    assert_every_prompt_learns(model, features)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_strip_of_pixels_becomes_tokens_without_positions(flavour: str) -> None:
    backbone = make_backbone(**FLAVOURS[flavour])
    vit = backbone.vit
    model = make_model(backbone, prompt_location="prepend_pixel")
    strip, convolution = model.location.pixels, vit.patch_embed.proj
    assert strip.shape == (3, 8, 8 * 3)
    prompts = []
    for place in range(3):
        patch = strip[:, :, 8 * place : 8 * place + 8]
        token = (convolution.weight * patch).sum(dim=(1, 2, 3))
        prompts.append(token if convolution.bias is None else token + convolution.bias)
    images, prefix = torch.randn(2, 3, 32, 32), vit.num_prefix_tokens
    tokens = embed_patches(vit, images)
    ahead = torch.stack(prompts).expand(2, -1, -1)
    tokens = vit.blocks(torch.cat([tokens[:, :prefix], ahead, tokens[:, prefix:]], dim=1))
    features = model(images).encoded.features
    close(features, pooled(backbone, tokens, extra=3))
    assert_every_prompt_learns(model, features)
    assert not convolution.weight.requires_grad


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_channels_widen_the_patch_convolution_and_leave_its_colours_as_they_were(flavour: str) -> None:
    backbone = make_backbone(**FLAVOURS[flavour])
    vit, before = backbone.vit, copy.deepcopy(backbone.vit.patch_embed.proj)
    model = make_model(backbone, prompt_location="concat_channel")
    widened = vit.patch_embed.proj
    assert torch.equal(widened.weight[:, :3], before.weight)
    assert model.location.channels.shape == (3, 32, 32)
    images = torch.randn(2, 3, 32, 32)
    extra = F.conv2d(model.location.channels[None], widened.weight[:, 3:], stride=8)
    patches = (before(images) + extra).flatten(2).transpose(1, 2)
    tokens = vit.blocks(vit.norm_pre(vit._pos_embed(patches)))
    features = model(images).encoded.features
    close(features, pooled(backbone, tokens))
    assert_every_prompt_learns(model, features)
    trained = {name for name, parameter in model.vit.named_parameters() if parameter.requires_grad}
    bias = set() if before.bias is None else {"patch_embed.proj.bias"}
    assert trained == {"patch_embed.proj.weight"} | bias
    groups = model.parameter_groups()
    assert {id(p) for p in groups["backbone"]} == {id(p) for p in widened.parameters()}
    assert id(model.location.channels) in {id(p) for p in groups["others"]}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_frame_is_the_larger_image_with_resampled_positions(flavour: str) -> None:
    backbone = make_backbone(**FLAVOURS[flavour])
    plain = copy.deepcopy(backbone.vit)
    model = make_model(backbone, prompt_location="pad", num_prompts=4)
    images = torch.randn(2, 3, 32, 32)
    framed, taken = torch.zeros(2, 3, 40, 40), 0
    for row in range(40):
        for column in range(40):
            if 4 <= row < 36 and 4 <= column < 36:
                framed[:, :, row, column] = images[:, :, row - 4, column - 4]
            else:
                framed[:, :, row, column] = model.location.pixels[:, taken]
                taken += 1
    assert taken == model.location.pixels.shape[1]
    prefix = 0 if plain.no_embed_class else plain.num_prefix_tokens
    positions = resample_abs_pos_embed(plain.pos_embed, [GRID + 1, GRID + 1], num_prefix_tokens=prefix)
    tokens = plain.patch_embed.proj(framed).flatten(2).transpose(1, 2)
    ahead = [part.expand(2, -1, -1) for part in (plain.cls_token, plain.reg_token) if part is not None]
    if plain.no_embed_class:
        tokens = torch.cat([*ahead, tokens + positions], dim=1)
    else:
        tokens = torch.cat([*ahead, tokens], dim=1) + positions
    features = model(images).encoded.features
    close(features, pooled(backbone, plain.blocks(plain.norm_pre(tokens))))
    assert_every_prompt_learns(model, features)
    assert not any(parameter.requires_grad for parameter in model.vit.parameters())


@pytest.mark.parametrize("location", ["add", "prepend_pixel", "concat_channel", "pad"])
def test_prompts_start_uniform_within_vpts_bound(location: str) -> None:
    model = make_model(make_backbone(), prompt_location=location, num_prompts=4)
    values = torch.cat([parameter.detach().flatten() for parameter in model.location.parameters()])
    bound = (6 / (3 * 8**2 + 24)) ** 0.5
    assert values.abs().max() <= bound
    assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.15)
    assert abs(values.mean().item()) < 0.2 * bound


@pytest.mark.parametrize("location", ["add", "prepend_pixel", "concat_channel", "pad"])
def test_the_bundled_backbone_takes_every_location(location: str) -> None:
    """Its patches come from a stem of several convolutions, with a gain per place."""
    backbone = load_backbone(weights="random")
    state = {name: value.clone() for name, value in backbone.vit.state_dict().items()}
    model = make_model(backbone, prompt_location=location, num_prompts=4)
    images = torch.randn(2, 3, 64, 64)
    if location == "concat_channel":  # without what is added, the stem is what it was
        assert torch.equal(model.vit.patch_embed.stem[0].weight[:, :3], state["patch_embed.stem.0.weight"])
    if location == "prepend_pixel":
        assert model.location(model.vit).shape == (4, 192)
    assert_every_prompt_learns(model, model(images).encoded.features)


def test_class_prompts_see_the_image_without_added_prompts() -> None:
    """The semantic tower has class prompts only."""
    model = make_model(make_backbone(), method="vptsp_g", prompt_location="add").train()
    images, labels = torch.randn(3, 3, 32, 32), torch.tensor([0, 2, 2])
    before = model(images, labels).semantic_features
    with torch.no_grad():
        for layer in model.location.layers:
            layer.add_(1.0)
    assert torch.equal(model(images, labels).semantic_features, before)


# --- prepended prompts ----------------------------------------------------------------------------
@pytest.mark.parametrize("step", [0, 1])
def test_prompts_from_the_top_enter_the_last_blocks_and_no_others(step: int) -> None:
    backbone = make_backbone()
    model = make_model(backbone, method="vpt_deep", prompt_depth=2, prompt_from="top", prompt_step=step)
    assert [len(layer) for layer in model.prompts()] == [0, 3, 3 - step]
    images = torch.randn(2, 3, 32, 32)
    tokens = backbone.vit.blocks[0](embed_patches(backbone.vit, images))
    for block, prompt in zip(backbone.vit.blocks[1:], model.prompts.layers, strict=True):
        with_prompts = torch.cat([tokens[:, :1], prompt.expand(2, -1, -1), tokens[:, 1:]], dim=1)
        out = block(with_prompts)
        tokens = torch.cat([out[:, :1], out[:, 1 + len(prompt) :]], dim=1)
    close(model(images).encoded.features, pooled(backbone, tokens))


@pytest.mark.parametrize("start", ["bottom", "top"])
def test_shared_prompts_are_one_set_in_every_block(start: str) -> None:
    backbone = make_backbone()
    model = make_model(backbone, method="vpt_deep", prompt_shared=True, prompt_depth=2, prompt_from=start)
    assert [tuple(p.shape) for p in model.prompts.parameters()] == [(3, 24)]
    given = model.prompts()
    used = given[-2:]
    assert used[0] is used[1] is model.prompts.layers[0]
    images = torch.randn(2, 3, 32, 32)
    tokens = embed_patches(backbone.vit, images)
    features = model(images).encoded.features
    close(features, encode_with_prompt_tokens(backbone, tokens, given).features)
    whole = torch.autograd.grad(features.square().sum(), model.prompts.layers[0])[0]
    apart = [used[0].detach().clone().requires_grad_() for _ in used]
    blocks = [*given[:-2], *apart]
    parts = torch.autograd.grad(encode(backbone, tokens, blocks).features.square().sum(), apart)
    close(whole, parts[0] + parts[1])


def test_projected_prompts_are_narrow_and_share_one_map() -> None:
    backbone = make_backbone()
    model = make_model(backbone, method="vpt_deep", prompt_projection=5)
    shapes = {name: tuple(parameter.shape) for name, parameter in model.prompts.named_parameters()}
    assert shapes == {**{f"layers.{i}": (3, 5) for i in range(3)}, "maps.24.weight": (24, 5), "maps.24.bias": (24,)}
    weight, bias = model.prompts.maps["24"].parameters()
    prompts = [layer @ weight.T + bias for layer in model.prompts.layers]
    for one, other in zip(model.prompts(), prompts, strict=True):
        close(one, other)
    images = torch.randn(2, 3, 32, 32)
    expected = encode_with_prompt_tokens(backbone, embed_patches(backbone.vit, images), prompts).features
    close(model(images).encoded.features, expected)


@pytest.mark.parametrize("projection", [None, 5])
def test_prompt_dropout_happens_in_training_alone(projection: int | None) -> None:
    settings = {"num_prompts": 50, "prompt_dropout": 0.25, "prompt_projection": projection}
    model = make_model(make_backbone(), method="vpt_deep", **settings)
    whole = model.eval().prompts()
    dropped = model.train().prompts()
    for before, after in zip(whole, dropped, strict=True):
        gone = after == 0
        assert 0.2 < gone.float().mean() < 0.3
        close(after[~gone], before[~gone] / 0.75)
    images = torch.randn(2, 3, 32, 32)
    assert not torch.equal(model(images).embeddings, model(images).embeddings)
    model.eval()
    assert torch.equal(model(images).embeddings, model(images).embeddings)


# --- refused --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        *(
            (
                {"method": method, "prompt_location": where},
                f"prompt_location='{where}' changes the image, so it has no deep form; use method=vpt_shallow, or "
                f"prompt_location=prepend or add with method='{method}'",
            )
            for method, where in [("vpt_deep", "pad"), ("vptsp_g", "prepend_pixel"), ("vpt_bias", "concat_channel")]
        ),
        (
            {"prompt_location": "pad"},
            "num_prompts=3 with prompt_location=pad makes the image 38 pixels wide, which the 8 pixel patches of tiny "
            "do not divide; legal: multiples of 4",
        ),
        (
            {"method": "vpt_deep", "prompt_location": "add", "prompt_depth": 4},
            "prompt_depth=4 is deeper than the backbone, which has 3 blocks; legal: 1 to 3",
        ),
        ({"method": "vpt_deep", "prompt_depth": 4}, "prompt_depth=4 is deeper than the backbone, which has 3 blocks"),
        (
            {"method": "vpt_deep", "prompt_location": "add", "prompt_from": "top"},
            "prompt_from='top' is for prompt_location=prepend; added prompts count from the bottom",
        ),
        ({"prompt_location": "add", "prompt_shared": True}, "prompt_shared is for prompt_location=prepend, not 'add'"),
        (
            {"prompt_location": "pad", "prompt_projection": 4},
            "prompt_projection is for prompt_location=prepend, not 'pad'",
        ),
        (
            {"prompt_location": "prepend_pixel", "prompt_dropout": 0.1},
            "prompt_dropout is for prompt_location=prepend, not 'prepend_pixel'",
        ),
        (
            {"method": "vpt_deep", "prompt_shared": True, "prompt_step": 1},
            "prompt_shared=True needs prompt_step=0, not 1: one set has one size",
        ),
        (
            {"method": "partial", "partial_blocks": 4},
            "partial_blocks=4 is more than the 3 blocks of tiny; legal: 1 to 3",
        ),
        (
            {"method": "adapter", "adapter_depth": 4},
            "adapter_depth=4 is deeper than the backbone, which has 3 blocks; legal: 1 to 3",
        ),
        (
            {"method": "side", "side_weights": "random"},
            "method='side' runs AlexNet, which takes images of 63 pixels or more, on images of 32; choose a larger "
            "image_size or another backbone",
        ),
        (
            {"method": "frozen", "task": "recognition"},
            "method='frozen' trains nothing, so it learns no classifier; use method=linear",
        ),
        ({"method": "mlp", "task": "recognition", "batch_size": 1}, "batch_size=1: method='mlp' normalises over"),
        ({"num_prompts": 0}, "method='vpt_shallow' needs num_prompts >= 1; for no shared prompts use linear or bias"),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_what_does_not_fit_says_why_and_what_does(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_model(make_backbone(), **settings)
    assert message in str(caught.value)


@pytest.mark.parametrize("location", ["add", "prepend_pixel", "concat_channel", "pad"])
def test_a_swin_takes_prepended_prompts_only(location: str) -> None:
    with torch.device("meta"):
        swin = load_backbone("swin_tiny_patch4_window7_224", "random", 32)
    with pytest.raises(
        ConfigError, match=f"'{location}' is not for every backbone; swin_.* takes prompt_location=prepend"
    ):
        make_model(swin, prompt_location=location)


def test_one_set_of_prompts_cannot_have_the_widths_of_a_swin() -> None:
    with torch.device("meta"):
        swin = load_backbone("swin_tiny_patch4_window7_224", "random", 32)
        with pytest.raises(ConfigError, match=r"needs blocks of one width, but .* 96, 192, 384, 768 wide"):
            make_model(swin, method="vpt_deep", prompt_shared=True)
        model = make_model(swin, method="vpt_deep", prompt_shared=True, prompt_projection=8)
        assert [p.shape[1] for p in model.prompts()] == swin.widths
        shallow = make_model(swin, method="vpt_deep", prompt_shared=True, prompt_depth=2)
    assert [tuple(p.shape) for p in shallow.prompts.layers] == [(3, 96)]


def test_a_convolutional_stem_makes_no_tokens_of_a_strip() -> None:
    with torch.device("meta"):
        hybrid = load_backbone("vit_small_r26_s32_224", "random")
        with pytest.raises(ConfigError, match="convolutional network in its place; choose another prompt_location"):
            make_model(hybrid, prompt_location="prepend_pixel")
