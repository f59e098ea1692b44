"""The notebook for one's own photos, headless and in small."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from PIL import Image, ImageOps

from vptsp.data import load_data
from vptsp.notebooks import find_notebook, run_notebook
from vptsp.runs.checkpoints import load_inference
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.settings.config import Config

pytestmark = [pytest.mark.notebooks, pytest.mark.usefixtures("forked_kernels")]

NAME = "10_your_own_images"
SIDE = 32
SMALL: dict[str, Any] = {
    "backbone": "test_vit",
    "backbone_weights": "random",
    "image_size": SIDE,
    "embedding_size": 16,
    "batch_size": 8,
    "num_prompts": 2,
    "num_class_prompts": 1,
    "epochs": 1,
    "precision": "fp32",
    "device": "cpu",
    "probe_images": 0,
    "val_fraction": 0.0,
    "seed": 3,
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six classes of four wide photos of many colours, and one that is none."""
    root = tmp_path_factory.mktemp("own") / "my_photos"
    rng = np.random.default_rng(0)
    for name in ("ant", "bee", "cat", "dog", "eel", "fox".ljust(50, "x")):
        (root / name).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (3, 5, 3)).astype(np.uint8)
            photo = Image.fromarray(pixels).resize((90, 54), Image.Resampling.BICUBIC)
            photo.save(root / name / f"{number}.jpg", quality=95)
    (root / "ant" / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    return root


@pytest.fixture(scope="module")
def executed(
    photos: Path, tmp_path_factory: pytest.TempPathFactory, forked_kernels: None
) -> tuple[Run, dict[str, str]]:
    """The run, and what each cell printed, or the text of the table that it ends with."""
    place = tmp_path_factory.mktemp("out")
    given = SMALL | {"photos": str(photos), "run_dir": str(place / "run")}
    cells = nbformat.read(run_notebook(NAME, place / "out.ipynb", given), 4).cells
    printed = {
        cell.id: "".join(output.get("text", "") for output in cell.outputs)
        or "".join(output.data["text/plain"] for output in cell.outputs if output.output_type == "execute_result")
        for cell in cells
        if cell.cell_type == "code"
    }
    return Run.open(place / "run"), printed


def onnx_vectors(run: Run, pixels: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(run.path / "export/model.onnx"))
    vectors: np.ndarray = session.run(None, {"pixels": pixels})[0]
    return vectors


def middle(photo: Image.Image) -> np.ndarray:
    """What the notebook tells other programs to do with a photo."""
    square = ImageOps.fit(photo, (SIDE, SIDE), bleed=1 / 16)
    return np.asarray(square, np.float32).transpose(2, 0, 1) / 255


def test_a_folder_becomes_a_model_in_three_files(executed: tuple[Run, dict[str, str]]) -> None:
    run, printed = executed
    assert printed["photos"] == "images that could not be read: 1\n"
    files = sorted((run.path / "export").iterdir())
    assert [file.name for file in files] == ["model.onnx", "model.pt2", "model.safetensors"]
    assert all(file.name in printed["export"] for file in files)
    pixels = torch.rand(3, 3, SIDE, SIDE)
    vectors = onnx_vectors(run, pixels.numpy())
    assert vectors.shape == (3, SMALL["embedding_size"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    program = torch.export.load(files[1]).module()
    np.testing.assert_allclose(program(pixels).detach().numpy(), vectors, atol=1e-4)
    assert load_inference(files[2]).config.backbone == "test_vit"


def test_elsewhere_a_photo_gets_the_vector_it_has_here(executed: tuple[Run, dict[str, str]]) -> None:
    run, printed = executed
    test = load_data(run.config).test
    seen = [test.load(position) for position in range(4)]
    vectors = onnx_vectors(run, np.stack([middle(photo) for photo in seen]))
    stored = SavedEmbeddings.of_run(run)
    here = stored.embeddings[[list(stored.ids).index(test.ids[position]) for position in range(4)]]
    close = (vectors * here).sum(1)
    squashed = np.stack([np.asarray(photo.resize((SIDE, SIDE)), np.float32).transpose(2, 0, 1) / 255 for photo in seen])
    assert (close > 0.99).all()
    assert (close > (onnx_vectors(run, squashed) * here).sum(1)).all()
    names = [f"{position}: {test.ids[position]}" for position in range(4)]
    with pd.option_context("display.max_colwidth", None):
        assert str(pd.DataFrame(vectors @ vectors.T, index=names).round(2)) == printed["use"]


def test_ids_stand_whole_in_its_tables(executed: tuple[Run, dict[str, str]]) -> None:
    run, _ = executed
    long = [name for name in SavedEmbeddings.of_run(run).ids if len(name) > 50]  # which pandas would cut
    cells = nbformat.read(run.path.parent / "out.ipynb", 4).cells
    (outputs,) = [cell.outputs for cell in cells if cell.id == "enrol"]
    html = "".join(output.data.get("text/html", "") for output in outputs if "data" in output)
    assert any(f"{name}</td>" in html for name in long)
    assert "..." not in html


def test_running_it_again_keeps_what_was_trained(
    executed: tuple[Run, dict[str, str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = executed
    monkeypatch.setenv("VPTSP_HEADLESS", "1")
    before = (run.path / "summary.json").stat().st_mtime_ns
    (train,) = [cell.source for cell in nbformat.read(find_notebook(NAME), 4).cells if cell.id == "train"]
    exec(train, {"config": run.config, "own": {"run_dir": str(run.path)}})
    assert str(run.path) in capsys.readouterr().out
    assert (run.path / "summary.json").stat().st_mtime_ns == before


def test_committed_without_outputs_and_with_names_for_cells() -> None:
    notebook = nbformat.read(find_notebook(NAME), 4)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    assert not [cell.id for cell in notebook.cells if any(letter.isdigit() for letter in cell.id)]
    parameters = next(cell.source for cell in notebook.cells if cell.id == "parameters")
    names = {statement.target.id for statement in ast.parse(parameters).body}
    assert names - Config.model_fields.keys() == {"photos", "run_dir"}
