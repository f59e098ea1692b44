"""From the feature to embeddings and class scores, and the networks of VPT's baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file
from torch import nn

from vptsp.core.backbones.load import load_backbone
from vptsp.core.heads import CentredFeature, Classifier, Head, HiddenLayers, SideNetwork
from vptsp.errors import BackboneError
from vptsp.settings.build import build_model
from vptsp.settings.compatibility import ALEXNET_LEAST
from vptsp.settings.config import make_config


def stir(module: nn.Module) -> None:
    for parameter in module.parameters():
        nn.init.normal_(parameter)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_an_embedding_is_the_unit_vector_of_a_linear_map_of_the_normalised_feature() -> None:
    head, features = Head(6, 4), torch.randn(3, 6)
    stir(head)
    for feature, embedding in zip(features, head(features), strict=True):
        spread = ((feature - feature.mean()) ** 2).mean()
        normed = (feature - feature.mean()) / (spread + 1e-5).sqrt() * head.norm.weight + head.norm.bias
        mapped = head.linear.weight @ normed + head.linear.bias
        torch.testing.assert_close(embedding, mapped / mapped.norm())


def test_a_centred_feature_is_the_unit_vector_of_its_distance_from_the_mean() -> None:
    head, features = CentredFeature(6), torch.randn(3, 6)
    head.mean.copy_(features.mean(dim=0))
    expected = features - features.mean(dim=0)
    torch.testing.assert_close(head(features), expected / expected.norm(dim=1, keepdim=True))
    assert "mean" in head.state_dict()
    assert count(head) == 0


def test_scores_and_embeddings_are_fp32_under_autocast() -> None:
    features = torch.randn(3, 6)
    with torch.autocast("cpu", torch.bfloat16):
        scores, embeddings, centred = (head(features) for head in (Classifier(6, 5), Head(6, 4), CentredFeature(6)))
    assert {scores.dtype, embeddings.dtype, centred.dtype} == {torch.float32}
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize("k", [1, 3])
def test_hidden_layers_are_vpts(k: int) -> None:
    layers = HiddenLayers(6, k)
    assert count(layers) == k * (6**2 + 3 * 6)
    features = torch.randn(8, 6)
    layers.eval()
    expected = features
    for linear, norm in zip(list(layers)[::4], list(layers)[2::4], strict=True):
        stir(norm)
        norm.running_mean.normal_()
        expected = (expected @ linear.weight.T + linear.bias).clamp(min=0)
        expected = (expected - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
    torch.testing.assert_close(layers(features), expected)
    layers.train()
    dropped = (layers(torch.randn(500, 6)) == 0).float().mean().item()
    assert dropped == pytest.approx(0.1, abs=0.04)


# --- Sidetune -------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def side() -> SideNetwork:
    torch.manual_seed(0)
    return SideNetwork(6, "random")


@torch.no_grad()
def test_the_side_network_mixes_alexnets_feature_with_the_backbones(side: SideNetwork) -> None:
    assert count(side) == 2_469_696 + 9216 * 6 + 1
    assert sum(p.numel() for p in side.features.parameters()) == 2_469_696
    images, features = torch.randn(2, 3, 64, 64), torch.randn(2, 6)
    own = F.adaptive_avg_pool2d(side.features(images), (6, 6)).flatten(1) @ side.linear.weight.T
    torch.testing.assert_close(side(images, features), 0.5 * features + 0.5 * own)
    side.share.fill_(3.0)
    share = 1 / (1 + torch.tensor(-3.0).exp())
    torch.testing.assert_close(side(images, features), share * features + (1 - share) * own)
    side.share.zero_()


@torch.no_grad()
def test_the_least_image_that_alexnet_takes(side: SideNetwork) -> None:
    side(torch.randn(1, 3, ALEXNET_LEAST, ALEXNET_LEAST), torch.randn(1, 6))
    with pytest.raises(RuntimeError):
        side(torch.randn(1, 3, ALEXNET_LEAST - 1, ALEXNET_LEAST - 1), torch.randn(1, 6))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_the_side_network_starts_from_a_weight_file(side: SideNetwork, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"alexnet{suffix}"
    state = {f"features.{name}": value + 1 for name, value in side.features.state_dict().items()}
    state["classifier.1.bias"] = torch.zeros(4096)  # in torchvision's file, not in use here
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    loaded = SideNetwork(6, str(path))
    for name, value in loaded.features.state_dict().items():
        assert torch.equal(value, state[f"features.{name}"])


def test_a_saved_model_does_not_ask_for_alexnets_weights_again() -> None:
    settings: dict[str, Any] = {"method": "side", "side_weights": "gone.pth", "embedding_size": 4}
    backbone = load_backbone("test_vit", "random", 64)
    build_model(make_config(settings), backbone, None, inference=True)
    with pytest.raises(BackboneError, match=r"side_weights='gone\.pth' is neither pretrained nor random"):
        build_model(make_config(settings), backbone, 4)


def test_files_that_are_not_alexnets_are_refused(tmp_path: Path) -> None:
    remedy = "pass side_weights=PATH of torchvision's alexnet weight file, or side_weights=random"
    (tmp_path / "text.pth").write_bytes(b"not weights at all")
    save_file({"features.0.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    for name, message in {
        "nowhere.pth": "is neither pretrained nor random nor an existing file",
        "text.pth": "is damaged or no weight file",
        "other.safetensors": r"is not AlexNet's weight file: it has no features\.0\.weight \(64, 3, 11, 11\)",
    }.items():
        with pytest.raises(BackboneError, match=f"{name}.* {message}.*; {remedy}"):
            SideNetwork(6, str(tmp_path / name))


def test_weights_that_cannot_be_downloaded_name_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*given: object, **more: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models.AlexNet_Weights.IMAGENET1K_V1.__class__, "get_state_dict", unreachable)
    with pytest.raises(BackboneError, match=r"AlexNet could not be had \(no route to host\); pass side_weights=PATH"):
        SideNetwork(6, "pretrained")
