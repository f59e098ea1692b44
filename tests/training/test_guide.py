"""Guided prompts over a run: when classes are mapped, from which images, and at which rates the steps are taken."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from trainings import silent

from vptsp.core.backbones.load import load_backbone
from vptsp.runs.run import Run
from vptsp.settings.build import build_model
from vptsp.settings.config import Config, make_config
from vptsp.training import loop
from vptsp.training.guide import begin_epoch_of_guide, end_epoch_of_guide, mapping_features, start_guide
from vptsp.training.session import Session

Tiny = Callable[..., Config]


def prepared(tiny: Tiny, **settings: Any) -> Session:
    return Session.prepare(tiny(method="davpt_dml", val_fraction=0.0, **settings))


@pytest.mark.parametrize("images", [10, "all"])
def test_the_first_mapping_is_of_class_means_of_the_frozen_backbone(tiny: Tiny, images: Any) -> None:
    session = prepared(tiny, mapping_images=images)
    guide, seen, before = session.model.train().guide, [], torch.get_rng_state()
    observe = guide.observe
    guide.observe = lambda features, labels: (seen.append((features, labels)), observe(features, labels))
    start_guide(session)
    features, labels = (torch.cat(each) for each in zip(*seen, strict=True))
    assert torch.equal(torch.bincount(labels), torch.full((10,), 5 if images == "all" else 10))
    means = torch.stack([features[labels == label].mean(0) for label in range(10)])
    cosines = F.normalize(F.layer_norm(means, means.shape[1:])) @ F.normalize(guide.centroids).T
    assert torch.equal(guide.mapping, cosines.argmax(dim=1))
    assert len(guide.mapping.unique()) == 3
    assert not guide.seen.any()
    assert session.model.training
    assert torch.equal(torch.get_rng_state(), before), "mapping draws from a generator of its own"
    again = prepared(tiny, mapping_images=images)
    start_guide(again)
    assert torch.equal(again.model.guide.mapping, guide.mapping)


def test_means_are_of_an_epoch_and_only_from_remap_from_on(tiny: Tiny) -> None:
    session = prepared(tiny, remap_from=1)
    model, guide = session.model.train(), session.model.guide
    start_guide(session)
    images, labels, _ = next(iter(session.loader))
    counted = []
    for epoch in range(3):
        begin_epoch_of_guide(session, epoch)
        output = model(images, labels)
        counted.append(int(guide.seen.sum()))
        if guide.seen.any():
            of_first = output.encoded.features[labels == labels[0]].mean(0)
            torch.testing.assert_close(guide.means()[labels[0]], of_first.detach(), rtol=1e-4, atol=1e-5)
        end_epoch_of_guide(session, epoch)
        assert not guide.seen.any()
    assert counted == [0, len(labels), len(labels)]


@pytest.mark.parametrize("settings", [{"remap_from": 0}, {"class_mapping": "balanced"}])
def test_a_mapping_that_stays(tiny: Tiny, settings: dict[str, Any]) -> None:
    session = prepared(tiny, **settings)
    begin_epoch_of_guide(session, 5)
    assert not session.model.guide.observing


def test_without_weights_nothing_is_looked_at(tiny: Tiny) -> None:
    session = prepared(tiny, guided_patch_weight=0.0, guided_cls_weight=0.0)
    before = session.model.guide.mapping.clone()
    start_guide(session)
    begin_epoch_of_guide(session, 5)
    images, labels, _ = next(iter(session.loader))
    output = session.model.train()(images, labels)
    assert output.guided is None
    assert torch.equal(session.model.guide.mapping, before)
    assert not session.model.guide.seen.any()


def test_a_class_without_images_is_no_point_of_the_first_mapping(tiny: Tiny) -> None:
    session = prepared(tiny)
    images = session.splits.train
    session.splits = replace(session.splits, train=images.subset(np.flatnonzero(images.labels != 4)))
    start_guide(session)
    assert session.model.guide.mapping.max() < 3


def test_published_features_are_normed_after_the_mean() -> None:
    features = {}
    images = torch.randn(2, 3, 32, 32)
    for how in ("published", "pooled"):
        config = make_config({"method": "davpt_dml", "pooling": "mean", "mapping_feature": how})
        model = build_model(config, load_backbone("test_vit", "random", 32, "mean"), 12).eval()
        with torch.no_grad():
            features[how] = mapping_features(model, images)
    tokens = model.vit.forward_features(images)  # timm's, after its norm
    torch.testing.assert_close(features["pooled"], tokens[:, 1:].mean(dim=1))
    kept: list[torch.Tensor] = []
    model.vit.norm.register_forward_pre_hook(lambda module, given: kept.append(given[0]))
    model.vit.forward_features(images)
    torch.testing.assert_close(features["published"], F.layer_norm(kept[0][:, 1:].mean(1), (64,), eps=1e-6))


def test_a_rate_for_each_step(tiny: Tiny, tmp_path: Path) -> None:
    """timm's: the warm-up ends at the rate, the cosine has counted from the first step."""
    config = tiny(
        method="linear",
        val_fraction=0.0,
        probe_images=0,
        epochs=3,
        warmup_epochs=1,
        warmup_lr=1e-5,
        lr=1e-2,
        cosine_min=1e-4,
        schedule="updates",
    )
    session, rates = Session.prepare(config), []
    step = session.step

    def watched() -> None:
        rates.append(session.optimizers[0].param_groups[0]["lr"])
        step()

    session.step = watched  # type: ignore[method-assign]
    loop._train(Run.create(tmp_path / "run", session.config), session, silent)
    per_epoch = len(session.loader)
    expected = []
    for update in range(3 * per_epoch):
        warm = 1e-5 + update * (1e-2 - 1e-5) / per_epoch
        falling = 1e-4 + (1e-2 - 1e-4) * (1 + math.cos(math.pi * update / (3 * per_epoch))) / 2
        expected.append(warm if update < per_epoch else falling)
    assert rates == pytest.approx(expected, rel=1e-12)
