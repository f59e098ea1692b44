"""Notebooks 02 and 03, headless: on a run and on a folder of images with a saved model."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from markup import Markup, refused_by_sanitiser
from PIL import Image
from vptsp_widgets.hardest_classes import hardest_classes
from vptsp_widgets.run_or_folder import open_source

from vptsp.errors import RunError, UsageError
from vptsp.evaluation.metrics import evaluate_retrieval
from vptsp.notebooks import find_notebook, run_notebook
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run

pytestmark = [pytest.mark.notebooks, pytest.mark.usefixtures("forked_kernels")]

NAMES = ("02_explore_embeddings", "03_retrieval_gallery")
LONG = "a_class_whose_name_is_longer_than_what_pandas_shows_of_a_text"
VIEWS = {"02_explore_embeddings": ["bench"], "03_retrieval_gallery": ["strips", "gallery", "similarities", "why"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images of three classes that no run has seen."""
    rng = np.random.default_rng(0)
    for name in ("one", "two", LONG):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "mine" / name / f"{number}.png")
    return tmp_path / "mine"


@pytest.mark.parametrize("name", NAMES)
def test_committed_without_outputs_and_with_typed_helpful_parameters(name: str) -> None:
    notebook = nbformat.read(find_notebook(name), 4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    (parameters,) = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    types = {"str": str, "int": int, "bool": bool}
    for statement in ast.parse(parameters.source).body:
        assert isinstance(statement, ast.AnnAssign)
        assert isinstance(statement.annotation, ast.Name)
        assert isinstance(ast.literal_eval(statement.value), types[statement.annotation.id])  # type: ignore[arg-type]
        assert "  # " in parameters.source.splitlines()[statement.lineno - 1]


@pytest.mark.parametrize(
    ("name", "own_images"),
    [
        pytest.param("02_explore_embeddings", False, marks=pytest.mark.slow),  # runs twice in test_notebooks_again.py
        ("03_retrieval_gallery", True),
        pytest.param("02_explore_embeddings", True, marks=pytest.mark.slow),
        pytest.param("03_retrieval_gallery", False, marks=pytest.mark.slow),
    ],
)
def test_headless_it_shows_stills(
    name: str, own_images: bool, tiny_run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"images": str(folder), "model": str(tiny_run.path)} if own_images else {"run": str(tiny_run.path)}
    given |= {"projection": "pca"} if name.startswith("02") else {"query": str(next(folder.glob("*/*.png")))}
    output = run_notebook(name, tmp_path / "out.ipynb", given)
    notebook = nbformat.read(output, 4)
    assert "widgets" not in notebook.metadata
    assert output.stat().st_size < 2.5e6
    cells = {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}
    shown = {
        key: "".join(out.data.get("text/html", "") for out in cell.outputs if "data" in out)
        for key, cell in cells.items()
    }
    for view in VIEWS[name]:
        images = Markup(shown[view]).all("img")
        assert images, view
        assert all(image["alt"] for image in images)
        assert refused_by_sanitiser(shown[view]) == []
    assert all("widget-view" not in str(cell.outputs) for cell in cells.values())
    if own_images and name.startswith("03"):
        for table in ("results", "enrol"):
            assert re.search(rf">[^<]*{LONG}/\d\.png</td>", shown[table])
            assert "..." not in shown[table]
    text = "".join(out.text for out in cells["resolve"].outputs)
    assert text.startswith("12 images of 3 classes, mine" if own_images else "20 images of 4 classes, ")


@pytest.mark.parametrize("name", NAMES)
def test_misspelt_parameters_stop_at_once(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no parameter image; it has: run, split, images, model"):
        run_notebook(name, tmp_path / "out.ipynb", {"image": "mine"})


def test_a_run_without_embeddings_says_which_command_makes_them(tiny_run: Run, tmp_path: Path) -> None:
    bare = shutil.copytree(tiny_run.path, tmp_path / "bare", ignore=shutil.ignore_patterns("embeddings"))
    with pytest.raises(RunError, match=f"vptsp evaluate {bare}"):
        open_source(str(bare))


def test_the_newest_finished_run_is_the_default(
    tiny_run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="vptsp demo makes one"):
        open_source()
    shutil.copytree(tiny_run.path, tmp_path / "runs" / "one")
    source = open_source()
    assert source.run is not None
    assert source.run.name == "one"
    mine = open_source(
        images=str(folder), model=str(tmp_path / "runs" / "one" / "checkpoint/inference_last.safetensors")
    )
    assert mine.run is None
    assert mine.saved.folder.parent == Path("runs/folders")
    assert mine.saved.folder.name.startswith("mine-")  # and a mark of the whole path and the model
    assert open_source(images=str(folder)).saved.ids == mine.saved.ids


def test_hardest_classes_average_to_recall(tiny_run: Run) -> None:
    saved = SavedEmbeddings.of_run(tiny_run, "test")
    page = hardest_classes(saved)
    recalls = [int(share) for share in re.findall(r">(\d+) %</td>", page)]
    assert recalls == sorted(recalls)
    assert len(recalls) == len(saved.class_names)
    scored = evaluate_retrieval(torch.from_numpy(saved.embeddings), saved.labels, clustering=False)
    assert sum(recalls) / len(recalls) == pytest.approx(100 * scored.metrics["recall_at_1"], abs=0.5)  # equal classes
