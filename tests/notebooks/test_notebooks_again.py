"""A notebook run again in the same kernel: what its cells have left behind is no setting."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest

from vptsp.errors import ConfigError, UsageError
from vptsp.notebooks import execute, find_notebook, resolve
from vptsp.notebooks.known_to_papermill import TAG
from vptsp.notebooks.library import list_notebooks
from vptsp.runs.run import Run
from vptsp.settings.config import Config

ROOT = Path(__file__).parents[2]
NAMES = [notebook.path for notebook in list_notebooks()]
EXTRAS = {"preset": str, "run_dir": str}
FIRST = 'preset: str = "demo"  # a preset\nrun_dir: str = ""\nepochs: int = None\n'


def code_of(path: Path) -> list[tuple[str, str]]:
    """Each code cell: what it is, and its source."""
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    kinds = ["parameters" if "parameters" in cell.metadata.get("tags", []) else cell.id for cell in cells]
    return [(kind, cell.source) for kind, cell in zip(kinds, cells, strict=True)]


def names_stored(source: str) -> set[str]:
    """What a cell leaves behind in the kernel."""
    tree = ast.parse(source)
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    return stored | defined | imported


class Kernel:
    """Its names, and what it ran, as IPython keeps them."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"In": [""], "Out": {}, "exit": object(), "quit": object()}

    def run(self, source: str) -> None:
        self.names["In"].append(source)
        exec(source, self.names)

    def settle(self, **fixed: Any) -> tuple[Config, dict[str, Any]]:
        self.names["In"].append("from vptsp.notebooks import resolve\n\nconfig, own = resolve(globals(), ...)")
        return resolve(self.names, EXTRAS, **fixed)


def call_of_resolve(source: str) -> str | None:
    """The call, for a cell that has one."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    found = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "resolve"]
    return ast.unparse(found[0]) if found else None


@pytest.mark.parametrize("path", NAMES, ids=[path.stem for path in NAMES])
def test_settings_are_the_same_after_any_cells_in_any_order(path: Path, tmp_path: Path) -> None:
    """Every name of every cell is left behind, with a value that is no setting, then the Settings cell runs again."""
    cells = code_of(path)
    (parameters,) = [source for kind, source in cells if kind == "parameters"]
    settling = [(source, call) for kind, source in cells if kind != "parameters" and (call := call_of_resolve(source))]
    if not settling:
        pytest.skip("takes its parameters as they are")
    ((source, call),) = settling
    before = [line for line in map(ast.unparse, ast.parse(source).body) if line.startswith("_") and call not in line]
    kernel = Kernel()
    kernel.run(parameters)
    asked = "\n".join(["from vptsp.notebooks import resolve", *before, f"answer = {call}"])
    exec(asked, kernel.names)
    first = kernel.names["answer"]
    own_names = names_stored(parameters)
    for kind, other in reversed(cells):
        if kind != "parameters":
            kernel.names["In"].append(other)
            left = {name for name in names_stored(other) if f'{name} = own["{name}"]' not in other}
            assert left & own_names == set(), f"cell {kind} takes a parameter's name for something else"
            kernel.names |= dict.fromkeys(left - {"resolve"}, object())
            exec(asked, kernel.names)
            assert kernel.names["answer"] == first


def test_a_setting_that_was_mistyped_and_then_corrected_is_forgotten() -> None:
    kernel = Kernel()
    kernel.run(FIRST + "epoch = 3\n")
    with pytest.raises(ConfigError, match=r"epoch is not a setting; did you mean epochs"):
        kernel.settle()
    kernel.run(FIRST + "epochs = 3\n")
    config, own = kernel.settle()
    assert config.epochs == 3
    assert own == {"preset": "demo", "run_dir": ""}


def test_what_papermill_put_in_counts_and_a_cell_of_ones_own_too() -> None:
    kernel = Kernel()
    kernel.run(FIRST)
    kernel.run("# Parameters\nepochs = 2\nnum_workers = 1\n")
    kernel.run("lr = 0.25")
    config, _ = kernel.settle()
    assert (config.epochs, config.num_workers, config.lr) == (2, 1, 0.25)
    kernel.run("k = 5\nnames = ['a']\n")  # no parameter among them
    kernel.run("model, table = object(), object()\nseed = 7; print(seed)")  # does more than give values
    assert kernel.settle()[0] == config


def test_a_name_that_papermill_put_in_and_nobody_knows_is_refused() -> None:
    kernel = Kernel()
    kernel.run(FIRST)
    kernel.run("# Parameters\nepoch = 2\n")
    with pytest.raises(ConfigError, match=r"epoch is not a setting.*\nThe notebook's own parameters are: preset"):
        kernel.settle()


def test_where_nothing_tells_what_ran_all_names_are_looked_at() -> None:
    assert resolve({"epochs": 3, "preset": "", "run_dir": ""}, EXTRAS)[0].epochs == 3
    with pytest.raises(ConfigError, match="epoch is not a setting"):
        resolve({"epoch": 3, "run_dir": ""}, EXTRAS)


# --- settings that cannot be trained with -------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"blossoms_classes": 20}, "blossoms_classes=20 leaves only 8 to train on, 2 of 10 being held out"),
        ({"dataset": "cub", "batch_size": 512}, "dataset=cub leaves only 80 to train on, 20 of 100 being held out"),
    ],
)
def test_a_batch_of_more_classes_than_there_are_is_refused_with_values_that_would_do(
    settings: dict[str, Any], message: str
) -> None:
    given = {"preset": "demo", "run_dir": ""} | settings
    with pytest.raises(ConfigError) as refused:
        resolve(given, EXTRAS)
    text = str(refused.value)
    assert message in text
    assert text.endswith(" would do")
    offers = text.rpartition("; ")[2].removesuffix(" would do").split(" or ")
    assert len(offers) >= 2
    for offer in offers:
        name, _, value = offer.partition("=")
        resolve(given | {name: int(value)}, EXTRAS)
        if name == "blossoms_classes":
            with pytest.raises(ConfigError):
                resolve(given | {name: int(value) - 2}, EXTRAS)


def test_a_refusal_is_a_few_lines_in_a_notebook() -> None:
    """IPython asks an error how it is to be shown."""
    try:
        exec(compile("value = 1\nraise UsageError('give another')", __file__, "exec"), {"UsageError": UsageError})
    except UsageError as error:
        lines = error._render_traceback_()
        assert lines[0].endswith(": give another")
        assert len(lines) <= 2


# --- what papermill knows -----------------------------------------------------------------------------
@pytest.mark.parametrize("path", NAMES, ids=[path.stem for path in NAMES])
def test_a_notebook_that_takes_settings_says_so_to_papermill(path: Path) -> None:
    cells = nbformat.read(path, 4).cells
    (tags,) = [tags for cell in cells if "parameters" in (tags := cell.metadata.get("tags", []))]
    assert (TAG in tags) == any(call_of_resolve(source) is not None for _, source in code_of(path))


@pytest.mark.notebooks
def test_papermill_itself_calls_no_setting_unknown_and_every_other_name(tmp_path: Path) -> None:
    """In a process of its own, in which papermill finds the entry point as in an installation."""
    (tmp_path / "entry-0.dist-info").mkdir()
    (tmp_path / "entry-0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: entry\nVersion: 0\n")
    written = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["papermill.engine"]
    lines = "".join(f"{name} = {place}\n" for name, place in written.items())
    (tmp_path / "entry-0.dist-info" / "entry_points.txt").write_text(f"[papermill.engine]\n{lines}")
    cell = nbformat.v4.new_code_cell("epochs: int = 1", metadata={"tags": ["parameters"]})
    metadata = nbformat.read(NAMES[0], 4).metadata
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=metadata), tmp_path / "other.ipynb")
    code = (
        "import logging, sys, papermill\n"
        "logging.basicConfig(format='%(message)s')\n"
        "for name in sys.argv[1:]:\n"
        "    given = {'num_workers': 2, 'epoch': 3}\n"
        "    papermill.execute_notebook(name, 'out.ipynb', given, prepare_only=True, kernel_name='python3')\n"
        "    print(*sorted({'torch', 'vptsp.settings.config'} & set(sys.modules)), file=sys.stderr)\n"
    )
    paths = [str(tmp_path), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", code, "other.ipynb", str(ROOT / "notebooks" / "01_train.ipynb")],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "unknown parameter" in line or not line or "vptsp." in line]
    assert lines == [
        "Passed unknown parameter: num_workers",
        "Passed unknown parameter: epoch",
        "",  # a notebook of somebody else's waits for nothing of ours
        "Passed unknown parameter: epoch",
        "vptsp.settings.config",
    ]


# --- in a real kernel ---------------------------------------------------------------------------------
SMALL = {"blossoms_classes": 20, "blossoms_images": 4, "epochs": 1, "batch_size": 8}
OF_A_RUN = [
    "00_start_here",
    "02_explore_embeddings",
    "03_retrieval_gallery",
    "08_how_prompts_work",
    "09_compare_runs",
]
TRAINING: dict[str, dict[str, Any]] = {
    "01_train": SMALL | {"baselines": False, "projection": "pca", "run_dir": "runs/again"},
    "04_proxy_geometry": SMALL | {"epochs": 2, "probe_images": 32},
    "05_compare_methods": SMALL | {"seeds": 1, "only": "frozen, linear"},
    "06_ablations": SMALL | {"seeds": 1, "panels": "alpha, table 5", "alphas": [0.0]},
    "07_recognition": SMALL | {"seeds": 1, "only": "linear probe, VPT-deep", "epochs": 1},
    "09_compare_runs": {},  # makes the sweep that it compares, and finds it made
    "10_your_own_images": {
        "epochs": 1,
        "run_dir": "runs/again",
        "backbone": "test_vit",
        "backbone_weights": "random",
        "image_size": 32,
        "embedding_size": 16,
        "batch_size": 8,
        "val_fraction": 0.0,
        "probe_images": 0,
    },
    "11_pretrain_backbone": {"steps": 2, "images_per_step": 16, "heldout_classes": 4},
}


def executed_again(name: str, folder: Path, given: dict[str, Any]) -> list[Any]:
    """The outputs of a notebook whose cells ran in order, again in order, and then backwards, in one kernel."""
    notebook = nbformat.read(find_notebook(name), 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    lines = ["# Parameters", *(f"{key} = {value!r}" for key, value in given.items())]
    passed = nbformat.v4.new_code_cell("\n".join(lines))
    place = next(number for number, cell in enumerate(code, 1) if "parameters" in cell.metadata.get("tags", []))
    once = [*code[:place], passed, *code[place:]]
    cells = [nbformat.v4.new_code_cell(cell.source) for cell in (*once, *once, *reversed(code[place + 1 :]))]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata), folder / "again.ipynb")
    execute(folder / "again.ipynb", folder / "out.ipynb", {})
    return nbformat.read(folder / "out.ipynb", 4).cells


@pytest.mark.notebooks
@pytest.mark.usefixtures("forked_kernels")
@pytest.mark.parametrize("name", OF_A_RUN[:2] + [pytest.param(name, marks=pytest.mark.slow) for name in OF_A_RUN[2:]])
def test_a_notebook_of_a_run_runs_again_and_backwards(
    name: str, tiny_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = str(tiny_run.path)
    given = {
        "00_start_here": {"folder": str(tiny_run.path.parent)},
        "02_explore_embeddings": {"run": path, "projection": "pca"},
        "03_retrieval_gallery": {"run": path},
        "08_how_prompts_work": {"run": path},
        "09_compare_runs": {"runs": path},
    }
    cells = executed_again(name, tmp_path, given[name])
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


@pytest.mark.slow
@pytest.mark.notebooks
@pytest.mark.usefixtures("forked_kernels")
@pytest.mark.parametrize("name", TRAINING)
def test_a_notebook_that_trains_runs_again_and_backwards(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cells = executed_again(name, tmp_path, TRAINING[name])
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
