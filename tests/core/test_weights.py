"""Weight files as people save them: nested, prefixed, with heads, of other sizes, in original layouts, or of others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from torch import Tensor

from vptsp.core.backbones.load import Backbone, load_backbone
from vptsp.errors import BackboneError

State = dict[str, Tensor]


def prefixed(prefix: str) -> Callable[[State], State]:
    return lambda state: {prefix + name: value for name, value in state.items()}


FORMS: dict[str, Callable[[State], Any]] = {
    "as it is": lambda state: state,
    "DDP": lambda state: {"state_dict": prefixed("module.")(state), "epoch": 3},
    "compiled": lambda state: {"model": prefixed("module._orig_mod.")(state), "optimizer": {"lr": 0.1}},
    "Lightning": lambda state: {"state_dict": prefixed("model.")(state), "global_step": 9},
    "DINO": lambda state: {
        "student": prefixed("module.backbone.")({n: v + 1 for n, v in state.items()}),
        "teacher": prefixed("backbone.")(state) | {"head.mlp.0.weight": torch.ones(4, 64)},
    },
    "teacher among others": lambda state: {
        "model": prefixed("teacher.backbone.")(state) | {"teacher.dino_head.last.weight": torch.ones(2)}
    },
    "averaged": lambda state: {"state_dict": {n: v + 1 for n, v in state.items()}, "model_ema": state},
}


@pytest.fixture(scope="module")
def published() -> State:
    torch.manual_seed(7)
    state: State = timm.create_model("test_vit").state_dict()
    return state


def load(path: Path, content: Any, name: str = "test_vit", **keywords: Any) -> Backbone:
    torch.save(content, path / "weights.pth")
    return load_backbone(name, str(path / "weights.pth"), **keywords)


@pytest.mark.parametrize("form", FORMS)
def test_tensors_are_found_however_they_are_nested(form: str, published: State, tmp_path: Path) -> None:
    own = load(tmp_path, FORMS[form](published)).vit.state_dict()
    assert own.keys() == {name for name in published if not name.startswith("head.")}
    for name, value in own.items():
        assert torch.equal(value, published[name])


def test_prefixes_in_safetensors_and_positions_of_another_size(published: State, tmp_path: Path) -> None:
    save_file(prefixed("backbone.")(published), tmp_path / "weights.safetensors")
    backbone = load_backbone("test_vit", str(tmp_path / "weights.safetensors"), image_size=(32, 64))
    expected = resample_abs_pos_embed(published["pos_embed"], [2, 4], num_prefix_tokens=1)
    torch.testing.assert_close(backbone.vit.pos_embed.data, expected)


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext2", "test_efficientnet"])
def test_any_model_keeps_its_norm_and_drops_its_classifier(name: str, tmp_path: Path) -> None:
    state = timm.create_model(name, num_classes=7).state_dict()
    own = load(tmp_path, prefixed("module.")(state), name).vit.state_dict()
    assert 1 <= len(state) - len(own) <= 2
    assert all(torch.equal(value, state[key]) for key, value in own.items())


def test_dinov3_as_it_was_published(tmp_path: Path) -> None:
    """Registers are called storage tokens, layer scale ls1.gamma, and a bias of keys is zero."""
    name = "vit_tiny_patch16_dinov3_qkvb"
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    state: State = {}
    for key, value in model.state_dict().items():
        key = key.replace("reg_token", "storage_tokens").replace("gamma_1", "ls1.gamma").replace("gamma_2", "ls2.gamma")
        if key.endswith("q_bias"):
            others = torch.zeros_like(value), model.state_dict()[key.replace("q_bias", "v_bias")]
            state[key.replace("q_bias", "qkv.bias")] = torch.cat([value, *others])
        elif not key.endswith("v_bias"):
            state[key] = value
    state |= {"mask_token": torch.zeros(1, 192), "rope_embed.periods": torch.ones(16)}
    own = load(tmp_path, {"teacher": prefixed("backbone.")(state)}, name).vit.state_dict()
    assert all(torch.equal(value, own[key]) for key, value in model.state_dict().items())


def test_what_does_not_fit_is_named_and_counted(published: State, tmp_path: Path) -> None:
    number = len(published) - 2  # without the classifier
    fewer = {name: value for name, value in published.items() if "blocks.5." not in name}
    with pytest.raises(BackboneError, match=rf"{number - 12} of its {number} tensors fit; 12 missing \(blocks.5.norm1"):
        load(tmp_path, fewer)
    with pytest.raises(
        BackboneError, match=rf"{number} of its {number} .* fit; 1 unknown \(module.blocks.6.norm1.weight\)"
    ):
        load(tmp_path, prefixed("module.")(published | {"blocks.6.norm1.weight": torch.ones(64)}))
    wide = published | {"norm.weight": torch.ones(65)}
    with pytest.raises(BackboneError, match=r"1 of another shape \(norm.weight 65 for 64\)\. Pass a file saved from"):
        load(tmp_path, wide)
    with pytest.raises(BackboneError, match=r"it has no tensors by name; save a model's state_dict"):
        load(tmp_path, {"epoch": 3})
    with pytest.raises(BackboneError, match=r"0 of its \d+ tensors fit; \d+ missing"):
        load(tmp_path, published, "test_resnet")
