from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import timm
import torch
from markup import Markup, refused_by_sanitiser
from miniatures import dinov3_layout
from papermill.exceptions import PapermillExecutionError
from safetensors.torch import save_file

from vptsp.core.backbones import is_bias
from vptsp.core.backbones.eva import EvaViT
from vptsp.errors import UsageError
from vptsp.notebooks import find_notebook, run_notebook
from vptsp.reports.demo import run_demo
from vptsp.runs.checkpoints import load_inference
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.training.baselines import result_line

pytestmark = [pytest.mark.notebooks, pytest.mark.usefixtures("forked_kernels")]

SOURCE = find_notebook("01_train")
Settings = dict[str, Any]


@pytest.fixture
def small(tiny: Callable[..., Config]) -> Settings:
    """Parameters of a notebook that trains for seconds."""
    settings = tiny(epochs=1).model_dump(mode="json", exclude_unset=True)
    return settings | {"projection": "pca"}


def parameters_cell() -> str:
    (cell,) = [c for c in nbformat.read(SOURCE, 4).cells if "parameters" in c.metadata.get("tags", [])]
    return cell.source


def test_committed_without_outputs_and_with_stable_ids() -> None:
    notebook = nbformat.read(SOURCE, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert all(not cell.id.isalnum() or cell.id.isalpha() for cell in notebook.cells)  # words, not random digits
    assert notebook.metadata.kernelspec.name == "python3"


def test_every_parameter_is_a_typed_literal_with_help() -> None:
    source = parameters_cell()
    types = {"str": str, "int": int, "float": float, "bool": bool}
    statements = ast.parse(source).body
    assert statements
    for statement in statements:
        assert isinstance(statement, ast.AnnAssign)
        assert isinstance(statement.annotation, ast.Name)
        value = ast.literal_eval(statement.value)  # type: ignore[arg-type]
        assert value is None or isinstance(value, types[statement.annotation.id])
        assert "  # " in source.splitlines()[statement.lineno - 1]


def test_parameters_are_settings_or_the_notebooks_own() -> None:
    names = {statement.target.id for statement in ast.parse(parameters_cell()).body}  # type: ignore[attr-defined]
    assert names - Config.model_fields.keys() == {"preset", "run_dir", "baselines", "projection"}


@pytest.mark.usefixtures("real_kernels")
def test_headless_run_makes_run_report_and_stills(
    small: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_demo(tmp_path / "run", small)
    printed = capsys.readouterr().out
    assert result_line(run) in printed
    assert str((tmp_path / "run" / "report.html").resolve()) in printed
    # such a run may be over before anybody looks where it is
    assert re.search(r"^1/3 VPTSP-G: (epoch 1 of 1|1 epoch( done,|, scored))", printed, re.MULTILINE)
    assert Run.open(run.path / "baselines" / "linear").summary()["epochs"] == 1
    notebook = nbformat.read(tmp_path / "run" / "01_train.ipynb", 4)
    assert "widgets" not in notebook.metadata
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert all(output.output_type in ("stream", "display_data") for output in outputs)
    shown = [output.data for output in outputs if output.output_type == "display_data"]
    assert all("text/html" in data for data in shown)
    assert not [refused for data in shown for refused in refused_by_sanitiser(data["text/html"])]
    assert sum("application/vnd.plotly.v1+json" in data for data in shown) == 1
    assert shown[-1]["text/plain"].startswith("Map of colours/test: ")
    images = [image for data in shown for image in Markup(data["text/html"]).all("img")]
    assert len(images) > 10
    assert all(image["alt"] for image in images)
    text = "".join(output.text for output in outputs if output.output_type == "stream")
    assert result_line(run) in text
    assert "embedding_size = 16" in text
    with pytest.raises(UsageError, match="already holds a run"):
        run_demo(tmp_path / "run", small)


@pytest.mark.slow  # the family in training is tests/training/test_backbone_runs.py, the notebook the test above
def test_the_smallest_dinov3_from_a_file_as_it_was_published(small: Settings, tmp_path: Path) -> None:
    """Of timm by name, its weights in Meta's layout: trained, compared with its probe, and reported."""
    name = "vit_tiny_patch16_dinov3_qkvb"
    torch.manual_seed(0)
    state = timm.create_model(name, num_classes=0).state_dict()
    state = {key: value + 0.01 * torch.randn_like(value) for key, value in state.items()}
    save_file(dinov3_layout(state), tmp_path / "dinov3.safetensors")
    chosen = {"backbone": name, "backbone_weights": str(tmp_path / "dinov3.safetensors"), "image_size": 32}
    own = {"run_dir": str(tmp_path / "run"), "projection": "pca"}
    run_notebook("01_train", tmp_path / "out.ipynb", small | chosen | own)
    run = Run.open(tmp_path / "run")
    assert run.summary()["epochs"] == Run.open(run.path / "baselines" / "linear").summary()["epochs"] == 1
    assert np.isfinite(SavedEmbeddings.of_run(run).embeddings).all()
    model = load_inference(run)
    assert type(model.backbone.family) is EvaViT
    frozen = {key for key in state if not is_bias(key)}
    assert all(torch.equal(model.vit.state_dict()[key], state[key]) for key in frozen)
    assert (run.path / "report.html").stat().st_size > 10_000


def test_misspelt_parameter_and_wrong_type_are_refused_before_anything_is_made(small: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="epoch "):
        run_demo(tmp_path / "run", small | {"epoch ": 1})
    with pytest.raises(UsageError, match="lr_prox is not a setting; did you mean lr_proxy"):
        run_demo(tmp_path / "run", small | {"lr_prox": 1.0})
    with pytest.raises(UsageError, match="epochs='many'"):
        run_demo(tmp_path / "run", small | {"epochs": "many"})
    assert not (tmp_path / "run").exists()


def test_the_notebook_itself_refuses_a_wrong_type(tmp_path: Path) -> None:
    with pytest.raises(PapermillExecutionError, match="baselines='no' is of type str; this notebook wants bool"):
        run_notebook("01_train", tmp_path / "out.ipynb", {"baselines": "no", "run_dir": str(tmp_path / "run")})
    assert not (tmp_path / "run").exists()


def test_an_error_in_a_cell_reaches_the_user_as_one_sentence(small: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"data_root=.*is not a folder") as caught:
        run_demo(tmp_path / "run", small | {"dataset": "folder", "data_root": str(tmp_path / "nowhere")})
    assert "Traceback" not in str(caught.value)
    assert not (tmp_path / "run" / "config.json").exists()
