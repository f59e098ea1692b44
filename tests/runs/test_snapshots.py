"""Snapshots as whoever shows a run reads them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from vptsp.core.proxies import fuse
from vptsp.errors import RunError
from vptsp.files import read_json, write_json, write_tensors
from vptsp.runs import Run, SavedEmbeddings, Snapshots


def test_every_epoch_has_proxies_and_probe_images(tiny_run: Run) -> None:
    snapshots = Snapshots(tiny_run.path)
    assert [snapshot.epoch for snapshot in snapshots] == snapshots.epochs == [0, 1, 2]
    assert len(snapshots) == 3
    index = snapshots.index
    assert list(index.class_names) == SavedEmbeddings.of_run(tiny_run, "train").class_names
    for snapshot in snapshots:
        tensors = tiny_run.snapshot(snapshot.epoch)
        assert list(snapshot.proxies) == ["learned", "semantic", "fused"]
        for kind, rows in snapshot.proxies.items():
            assert np.array_equal(rows, tensors[kind].numpy())
            assert len(rows) == len(index.class_names)
        mixed = fuse(tensors["learned"], tensors["semantic"], tiny_run.config.alpha).numpy()
        np.testing.assert_allclose(snapshot.fused, mixed, atol=1e-6)
        for split, rows in snapshot.embeddings.items():
            assert np.array_equal(rows, tensors[f"probe_{split}"].numpy())
            assert len(rows) == len(index.probes[split]) == len(index.probes[split].labels) == 4


def test_probe_images_are_of_the_classes_that_they_are_said_to_be(tiny_run: Run) -> None:
    for split, probes in Snapshots(tiny_run).index.probes.items():
        saved = SavedEmbeddings.of_run(tiny_run, split)
        known = dict(zip(saved.ids, saved.names, strict=True))
        assert [probes.class_names[label] for label in probes.labels] == [known[name] for name in probes.ids]


def test_without_semantic_proxies_learned_ones_are_all_there_is(tiny_run: Run) -> None:
    snapshot = Snapshots(tiny_run.path / "baselines" / "linear")[1]
    assert list(snapshot.proxies) == ["learned"]
    assert snapshot.semantic is None
    assert snapshot.fused is not None
    assert np.array_equal(snapshot.fused, snapshot.proxies["learned"])


def test_what_is_not_there_is_a_sentence(tiny_run: Run, tmp_path: Path) -> None:
    assert Snapshots(tiny_run.path / "baselines" / "frozen").epochs == []
    with pytest.raises(RunError, match=r"epoch_0007.* does not exist; the run has snapshots of epochs \[0, 1, 2\]"):
        Snapshots(tiny_run)[7]
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "run"))
    write_tensors(run.snapshot_path(1), {})
    bare = Snapshots(run)[1]
    assert (bare.learned, bare.fused, bare.proxies, bare.embeddings) == (None, None, {}, {})
    index = read_json(run.probes_path, "")
    write_json(run.probes_path, {name: value for name, value in index.items() if name != "test"})
    with pytest.raises(RunError, match=r"probes\.json is damaged; the images and classes .* train the run again"):
        _ = Snapshots(run).index
    run.probes_path.unlink()
    with pytest.raises(RunError, match=r"probes\.json does not exist; the images and classes of the snapshots cannot"):
        _ = Snapshots(run)[0]
