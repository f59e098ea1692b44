from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from markup import Markup, refused_by_sanitiser
from papermill.exceptions import PapermillExecutionError

from vptsp.errors import ConfigError
from vptsp.notebooks import chosen, find_notebook, run_notebook
from vptsp.runs.run import Run
from vptsp.settings.config import Config

pytestmark = [pytest.mark.notebooks, pytest.mark.usefixtures("forked_kernels")]

NOTEBOOKS = ("05_compare_methods", "06_ablations", "07_recognition")
PLOTLY = "application/vnd.plotly.v1+json"
TINY: dict[str, Any] = {"blossoms_classes": 12, "blossoms_images": 4, "epochs": 1, "batch_size": 8, "seeds": 1}
FEW: dict[str, list[Any]] = {name: [1] for name in ("sizes", "layers", "prompts")}
FEW |= {"batch_sizes": [4], "embedding_sizes": [32], "alphas": [1.0]}


def parameters_of(name: str) -> str:
    cells = nbformat.read(find_notebook(name), 4).cells
    (cell,) = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    return cell.source


def execute(name: str, folder: Path, **parameters: Any) -> tuple[pd.DataFrame, list[dict[str, Any]], str]:
    """Table of the runs, what the notebook displays, and what it prints."""
    executed = run_notebook(name, folder / "out.ipynb", TINY | {"run_dir": str(folder / "runs")} | parameters)
    outputs = [
        output for cell in nbformat.read(executed, 4).cells if cell.cell_type == "code" for output in cell.outputs
    ]
    assert all(output.output_type in ("stream", "display_data") for output in outputs)
    shown = [output.data for output in outputs if output.output_type == "display_data"]
    assert not [refused for data in shown for refused in refused_by_sanitiser(data["text/html"])]
    assert all(image["alt"] for data in shown for image in Markup(data["text/html"]).all("img"))
    text = "".join(output.text for output in outputs if output.output_type == "stream")
    return pd.read_csv(folder / "runs" / "table.csv", keep_default_na=False), shown, text


def figures_of(shown: list[dict[str, Any]]) -> int:
    return sum(PLOTLY in data for data in shown)


def tables_of(shown: list[dict[str, Any]]) -> list[str]:
    return [Markup(data["text/html"]).text for data in shown if PLOTLY not in data]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_committed_without_outputs_and_with_stable_ids(name: str) -> None:
    notebook = nbformat.read(find_notebook(name), 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert all(not cell.id.isalnum() or cell.id.isalpha() for cell in notebook.cells)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_parameter_is_a_typed_literal_with_help(name: str) -> None:
    source = parameters_of(name)
    types = {"str": str, "int": int, "float": float, "list": list, "dict": dict}
    for statement in ast.parse(source).body:
        assert isinstance(statement, ast.AnnAssign)
        assert isinstance(statement.annotation, ast.Name)
        value = ast.literal_eval(statement.value)  # type: ignore[arg-type]
        assert value is None or isinstance(value, types[statement.annotation.id])
        assert "  # " in source.splitlines()[statement.lineno - 1]


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("05_compare_methods", {"only", "rates"}),
        ("06_ablations", {"panels", *FEW}),
        ("07_recognition", {"only", "pad", "channels", "pixels"}),
    ],
)
def test_parameters_are_settings_or_the_notebooks_own(name: str, own: set[str]) -> None:
    names = {statement.target.id for statement in ast.parse(parameters_of(name)).body}  # type: ignore[attr-defined]
    assert names - Config.model_fields.keys() == {"preset", "run_dir", "seeds"} | own


def test_names_are_chosen_from_those_there_are() -> None:
    assert chosen("only", " b,a ", "abc") == ["b", "a"]
    assert chosen("only", "", "abc") == ["a", "b", "c"]
    with pytest.raises(ConfigError, match="only='a,x': x is not known; choose from a, b, c"):
        chosen("only", "a,x", "abc")


def test_methods_side_by_side(tmp_path: Path) -> None:
    only = "linear, full, vptsp_g - bias, vptsp_g, davpt_dml"
    table, shown, text = execute("05_compare_methods", tmp_path, only=only)
    titles = [
        "linear probe",
        "full fine-tuning",
        "DA-VPT guidance, adapted",  # of fewer classes than it has guided prompts by default
        "VPTSP-G, biases frozen",
        "VPTSP-G",
    ]
    assert table["experiment"].tolist() == titles
    assert set(table["state"]) == {"done"}
    configs = {row.experiment: Run(Path(row.run)).config for row in table.itertuples()}
    rates = {name: (config.lr, config.lr_backbone) for name, config in configs.items()}
    assert rates["full fine-tuning"] == (rates["VPTSP-G"][0], 5e-4)
    assert not Run(Path(table["run"][3])).summary()["bitfit"]
    assert figures_of(shown) == 1
    ours, paper, *differences = tables_of(shown)
    assert all(title in ours for title in titles)
    assert "86.6" in paper
    assert len(differences) == 4  # R@1 and MAP@R, against VPTSP-G and against linear
    assert "5/5  VPTSP-G, seed 0: R@1" in text


@pytest.mark.slow  # notebook 05 above runs by the same functions; the documentation executes this one
def test_two_panels_and_a_table_share_the_default(tmp_path: Path) -> None:
    table, shown, _ = execute("06_ablations", tmp_path, panels="alpha, layers, table 5", **FEW)
    default = [name.split(", ") for name in table["experiment"] if "alpha: 0.5" in name]
    assert default == [["alpha: 0.5", "layers: 4", "table 5: class prompts"]]
    assert table["run"].nunique() == len(table)
    assert set(table["state"]) == {"done"}
    assert figures_of(shown) == 2
    ablation, differences = tables_of(shown)
    assert "same encoder, without gradient" in ablation
    assert "50.5" in ablation  # the paper's
    assert "3 comparisons" in differences


@pytest.mark.slow  # notebook 05 above runs by the same functions; the documentation executes this one
def test_prompts_against_linear_on_known_classes(tmp_path: Path) -> None:
    table, shown, _ = execute("07_recognition", tmp_path, only="linear probe, VPT-deep, pad, concat channel")
    assert table["experiment"].tolist() == ["linear probe", "VPT-deep", "concat channel", "pad"]
    assert set(table["state"]) == {"done"}
    assert all(Run(Path(path)).config.task == "recognition" for path in table["run"])
    assert figures_of(shown) == 1
    ours, paper, *differences = tables_of(shown)
    assert "top-1" in ours
    assert "89.11" in paper
    assert len(differences) == 2


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        pytest.param("07_recognition", {"method": "frozen"}, "method='frozen' trains nothing", marks=pytest.mark.slow),
        ("05_compare_methods", {"seeds": "3"}, "seeds='3' is of type str; this notebook wants int"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_trained(
    name: str, parameters: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(PapermillExecutionError, match=message):
        run_notebook(name, tmp_path / "out.ipynb", TINY | {"run_dir": str(tmp_path / "runs")} | parameters)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "more"), [(NOTEBOOKS[0], {}), (NOTEBOOKS[1], FEW), (NOTEBOOKS[2], {})])
def test_whole_notebook_in_small(name: str, more: dict[str, Any], tmp_path: Path) -> None:
    table, shown, _ = execute(name, tmp_path, **more)
    assert set(table["state"]) == {"done"}
    # of 06's 27 rows in tables 8 are named twice, among them the default of each table: an experiment is run once
    assert len(table) == {"05_compare_methods": 22, "06_ablations": 19, "07_recognition": 9}[name]
    assert table["run"].is_unique
    assert figures_of(shown) == {"05_compare_methods": 1, "06_ablations": 6, "07_recognition": 1}[name]
