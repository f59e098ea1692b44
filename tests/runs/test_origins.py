"""Stored embeddings say which epoch's model made them, and what is shown beside them is of that epoch."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from vptsp.analysis.anatomy import Anatomy
from vptsp.analysis.proxies_on_map import proxies_of
from vptsp.analysis.significance import query_scores
from vptsp.errors import RunError
from vptsp.evaluation.evaluate import embed_folder, evaluate_run
from vptsp.files import read_json, write_json
from vptsp.runs import Origin, Run, SavedEmbeddings, load_beside, load_inference, origin_of, proxies_beside
from vptsp.settings.build import ConfiguredModel
from vptsp.settings.config import Config
from vptsp.training.loop import train

Tiny = Callable[..., Config]


@pytest.fixture(scope="module")
def ended(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose selected epoch is not its last."""
    run = train(tiny(epochs=3, lr=0.05), tmp_path_factory.mktemp("runs") / "ended", observer=lambda event: None)
    assert run.result().epoch != run.result().epochs == 3
    return run


@pytest.fixture(scope="module")
def again(ended: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same run after ``vptsp evaluate RUN --checkpoint last``."""
    run = Run(shutil.copytree(ended.path, tmp_path_factory.mktemp("runs") / "again"))
    evaluate_run(run, "last")
    return run


@pytest.fixture
def run(again: Run, tmp_path: Path) -> Run:
    return Run(shutil.copytree(again.path, tmp_path / "run"))


def forget(run: Run) -> None:
    """As a run was written before its embeddings said whose they are."""
    for split in ("train", "test"):
        path = run.path / "embeddings" / split / "index.json"
        index = read_json(path, "")
        write_json(path, {name: value for name, value in index.items() if name not in ("checkpoint", "epoch")})


def same(model: ConfiguredModel, other: ConfiguredModel) -> bool:
    values = other.state_dict()
    return all(torch.equal(value, values[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("split", ["train", "test"])
def test_embeddings_say_whose_they_are(ended: Run, again: Run, split: str) -> None:
    selected = ended.result().epoch
    assert SavedEmbeddings.of_run(ended, split).origin == Origin("best_val", selected or 0)
    assert SavedEmbeddings.of_run(again, split).origin == Origin("last", 3)


@pytest.mark.parametrize("known", [True, False], ids=["recorded", "written before"])
def test_proxies_and_model_are_of_the_epoch_of_the_images(ended: Run, run: Run, tmp_path: Path, known: bool) -> None:
    before = Run(shutil.copytree(ended.path, tmp_path / "before"))
    for one, which in ((before, "best_val"), (run, "last")):
        if not known:
            forget(one)
        for split in ("train", "test"):
            saved = SavedEmbeddings.of_run(one, split)
            assert (saved.origin is not None) == known
            origin = origin_of(one, saved)
            assert origin == Origin(which, 3 if which == "last" else ended.result().epoch or 0)
            snapshot = proxies_beside(one, saved)
            rows = [saved.ids.index(name) for name in snapshot.index.probes[split].ids]
            np.testing.assert_allclose(saved.embeddings[rows], snapshot.embeddings[split], atol=1e-5)
            proxies, names = proxies_of(one, saved)
            assert list(proxies) == ["learned", "semantic", "fused"]
            assert np.array_equal(proxies["fused"], one.snapshot(origin.epoch)["fused"].numpy())
            assert names == list(snapshot.index.class_names)
            model = load_beside(one, saved)
            assert same(model, load_inference(one, which))
            assert not same(model, load_inference(one, "last" if which == "best_val" else "best_val"))
        assert Anatomy.of_run(one).epoch == origin.epoch


def test_a_model_that_the_run_has_no_more_is_not_replaced_by_another(run: Run) -> None:
    """Embeddings of an unfinished run's checkpoint, which has gone on since."""
    path = run.path / "embeddings" / "test" / "index.json"
    write_json(path, read_json(path, "") | {"epoch": 1 if run.result().epoch != 1 else 2})
    saved = SavedEmbeddings.of_run(run)
    with pytest.raises(RunError, match=r"was embedded after epoch \d, of which .* has no model any more .*embeds the"):
        load_beside(run, saved)
    run.snapshot_path(origin_of(run, saved).epoch).unlink()
    assert proxies_of(run, saved) == ({}, [])
    with pytest.raises(RunError, match="the run has snapshots of epochs"):
        proxies_beside(run, saved)


def test_a_folder_is_beside_the_model_that_embedded_it(run: Run, image_folder: Path, tmp_path: Path) -> None:
    own = embed_folder(run.path, image_folder / "test", tmp_path / "own")
    assert own.origin is None
    assert same(load_beside(run, own), load_inference(run, "best_val"))
    assert same(load_beside(run.path / "checkpoint" / "inference_last.safetensors", own), load_inference(run, "last"))


def test_statistics_of_the_selected_epoch_refuse_another_epochs_images(ended: Run, again: Run) -> None:
    assert query_scores(ended, "recall_at_1").values.mean() == ended.result().metrics["recall_at_1"]
    with pytest.raises(RunError, match=r"keeps embeddings of epoch 3 and not of epoch \d, the selected one; vptsp"):
        query_scores(again, "recall_at_1")
