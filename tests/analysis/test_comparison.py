"""Comparisons of runs: what is a row, what is one experiment, what is best, and the numbers of each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from vptsp.analysis.compared_run import ComparedRun
from vptsp.analysis.comparison import Comparison, compare
from vptsp.analysis.significance import paired_bootstrap, query_scores
from vptsp.cli import main
from vptsp.errors import RunError, UsageError
from vptsp.figures.comparison import learning_curves, parallel_coordinates
from vptsp.figures.comparison_tables import comparison_table, differences_table
from vptsp.figures.stills import png
from vptsp.reports.tables import markdown, write_table
from vptsp.runs import run_table
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.training.loop import train


@pytest.fixture(scope="module")
def folder(tiny: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods, two seeds; one run more that failed before its first step and one without a summary."""
    root = tmp_path_factory.mktemp("compared")
    for method in ("linear", "vpt_deep"):
        for seed in (0, 1):
            train(tiny(method=method, seed=seed, epochs=1), root / f"{method}-{seed}", observer=lambda event: None)
    for name, state in (("broken", "failed"), ("unfinished", "stopped")):
        shutil.copytree(root / "linear-1", root / name)
        (root / name / "summary.json").unlink()
        config = json.loads((root / name / "config.json").read_text()) | {"seed": 2}
        (root / name / "config.json").write_text(json.dumps(config))
        Run(root / name).write_progress(state=state, message="the disk is full")
    return root


def test_a_row_per_experiment_with_its_spread(folder: Path) -> None:
    comparison = Comparison.of([folder])
    assert comparison.differing == ["method"]
    table = comparison.table().set_index("method")
    assert sorted(table.loc["linear", "states"].split(", ")) == ["1 failed", "1 stopped", "2 done"]
    assert (table.loc["linear", "done"], table.loc["linear", "runs"]) == (2, 4)
    recalls = [Run(folder / f"vpt_deep-{seed}").summary()["test"]["best_val"]["recall_at_1"] for seed in (0, 1)]
    assert table.loc["vpt_deep", "recall_at_1"] == pytest.approx(np.mean(recalls))
    assert table.loc["vpt_deep", "recall_at_1_sd"] == pytest.approx(np.std(recalls, ddof=1))
    assert "disk is full" in table.loc["linear", "error"]


def test_what_images_of_each_seed_say_of_their_augmentation_makes_no_other_experiment(
    tiny: Callable[..., Config], tmp_path: Path
) -> None:
    """Seeds hold out other classes, so that others are left to be asked how far they may be cut."""
    for seed, crop_min in ((0, 0.3), (1, 0.08)):
        asked = tiny(method="linear", seed=seed, augment_fit="images")
        run = Run.create(tmp_path / f"{seed}", asked.changed(augment_fit="none", crop_min=crop_min, mirror=True), asked)
        assert run.config.crop_min == crop_min
    Run.create(tmp_path / "frozen", tiny(method="frozen", augment_fit="images"))
    comparison = Comparison.of([tmp_path])
    assert comparison.differing == ["method"]
    assert {name: len(each.runs) for name, each in comparison.experiments.items()} == {
        "method=linear": 2,
        "method=frozen": 1,
    }
    shown = run_table.overview([Run(path) for path in sorted(tmp_path.iterdir())])
    assert sorted(shown.settings) == ["method", "seed"]


def test_a_row_per_run_whatever_its_state(folder: Path) -> None:
    runs = Comparison.of([folder]).runs()
    assert len(runs) == 6
    by_name = runs.assign(name=runs["run"].map(lambda path: Path(path).name)).set_index("name")
    assert by_name.loc["broken", "state"] == "failed"
    assert np.isnan(by_name.loc["broken", "recall_at_1"])
    assert by_name["seed"].tolist() == [json.loads((Path(p) / "config.json").read_text())["seed"] for p in runs["run"]]


def test_the_best_is_chosen_by_validation_among_complete_experiments(folder: Path, tmp_path: Path) -> None:
    assert Comparison.of([folder]).best() == "method=vpt_deep"  # linear has runs without a result
    whole = [folder / f"{method}-{seed}" for method in ("linear", "vpt_deep") for seed in (0, 1)]
    comparison = Comparison.of(whole)
    means = {name: np.mean([run.validation for run in each.runs]) for name, each in comparison.experiments.items()}
    assert comparison.best() == max(means, key=lambda name: means[name])
    assert comparison.table().set_index("experiment")["best"].sum() == 1


def test_differences_are_the_paired_bootstrap_of_common_seeds(folder: Path) -> None:
    comparison = Comparison.of([folder])
    row = comparison.differences("method=vpt_deep").iloc[0]
    scores = {
        method: [query_scores(Run(folder / f"{method}-{seed}"), "recall_at_1") for seed in (0, 1)]
        for method in ("linear", "vpt_deep")
    }
    expected = paired_bootstrap(scores["linear"], scores["vpt_deep"])
    assert (row["experiment"], row["seeds"]) == ("method=linear", 2)
    assert (row["mean"], row["low"], row["high"]) == (expected.mean, expected.low, expected.high)
    assert row["p_holm"] == expected.p_value
    with pytest.raises(UsageError, match="no experiment with results; there are: method=linear, method=vpt_deep"):
        comparison.differences("method=frozen")


def test_no_common_seed_is_said(folder: Path) -> None:
    comparison = Comparison.of([folder / "linear-0", folder / "vpt_deep-1"])
    found = comparison.differences("method=linear")
    assert found["note"].tolist() == ["no seed in common with method=linear"]
    assert found["mean"].isna().all()
    assert "no seed in common" in differences_table(found, "method=linear", "R@1")


def test_figures_and_tables_show_every_experiment(folder: Path) -> None:
    comparison = Comparison.of([folder])
    page = comparison_table(comparison)
    for text in ("linear", "★ vpt_deep", "1 failed", "disk is full", "6 runs of 2 experiments"):
        assert text in page
    curves = learning_curves(comparison)
    assert [trace.name for trace in curves.data if trace.showlegend is not False] == [
        "method=linear",
        "method=vpt_deep",
    ]
    lines = parallel_coordinates(comparison)
    assert [dimension.label for dimension in lines.data[0].dimensions] == ["method", "seed", "R@1 %"]
    recalls = comparison.runs()["recall_at_1"].dropna()
    np.testing.assert_allclose(lines.data[0].dimensions[2]["values"], 100 * recalls)
    for figure in (curves, lines):
        assert png(figure).startswith(b"\x89PNG")


# --- what counts once ---------------------------------------------------------------------------
def made(name: str, seed: int, recall: float | None, label: str = "", **settings: Any) -> ComparedRun:
    """A run that is on no disk; without a recall it is not finished."""
    summary = {"selected": "last", "test": {"last": {"recall_at_1": recall}}, "counts": {"trained": 1}}
    settings = {"seed": seed, "task": "retrieval", "lr": 0.1} | settings
    labels = (label,) if label else ()
    if recall is None:
        return ComparedRun(name, Path(name), "killed", "", labels, settings)
    return ComparedRun(name, Path(name), "done", "", labels, settings, summary=summary)


def test_a_seed_counts_once_however_often_it_was_run() -> None:
    twice = Comparison([made("a", 0, 0.5), made("b", 0, 0.5)])
    row = twice.table().iloc[0]
    assert (row["done"], row["runs"], row["seeds"], row["recall_at_1"]) == (2, 2, 1, 0.5)
    assert np.isnan(row["recall_at_1_sd"])  # of one seed nothing is known about others
    assert row["note"] == "seed 0 was run 2 times and counts once"
    assert "a, seed 0 was run 2 times and counts once." in comparison_table(twice)
    assert twice.runs()["repeats"].tolist() == [False, True]
    mixed = Comparison([made("a", 0, 0.5), made("b", 0, 0.5), made("c", 1, 0.9)]).table().iloc[0]
    assert (mixed["recall_at_1"], mixed["seeds"]) == (pytest.approx(0.7), 2)
    assert mixed["recall_at_1_sd"] == pytest.approx(np.std([0.5, 0.9], ddof=1))


def test_a_seed_that_was_cut_off_counts_by_its_finished_run() -> None:
    comparison = Comparison([made("cut off", 0, None), made("again", 0, 0.25), made("other", 1, None)])
    row = comparison.table().iloc[0]
    assert (row["recall_at_1"], row["seeds"], row["states"], row["note"]) == (0.25, 1, "2 killed, 1 done", "")
    assert [run.name for run in comparison.finished[0].by_seed.values()] == ["again", "other"]


def test_one_label_for_several_settings_does_not_hide_any() -> None:
    runs = [made("a", 0, 0.5, "VPT", lr=0.1), made("b", 0, 0.6, "VPT", lr=0.2), made("c", 0, 0.7, "linear", lr=0.3)]
    comparison = Comparison(runs)
    assert list(comparison.experiments) == ["VPT (lr=0.1)", "VPT (lr=0.2)", "linear"]
    assert comparison.reference("linear") == "linear"
    with pytest.raises(UsageError, match="no run has a label that begins with 'alpha: '"):
        comparison.panel("alpha")


def test_the_command_line_says_what_counts_once(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "linear-0", tmp_path / "copy")
    shown = CliRunner().invoke(main, ["compare", str(folder / "linear-0"), str(tmp_path / "copy")])
    assert "seed 0 was run 2 times and counts once" in shown.output


def test_runs_as_they_are_are_a_row_each(folder: Path) -> None:
    table = compare([Run(folder / "linear-0"), Run(folder / "broken")])
    assert table["state"].tolist() == ["done", "failed"]
    assert table["seed"].tolist() == [0, 2]


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no run, no sweep and holds neither"):
        Comparison.of([tmp_path])
    with pytest.raises(RunError, match="no runs to compare"):
        Comparison.of([])


# --- tables as files ----------------------------------------------------------------------------
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".md", ".tex"])
def test_tables_are_written_whole(folder: Path, tmp_path: Path, suffix: str) -> None:
    table = Comparison.of([folder]).table()
    path = write_table(table, tmp_path / "new" / f"table{suffix}")
    if suffix in (".csv", ".parquet"):
        read: Any = {".csv": pd.read_csv, ".parquet": pd.read_parquet}[suffix]
        found = read(path)
        assert list(found) == list(table)
        np.testing.assert_allclose(found["recall_at_1"], table["recall_at_1"])
    else:
        assert all(name in path.read_text().replace("\\_", "_") for name in ("linear", "vpt_deep", "recall_at_1"))


def test_special_characters_stay_text(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ["a|b", "50 % & $x_1$"], "value": [0.5, None]})
    assert markdown(table).splitlines()[2:] == ["| a\\|b | 0.5 |", "| 50 % & $x_1$ |  |"]
    assert r"50 \% \& \$x\_1\$" in write_table(table, tmp_path / "table.tex").read_text()
    with pytest.raises(UsageError, match=r"as '.xls'; use .csv, .parquet, .md, .tex"):
        write_table(table, tmp_path / "table.xls")


def test_command_line(folder: Path, tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["compare", str(folder)])
    assert shown.exit_code == 0, shown.output
    assert "recall_at_1 minus that of method=vpt_deep" in shown.output
    assert "1 failed" in shown.output
    by_run = CliRunner().invoke(main, ["compare", str(folder), "--runs"])
    assert by_run.output.count("linear") == 4
    target = tmp_path / "table.csv"
    written = CliRunner().invoke(main, ["compare", str(folder), "--to", str(target)])
    assert written.exit_code == 0
    assert len(pd.read_csv(target)) == 2
