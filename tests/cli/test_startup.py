"""The command line answers at once: what lists, explains or refuses imports nothing that takes seconds to import.

Every command here runs in one bare interpreter, one after the other, and what is imported stays so: a command is clean
if after it nothing heavy is there. Those that need no validated configuration come first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from vptsp.files import write_json
from vptsp.runs.run import Run
from vptsp.settings.config import Config

ROOT = Path(__file__).parent.parent.parent
HEAVY = {
    "torch",
    "torchvision",
    "timm",
    "peft",
    "lightning_fabric",
    "safetensors",
    "faiss",
    "sklearn",
    "scipy",
    "numpy",
    "pandas",
    "pyarrow",
    "umap",
    "numba",
    "matplotlib",
    "plotly",
    "PIL",
    "IPython",
    "ipykernel",
    "jupyterlab",
    "jupyter_client",
    "nbformat",
    "nbconvert",
    "papermill",
    "ipywidgets",
    "anywidget",
    "rich",
    "tqdm",
    "asyncio",
}

# What is typed, the exit code, and words that show that the command did what it is for.
WITHOUT_SETTINGS = [
    ("--help", 0, "train       Train a model and score it"),
    ("-h", 0, "data        Data sets"),
    ("--version", 0, "version"),
    *(
        (f"{name} --help", 0, f"Usage: vptsp {name}")
        for name in (
            "train",
            "evaluate",
            "demo",
            "report",
            "export",
            "runs",
            "compare",
            "sweep",
            "data",
            "data check",
            "index",
            "index build",
            "settings",
            "presets",
            "methods",
        )
    ),
    ("data list", 0, "vtab_smallnorb_ele"),
    ("data download inshop", 1, "cannot be downloaded by program"),
    ("data download nope", 1, "dataset='nope' is unknown"),
    ("index add nowhere SOURCE", 1, "nowhere holds no index; vptsp index build nowhere SOURCE makes one"),
    ("index remove nowhere", 1, "name the images to remove by their ids"),
    ("presets", 0, "cub_vit_s"),
    ("presets cub_vit_s", 0, "num_prompts = 10"),
    ("presets nope", 1, "preset 'nope' is not known"),
    ("methods", 0, "VPT-deep"),
    ("sweep --list", 0, "table1"),
    ("bogus", 2, "No such command 'bogus'"),
]
WITH_SETTINGS = [
    ("settings", 0, "epochs = 12"),
    ("settings prompt", 0, "num_prompts = 10"),
    ("recipes", 0, "cub_vit_s"),
    ("recipes cub_vit_s", 0, "map_at_r_published 52.7 %"),
    ("recipes nope", 1, "preset 'nope' is not known"),
    ("recipes --record runs/done", 1, "--record RUN records a run of a preset; name it"),
    ("recipes demo --record runs/begun", 1, "the run's state is"),
    ("completion bash", 0, "_vptsp_completion"),
    ("runs runs", 0, "62.50 %"),
    ("runs nowhere", 1, "is not a folder"),
    ("train epoch=3", 1, "epoch is not a setting; did you mean epochs"),
    ("train epochs", 1, "write key=value"),
    ("train method=linera", 1, "method='linera' is not known"),
    ("train --preset nope", 1, "preset 'nope' is not known"),
    ("train dataset=nope", 1, "dataset='nope' is unknown"),
    ("train dataset=folder", 1, "needs data_root=FOLDER"),
    ("train dataset=folder data_root=nowhere", 1, "nowhere) is not a folder"),
    ("train dataset=fgvc_cub data_root=runs", 1, "use it with task=recognition"),
    ("train --run-dir runs/done", 1, "already holds a run"),
    ("train --resume nowhere", 1, "nowhere is not a run directory"),
    ("train --resume runs", 1, "runs near it"),
    ("train --resume runs/done", 0, "nothing is left to train"),
    ("train --resume runs/done lr=1", 1, "give no others"),
    ("demo epoch=3", 1, "epoch is not a setting"),
    ("demo preset=nope", 1, "preset 'nope' is not known"),
    ("demo dataset=nope", 1, "dataset='nope' is unknown"),
    ("demo --run-dir runs/done", 1, "already holds a run"),
    ("data check nope", 1, "dataset='nope' is unknown"),
    ("data check cub", 1, "needs data_root=FOLDER"),
    ("data check blossoms epoch=3", 1, "epoch is not a setting"),
    ("data prepare cub --out cache", 1, "needs data_root=FOLDER"),
    ("evaluate runs", 1, "is not a run directory"),
    ("report runs", 1, "is not a run directory"),
    ("report runs/begun", 1, "the run's state is 'killed'"),
    ("export runs model.onnx", 1, "is not a run directory"),
    ("export runs/done model.h5", 1, "cannot export to '.h5'"),
    ("compare nowhere", 1, "nowhere is no run, no sweep"),
    ("sweep nope", 1, "sweep 'nope' is not known"),
    ("sweep table1 epoch=3", 1, "has no parameter epoch"),
    ("sweep table1 --dry-run", 0, "33 of 33 runs to do"),
]
COMMANDS = WITHOUT_SETTINGS + WITH_SETTINGS

_SCRIPT = """
import json, sys
from click.testing import CliRunner
from vptsp.cli import main

answers = []
for typed in json.load(sys.stdin):
    result = CliRunner().invoke(main, typed.split(), prog_name="vptsp")
    imported = sorted({name.partition(".")[0] for name in sys.modules})
    answers.append([result.exit_code, result.output, imported])
json.dump(answers, sys.stdout)
"""


class Answer(NamedTuple):
    code: int
    output: str
    imported: set[str]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """What every command said, run in a folder with two runs, and the modules that were there after it."""
    folder = tmp_path_factory.mktemp("startup")
    done = Run.create(folder / "runs/done", Config(seed=1))
    metrics = {"recall_at_1": 0.625, "map_at_r": 0.5, "num_queries": 20}
    write_json(done.path / "summary.json", {"selected": "last", "test": {"last": metrics}, "counts": {"trained": 12}})
    done.write_progress(state="done")
    Run.create(folder / "runs/begun", Config(seed=2)).write_progress(state="training")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    typed = [command for command, _, _ in COMMANDS]
    ended = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        input=json.dumps(typed),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[Any] = json.loads(ended.stdout)
    return {
        command: Answer(code, output, set(imported))
        for command, (code, output, imported) in zip(typed, found, strict=True)
    }


@pytest.mark.parametrize(("command", "code", "words"), COMMANDS, ids=[command for command, _, _ in COMMANDS])
def test_an_answer_needs_nothing_heavy(answers: dict[str, Answer], command: str, code: int, words: str) -> None:
    answer = answers[command]
    assert words in answer.output
    assert answer.code == code
    assert "Traceback" not in answer.output
    assert answer.imported & HEAVY == set()


@pytest.mark.parametrize("command", [command for command, _, _ in WITHOUT_SETTINGS])
def test_help_and_lists_need_no_configuration_either(answers: dict[str, Answer], command: str) -> None:
    assert answers[command].imported & {"pydantic", "filelock"} == set()
