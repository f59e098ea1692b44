"""Tables and figures of variants side by side, and beside what the papers published."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from markup import Markup, refused_by_sanitiser

from vptsp.analysis.comparison import Comparison
from vptsp.analysis.costs import costs
from vptsp.analysis.footprint import training_footprint
from vptsp.figures.comparison import metric_bars, recall_by_parameters
from vptsp.figures.comparison_tables import cost_table, differences_table, runs_table
from vptsp.figures.published import ablation_table, beside_paper, published_table
from vptsp.figures.stills import png
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.settings.paper_numbers import FIGURE_3, TABLE_1, TABLE_4, TABLE_5, TABLE_7, VPT_TABLE_1, Curve, Published
from vptsp.sweeps import Variant, train_variants

VARIANTS = [
    Variant("alpha: 0.5", {}),
    Variant("alpha: 1.0", {"alpha": 1.0}),
    Variant("source: default", {}),
    Variant("linear", {"method": "linear"}),
    Variant("frozen", {"method": "frozen"}),
]
NAMES = ["alpha: 0.5, source: default", "alpha: 1.0", "linear", "frozen"]


@pytest.fixture(scope="module")
def base(tiny: Callable[..., Config]) -> Config:
    return tiny(epochs=1, method="vptsp_m", probe_images=0)


@pytest.fixture(scope="module")
def comparison(base: Config, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("variants")
    return Comparison.of_variants(train_variants(VARIANTS, base, range(2), folder, observer=None))


@pytest.fixture(scope="module")
def spent(comparison: Comparison) -> pd.DataFrame:
    return costs(comparison)


def recalls(comparison: Comparison, name: str) -> list[float]:
    """Read from the run directories, not from the comparison's tables."""
    paths = [run.path for run in comparison.all_runs if name in run.labels]
    tests = [Run.open(path).summary() for path in paths]
    return [summary["test"][summary["selected"]]["recall_at_1"] for summary in tests]


def test_a_row_per_experiment_and_seed_says_what_the_run_says(comparison: Comparison, base: Config) -> None:
    table = comparison.runs()
    assert list(zip(table["experiment"], table["seed"], strict=True)) == [(n, seed) for n in NAMES for seed in (0, 1)]
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


def test_costs_are_the_time_that_was_taken_and_the_memory_that_is_computed(spent: pd.DataFrame, base: Config) -> None:
    assert spent["experiment"].tolist() == [name for name in NAMES for _ in range(2)]
    linear = spent[spent["experiment"] == "linear"].iloc[0]
    (line,) = Run.open(linear["run"]).metrics()
    assert linear["step_ms"] == pytest.approx(1000 * base.batch_size / line["images_per_second"])
    footprint = training_footprint(base.changed(method="linear"), 8)
    assert (linear["footprint"], linear["activations"]) == (footprint["total"], footprint["activations"])
    assert spent.loc[spent["experiment"] == "frozen", "step_ms"].isna().all()


def test_a_panel_is_what_has_its_labels(comparison: Comparison) -> None:
    assert list(comparison.panel("alpha").experiments) == ["0.5", "1.0"]
    assert list(comparison.panel("source").experiments) == ["default"]
    whole = comparison.differences("alpha: 0.5", measure="map_at_r").set_index("experiment").loc["alpha: 1.0"]
    alone = comparison.panel("alpha").differences("0.5", measure="map_at_r").set_index("experiment").loc["1.0"]
    for column in ("mean", "low", "high", "p_value", "seeds"):
        assert whole[column] == alone[column]
    assert alone["p_holm"] == alone["p_value"]  # one comparison of its own


# --- tables and figures -----------------------------------------------------------------------------
def test_tables_hold_every_experiment_and_survive_an_untrusted_notebook(
    comparison: Comparison, spent: pd.DataFrame
) -> None:
    shown = cost_table(comparison, spent, strong="linear")
    assert not refused_by_sanitiser(shown)
    found = recalls(comparison, "linear")
    counts = Run.open(comparison.experiments["linear"].runs[0].path).summary()["counts"]
    text = Markup(shown).text
    assert f"linear{counts['trained']:,}{counts['kept']:,}0" in text
    assert f"{100 * np.mean(found):.1f} ± {100 * np.std(found, ddof=1):.1f}" in text
    assert "standard deviation over 2 seeds" in text
    differences = comparison.differences("linear", measure="map_at_r")
    page = differences_table(differences, "linear", "MAP@R")
    assert not refused_by_sanitiser(page)
    assert all(name in Markup(page).text for name in differences["experiment"])
    beside = runs_table(comparison)
    assert not refused_by_sanitiser(beside)
    assert all(run.name in Markup(beside).text for run in comparison.all_runs)


def test_paces_stand_beside_their_labels(comparison: Comparison, spent: pd.DataFrame) -> None:
    text = Markup(cost_table(comparison, spent, paces={"linear": 1.0, "source: default": 7.25})).text
    assert "step (× probe)" in text
    assert "7.2" in text  # of the experiment that has this label among others


def test_ablation_stands_beside_the_published_rows_of_its_name(comparison: Comparison) -> None:
    published = Published("Table 0", ("setting", "R@1"), (("0.5", "86.1"), ("2.0", "12.3")), "As printed.")
    text = Markup(ablation_table(comparison, "alpha", published)).text
    mean = 100 * np.mean(recalls(comparison, "alpha: 0.5"))
    assert re.search(rf"0\.5{mean:.1f} ± .*86\.12\.0not runnot run12\.3", text)


@pytest.mark.parametrize("published", [TABLE_1, TABLE_4, TABLE_5, TABLE_7, VPT_TABLE_1])
def test_published_rows_are_as_long_as_their_header(published: Published) -> None:
    assert {len(row) for row in published.rows} == {len(published.header)}
    assert published.title in Markup(published_table(published)).text


@pytest.mark.parametrize("curve", FIGURE_3.values(), ids=list(FIGURE_3))
def test_published_curves_are_recalls_over_rising_settings(curve: Curve) -> None:
    assert list(curve.x) == sorted(set(curve.x))
    assert all(len(recall) == len(curve.x) and 70 < min(recall) <= max(recall) < 90 for recall in curve.recall.values())


def test_panel_shows_seeds_mean_default_and_the_papers_curves(comparison: Comparison) -> None:
    figure = beside_paper(comparison, "alpha", FIGURE_3["alpha"], "0.5")
    drawn = {trace.name: trace for trace in figure.data}
    assert len(drawn["one seed"].x) == 4
    assert list(drawn["mean over seeds"].x) == [0.5, 1.0]
    means = [100 * np.mean(recalls(comparison, name)) for name in ("alpha: 0.5", "alpha: 1.0")]
    assert list(drawn["mean over seeds"].y) == pytest.approx(means)
    assert list(drawn["default"].x) == [0.5]
    assert list(drawn["paper, Cars, read off the plot"].y) == list(FIGURE_3["alpha"].recall["Cars"])
    low, high = figure.layout.yaxis.range
    every = [100 * value for variant in VARIANTS for value in recalls(comparison, variant.name)]
    assert low < min(every) <= max(every) < high
    axes = [value for name, value in figure.to_dict()["layout"].items() if re.fullmatch(r"[xy]axis\d*", name)]
    assert all(axis["title"]["text"] for axis in axes)
    assert png(figure)


def test_parameters_are_drawn_at_their_count_and_frozen_as_a_line(comparison: Comparison) -> None:
    families = {"heads": ["frozen", "linear"], "proxies": ["alpha: 0.5", "alpha: 1.0"]}
    figure = recall_by_parameters(comparison, families)
    drawn = {trace.name: trace for trace in figure.data if trace.name}
    for name in ("linear", "alpha: 0.5", "alpha: 1.0"):
        run = comparison.find(name).runs[0]  # type: ignore[union-attr]
        assert list(drawn[name].x) == [Run.open(run.path).summary()["counts"]["trained"]]
        assert drawn[name].y[0] == pytest.approx(100 * np.mean(recalls(comparison, name)))
    assert drawn["frozen (trains nothing)"].line.dash == "dash"
    assert len({(drawn[n].marker.color, drawn[n].marker.symbol) for n in ("linear", "alpha: 0.5", "alpha: 1.0")}) == 3
    assert png(figure)


def test_more_families_and_methods_than_signs_are_all_drawn(comparison: Comparison) -> None:
    many = {f"family {number}": ["linear"] * 9 for number in range(8)}
    assert sum(trace.name == "linear" for trace in recall_by_parameters(comparison, many).data) == 8 * 9


def test_bars_start_at_nothing(comparison: Comparison) -> None:
    figure = metric_bars(comparison)
    assert figure.layout.yaxis.range[0] == 0
    assert list(figure.data[0].x) == NAMES
    assert png(figure)
