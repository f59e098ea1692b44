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

from vptsp.analysis.anatomy import Anatomy
from vptsp.analysis.guided_prompts import PROMPT, guided_classes, mapping_history, prompt_column, speakers
from vptsp.errors import DataError, RunError
from vptsp.files import write_tensors
from vptsp.runs.embeddings import SavedEmbeddings
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


@pytest.fixture(scope="module")
def retrieved(tiny: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose proxies have guided prompts beside them."""
    settings = {"epochs": 1, "val_fraction": 0.0, "guided_blocks": (5, 6), "probe_images": 0}
    return train(tiny(method="davpt_dml", **settings), tmp_path_factory.mktemp("runs") / "dml", observer=silent)


def test_speakers_are_those_of_the_epoch_of_the_embeddings(retrieved: Run, tiny_run: Run) -> None:
    found = speakers(retrieved)
    assert found is not None
    mapping = retrieved.snapshot(1)["prompt_of_class"].tolist()
    names = [f"class_{number:02d}" for number in range(10)]
    assert found.of_class == dict(zip(names, mapping, strict=True))
    assert found.blocks == (5, 6)
    assert sorted(name for some in found.classes for name in some) == names
    for prompt, words in enumerate(found.words(most=1)):
        own = [name for name in names if found.of_class[name] == prompt]
        more = f" and {len(own) - 1} more" if len(own) > 1 else ""
        assert words == (own[0] + more if own else "no class")
    assert speakers(tiny_run) is None


def test_a_map_of_the_training_images_can_be_coloured_by_prompt(retrieved: Run) -> None:
    saved = SavedEmbeddings.of_run(retrieved, "train")
    column = prompt_column(retrieved, saved)
    found = speakers(retrieved)
    assert column is not None
    assert found is not None
    assert column.index.tolist() == saved.ids
    expected = [f"prompt {found.of_class[name] + 1}" for name in saved.names]
    assert column[PROMPT].tolist() == expected
    assert prompt_column(retrieved, SavedEmbeddings.of_run(retrieved, "test")) is None, "classes that no prompt is of"


def test_anatomy_tells_whether_the_classes_of_a_prompt_lie_together(retrieved: Run, tiny_run: Run) -> None:
    whole = Anatomy.of_run(retrieved)
    mapping = retrieved.snapshot(1)["prompt_of_class"].numpy()
    assert whole.classes().loc[list(whole.class_names), "prompt"].tolist() == mapping.tolist()
    table, proxies = whole.prompts(), whole.fused().astype(float)
    assert table["count"].tolist() == sorted(np.bincount(mapping)[np.bincount(mapping) > 0].tolist(), reverse=True)
    nearest = (whole.embeddings @ proxies.T).argmax(axis=1)
    for _, row in table.iterrows():
        own = np.flatnonzero(mapping == row["prompt"])
        pairs = [proxies[a] @ proxies[b] for a in own for b in own if a != b]
        others = [proxies[a] @ proxies[b] for a in own for b in range(10) if b not in own]
        assert row["within"] == pytest.approx(np.mean(pairs), abs=1e-6) if pairs else np.isnan(row["within"])
        assert row["between"] == pytest.approx(np.mean(others), abs=1e-6)
        images = np.isin(whole.labels, own)
        assert row["same_prompt"] == pytest.approx(np.isin(nearest[images], own).mean())
        assert row["accuracy"] <= row["same_prompt"]
    some = whole.subset(np.array([3, 7]), np.flatnonzero(np.isin(whole.labels, [3, 7])))
    assert some.prompt_of_class.tolist() == mapping[[3, 7]].tolist()
    with pytest.raises(DataError, match="has no guided prompts; choose a run of method=davpt_dml or davpt_vptsp"):
        Anatomy.of_run(tiny_run).prompts()
