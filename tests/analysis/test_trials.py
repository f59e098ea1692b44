from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from markup import Markup, refused_by_sanitiser

from vptsp.analysis.bootstrap import compare_with, score_trials
from vptsp.analysis.footprint import training_footprint
from vptsp.analysis.trials import Trial, chosen, run_trials
from vptsp.errors import ConfigError, RunError, TrainingError
from vptsp.figures.stills import png
from vptsp.figures.trials import (
    ablation_table,
    beside_paper,
    difference_table,
    method_table,
    metric_bars,
    published_table,
    recall_by_parameters,
)
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.settings.paper_numbers import FIGURE_3, TABLE_1, TABLE_4, TABLE_5, TABLE_7, VPT_TABLE_1, Curve, Published
from vptsp.training.loop import train

TRIALS = [
    Trial("alpha: 0.5", {}),
    Trial("alpha: 1.0", {"alpha": 1.0}),
    Trial("source: default", {}),
    Trial("linear", {"method": "linear"}),
    Trial("frozen", {"method": "frozen"}),
]


@pytest.fixture(scope="module")
def base(tiny: Callable[..., Config]) -> Config:
    return tiny(epochs=1, method="vptsp_m", probe_images=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trials")


@pytest.fixture(scope="module")
def table(base: Config, folder: Path) -> pd.DataFrame:
    return run_trials(TRIALS, base, range(2), folder, observer=None)


def test_a_row_per_trial_and_seed_says_what_the_run_says(table: pd.DataFrame, base: Config) -> None:
    assert sorted(zip(table["trial"], table["seed"], strict=True)) == [
        (trial.name, seed) for trial in sorted(TRIALS, key=lambda trial: trial.name) for seed in (0, 1)
    ]
    assert set(table["state"]) == {"done"}
    for row in table.itertuples():
        run = Run.open(row.run)
        summary = run.summary()
        assert run.config.seed == row.seed
        assert row.trained == summary["counts"]["trained"]
        assert row.kept == summary["counts"]["kept"]
        assert row.bank == summary["counts"]["bank"]
        assert row.recall_at_1 == summary["test"][summary["selected"]]["recall_at_1"]
        assert row.map_at_r == summary["test"][summary["selected"]]["map_at_r"]
    linear = table[table["trial"] == "linear"].iloc[0]
    (line,) = Run.open(linear["run"]).metrics()
    assert linear["step_ms"] == pytest.approx(1000 * base.batch_size / line["images_per_second"])
    assert linear["footprint"] == training_footprint(base.changed(method="linear"), 8)["total"]
    assert table.loc[table["trial"] == "frozen", "step_ms"].isna().all()


def test_equal_settings_are_one_run(table: pd.DataFrame, folder: Path) -> None:
    runs = {name: table.loc[table["trial"] == name, "run"].tolist() for name in ("alpha: 0.5", "source: default")}
    assert runs["alpha: 0.5"] == runs["source: default"]
    assert len(list(folder.glob("*/config.json"))) == 2 * (len(TRIALS) - 1)


def test_finished_runs_are_kept_and_unfinished_ones_go_on(base: Config, tmp_path: Path) -> None:
    trials = [Trial("linear", {"method": "linear", "epochs": 2})]
    first = run_trials(trials, base, [0], tmp_path, observer=None)
    run = Run.open(first["run"][0])
    before = (run.path / "summary.json").stat().st_mtime_ns
    assert run_trials(trials, base, [0], tmp_path, observer=None).equals(first)
    assert (run.path / "summary.json").stat().st_mtime_ns == before
    (run.path / "summary.json").unlink()  # as a run that was killed before its end
    epochs = (run.path / "metrics.jsonl").read_text()
    again = run_trials(trials, base, [0], tmp_path, observer=None)
    assert again["recall_at_1"].equals(first["recall_at_1"])
    assert (run.path / "metrics.jsonl").read_text() == epochs  # its epochs were not trained again


def test_runs_of_other_settings_are_refused_before_anything_is_trained(base: Config, tmp_path: Path) -> None:
    run_trials([Trial("one", {"method": "frozen"})], base, [0], tmp_path, observer=None)
    trials = [Trial("two", {"method": "frozen"}), Trial("one", {"method": "frozen", "embedding_size": 8})]
    with pytest.raises(RunError, match=r"one-s0 holds a run of other settings .embedding_size 16 there, 8 asked for"):
        run_trials(trials, base, [0], tmp_path, observer=None)
    assert not (tmp_path / "two-s0").exists()


def test_names_that_make_one_directory_and_settings_that_do_not_fit_are_refused(base: Config, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names that make the same directory"):
        run_trials([Trial("a b", {"alpha": 0.1}), Trial("a/b", {"alpha": 0.2})], base, [0], tmp_path)
    with pytest.raises(ConfigError, match="alpa is not a setting"):
        run_trials([Trial("a"), Trial("b", {"alpa": 0.2})], base, [0], tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_failed_run_is_a_row_and_the_others_go_on(
    base: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(config: Config, path: Path, **rest: Any) -> Run:
        if config.method == "linear":
            raise TrainingError("the loss is nan at batch 1")
        if config.method == "full":
            raise RuntimeError("out of memory")
        return train(config, path, **rest)

    monkeypatch.setattr("vptsp.analysis.trials.train", breaks)
    trials = [Trial(method, {"method": method}) for method in ("linear", "full", "frozen")]
    table = run_trials(trials, base, [0], tmp_path)
    assert table["state"].tolist() == ["failed", "failed", "done"]
    assert table["error"].tolist() == ["the loss is nan at batch 1", "RuntimeError: out of memory", ""]
    assert table["trained"].isna().tolist() == [True, True, False]
    assert "1/3  linear, seed 0: the loss is nan at batch 1" in capsys.readouterr().out
    shown = Markup(method_table(table)).text
    assert "failed" in shown
    assert "full, seed 0: RuntimeError: out of memory." in shown


def test_names_are_chosen_from_those_there_are() -> None:
    assert chosen("only", " b,a ", "abc") == ["b", "a"]
    assert chosen("only", "", "abc") == ["a", "b", "c"]
    with pytest.raises(ConfigError, match="only='a,x': x is not known; choose from a, b, c"):
        chosen("only", "a,x", "abc")


# --- tables and figures -----------------------------------------------------------------------------
def test_tables_hold_every_trial_and_survive_an_untrusted_notebook(table: pd.DataFrame) -> None:
    shown = method_table(table, strong="linear")
    assert not refused_by_sanitiser(shown)
    rows = table[table["trial"] == "linear"]
    text = Markup(shown).text
    assert f"linear{rows['trained'].iloc[0]:,}{rows['kept'].iloc[0]:,}0" in text
    assert f"{100 * rows['recall_at_1'].mean():.1f} ± {100 * rows['recall_at_1'].std():.1f}" in text
    found = compare_with(score_trials(table, "map_at_r"), "linear")
    differences = difference_table(found, "linear", "map_at_r")
    assert not refused_by_sanitiser(differences)
    assert all(name in Markup(differences).text for name in found["trial"])


def test_ablation_stands_beside_the_published_rows_of_its_name(table: pd.DataFrame) -> None:
    published = Published("Table 0", ("setting", "R@1"), (("0.5", "86.1"), ("2.0", "12.3")), "As printed.")
    text = Markup(ablation_table(table, "alpha", published)).text
    mean = 100 * table.loc[table["trial"] == "alpha: 0.5", "recall_at_1"].mean()
    assert re.search(rf"0\.5{mean:.1f} ± .*86\.12\.0failedfailed12\.3", text)


@pytest.mark.parametrize("published", [TABLE_1, TABLE_4, TABLE_5, TABLE_7, VPT_TABLE_1])
def test_published_rows_are_as_long_as_their_header(published: Published) -> None:
    assert {len(row) for row in published.rows} == {len(published.header)}
    assert published.title in Markup(published_table(published)).text


@pytest.mark.parametrize("curve", FIGURE_3.values(), ids=list(FIGURE_3))
def test_published_curves_are_recalls_over_rising_settings(curve: Curve) -> None:
    assert list(curve.x) == sorted(set(curve.x))
    assert all(len(recall) == len(curve.x) and 70 < min(recall) <= max(recall) < 90 for recall in curve.recall.values())


def test_panel_shows_seeds_mean_default_and_the_papers_curves(table: pd.DataFrame) -> None:
    figure = beside_paper(table, "alpha", FIGURE_3["alpha"], "0.5")
    drawn = {trace.name: trace for trace in figure.data}
    rows = table[table["trial"].isin(["alpha: 0.5", "alpha: 1.0"])]
    assert len(drawn["one seed"].x) == 4
    assert list(drawn["mean over seeds"].x) == [0.5, 1.0]
    assert list(drawn["mean over seeds"].y) == pytest.approx(
        (100 * rows.groupby("trial")["recall_at_1"].mean()).tolist()
    )
    assert list(drawn["default"].x) == [0.5]
    assert list(drawn["paper, Cars, read off the plot"].y) == list(FIGURE_3["alpha"].recall["Cars"])
    low, high = figure.layout.yaxis.range
    assert low < 100 * table["recall_at_1"].min() <= 100 * table["recall_at_1"].max() < high
    axes = [value for name, value in figure.to_dict()["layout"].items() if re.fullmatch(r"[xy]axis\d*", name)]
    assert all(axis["title"]["text"] for axis in axes)
    assert png(figure)


def test_parameters_are_drawn_at_their_count_and_frozen_as_a_line(table: pd.DataFrame) -> None:
    families = {"heads": ["frozen", "linear"], "proxies": ["alpha: 0.5", "alpha: 1.0"]}
    figure = recall_by_parameters(table, families, "recall_at_1")
    drawn = {trace.name: trace for trace in figure.data if trace.name}
    for name in ("linear", "alpha: 0.5", "alpha: 1.0"):
        rows = table[table["trial"] == name]
        assert list(drawn[name].x) == [rows["trained"].iloc[0]]
        assert drawn[name].y[0] == pytest.approx(100 * rows["recall_at_1"].mean())
    assert drawn["frozen (trains nothing)"].line.dash == "dash"
    assert len({(drawn[n].marker.color, drawn[n].marker.symbol) for n in ("linear", "alpha: 0.5", "alpha: 1.0")}) == 3
    assert png(figure)


def test_bars_start_at_nothing(table: pd.DataFrame) -> None:
    figure = metric_bars(table, "recall_at_1")
    assert figure.layout.yaxis.range[0] == 0
    assert len(figure.data[0].x) == table["trial"].nunique()
    assert png(figure)
