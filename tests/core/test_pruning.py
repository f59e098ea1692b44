"""Importance by masks against autograd through masks, and what is left after pruning."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from vptsp.core.backbones.load import load_backbone
from vptsp.core.errors import ConfigError
from vptsp.core.prompts.pruning import PrunablePrompts
from vptsp.core.prompts.shares import number_pruned
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import make_config

SMALL: dict[str, Any] = {
    "backbone": "test_vit",
    "backbone_weights": "random",
    "image_size": 32,
    "embedding_size": 16,
    "method": "e2vpt",
    "num_prompts": 4,
    "num_key_value_prompts": 2,
    "prompt_segments": 4,
    "device": "cpu",
}


def built(**settings: Any) -> ConfiguredModel:
    torch.manual_seed(0)
    return build_model(make_config(SMALL, settings), load_backbone("test_vit", "random", 32), 5)


def loss_of(model: ConfiguredModel, images: Tensor) -> Tensor:
    output = model(images)
    return (output.embeddings @ output.proxies.T).square().sum()


class Masked(torch.nn.Module):
    """Prompts of each block through masks that are tensors of the graph: rho of tokens, zeta of their segments."""

    def __init__(self, layers: list[Tensor], segments: int) -> None:
        super().__init__()
        self.own = [layer.detach().clone() for layer in layers]
        self.rho = [torch.ones(len(layer), requires_grad=True) for layer in layers]
        self.zeta = [torch.ones(len(layer), segments, requires_grad=True) for layer in layers]

    def forward(self) -> list[Tensor]:
        every = []
        for layer, rho, zeta in zip(self.own, self.rho, self.zeta, strict=True):
            rows = [
                r * torch.cat([z * part for z, part in zip(own, row.chunk(len(own)), strict=True)])
                for row, r, own in zip(layer, rho, zeta, strict=True)
            ]
            every.append(torch.stack(rows))
        return every


def test_the_derivative_by_a_mask_is_autograds() -> None:
    model = built().train()
    images = torch.randn(6, 3, 32, 32)
    loss_of(model, images).backward()
    found = model.prompts.mask_gradients()
    other = copy.deepcopy(model)
    other.prompts = masked = Masked(list(model.prompts.layers), 4)
    loss_of(other, images).backward()
    assert any(zeta.grad.abs().max() > 0 for zeta in masked.zeta)
    for ours, rho, zeta in zip(found, masked.rho, masked.zeta, strict=True):
        torch.testing.assert_close(ours, zeta.grad, rtol=1e-4, atol=1e-7)
        torch.testing.assert_close(ours.sum(dim=1), rho.grad, rtol=1e-4, atol=1e-7)


def test_the_least_important_go_and_a_token_without_them_is_no_key() -> None:
    prompts = PrunablePrompts([4, 0, 2], 6, 3)
    tokens = [torch.tensor([0.3, 0.1, 0.2, 0.9]), torch.tensor([0.5, 0.5])]
    segments = [torch.tensor([[5.0, 1.0, 6.0], [0, 0, 0], [7.0, 2.0, 8.0], [9.0, 0.5, 3.0]]), torch.ones(2, 3)]
    prompts.prune(tokens, segments, tokens=0.25, segments=0.34)
    first, last = prompts.kept
    assert first.tolist() == [[True, False, True], [False] * 3, [True, False, True], [True, False, True]]
    assert last.tolist() == [[True] * 3, [True, False, False]], "a quarter of two is none; of equal ones the last go"
    own = prompts.layers[0]
    there = prompts()
    assert [len(each) for each in there] == [3, 0, 2]
    assert torch.equal(there[0][0], torch.cat([own[0, :2], torch.zeros(2), own[0, 4:]]))
    assert prompts.left_out == 2 * (3 + 3 + 2)

    there[0].sum().backward()
    assert torch.equal(own.grad != 0, first.repeat_interleave(2, dim=1))
    fresh = PrunablePrompts([4, 0, 2], 6, 3)
    fresh.load_state_dict(prompts.state_dict())
    assert fresh.left_out == prompts.left_out
    assert all(torch.equal(a, b) for a, b in zip(fresh(), there, strict=True))


def test_a_token_that_lost_all_its_segments_is_left_out() -> None:
    prompts = PrunablePrompts([3], 4, 2)
    scores = [torch.tensor([[4.0, 5.0], [0.0, 0.0], [2.0, 3.0]])]
    prompts.prune([torch.ones(3)], scores, tokens=0.0, segments=0.4)
    assert prompts.kept[0].tolist() == [[True, True], [False, False], [True, True]]
    assert torch.equal(prompts()[0], prompts.layers[0][[0, 2]])
    assert prompts.left_out == 4


def test_what_is_pruned_is_not_kept_at_inference() -> None:
    model = built()
    before = model.counts()
    some = [torch.rand(layer.shape[0], 4) for layer in model.prompts.layers]
    model.prompts.prune([each.sum(1) for each in some], some, tokens=0.5, segments=0.25)
    blocks, width = model.backbone.depth, model.backbone.width
    gone = 2 * width + 2 * (width // 4)
    assert before.kept - model.counts().kept == blocks * gone
    assert model.counts().trained == before.trained
    kept = {name: model.state_dict()[name] for name in model.kept_names()}
    fresh = build_model(make_config(SMALL), load_backbone("test_vit", "random", 32, seed=1), None, inference=True)
    fresh.vit.load_state_dict(model.vit.state_dict())
    fresh.load_state_dict(kept, strict=False)
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(fresh.eval()(images).embeddings, model.eval()(images).embeddings)
    assert [len(each) for each in fresh.prompts()] == [2] * blocks


def test_shares_are_rounded_down_and_not_by_the_last_bit() -> None:
    assert [number_pruned(share, 100) for share in (0.29, 0.57, 0.999)] == [29, 57, 99]
    assert number_pruned(0.99, 10) == 9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pruned_tokens": 1.0}, r"pruned_tokens=1.0: input should be less than 1"),
        ({"pruned_segments": -0.1}, r"pruned_segments=-0.1: input should be greater than or equal to 0"),
        ({"prompt_segments": 0}, r"prompt_segments=0: input should be greater than or equal to 1"),
        ({"pruned_tokens": 0.2}, r"pruned_tokens=0.2 of num_prompts=4 is less than one.*legal: 0, 0.25 or more"),
        ({"pruned_segments": 0.05}, r"of the segments left=8 is less than one"),
        ({"epochs": 1}, r"epochs=1 is too few for both; legal: 2 or more"),
        ({"epochs": 6, "prune_after": 6}, r"prune_after=6 of epochs=6 leaves none to train anew; legal: 1 to 5"),
        ({"prompt_dynamics": "linear"}, r"prunes others in each; use prompt_dynamics=none"),
        ({"prompt_location": "add"}, r"method='e2vpt' takes prompt_location=prepend"),
        ({"method": "vpt_deep", "prune_after": 2}, r"prune_after is for method=e2vpt, not for 'vpt_deep'"),
        ({"method": "vpt_deep", "key_value_shared": False}, r"key_value_shared is for method=e2vpt"),
        ({"num_prompts": 1}, r"pruned_tokens=0.5 of num_prompts=1 is less than one.*legal: 0, or more num_prompts"),
        ({"num_prompts": 0}, r"needs num_prompts >= 1"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    own = ("num_key_value_prompts", "prompt_segments") if "method" in settings else ()
    with pytest.raises(ConfigError, match=message):
        make_config({name: value for name, value in SMALL.items() if name not in own}, settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"prompt_segments": 7},
            r"prompt_segments=7 does not divide the 64 numbers of a prompt.*as 1, 2, 4, 8, 16, 32",
        ),
        ({"key_value_depth": 9}, r"key_value_depth=9 is deeper than the backbone, which has 6 blocks"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_backbone_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        built(**settings)


@pytest.mark.parametrize("tokens", [0.0, 0.5])
def test_segments_need_divide_nothing_where_none_is_pruned(tokens: float) -> None:
    torch.manual_seed(1)
    images, scores = torch.randn(2, 3, 32, 32), torch.randn(6, 4)

    def pruned(segments: int) -> ConfiguredModel:
        model = built(prompt_segments=segments, pruned_segments=0.0, pruned_tokens=tokens).eval()
        assert isinstance(model.prompts, PrunablePrompts)
        parts = [torch.zeros(kept.shape) for kept in model.prompts.kept]
        model.prompts.prune(list(scores), parts, tokens, 0.0)
        return model

    whole, odd = pruned(4), pruned(7)
    assert torch.equal(whole(images).embeddings, odd(images).embeddings)
    assert whole.counts() == odd.counts()
    assert [len(each) for each in odd.prompts()] == [4 - 4 * tokens] * 6


def test_some_blocks_alone_have_learned_keys() -> None:
    model = built(key_value_depth=2, key_value_from="top")
    assert [len(key) for key, _ in model.learned_key_values()] == [0, 0, 0, 0, 2, 2]
    assert [len(key) for key, _ in built(key_value_depth=2).learned_key_values()] == [2, 2]
