"""Which guided prompt speaks for which classes, against the run's own tensors."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from trainings import silent

from vptsp.analysis.guided_prompts import guided_classes, mapping_history
from vptsp.errors import RunError
from vptsp.files import write_tensors
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.training.loop import train


@pytest.fixture(scope="module")
def run(tiny: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = tiny(method="davpt", task="recognition", val_fraction=0.0, probe_images=0)
    return train(config, tmp_path_factory.mktemp("runs") / "guided", observer=silent)


def test_every_class_is_in_one_row_and_prompts_are_the_runs(run: Run) -> None:
    table = guided_classes(run)
    stored = load_file(run.path / "checkpoint" / "last" / "tensors.safetensors")
    mapping = stored["model.guide.mapping"]
    assert table["count"].tolist() == torch.bincount(mapping, minlength=3).tolist()
    named = [name for row in table["classes"] for name in row.split(", ") if name]
    assert sorted(named) == sorted(f"class_{number:02d}" for number in range(10))
    first = table["classes"][int(mapping[0])]
    assert "class_00" in first
    guided = torch.nn.functional.normalize(stored["model.prompts.guided"], dim=-1)
    cosines = torch.einsum("gpd,gqd->pq", guided, guided) / 2 - 2 * torch.eye(3)
    assert table["nearest"].tolist() == cosines.argmax(1).tolist()
    np.testing.assert_allclose(table["cosine"], cosines.max(1).values, atol=1e-5)


def test_the_history_counts_the_classes_that_moved(run: Run, tmp_path: Path) -> None:
    history = mapping_history(run)
    assert history["epoch"].tolist() == [0, 1, 2]
    assert np.isnan(history["moved"][0])
    assert history["moved"][1] == 0, "remap_from=1 leaves the first epoch's mapping as it is"
    for epoch in (0, 1, 2):
        assert history["used"][epoch] == len(np.unique(run.snapshot(epoch)["prompt_of_class"]))
    assert guided_classes(run, 0)["count"].sum() == 10


def test_one_prompt_alone_and_a_run_without_any(run: Run, tiny_run: Run, tmp_path: Path) -> None:
    copy = Run(shutil.copytree(run.path, tmp_path / "run"))
    tensors = copy.snapshot(2)
    one = {"guided_prompts": tensors["guided_prompts"][:, :1], "prompt_of_class": torch.zeros(10, dtype=torch.long)}
    write_tensors(copy.snapshot_path(2), one)
    table = guided_classes(copy)
    assert (table["count"].tolist(), table["nearest"].tolist()) == ([10], [-1])
    assert np.isnan(table["cosine"][0])
    with pytest.raises(RunError, match=r"holds no guided prompts; choose a run of method=davpt, davpt_dml or"):
        mapping_history(tiny_run)
