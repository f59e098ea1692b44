"""One pass over images is enough while nothing before the head changes, and not a bit longer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from trainings import silent

from vptsp.core.backbones.load import load_backbone
from vptsp.core.heads import Head
from vptsp.data import load_data
from vptsp.data.image_set import ImageSet
from vptsp.evaluation import kept_features
from vptsp.evaluation.evaluate import predict
from vptsp.machine import make_fabric
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import Config
from vptsp.settings.methods import METHODS
from vptsp.training import session as sessions
from vptsp.training.loop import train

Tiny = Callable[..., Config]
pytestmark = pytest.mark.usefixtures("two_blocks")


class Counted:
    """A set of images that counts how often one is loaded."""

    def __init__(self, images: ImageSet) -> None:
        self.loaded, self._load = 0, images.load
        self.images = replace(images, load=self)

    def __call__(self, position: int) -> Any:
        self.loaded += 1
        return self._load(position)


def built(config: Config, classes: int = 10) -> ConfiguredModel:
    backbone = load_backbone(config.backbone, config.backbone_weights, config.image_size, config.pooling, config.seed)
    torch.manual_seed(config.seed)
    return build_model(config, backbone, classes).eval()


@pytest.mark.parametrize("method", list(METHODS))
def test_whatever_changes_before_the_head_is_seen(tiny: Tiny, method: str) -> None:
    task = METHODS[method].tasks[0]
    config = tiny(method=method, task=task, image_size=64 if METHODS[method].side else 32)
    images, fabric, model = Counted(load_data(config).test), make_fabric("cpu", "fp32"), built(config)
    embeddings = predict(model, images.images, config, fabric).embeddings
    assert torch.equal(predict(model, images.images, config, fabric).embeddings, embeddings)
    assert images.loaded == len(images.images)  # the second time, nothing was looked at

    before = dict(model.before_head())
    # What matters is found by asking the model, not by the names that the code under test goes by.
    batch = torch.randn(2, 3, *[config.image_size] * 2)
    for name, value in model.state_dict(keep_vars=True).items():
        if not value.is_floating_point() or not value.numel():
            continue
        with torch.no_grad():
            kept, features = value.clone(), model.head_features(batch)
            value.add_(torch.randn_like(value))
            if not torch.equal(model.head_features(batch), features):
                assert name in before, f"{name} changes the features"
            value.copy_(kept)
    with torch.no_grad():
        value = next(value for name, value in reversed(before.items()) if value.is_floating_point())
        value.add_(1)
    predict(model, images.images, config, fabric)
    assert images.loaded == 2 * len(images.images)


@pytest.mark.parametrize("method", ["linear", "vptsp_g", "lora"])
def test_another_head_and_another_model_of_the_same_weights_need_no_pass(tiny: Tiny, method: str) -> None:
    config = tiny(method=method)
    images, fabric, model = Counted(load_data(config).test), make_fabric("cpu", "fp32"), built(config)
    first = predict(model, images.images, config, fabric).embeddings
    other = built(config)
    assert isinstance(other.head, Head)
    with torch.no_grad():
        other.head.linear.weight.normal_()
    again = predict(other, images.images, config, fabric).embeddings
    assert images.loaded == len(images.images)
    assert not torch.allclose(again, first, atol=0.1)
    kept_features._kept.clear()
    assert torch.equal(predict(other, images.images, config, fabric).embeddings, again)
    assert images.loaded == 2 * len(images.images)


def test_a_weight_that_an_optimiser_moved_is_seen(tiny: Tiny) -> None:
    config = tiny(method="bias")
    images, fabric, model = load_data(config).test, make_fabric("cpu", "fp32"), built(config)
    before = predict(model, images, config, fabric).embeddings
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1, fused=True)
    model(torch.randn(4, 3, 32, 32)).embeddings[:, 0].sum().backward()
    optimizer.step()
    assert not torch.equal(predict(model, images, config, fabric).embeddings, before)


def test_what_is_too_large_is_not_kept(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny(method="linear")
    images, fabric, model = Counted(load_data(config).test), make_fabric("cpu", "fp32"), built(config)
    monkeypatch.setattr(kept_features, "KEPT_BYTES", 100)
    first = predict(model, images.images, config, fabric).embeddings
    assert torch.equal(predict(model, images.images, config, fabric).embeddings, first)
    assert images.loaded == 2 * len(images.images)


@pytest.mark.parametrize(("method", "grows"), [("linear", False), ("vptsp_g", True)])
def test_a_linear_probe_passes_once_over_what_it_is_judged_by(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, grows: bool
) -> None:
    loaded = {}
    for epochs in (2, 4):
        counted: dict[str, Counted] = {}

        def counting(config: Config, counted: dict[str, Counted] = counted) -> Any:
            splits = load_data(config)
            assert splits.val is not None
            counted.update(val=Counted(splits.val), test=Counted(splits.test))
            return replace(splits, val=counted["val"].images, test=counted["test"].images)

        monkeypatch.setattr(sessions, "load_data", counting)
        config = tiny(method=method, epochs=epochs, val_fraction=0.4, select_finish="whitened")
        train(config, tmp_path / f"{epochs}", observer=silent)
        loaded[epochs] = (counted["val"].loaded, counted["test"].loaded)
    if not grows:
        assert loaded[2] == loaded[4]
        assert loaded[2][0] == len(counted["val"].images)
    else:
        assert all(few < many for few, many in zip(loaded[2], loaded[4], strict=True))
