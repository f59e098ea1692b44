"""Backbones: any plain timm ViT, its own statistics, and one sentence for everything else."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from huggingface_hub import constants as hub
from safetensors.torch import save_file

from vptsp.core.backbones import load as backbones
from vptsp.core.backbones.load import load_backbone
from vptsp.core.backbones.tuning import parameter_names
from vptsp.errors import BackboneError


@pytest.mark.parametrize(
    ("name", "mean"),
    [
        ("test_vit", (0.5, 0.5, 0.5)),
        ("deit_tiny_patch16_224", (0.485, 0.456, 0.406)),
        ("vit_base_patch32_clip_224", (0.48145466, 0.4578275, 0.40821073)),
    ],
)
def test_input_statistics_are_the_models_own(name: str, mean: tuple[float, ...]) -> None:
    backbone = load_backbone(name, "random")
    assert backbone.mean == mean
    assert backbone.image_size == timm.get_pretrained_cfg(name).input_size[-1]
    assert not any(parameter.requires_grad for parameter in backbone.vit.parameters())
    assert not backbone.vit.training


def test_random_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one = load_backbone("test_vit", "random", 32, seed=3)
    assert torch.equal(torch.get_rng_state(), state), "the caller's random state is left alone"
    torch.manual_seed(2)
    assert load_backbone("test_vit", "random", 32, seed=3).fingerprint == one.fingerprint
    assert load_backbone("test_vit", "random", 32, seed=4).fingerprint != one.fingerprint


def test_the_fingerprint_ignores_biases_which_bitfit_trains() -> None:
    backbone, other = (load_backbone("test_vit", "random", 32) for _ in range(2))
    with torch.no_grad():
        other.vit.blocks[0].attn.qkv.bias.add_(1)
    assert other.fingerprint == backbone.fingerprint
    changed = load_backbone("test_vit", "random", 32)
    with torch.no_grad():
        changed.vit.blocks[0].attn.qkv.weight.add_(1)
    assert changed.fingerprint != backbone.fingerprint


@pytest.mark.parametrize(
    ("name", "pooling", "expected"),
    [
        ("test_vit", "auto", "cls"),
        ("test_vit", "mean", "mean"),
        ("test_vit2", "auto", "mean"),
        ("test_vit3", "mean", "mean"),
        ("test_vit3", "auto", "own"),  # by attention
        ("deit_tiny_distilled_patch16_224", "auto", "own"),  # the mean of its two tokens
        ("deit_tiny_distilled_patch16_224", "cls", "cls"),
        ("resnet10t", "auto", "own"),
    ],
)
def test_pooling_is_the_backbones_own_unless_chosen(name: str, pooling: str, expected: str) -> None:
    assert load_backbone(name, "random", pooling=pooling).pooling == expected


def test_pooling_that_a_backbone_cannot_do_is_refused() -> None:
    with pytest.raises(BackboneError, match="has no CLS token; use pooling=mean"):
        load_backbone("test_vit2", "random", pooling="cls")
    with pytest.raises(BackboneError, match=r"'resnet10t' \(ResNet\) pools in its own way; use pooling=auto"):
        load_backbone("resnet10t", "random", pooling="mean")


def test_bitfit_leaves_biases_alone_that_are_not_in_use() -> None:
    backbone = load_backbone("test_vit3", "random", 32, pooling="mean")
    assert any(name.startswith("attn_pool.") for name, _ in backbone.vit.named_parameters())
    names = parameter_names(backbone, bitfit=True)
    assert {name.split(".")[0] for name in names} == {"patch_embed", "blocks", "norm"}
    own = parameter_names(load_backbone("test_vit3", "random", 32), bitfit=True)
    assert {name.split(".")[0] for name in own} == {"patch_embed", "blocks", "norm", "attn_pool"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vit_tyni_patch16_224", "'vit_tyni_patch16_224' is not a timm model; for example: .*vit"),
        ("nonsense", "'nonsense' is not a timm model"),
        ("test_vit.no_such_tag", "test_vit has no pretrained weights 'no_such_tag'; it has r160_in1k"),
        ("vit_small_patch16_dinov", "not a timm model; for example: .*vit_small_patch16_dinov3"),
    ],
)
def test_models_that_cannot_be_had_are_refused_before_any_download(name: str, message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        load_backbone(name)


@pytest.mark.parametrize("size", [33, 40, 8])
def test_an_image_size_that_patches_do_not_divide_is_refused(size: int) -> None:
    with pytest.raises(BackboneError, match=f"image_size={size} is not a multiple of the 16 pixel patches"):
        load_backbone("test_vit", "random", size)


def test_the_bundled_backbone_needs_no_hub_and_has_one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*given: object, **more: object) -> None:
        raise AssertionError("asked the hub")

    monkeypatch.setattr(backbones.urllib.request, "urlopen", no_network)
    assert load_backbone().image_size == 64
    assert load_backbone(image_size=64).fingerprint == load_backbone().fingerprint
    with pytest.raises(BackboneError, match=r"image_size=128: vit_bundled_64 sees 64 pixels and no other size"):
        load_backbone(image_size=128)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("vit_smal_patch16_dinov3", "vit_small_patch16_dinov3"),
        ("facebook/dinov3-vits16-pretrain-lvd1689m", r"vit_\w+_dinov3\w*"),
        ("google/siglip2-base-patch16-224", "vit_base_patch16_siglip_224"),
    ],
)
def test_a_name_that_others_use_is_told_timms(name: str, near: str) -> None:
    with pytest.raises(BackboneError, match=rf"is not a timm model; for example: (.*, )?{near}\b"):
        load_backbone(name, "random")


def test_sizes_and_tags_that_there_are_not_are_told_with_those_that_are() -> None:
    for size in (100, (100, 130)):
        near = "96 and 128" if size == 100 else "96,128 and 128,160"
        with pytest.raises(
            BackboneError, match=rf"hiera_tiny_224 cannot take .* its own is 224, legal near it: {near}"
        ):
            load_backbone("hiera_tiny_224", "random", size)
    with pytest.raises(BackboneError, match=r"mvitv2_tiny cannot take .*a check of its own fails"):
        load_backbone("mvitv2_tiny", "random", (96, 160))
    with pytest.raises(BackboneError, match="image_size=0: an image has a pixel or more"):
        load_backbone("test_vit", "random", 0)
    with pytest.raises(BackboneError, match="vit_small_patch16_dinov3 has no pretrained weights 'x'; it has lvd1689m"):
        load_backbone("vit_small_patch16_dinov3.x")


# --- weight files ---------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    """Weights as published: with a classifier, for the model's own image size."""
    torch.manual_seed(7)
    return timm.create_model("test_vit").state_dict()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".bin"])
def test_a_local_weight_file_is_loaded(tmp_path: Path, published: dict[str, torch.Tensor], suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    save_file(published, path) if suffix == ".safetensors" else torch.save(published, path)
    backbone = load_backbone("test_vit", str(path), image_size=32)
    for name in ("patch_embed.proj.weight", "blocks.5.mlp.fc2.weight", "norm.bias", "cls_token"):
        assert torch.equal(backbone.vit.state_dict()[name], published[name])
    assert backbone.vit.pos_embed.shape == (1, 1 + 4, 64)
    assert load_backbone("test_vit", str(path), image_size=32).fingerprint == backbone.fingerprint


def test_a_file_of_another_model_is_refused(tmp_path: Path, published: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "weights.safetensors"
    for content in (
        timm.create_model("vit_tiny_patch16_224").state_dict(),  # wider
        {name: value for name, value in published.items() if "blocks.5." not in name},  # shallower
        published | {"blocks.6.norm1.weight": torch.ones(64)},  # deeper
        {"x": torch.ones(1)},
    ):
        save_file(content, path)
        with pytest.raises(
            BackboneError, match=r"weights\.safetensors does not hold weights of test_vit: .*\. Pass a file"
        ):
            load_backbone("test_vit", str(path))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".npz"])
def test_a_damaged_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(b"not weights at all")
    with pytest.raises(BackboneError, match="does not hold weights of test_vit"):
        load_backbone("test_vit", str(path))


class Payload:
    """Would write a file if somebody unpickled it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_a_weight_file_cannot_run_code(tmp_path: Path) -> None:
    torch.save({"a": Payload(tmp_path / "executed")}, tmp_path / "weights.pth")
    with pytest.raises(BackboneError, match="does not hold weights"):
        load_backbone("test_vit", str(tmp_path / "weights.pth"))
    np.savez(tmp_path / "weights.npz", a=np.array([Payload(tmp_path / "executed")], dtype=object))
    with pytest.raises(BackboneError, match="does not hold weights"):
        load_backbone("test_vit", str(tmp_path / "weights.npz"))
    assert not (tmp_path / "executed").exists()


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(BackboneError, match=r"'nowhere\.pth' is neither pretrained nor random nor an existing file"):
        load_backbone("test_vit", "nowhere.pth")


def test_weights_that_cannot_be_downloaded_fail_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    start = time.monotonic()
    with pytest.raises(BackboneError, match=r"weights of test_vit could not be loaded .*backbone_weights=PATH"):
        load_backbone("test_vit")
    assert time.monotonic() - start < 20, "the hub's own retries take half a minute and more"
    assert hub.HF_HUB_OFFLINE in (False, None)


def test_the_default_backbone_is_the_bundled_one() -> None:
    """The configuration names it without importing torch, so the two names must be held together."""
    from vptsp.core.backbones import bundled
    from vptsp.settings import config

    assert config.Config().backbone == bundled.NAME
