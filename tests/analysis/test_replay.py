"""Runs played again: one frame for all epochs, recall as the metrics have it, clear words for what is missing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from vptsp.analysis import replay as module
from vptsp.analysis.replay import KINDS, replay, some_classes
from vptsp.errors import ConfigError, DataError, RunError
from vptsp.evaluation.metrics import evaluate_retrieval
from vptsp.files import read_tensors, write_json, write_tensors
from vptsp.runs.run import Run
from vptsp.settings.config import Config

Tiny = Callable[..., Config]


@pytest.fixture
def run(tiny_run: Run, tmp_path: Path) -> Run:
    shutil.copytree(tiny_run.path, tmp_path / "run", ignore=shutil.ignore_patterns("embeddings", "checkpoint"))
    return Run.open(tmp_path / "run")


def images(run: Run, epoch: int) -> np.ndarray:
    """Unit vectors of the probe images, train then test."""
    tensors = run.snapshot(epoch)
    rows = np.concatenate([tensors["probe_train"].numpy(), tensors["probe_test"].numpy()])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def units(rows: torch.Tensor) -> np.ndarray:
    return (rows / rows.norm(dim=1, keepdim=True)).numpy()


def change(run: Run, epoch: int, act: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    path = run.snapshot_path(epoch)
    write_tensors(path, act(read_tensors(path, "")))


def test_last_epoch_is_the_pca_of_its_images_and_all_else_is_projected(tiny_run: Run) -> None:
    shown = replay(tiny_run)
    assert (shown.epochs, shown.frame) == ((0, 1, 2), "pca")
    pca = PCA(2).fit(images(tiny_run, 2))
    expected = pca.transform(images(tiny_run, 2))
    signs = np.sign((expected * shown.images[-1]).sum(axis=0))
    for turn, epoch in enumerate(shown.epochs):
        np.testing.assert_allclose(shown.images[turn], pca.transform(images(tiny_run, epoch)) * signs, atol=2e-5)
        for kind in KINDS:
            vectors = units(tiny_run.snapshot(epoch)[kind])
            np.testing.assert_allclose(shown.proxies[kind][turn], pca.transform(vectors) * signs, atol=2e-5)
    np.testing.assert_allclose([shown.shares["1"], shown.shares["2"]], pca.explained_variance_ratio_, atol=1e-4)
    last = units(tiny_run.snapshot(2)["fused"])
    held = pca.transform(last).var(axis=0).sum() / last.var(axis=0).sum()
    assert shown.shares["fused"] == pytest.approx(held, abs=1e-4)
    assert f"{100 * shown.shares['1']:.0f} % of the images' variance" in shown.axes[0]


def test_equal_snapshots_have_equal_places(run: Run) -> None:
    shutil.copy(run.snapshot_path(1), run.snapshot_path(0))
    shown = replay(run)
    for path in (shown.images, *shown.proxies.values()):
        np.testing.assert_array_equal(path[0], path[1])
        assert not np.array_equal(path[1], path[2])
    np.testing.assert_array_equal(shown.turned["fused"][:2], 0)
    assert (shown.turned["fused"][2] > 0).all()


def test_earlier_epochs_do_not_shape_the_frame(run: Run) -> None:
    before = replay(run)
    change(run, 1, lambda tensors: {name: -rows for name, rows in tensors.items()})
    after = replay(run)
    np.testing.assert_array_equal(after.images[[0, 2]], before.images[[0, 2]])
    run.snapshot_path(1).unlink()
    assert replay(run).epochs == (0, 2)


def test_recall_is_that_of_the_metrics_and_of_the_run(tiny_run: Run) -> None:
    shown = replay(tiny_run)
    index = json.loads((tiny_run.path / "snapshots" / "probes.json").read_text())
    # 4 train probes of 10 classes, each of its own: nothing to find
    assert set(shown.recall) == {name for name in ("train", "test") if len(set(index[name]["labels"])) < 4}
    for turn, epoch in enumerate(shown.epochs):
        for split, recall in shown.recall.items():
            vectors, labels = tiny_run.snapshot(epoch)[f"probe_{split}"], np.array(index[split]["labels"])
            expected = evaluate_retrieval(vectors, labels, clustering=False)
            assert recall.values[turn] == expected.metrics["recall_at_1"]
            assert (recall.images, recall.queries) == (4, 4 - expected.num_lone_queries)
    scored = {line["epoch"]: line["val_recall_at_1"] for line in tiny_run.metrics()}
    assert np.isnan(shown.judged[0])
    assert shown.judged[1:].tolist() == [scored[1], scored[2]]
    assert shown.judged_title == "R@1"


def test_recall_of_probes_that_share_classes(run: Run) -> None:
    index = json.loads((run.path / "snapshots" / "probes.json").read_text())
    index["test"]["labels"] = [0, 0, 1, 2]
    write_json(run.path / "snapshots" / "probes.json", index)
    recall = replay(run).recall["test"]
    assert (recall.images, recall.queries) == (4, 2)
    for turn, epoch in enumerate((0, 1, 2)):
        vectors = run.snapshot(epoch)["probe_test"]
        expected = evaluate_retrieval(vectors, np.array([0, 0, 1, 2]), clustering=False)
        assert recall.values[turn] == expected.metrics["recall_at_1"]


def test_names_labels_and_angles(tiny_run: Run) -> None:
    shown = replay(tiny_run)
    index = json.loads((tiny_run.path / "snapshots" / "probes.json").read_text())
    assert shown.ids == (*index["train"]["ids"], *index["test"]["ids"])
    assert shown.is_test.tolist() == [False] * 4 + [True] * 4
    names = [shown.class_names[label] for label in shown.labels]
    assert names == [
        index[split]["class_names"][label] for split in ("train", "test") for label in index[split]["labels"]
    ]
    assert [shown.class_names[label] for label in shown.proxy_labels] == index["proxy_class_names"]
    first, last = (units(tiny_run.snapshot(epoch)["learned"]).astype(np.float64) for epoch in (0, 2))
    cosines = (first * last).sum(axis=1)
    np.testing.assert_allclose(np.cos(np.radians(shown.moved["learned"])), cosines, atol=1e-6)


def test_only_some_classes_in_the_same_frame(tiny_run: Run) -> None:
    everything = replay(tiny_run)
    wanted = [everything.class_names[label] for label in (2, 5, 10)]
    some = replay(tiny_run, classes=wanted)
    assert some.proxy_labels.tolist() == [2, 5]
    rows = np.isin(everything.labels, [2, 5, 10])
    np.testing.assert_array_equal(some.images, everything.images[:, rows])
    np.testing.assert_allclose(some.proxies["fused"], everything.proxies["fused"][:, [2, 5]], atol=1e-6)
    np.testing.assert_array_equal(some.moved["fused"], everything.moved["fused"][[2, 5]])
    assert some.totals == {"images": 8, "classes": len(everything.proxy_labels)}
    with pytest.raises(DataError, match=r"the run has no class 'rose'; its \d+ classes begin with"):
        replay(tiny_run, classes=["rose"])


def test_a_choice_of_classes_has_those_with_images_first(tiny_run: Run) -> None:
    everything = replay(tiny_run)
    count = len(everything.proxy_labels)
    assert some_classes(tiny_run, count) is None
    seen = set(everything.labels[~everything.is_test].tolist())
    names = some_classes(tiny_run, len(seen) + 1)
    assert names is not None
    some = replay(tiny_run, classes=names)
    assert len(some.proxy_labels) == len(seen) + 1
    assert seen < set(some.proxy_labels.tolist())
    assert some.ids == everything.ids
    with pytest.raises(DataError, match="most=0 training classes leaves no proxy to show; give 1 or more"):
        some_classes(tiny_run, 0)


def test_runs_with_fewer_parts(run: Run, tiny_run: Run) -> None:
    assert list(replay(run).proxies) == list(KINDS)
    for epoch in run.snapshots():
        change(run, epoch, lambda tensors: {name: rows for name, rows in tensors.items() if name != "semantic"})
    assert list(replay(run).proxies) == ["learned"]  # and fused is the same
    for epoch in run.snapshots():
        change(run, epoch, lambda tensors: {name: rows for name, rows in tensors.items() if "probe" in name})
    without = replay(run)
    assert (without.proxies, len(without.proxy_labels)) == ({}, 0)
    np.testing.assert_array_equal(without.images, replay(tiny_run).images)
    for epoch in (1, 2):
        run.snapshot_path(epoch).unlink()
    (run.path / "metrics.jsonl").unlink()
    single = replay(run, "aligned")
    assert (single.epochs, single.frame) == ((0,), "pca")  # of one epoch there is no aligned UMAP
    assert np.isnan(single.judged).all()


def test_a_run_without_probe_images_has_the_frame_of_its_proxies(run: Run) -> None:
    index = json.loads((run.path / "snapshots" / "probes.json").read_text())
    for split in ("train", "test"):
        index[split] |= {"ids": [], "labels": []}
    write_json(run.path / "snapshots" / "probes.json", index)
    for epoch in run.snapshots():
        change(run, epoch, lambda tensors: {name: rows for name, rows in tensors.items() if "probe" not in name})
    shown = replay(run)
    assert (shown.images.shape, shown.recall) == ((3, 0, 2), {})
    assert "proxies' variance" in shown.axes[0]
    vectors = np.concatenate([units(run.snapshot(2)[kind]) for kind in KINDS])
    places = np.concatenate([shown.proxies[kind][-1] for kind in KINDS])
    np.testing.assert_allclose(np.abs(places), np.abs(PCA(2).fit_transform(vectors)), atol=2e-5)


def test_aligned_takes_images_and_proxies_together(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def place(epochs: list[np.ndarray], cache: Path) -> list[np.ndarray]:
        given.append((epochs, cache))
        return [rows[:, :2] for rows in epochs]

    monkeypatch.setattr(module, "align", place)
    shown = replay(run, "aligned")
    ((epochs, cache),) = given
    assert cache == run.path / "embeddings" / "projections"
    np.testing.assert_allclose(epochs[1][:8], images(run, 1), atol=1e-6)
    count = len(shown.proxy_labels)
    np.testing.assert_array_equal(shown.proxies["semantic"][2], epochs[2][8 + count : 8 + 2 * count, :2])
    assert shown.images.shape == (3, 8, 2)
    assert shown.shares == {}
    assert shown.axes == ("aligned UMAP 1", "aligned UMAP 2")


def test_what_cannot_be_played_says_why(run: Run, tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="frame='tsne' is unknown; legal: pca, aligned"):
        replay(run, "tsne")  # type: ignore[arg-type]
    with pytest.raises(RunError, match="has no snapshots to play: the frozen backbone is not trained"):
        replay(run.path / "baselines" / "frozen")
    with pytest.raises(
        RunError, match="has no snapshots to play: its state is 'unknown', and the first is written when"
    ):
        replay(Run.create(tmp_path / "new", tiny()))
    change(run, 1, lambda tensors: tensors | {"fused": tensors["fused"] * float("nan")})
    with pytest.raises(RunError, match=r"fused of .*epoch_0001.* cannot be placed"):
        replay(run)
    change(run, 1, lambda tensors: tensors | {"fused": tensors["fused"][:3]})
    with pytest.raises(RunError, match=r"epoch_0001.* holds .* instead of .*; delete it"):
        replay(run)
    run.snapshot_path(1).write_bytes(b"cut")
    with pytest.raises(RunError, match=r"epoch_0001.* is damaged or cut off"):
        replay(run)
    (run.path / "snapshots" / "probes.json").unlink()
    with pytest.raises(RunError, match=r"probes.json does not exist; the images and classes"):
        replay(run)
