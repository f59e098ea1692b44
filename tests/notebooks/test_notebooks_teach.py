"""The two lectures, headless and in small, and the claims that they make."""

from __future__ import annotations

import ast
import os
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import HTML, display
from markup import Markup, refused_by_sanitiser
from papermill.exceptions import PapermillExecutionError
from vptsp_widgets.sandbox import ProxySandbox

from vptsp.analysis.proxy_spaces import has_spaces, moments, progress_table, share_table
from vptsp.core.losses import normalized_softmax, proxy_anchor, proxy_nca
from vptsp.errors import RunError, UsageError
from vptsp.figures.proxy_spaces import frame_table, spaces_figure
from vptsp.notebooks import answer, find_notebook, run_notebook, run_to_show
from vptsp.reports.formulas import drawn
from vptsp.runs.run import Run
from vptsp.settings.config import Config

pytestmark = pytest.mark.usefixtures("forked_kernels")

GEOMETRY, PROMPTS = "04_proxy_geometry", "08_how_prompts_work"
VIEWS = {
    GEOMETRY: ["whiteboard", "semantic", "orthant", "figure", "progress", "time", "anatomy", "confused", "back"],
    PROMPTS: ["tokens", "schema", "attention", "mass"],
}
SMALL = {
    "blossoms_classes": 20,
    "blossoms_images": 4,
    "epochs": 2,
    "batch_size": 8,
    "probe_images": 32,
    "answers": True,
}


def cells_of(path: Path) -> dict[str, Any]:
    return {cell.id: cell for cell in nbformat.read(path, 4).cells}


def text_of(cell: Any) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def checked(path: Path, name: str) -> dict[str, Any]:
    """The cells of an executed lecture, after what holds for both: stills with words, small outputs, no live views."""
    cells = cells_of(path)
    outputs = {key: cell.outputs for key, cell in cells.items() if cell.cell_type == "code"}
    assert all(len(str(shown)) < 2e6 for shown in outputs.values())
    assert not [out for shown in outputs.values() for out in shown if out.output_type == "error"]
    assert "widget-view" not in str(outputs)
    for key, shown in outputs.items():
        page = "".join(out.data.get("text/html", "") for out in shown if "data" in out)
        assert refused_by_sanitiser(page) == [], key
        images = Markup(page).all("img")
        assert images or key not in VIEWS[name], key
        assert all(image["alt"] for image in images), key
    return cells


# --- the notebooks -----------------------------------------------------------------------------------
@pytest.mark.slow  # each view has tests of its own; the documentation executes this notebook
def test_geometry_trains_and_shows_every_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells = checked(run_notebook(GEOMETRY, tmp_path / "out.ipynb", SMALL), GEOMETRY)
    assert Run.open("runs/blossoms-vptsp_g-1").is_finished()
    arrows = [float(x) for x in re.findall(r"arrow +([\d.]+)", text_of(cells["exercise-opposite"]))]
    assert arrows[-1] == 0.0
    assert max(arrows) > 30 > arrows[0]
    outlier, inside = re.findall(r"proxy anchor.*sum ([\d.]+)", text_of(cells["exercise-outlier"]))
    assert float(outlier) == pytest.approx(16 / 3, abs=1e-3)  # a / |C+|
    assert float(inside) < 0.1
    assert float(re.findall(r"gradients: (\S+)", text_of(cells["exercise-nca"]))[0]) < 1e-6
    absent = re.findall(r": (\d) images .* changes by ([\d.]+)", text_of(cells["exercise-absent"]))
    assert all((count == "0") == (float(change) == 0) for count, change in absent)
    falls = re.findall(r"loss ([\d.]+) -> ([\d.]+)", text_of(cells["exercise-descent"]))
    (start, both), (again, proxies) = [(float(before), float(after)) for before, after in falls]
    assert start == again
    assert both < proxies <= start


@pytest.mark.notebooks
def test_prompts_of_a_run(tiny_run: Run, tmp_path: Path) -> None:
    cells = checked(
        run_notebook(PROMPTS, tmp_path / "out.ipynb", {"run": str(tiny_run.path), "answers": True}), PROMPTS
    )
    differences = [float(number) for number in re.findall(r"(\d\.\de[+-]\d+)", text_of(cells["identity"]))]
    assert len(differences) == 6
    assert max(differences[:3]) < 1e-12  # float64
    assert max(differences[3:]) < 1e-3
    assert float(text_of(cells["limits"]).split()[-1]) > 1e-4
    assert text_of(cells["gate"]).startswith("block 1: 0.000000 ")
    shares = re.findall(r"\d+: +([\d.]+) +([\d.]+) +([\d.]+)", text_of(cells["exercise-twice"]))
    assert shares
    assert all(float(now) == pytest.approx(float(formula), abs=2e-4) for _, now, formula in shares)
    shuffled, zero = (float(text_of(cells[f"exercise-{what}"]).split()[-1]) for what in ("order", "zero"))
    assert shuffled < 1e-4 < zero
    table = Markup("".join(out.data.get("text/html", "") for out in cells["counts"].outputs if "data" in out)).text
    assert table.count("✓") == 15  # seven parts of two models, and the caption
    assert "✗" not in table
    assert "5.49 GiB" in text_of(cells["exercise-bank"])


def test_a_lecture_shows_the_newest_run_that_fits_unless_told_otherwise(
    tiny_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_to_show("", has_spaces, "semantic proxies", trains=False) is None
    assert f"Trained here: no finished run in {tmp_path / 'runs'} has semantic proxies" in capsys.readouterr().out
    (tmp_path / "runs").mkdir()
    shutil.copytree(tiny_run.path, "runs/mine-1")
    shutil.copytree(tiny_run.path, "runs/bare-1")
    shutil.rmtree("runs/bare-1/snapshots")
    os.utime("runs/mine-1/config.json", (1, 1))  # the older one
    found = run_to_show("", has_spaces, "semantic proxies", trains=False)
    assert found is not None
    assert found.name == "mine-1"
    assert f"Shown here: {tmp_path / 'runs' / 'mine-1'}, the newest" in capsys.readouterr().out
    assert run_to_show("", has_spaces, "semantic proxies", trains=True) is None
    assert 'run = "runs/mine-1" would show that one' in capsys.readouterr().out
    named = run_to_show("runs/mine-1", has_spaces, "semantic proxies", trains=True)
    assert named is not None
    assert named.name == "mine-1", "what is named is shown, whatever else is set"
    with pytest.raises(RunError, match="bare-1 has no semantic proxies; name a run that has"):
        run_to_show("runs/bare-1", has_spaces, "semantic proxies", trains=False)


def test_geometry_says_at_its_beginning_which_run_it_shows(
    tiny_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its first cells as they are; settings train, as they would do nothing to a run that is there."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_run.path, "runs/mine-1")
    code = [cell.source for cell in nbformat.read(find_notebook(GEOMETRY), 4).cells if cell.cell_type == "code"]
    for own, said in (("", "Shown here: "), ("alpha = 0.2", "Trained here, by the settings above; run = ")):
        names: dict[str, Any] = {}
        for source in (code[0], own, code[1]):
            exec(source, names)  # as its kernel does
        printed = capsys.readouterr().out
        assert printed.startswith(said)
        assert "runs/mine-1" in printed
        assert (names["shown"] is None) == bool(own)


@pytest.mark.slow
@pytest.mark.parametrize("name", [GEOMETRY, PROMPTS])
def test_whole_lecture_as_it_comes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checked(run_notebook(name, tmp_path / "out.ipynb", {}), name)


@pytest.mark.parametrize("name", [GEOMETRY, PROMPTS])
def test_committed_without_outputs_and_with_typed_helpful_parameters(name: str) -> None:
    notebook = nbformat.read(find_notebook(name), 4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    (parameters,) = [cell.source for cell in code if "parameters" in cell.metadata.get("tags", [])]
    types = {"str": str, "int": int, "float": float, "list": list, "bool": bool}
    names = set()
    for statement in ast.parse(parameters).body:
        assert isinstance(statement, ast.AnnAssign)
        assert isinstance(statement.annotation, ast.Name)
        value = ast.literal_eval(statement.value)  # type: ignore[arg-type]
        assert value is None or isinstance(value, types[statement.annotation.id])
        assert "  # " in parameters.splitlines()[statement.lineno - 1]
        names.add(statement.target.id)  # type: ignore[union-attr]
    assert names - Config.model_fields.keys() <= {"run", "preset", "classes", "answers"}


@pytest.mark.parametrize("name", [GEOMETRY, PROMPTS])
def test_misspelt_parameters_stop_at_once(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no parameter runs; it has: run, "):
        run_notebook(name, tmp_path / "out.ipynb", {"runs": "mine"})


@pytest.mark.slow  # as in notebook 01
def test_a_wrong_type_is_refused_before_anything_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PapermillExecutionError, match="classes='all' is of type str; this notebook wants list"):
        run_notebook(GEOMETRY, tmp_path / "out.ipynb", {"classes": "all"})
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", [GEOMETRY, PROMPTS])
def test_no_exercise_gives_its_answer_away(name: str) -> None:
    cells = nbformat.read(find_notebook(name), 4).cells
    exercises = [cell.source for cell in cells if cell.cell_type == "code" and cell.id.startswith("exercise")]
    assert len(exercises) >= 5
    for source in exercises:
        before, inside = source.split('with answer(own["answers"]):\n')
        assert "print(" not in before
        assert all(line.startswith("    ") for line in inside.splitlines())


def test_an_answer_is_folded_until_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = InteractiveShell.instance()
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(type(shell.display_pub), "publish", lambda self, data, **_: shown.append(data))

    def find() -> int:
        print("a < b")
        display(HTML("<b>table</b>"))
        return 0

    with answer(False):
        find()
    (data,) = shown
    page = Markup(data["text/html"])
    assert refused_by_sanitiser(data["text/html"]) == []
    (fold,) = page.all("details")
    assert "open" not in fold
    assert page.text == "What this cell finds: answer first, then opena < b\ntable"
    with answer(True):
        display(HTML("<b>table</b>"))
    assert shown[-1]["text/html"] == "<b>table</b>"
    with pytest.raises(ZeroDivisionError), answer(False):
        _ = 1 / find()
    assert "a &lt; b" in shown[-1]["text/html"]


# --- their claims ---------------------------------------------------------------------------------------
def test_proxy_nca_has_arrows_about_twice_as_long_on_the_first_board() -> None:
    nca, softmax = (
        ProxySandbox(preset="random", loss=loss).gradients() for loss in ("proxy_nca", "normalized_softmax")
    )
    for kind in ("samples", "proxies"):
        ratio = np.linalg.norm(nca[kind], axis=1) / np.linalg.norm(softmax[kind], axis=1)
        assert 1.8 < ratio.min() < ratio.max() < 4


def test_descent_starts_at_the_loss_of_the_board_whatever_the_run_was_trained_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = cells_of(find_notebook(GEOMETRY))["exercise-descent"].source.replace("steps=200", "steps=2")
    board = ProxySandbox(preset="shared", loss="normalized_softmax", scale=3, margin=0.3, positive_mean="all")
    for loss in ("normalized_softmax", "proxy_anchor"):
        board.state = {"loss": loss}
        exec(source, {"ProxySandbox": ProxySandbox, "real": board, "answer": answer, "own": {"answers": True}})
        starts = re.findall(r"loss ([\d.]+) ->", capsys.readouterr().out)
        assert starts == [f"{board.loss:.2f}"] * 2


@given(seed=st.integers(0, 10_000), scale=st.floats(1, 32))
@settings(max_examples=25)
def test_proxy_nca_is_normalised_softmax_at_twice_the_scale(seed: int, scale: float) -> None:
    images, proxies, labels = _random_points(seed)
    one, other = proxy_nca(images, labels, proxies, scale), normalized_softmax(images, labels, proxies, 2 * scale)
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    a, b = (torch.autograd.grad(loss, [images, proxies], retain_graph=True) for loss in (one, other))
    torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@given(seed=st.integers(0, 10_000), scale=st.floats(1, 32))
@settings(max_examples=25)
def test_the_pull_of_a_class_has_a_limit_and_gradients_are_tangents(seed: int, scale: float) -> None:
    images, proxies, labels = _random_points(seed)
    (by_proxy,) = torch.autograd.grad(proxy_anchor(images, labels, proxies, scale), [proxies])
    along = (by_proxy * proxies).sum(dim=1) / by_proxy.norm(dim=1).clamp(min=1e-6)
    torch.testing.assert_close(along, torch.zeros(len(proxies)), rtol=0, atol=2e-3)
    cosines = torch.nn.functional.normalize(images.detach(), dim=1) @ proxies.detach().T
    for label in labels.unique().tolist():
        hardness = torch.exp(-scale * (cosines[labels == label, label] - 0.1))
        shares = hardness / (1 + hardness.sum())
        assert shares.sum() < 1 + 1e-6
        assert shares.argmax() == cosines[labels == label, label].argmin()


def _random_points(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(seed)
    points = (torch.nn.functional.normalize(torch.randn(n, 6, generator=source), dim=1) for n in (9, 4))
    images, proxies = (each.requires_grad_() for each in points)
    return images, proxies, torch.randint(0, 4, (9,), generator=source)


# --- what they draw ----------------------------------------------------------------------------------------
def test_moments_measure_what_they_say(tiny_run: Run) -> None:
    story = moments(tiny_run)
    assert [moment.epoch for moment in story] == tiny_run.snapshots()
    last = story[-1]
    for kind, proxies in last.proxies.items():
        cosines = last.images @ proxies.T
        own = [cosines[row, label] for row, label in enumerate(last.labels)]
        others = [np.delete(cosines[row], label).mean() for row, label in enumerate(last.labels)]
        assert last.own(kind) == pytest.approx(np.mean(own), abs=1e-5)
        assert last.others(kind) == pytest.approx(np.mean(others), abs=1e-5)
        assert last.crowding(kind) >= -1 / (len(proxies) - 1) - 1e-5
    shares = share_table(story)
    assert shares.loc[last.epoch, "share of O in q"] == pytest.approx(last.length / (last.length + 1))
    table = progress_table(story)
    assert table.loc[last.epoch, ("accuracy", "fused")] == last.accuracy("fused")
    assert f"{last.own('learned'):.2f}" in frame_table(table, "numbers")
    two = [last.class_names[label] for label in np.unique(last.labels)[:2]]
    assert {trace.name for trace in spaces_figure(last, two).data if trace.name} == set(two)
    with pytest.raises(UsageError, match="no probe image of 'nobody'; give at most 8 of the"):
        spaces_figure(last, ["nobody"])
    with pytest.raises(UsageError, match="has no semantic proxies; choose a run of vptsp_g or vptsp_m"):
        moments(Run.open(tiny_run.path / "baselines" / "linear"))


def test_formulas_are_drawn_and_code_is_left_alone() -> None:
    page = drawn(r"a $x_i \leq 1$ and `cost = $5` and $$\frac{a}{b}$$ and 5 $ or 6 $")
    assert page.count("<svg") == 2
    assert 'aria-label="x_i \\leq 1"' in page
    assert "`cost = $5`" in page
    assert page.endswith("5 $ or 6 $")
    with pytest.raises(UsageError, match=r"formula \\nosuch x cannot be drawn"):
        drawn(r"$\nosuch x$")


@pytest.mark.parametrize("name", [GEOMETRY, PROMPTS])
def test_every_formula_of_the_lectures_can_be_drawn(name: str) -> None:
    prose = [cell.source for cell in nbformat.read(find_notebook(name), 4).cells if cell.cell_type == "markdown"]
    pages = [drawn(source) for source in prose]
    assert sum(page.count("<svg") for page in pages) > 20
    assert not [page for page in pages if "$" in re.sub(r"<svg.*?</svg>", "", page)]
