"""Figures for papers: sizes, fonts and colours as they promise, and the same bytes twice."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from vptsp.cli import main
from vptsp.cli.figure import KINDS
from vptsp.errors import RunError, UsageError
from vptsp.figures.paper import COLUMNS, DRAWN, paper_figure, save_figure
from vptsp.runs.run import Run


@pytest.fixture(scope="module")
def run(tiny_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A copy, as a map keeps its projection with the run."""
    return Run(Path(shutil.copytree(tiny_run.path, tmp_path_factory.mktemp("paper") / "run")))


@pytest.mark.parametrize("kind", DRAWN)
def test_a_figure_is_as_wide_as_its_columns_and_says_what_it_shows(run: Run, kind: str) -> None:
    figure = paper_figure(run, kind, 2 if kind == "map" else 1, "pca")
    assert figure.get_figwidth() == COLUMNS[2 if kind == "map" else 1]
    texts = {label for axis in figure.axes for label in (axis.get_xlabel(), axis.get_ylabel(), axis.get_title())}
    expected = {
        "map": {"principal component 1", "principal component 2"},
        "curves": {"training loss", "epoch", "validation R@1 (%)"},
        "recall": {"K", "R@K (%)"},
        "spaces": {"learned O", "semantic G", "fused q"},
        "retrieval": {"query", "1", "5"},
        "effect": {"frozen backbone", "query", "VPTSP-G"},
    }[kind]
    assert expected <= texts


def test_curves_and_recall_hold_the_numbers_of_the_run(run: Run) -> None:
    loss = paper_figure(run, "curves").axes[0].lines[0].get_ydata()
    assert np.asarray(loss).tolist() == [line["loss"] for line in run.metrics()]
    own = paper_figure(run, "recall").axes[0].lines[0]
    metrics = run.result().metrics
    assert np.asarray(own.get_ydata()).tolist() == pytest.approx(
        [100 * metrics[f"recall_at_{k}"] for k in own.get_xdata()]
    )


def test_fonts_are_embedded_and_the_same_run_gives_the_same_bytes(run: Run, tmp_path: Path) -> None:
    pdf = save_figure(run, "curves", tmp_path / "curves.pdf").read_bytes()
    assert b"/FontFile2" in pdf  # TrueType, in the file
    assert b"/Type3" not in pdf
    width = float(re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", pdf)[1])  # type: ignore[index]
    assert width == pytest.approx(72 * COLUMNS[1])
    assert save_figure(run, "curves", tmp_path / "again.pdf").read_bytes() == pdf
    svg = save_figure(run, "curves", tmp_path / "curves.svg").read_text()
    assert "<text" not in svg  # outlines: no font is asked for
    assert not re.search(r'(?:href|src)="https?:', svg)
    with Image.open(save_figure(run, "retrieval", tmp_path / "found.png")) as picture:
        assert picture.width == round(600 * COLUMNS[1])


def test_classes_differ_in_shape_as_well_as_in_colour(run: Run) -> None:
    shapes = [
        collection.get_paths()[0].vertices.tobytes() for collection in paper_figure(run, "map").axes[0].collections
    ]
    assert len(set(shapes)) == len(shapes) - 1  # the grey dots of other classes are small circles


def test_the_command_writes_a_figure_and_refuses_what_it_cannot_draw(run: Run, tmp_path: Path) -> None:
    assert set(DRAWN) == set(KINDS)
    out = tmp_path / "recall.svg"
    result = CliRunner().invoke(main, ["figure", str(run.path), "recall", "-o", str(out), "--columns", "2"])
    assert result.exit_code == 0, result.output
    assert out.is_file()
    with pytest.raises(UsageError, match=r"'maps' is not a kind of figure; choose one of map, curves"):
        paper_figure(run, "maps")
    with pytest.raises(
        UsageError, match=r"map\.gif is not the name of a figure; give a file that ends in \.pdf, \.svg"
    ):
        save_figure(run, "map", tmp_path / "map.gif")
    with pytest.raises(UsageError, match=r"columns=3 is not a width; choose 1 \(3\.25 in\) or 2"):
        paper_figure(run, "map", 3)
    with pytest.raises(RunError, match="has no frozen baseline to be compared with"):
        paper_figure(Run(run.path / "baselines" / "linear"), "effect")
