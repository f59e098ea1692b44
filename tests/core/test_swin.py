"""Prompts in a Swin against prompts run as tokens of every window, one image at a time, on whole timm models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from swins import make_swin
from timm.models.swin_transformer import SwinTransformer, window_partition, window_reverse
from torch import Tensor

from vptsp.core.backbones.swin import embed_swin, encode_swin, swin_depths, swin_widths
from vptsp.core.encoder import Kernel

FLAVOURS: dict[str, dict[str, Any]] = {
    "shift in the first stage": {},
    "shift in both stages": {"window_size": ((4, 4), (2, 2))},
    "padded windows": {"img_size": 40},
    "odd patch merging": {"img_size": 36},
    "one window": {"window_size": 16},
    "one window, always partitioned": {"window_size": 16, "always_partition": True},
    "always partitioned": {"img_size": 24, "always_partition": True},
    "oblong windows, one size per stage": {"img_size": (32, 48), "window_size": ((2, 4), (4, 3))},
    "mask per image size": {"dynamic_img_size": True},
    "no qkv bias": {"qkv_bias": False},
    "wide heads": {"head_dim": 16},
}
KERNELS: tuple[Kernel, ...] = ("fused", "matmul")
SHIFTED = ["shift in both stages", "padded windows", "mask per image size", "wide heads"]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tensors are so small here that threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_images(swin: SwinTransformer, count: int) -> Tensor:
    return torch.randn(count, 3, *swin.patch_embed.img_size)


def make_prompts(swin: SwinTransformer, *shape: int) -> list[Tensor]:
    return [torch.randn(*shape, width, requires_grad=True) for width in swin_widths(swin)]


def features_of(swin: SwinTransformer, images: Tensor, *arguments: Any, **keywords: Any) -> Tensor:
    return encode_swin(swin, embed_swin(swin, images), *arguments, **keywords)[0]


def attend(attention: Any, tokens: Tensor, bias: Tensor, count: int) -> Tensor:
    """All tokens (windows, T, D), the first ``count`` of each window prompts, as in any transformer."""
    qkv = attention.qkv(tokens).unflatten(-1, (3, attention.num_heads, -1))
    query, key, value = qkv.permute(2, 0, 3, 1, 4)
    scores = attention.scale * query @ key.mT
    whole = torch.zeros_like(scores)
    whole[:, :, count:, count:] = bias
    return attention.proj(((scores + whole).softmax(-1) @ value).transpose(1, 2).flatten(2))


def block_with_tokens(block: Any, patches: Tensor, prompt: Tensor) -> tuple[Tensor, Tensor]:
    """One block on one image (1, H, W, D) whose windows all start with the prompts (N, D)."""
    _, height, width, _ = patches.shape
    win_height, win_width = block.window_size
    moved = block.norm1(patches).roll([-shift for shift in block.shift_size], dims=(1, 2))
    moved = torch.nn.functional.pad(moved, (0, 0, 0, -width % win_width, 0, -height % win_height))
    windows = window_partition(moved, block.window_size).flatten(1, 2)
    bias, mask = block.attn._get_rel_pos_bias(), block.get_attn_mask(moved)
    tokens = torch.cat([block.norm1(prompt).expand(len(windows), -1, -1), windows], dim=1)
    out = attend(block.attn, tokens, bias if mask is None else bias + mask[:, None], len(prompt))
    merged = out[:, len(prompt) :].unflatten(1, block.window_size)
    merged = window_reverse(merged, block.window_size, moved.shape[1], moved.shape[2])
    patches = patches + merged[:, :height, :width].roll(block.shift_size, dims=(1, 2))
    prompt = prompt + out[:, : len(prompt)].mean(0)
    return patches + block.mlp(block.norm2(patches)), prompt + block.mlp(block.norm2(prompt))


def run_tokens(swin: SwinTransformer, image: Tensor, prompts: Sequence[Tensor], travel: bool) -> Tensor:
    """Features of one image; its prompts are replaced at every block, or travel on from the first."""
    patches, index, prompt = swin.patch_embed(image[None]), 0, prompts[0]
    for stage in swin.layers:
        if travel and hasattr(stage.downsample, "reduction"):
            prompt = stage.downsample.reduction(stage.downsample.norm(torch.cat([prompt] * 4, dim=-1)))
        patches = stage.downsample(patches)
        for block in stage.blocks:
            if not travel:
                prompt = prompts[index] if index < len(prompts) else patches.new_empty(0, block.dim)
            patches, prompt = block_with_tokens(block, patches, prompt)
            index += 1
    return swin.norm(patches).flatten(1, 2).mean(1)[0]


def run_loop(
    swin: SwinTransformer, images: Tensor, prompts: Sequence[Tensor], groups: Tensor | None = None, travel: bool = False
) -> Tensor:
    rows = [None] * len(images) if groups is None else groups.tolist()
    own = [[p if row is None else p[row] for p in prompts] for row in rows]
    return torch.stack([run_tokens(swin, i, p, travel) for i, p in zip(images, own, strict=True)])


def assert_same(expected: Tensor, results: Sequence[Tensor], parameters: list[Tensor]) -> None:
    """Each of the ``results`` has the features that are expected, and their gradients."""
    weights = torch.linspace(-1, 1, expected.shape[1])
    slow = torch.autograd.grad((expected * weights).sum(), parameters)
    scale = max(gradient.norm() for gradient in slow)
    assert min(gradient.norm() for gradient in slow) > 1e-6 * scale
    for features in results:
        torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-4)
        fast = torch.autograd.grad((features * weights).sum(), parameters)
        for one, other in zip(slow, fast, strict=True):
            assert (one - other).norm() < 1e-4 * scale


def tuned(swin: SwinTransformer) -> list[Tensor]:
    """Biases of the attention layers, and their relative position tables."""
    return [p for name, p in swin.named_parameters() if "attn" in name and "weight" not in name]


def test_widths_and_depths() -> None:
    swin = make_swin(depths=(1, 3, 2), num_heads=(2, 4, 4))
    assert swin_depths(swin) == [1, 3, 2]
    assert swin_widths(swin) == [24, 48, 48, 48, 96, 96]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_without_prompts_it_is_timm(flavour: str, kernel: Kernel) -> None:
    swin = make_swin(**FLAVOURS[flavour])
    images = make_images(swin, 3)
    features = features_of(swin, images, kernel=kernel)
    torch.testing.assert_close(features, swin(images), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(features, swin.forward_features(images).mean((1, 2)), rtol=1e-4, atol=1e-5)


def test_other_image_sizes() -> None:
    swin = make_swin(dynamic_img_size=True)
    for size in (24, 44, 64):
        images = torch.randn(2, 3, size, size)
        torch.testing.assert_close(features_of(swin, images), swin(images), rtol=1e-4, atol=1e-5)
    swin = make_swin()
    swin.set_input_size((56, 56))
    images = torch.randn(2, 3, 56, 56)
    torch.testing.assert_close(features_of(swin, images), swin(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_keys_and_values_equal_prompt_tokens(flavour: str) -> None:
    """Same features, and same gradients of prompts, attention biases and position tables."""
    swin = make_swin(**FLAVOURS[flavour])
    images, prompts = make_images(swin, 2), make_prompts(swin, 5)
    results = [features_of(swin, images, prompts, kernel=kernel) for kernel in KERNELS]
    assert_same(run_loop(swin, images, prompts), results, prompts + tuned(swin))


@pytest.mark.parametrize("flavour", SHIFTED)
def test_class_prompts_equal_a_loop_over_images(flavour: str) -> None:
    swin = make_swin(**FLAVOURS[flavour])
    images, groups = make_images(swin, 4), torch.tensor([1, 0, 1, 2])
    prompts = make_prompts(swin, 3, 5)
    results = [features_of(swin, images, prompts, groups, kernel=kernel) for kernel in KERNELS]
    assert_same(run_loop(swin, images, prompts, groups), results, prompts + tuned(swin))


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_shallow_prompts_travel_through_all_stages(flavour: str) -> None:
    """Mean over windows after each block, four copies at patch merging, no part in the final mean."""
    swin = make_swin(**FLAVOURS[flavour])
    images, prompt = make_images(swin, 2), make_prompts(swin, 5)[0]
    results = [features_of(swin, images, shallow=[prompt], kernel=kernel) for kernel in KERNELS]
    assert_same(run_loop(swin, images, [prompt], travel=True), results, [prompt])


@given(
    counts=st.lists(st.integers(0, 3), max_size=4),
    groups=st.lists(st.integers(0, 2), min_size=1, max_size=3),
    size=st.integers(12, 40),
    window=st.integers(2, 5),
)
@settings(max_examples=10, deadline=None)
def test_any_counts_groups_and_sizes(counts: list[int], groups: list[int], size: int, window: int) -> None:
    """Blocks with no prompts, fewer tensors than blocks, any assignment of images, any map and window."""
    swin = make_swin(img_size=size - size % 4, window_size=window)
    images = make_images(swin, len(groups))
    prompts = [torch.randn(3, count, width) for count, width in zip(counts, swin_widths(swin), strict=False)]
    expected = run_loop(swin, images, prompts or [torch.empty(3, 0, 24)], torch.tensor(groups))
    features = features_of(swin, images, prompts, torch.tensor(groups))
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-4)


def test_prompts_of_a_block_reach_only_that_block() -> None:
    """Blocks before it see nothing of them, and with its outputs held fixed neither do those after it."""
    swin = make_swin(**FLAVOURS["shift in both stages"])
    tokens, prompts = embed_swin(swin, make_images(swin, 2)), make_prompts(swin, 5)
    _, before, _ = encode_swin(swin, tokens, prompts, want_tokens=True)
    for index, width in enumerate(swin_widths(swin)):
        changed = [*prompts[:index], torch.randn(5, width), *prompts[index + 1 :]]
        _, after, _ = encode_swin(swin, tokens, changed, want_tokens=True)
        for block in range(index):
            assert torch.equal(before[block], after[block])
        assert (before[index] - after[index]).abs().amax(-1).min() > 0  # in every window, shifted or not
    # The last block, cut off from the others: its patches depend on its own prompts and its input alone.
    last = block_with_tokens(swin.layers[1].blocks[1], before[2][:1], prompts[3])[0]
    torch.testing.assert_close(last, before[3][:1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["shared", "grouped", "shallow"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_images_of_a_batch_never_meet(kind: str, kernel: Kernel) -> None:
    swin = make_swin(**FLAVOURS["shift in both stages"])
    images, groups = make_images(swin, 3), torch.tensor([1, 0, 1])
    prompts = make_prompts(swin, 2, 5)

    def run(images: Tensor, groups: Tensor) -> Tensor:
        if kind == "grouped":
            return features_of(swin, images, prompts, groups, kernel=kernel)
        deep, shallow = [p[0] for p in prompts], [prompts[0][0]]
        given = {"shallow": shallow} if kind == "shallow" else {"prompts": deep}
        return features_of(swin, images, **given, kernel=kernel)

    whole, order = run(images, groups), torch.tensor([2, 0, 1])
    torch.testing.assert_close(run(images[order], groups[order]), whole[order], rtol=1e-4, atol=1e-5)
    alone = torch.cat([run(images[i : i + 1], groups[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(alone, whole, rtol=1e-4, atol=1e-5)


def test_low_rank_updates_reach_the_prompts() -> None:
    import peft  # takes seconds, which only this test pays

    swin = make_swin()
    names = [name for name, _ in swin.named_modules() if name.endswith("attn.qkv")]
    lora = peft.LoraConfig(r=2, lora_alpha=4, target_modules=names, init_lora_weights=False)
    peft.inject_adapter_in_model(lora, swin)
    updates = [parameter for name, parameter in swin.named_parameters() if "lora_" in name]
    images, prompts = make_images(swin, 2), make_prompts(swin, 5)
    assert_same(run_loop(swin, images, prompts), [features_of(swin, images, prompts)], updates)


def test_intermediates_on_request() -> None:
    swin = make_swin(img_size=40)  # maps of 10x10 and 5x5, padded to 3x3 and 2x2 windows of 4x4
    tokens = embed_swin(swin, make_images(swin, 2))
    prompts, shallow = make_prompts(swin, 5)[:3], [torch.randn(2, 24)]
    plain, nothing, none = encode_swin(swin, tokens, prompts, shallow=shallow)
    assert not nothing
    assert not none
    full, states, attention = encode_swin(
        swin, tokens, prompts, shallow=shallow, want_tokens=True, want_attention=True, kernel="fused"
    )
    torch.testing.assert_close(full, plain, rtol=1e-4, atol=1e-5)
    assert [tuple(s.shape) for s in states] == [(2, 10, 10, 24)] * 2 + [(2, 5, 5, 48)] * 2
    torch.testing.assert_close(swin.norm(states[-1]).mean((1, 2)), full, rtol=1e-4, atol=1e-5)
    # travelling prompts and patches ask; prompts of the block, travelling prompts and patches answer
    assert [tuple(a.shape) for a in attention] == [(2, 9, 2, 18, 23)] * 2 + [(2, 4, 4, 18, 23), (2, 4, 4, 18, 18)]
    for weights in attention:
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    # the mask of shifted windows parts patches, but hides prompts from none
    assert attention[1][..., 7:].min() < 1e-12 < attention[1][..., :7].min()


def test_kernels_agree_in_bf16() -> None:
    swin = make_swin(**FLAVOURS["shift in both stages"])
    images, prompts = make_images(swin, 4), make_prompts(swin, 5)
    exact = features_of(swin, images, prompts)
    for kernel in ("auto", "fused", "matmul"):
        with torch.autocast("cpu", torch.bfloat16):
            features = features_of(swin, images, prompts, kernel=kernel)
        assert (features.float() - exact).norm() < 0.05 * exact.norm(), kernel
