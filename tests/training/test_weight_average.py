"""Weights averaged over steps: what they are, and that they are what a run is judged by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from trainings import silent

from vptsp.evaluation.enrol_by_tower import model_with_tower
from vptsp.runs.checkpoints import inference_path
from vptsp.settings.config import Config
from vptsp.training.loop import train
from vptsp.training.weight_average import WeightAverage

pytestmark = pytest.mark.usefixtures("two_blocks")


def test_an_average_by_its_formula_and_swapped_in_for_a_while() -> None:
    model = nn.Linear(2, 1, bias=False)
    frozen = nn.Parameter(torch.ones(1), requires_grad=False)
    model.register_parameter("frozen", frozen)
    average = WeightAverage(model, keep=0.5)
    expected = model.weight.detach().clone()
    for step in range(1, 12):
        with torch.no_grad():
            model.weight.fill_(float(step))
        average.step()
        share = min(0.5, (1 + step) / (10 + step))
        expected = share * expected + (1 - share) * step
    assert set(average.mean) == {"weight"}
    with average.in_place():
        torch.testing.assert_close(model.weight.detach(), expected)
    assert model.weight.tolist() == [[11.0, 11.0]]
    torch.testing.assert_close(average.mean["weight"], expected)


def test_what_is_kept_is_the_average_and_training_goes_on_from_its_own(
    tiny: Callable[..., Config], tmp_path: Path
) -> None:
    plain = train(tiny(), tmp_path / "plain", observer=silent)
    run = train(tiny(weight_average=0.9), tmp_path / "averaged", observer=silent)
    losses = [[line["loss"] for line in each.metrics()] for each in (plain, run)]
    assert losses[0] == losses[1]
    stored = load_file(run.path / "checkpoint" / "last" / "tensors.safetensors")
    kept = load_file(inference_path(run, "last"))
    trained = [name for name in kept if f"average.mean.{name}" in stored]
    assert trained
    assert all(torch.equal(kept[name], stored[f"average.mean.{name}"]) for name in trained)
    assert any(not torch.equal(kept[name], stored[f"model.{name}"]) for name in trained)
    of_plain = load_file(inference_path(plain, "last"))
    assert all(torch.equal(of_plain[name], stored[f"model.{name}"]) for name in trained)
    tower = model_with_tower(run, int(run.summary()["classes"]["train"])).state_dict()
    assert all(torch.equal(kept[name], tower[name]) for name in trained)
