"""Fusing again with any alpha, what proxies are good for, and how their distances follow known attributes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anatomies import some_anatomy
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

from vptsp.analysis.anatomy import Anatomy, find_images
from vptsp.analysis.angles import angles
from vptsp.analysis.mantel import gower, mantel, rank_correlation, visible
from vptsp.errors import DataError, RunError
from vptsp.evaluation.metrics import average_precision_at_r, hit_at_k
from vptsp.evaluation.ranking import unit_rows
from vptsp.files import read_json, read_tensors, write_json, write_tensors
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.proxies import proxies_beside
from vptsp.runs.run import Run


# --- fusion -----------------------------------------------------------------------------------------
@given(st.integers(0, 50))
def test_alpha_1_is_the_learned_proxy_and_alpha_0_the_semantic_one(seed: int) -> None:
    whole = some_anatomy(seed)
    assert whole.semantic is not None
    np.testing.assert_allclose(whole.fused(1.0), unit_rows(whole.learned), atol=1e-6)
    np.testing.assert_allclose(whole.fused(0.0), whole.semantic, atol=1e-6)
    between = 0.3 * whole.learned + 0.7 * whole.semantic
    np.testing.assert_allclose(whole.fused(0.3), between / np.linalg.norm(between, axis=1)[:, None], atol=1e-6)


def test_the_weight_of_the_learned_proxy_is_not_alpha() -> None:
    whole = some_anatomy()
    long = np.linalg.norm(whole.learned, axis=1)
    np.testing.assert_allclose(whole.weight_of_learned(0.5), long / (long + 1), rtol=1e-5)
    assert whole.weight_of_learned(0.0).tolist() == [0.0] * 6
    assert whole.weight_of_learned(1.0).tolist() == [1.0] * 6
    np.testing.assert_allclose(replace(whole, semantic=None, alpha=1.0).weight_of_learned(), 1.0)


def test_angles_of_known_vectors() -> None:
    first, second = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]), np.array([[0.0, 4.0], [1.0, 0.0], [-1.0, 0.0]])
    np.testing.assert_allclose(angles(first, second), [90, 0, 180], atol=1e-5)
    np.testing.assert_allclose(angles(first[None], second[None]), [[90, 0, 180]], atol=1e-5)
    small = np.array([[1.0, 1e-9]])  # the arc cosine would say 0
    np.testing.assert_allclose(angles(small, first[:1]), np.degrees(1e-9))
    assert angles(first[:1], np.zeros((1, 2))).tolist() == [90]


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_alpha_beyond_its_range_is_refused(alpha: float) -> None:
    with pytest.raises(DataError, match="from 0, semantic proxies only, to 1"):
        some_anatomy().fused(alpha)


# --- what the proxies are good for --------------------------------------------------------------------
@given(st.integers(0, 50), st.floats(0, 1))
def test_accuracy_and_precision_are_those_of_a_naive_loop(seed: int, alpha: float) -> None:
    whole = some_anatomy(seed)
    scored = whole.score(alpha)
    cosines = whole.fused(alpha).astype(float) @ whole.embeddings.T.astype(float)
    right = [int(cosines[:, image].argmax()) == label for image, label in enumerate(whole.labels)]
    assert scored.accuracy == pytest.approx(sum(right) / len(right))
    for label in range(6):
        own = whole.labels == label
        assert scored.class_accuracy[label] == pytest.approx(np.array(right)[own].mean())
        matches = own[np.argsort(-cosines[label], kind="stable")]
        total = int(own.sum())
        precision = sum(matches[: rank + 1].mean() for rank in range(total) if matches[rank]) / total
        assert scored.average_precision[label] == pytest.approx(precision)
    assert scored.map_at_r == pytest.approx(scored.average_precision.mean())
    found = find_images(whole.fused(alpha), whole.embeddings, whole.labels)
    assert scored.recall_at_1 == pytest.approx(hit_at_k(found, 1).mean())
    assert scored.map_at_r == pytest.approx(average_precision_at_r(found).mean())
    assert found.query_positions.tolist() == list(range(6))  # proxies ask, and images alone answer
    assert (found.neighbor_positions >= 6).sum() == np.minimum(found.k, 30) * 6


def test_the_curve_ends_at_the_parts_and_classes_say_what_fusing_changes() -> None:
    whole = some_anatomy()
    curve = whole.curve([0.0, 0.25, 1.0])
    assert curve["accuracy"].tolist() == [whole.score(alpha).accuracy for alpha in (0.0, 0.25, 1.0)]
    table = whole.classes(0.25).loc[list(whole.class_names)]
    np.testing.assert_allclose(
        table["gain"], whole.score(0.25).average_precision - whole.score(1.0).average_precision, atol=1e-12
    )
    np.testing.assert_allclose(table["accuracy_semantic"], whole.score(0.0).class_accuracy)
    # q lies between O and G, in their plane
    np.testing.assert_allclose(
        table["angle_learned_fused"] + table["angle_semantic_fused"], table["angle_learned_semantic"], atol=1e-3
    )
    assert whole.classes(0.25)["gain"].is_monotonic_decreasing


def test_without_semantic_proxies_only_the_learned_ones_are_scored() -> None:
    whole = replace(some_anatomy(), semantic=None, alpha=1.0)
    assert whole.curve().alpha.tolist() == [1.0]
    assert "ap_semantic" not in whole.classes()
    assert (whole.classes()["gain"] == 0).all()
    with pytest.raises(DataError, match=r"no semantic proxies to fuse with alpha=0\.5"):
        whole.score(0.5)


def test_a_class_without_images_has_no_score_and_does_not_count() -> None:
    whole = some_anatomy()
    kept = np.flatnonzero(whole.labels != 2)
    fewer = whole.subset(np.arange(6), kept)
    scored = fewer.score(0.5)
    assert np.isnan(scored.average_precision[2])
    assert np.isnan(scored.class_accuracy[2])
    assert scored.map_at_r == pytest.approx(np.nanmean(scored.average_precision))


def test_a_subset_is_scored_among_its_own() -> None:
    whole = some_anatomy()
    rows = np.flatnonzero(np.isin(whole.labels, [1, 4]))
    part = whole.subset(np.array([1, 4]), rows)
    assert part.class_names == ("class 1", "class 4")
    assert set(part.labels.tolist()) == {0, 1}
    np.testing.assert_array_equal(part.fused(0.3), whole.fused(0.3)[[1, 4]])
    with pytest.raises(DataError, match="classes that are not among those chosen"):
        whole.subset(np.array([1]), rows)


def test_parts_that_do_not_fit_are_refused() -> None:
    whole = some_anatomy()
    with pytest.raises(DataError, match="do not fit together"):
        replace(whole, learned=whole.learned[:, :3])
    with pytest.raises(DataError, match="labels must be 30 rows of 6 proxies"):
        replace(whole, labels=whole.labels + 1)


# --- rank correlation ----------------------------------------------------------------------------------
def distances(rng: np.random.Generator, classes: int) -> np.ndarray:
    points = rng.normal(size=(classes, 2))
    return np.asarray(np.linalg.norm(points[:, None] - points, axis=-1))


@given(st.integers(0, 200), st.integers(3, 12), st.booleans())
def test_rho_is_scipys(seed: int, classes: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    first, second = distances(rng, classes), distances(rng, classes)
    if ties:
        second = np.ceil(second)  # none is 0 but the diagonal
        if len(np.unique(squareform(second, checks=False))) < 2:
            return
    expected = spearmanr(squareform(first, checks=False), squareform(second, checks=False)).statistic
    assert rank_correlation(first, second) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_p_value_of_few_classes_counts_every_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = distances(rng, 5)
    second = first + distances(rng, 5)
    found = mantel(first, second)
    assert (found.exact, found.permutations, found.classes) == (True, 120, 5)
    above = np.triu_indices(5, 1)
    reached = 0
    for order in permutations(range(5)):
        moved = first[np.ix_(order, order)]
        reached += spearmanr(moved[above], second[above]).statistic >= found.rho - 1e-9
    assert found.p_value == pytest.approx(reached / 120)


def test_p_values_of_unrelated_distances_are_uniform() -> None:
    rng = np.random.default_rng(7)
    p_values = np.array([mantel(distances(rng, 9), distances(rng, 9), 99, seed).p_value for seed in range(300)])
    # 0.01, 0.02 ... 1 are equally likely; the largest deviation of 300 draws exceeds 0.11 once in a thousand times
    grid = np.arange(1, 101) / 100
    shares = (p_values[:, None] <= grid + 1e-9).mean(axis=0)
    assert np.abs(shares - grid).max() < 0.11


def test_equal_distances_agree_as_no_permutation_does_and_reversed_ones_never() -> None:
    rng = np.random.default_rng(0)
    one = distances(rng, 10)
    same = mantel(one, one, 199)
    assert same.rho == pytest.approx(1)
    assert same.p_value == pytest.approx(1 / 200)
    reverse = mantel(one, one.max() - one, 199)
    assert reverse.p_value == 1.0  # one-sided


def test_distances_that_cannot_be_ranked_are_refused() -> None:
    with pytest.raises(DataError, match="all equal"):
        mantel(1 - np.eye(4), distances(np.random.default_rng(0), 4))
    with pytest.raises(DataError, match="3 classes or more"):
        rank_correlation(np.zeros((2, 2)), np.zeros((2, 2)))
    with pytest.raises(DataError, match=r"\(4, 4\) and \(5, 5\)"):
        rank_correlation(np.zeros((4, 4)), np.zeros((5, 5)))


def test_gowers_distance_of_a_small_table() -> None:
    table = pd.DataFrame({"petals": [3, 5, 13], "colour": ["red", "red", "blue"], "double": [True, False, True]})
    expected = np.array([[0, 0.2 + 0 + 1, 1 + 1 + 0], [1.2, 0, 0.8 + 1 + 1], [2, 2.8, 0]]) / 3
    np.testing.assert_allclose(gower(table), expected)
    with pytest.raises(DataError, match="without missing values"):
        gower(table.assign(petals=[3, np.nan, 13]))


def test_a_plain_petal_has_no_second_colour_and_a_genus_is_not_seen() -> None:
    table = pd.DataFrame(
        {"genus": ["A", "B", "C"], "pattern": ["plain", "plain", "tipped"], "second_colour": ["red", "blue", "red"]}
    )
    assert visible(table).columns.tolist() == ["pattern", "second_colour"]
    assert gower(visible(table)).tolist() == [[0, 0, 1], [0, 0, 1], [1, 1, 0]]


def test_proxies_made_from_attributes_follow_them() -> None:
    whole = some_anatomy(classes=12, size=24, images=40)
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.integers(0, 3, (12, 8)).astype(str), index=list(whole.class_names))
    telling = pd.get_dummies(table).to_numpy(dtype=np.float32)
    proxies = np.pad(telling, ((0, 0), (0, 24 - telling.shape[1])))
    known = replace(whole, learned=5 * proxies, attributes=table)
    found = known.correlations(permutations=199)
    assert found["learned"].rho == pytest.approx(1, abs=1e-6)  # equal values add up to the cosine
    assert found["learned"].p_value == pytest.approx(1 / 200)
    assert set(found) == {"learned", "semantic", "fused", "mean images"}
    curve = known.correlation_curve([0.0, 0.5, 1.0])
    np.testing.assert_allclose(curve, [found[kind].rho for kind in ("semantic", "fused", "learned")], atol=1e-9)
    with pytest.raises(DataError, match="nothing is known of the classes"):
        whole.correlations()


# --- runs ---------------------------------------------------------------------------------------------------
def test_a_run_is_taken_as_it_was_trained(tiny_run: Run) -> None:
    whole = Anatomy.of_run(tiny_run)
    saved = SavedEmbeddings.of_run(tiny_run, "train")
    assert whole.ids == tuple(saved.ids)
    assert [whole.class_names[label] for label in whole.labels] == saved.names
    tensors = tiny_run.snapshot(whole.epoch)
    np.testing.assert_allclose(whole.fused(), unit_rows(tensors["fused"]), atol=1e-6)
    # the proxies and the embeddings are of one epoch: what the snapshot's probes were embedded to is stored
    index = read_json(tiny_run.path / "snapshots" / "probes.json", "")
    rows = [whole.ids.index(name) for name in index["train"]["ids"]]
    np.testing.assert_allclose(whole.embeddings[rows], unit_rows(tensors["probe_train"]), atol=1e-3)
    assert whole.row_of(whole.class_names[3]) == 3
    with pytest.raises(DataError, match="'nobody' is not a training class"):
        whole.row_of("nobody")


def test_the_proxies_are_those_of_the_embeddings_epoch(tiny_run: Run, tmp_path: Path) -> None:
    """As the embeddings themselves tell it, for runs that do not say (tests/runs/test_origins.py has those that do)."""
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "run"))
    folder = run.path / "embeddings" / "train"
    index = read_json(run.path / "snapshots" / "probes.json", "")
    summary = read_json(run.path / "summary.json", "")
    for split in ("train", "test"):
        said = read_json(run.path / "embeddings" / split / "index.json", "")
        assert said.pop("epoch") == summary["best_val"]["epoch"]
        write_json(run.path / "embeddings" / split / "index.json", said)
    last = run.snapshots()[-1]
    for epoch in {last, summary["best_val"]["epoch"]}:
        tensors = read_tensors(folder / "embeddings.safetensors", "")
        saved = SavedEmbeddings.of_run(run, "train")
        rows = [saved.ids.index(name) for name in index["train"]["ids"]]
        tensors["embeddings"][rows] = run.snapshot(epoch)["probe_train"]
        write_tensors(folder / "embeddings.safetensors", tensors)
        assert proxies_beside(run, SavedEmbeddings.of_run(run, "train")).epoch == epoch


def test_a_method_without_semantic_proxies_is_read_with_learned_ones(tiny_run: Run) -> None:
    whole = Anatomy.of_run(tiny_run.path / "baselines" / "linear")
    assert whole.semantic is None
    assert whole.alpha == 1.0
    assert 0 <= whole.score().accuracy <= 1


def test_runs_that_have_nothing_to_show_say_what_to_do(tiny_run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no snapshots"):
        Anatomy.of_run(tiny_run.path / "baselines" / "frozen")
    bare = shutil.copytree(tiny_run.path, tmp_path / "bare", ignore=shutil.ignore_patterns("embeddings"))
    with pytest.raises(RunError, match="vptsp evaluate"):
        Anatomy.of_run(bare)
    stripped = Run(shutil.copytree(tiny_run.path, tmp_path / "stripped"))
    for epoch in stripped.snapshots():
        kept = {name: value for name, value in stripped.snapshot(epoch).items() if name.startswith("probe")}
        write_tensors(stripped.snapshot_path(epoch), kept)
    with pytest.raises(RunError, match="trained without proxies"):
        Anatomy.of_run(stripped)


def test_correlating_ranks_loads_no_scipy() -> None:
    script = "import sys, vptsp.analysis.mantel; print(*{'scipy', 'torch'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
