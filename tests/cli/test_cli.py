"""The command line: errors are one sentence without a traceback, and exit codes tell how it went."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import processes
import pytest
from click.testing import CliRunner, Result

from vptsp.cli import main
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.settings.presets import preset_names
from vptsp.training.loop import train

Tiny = Callable[..., Config]


def vptsp(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def words(config: Config) -> list[str]:
    values = config.model_dump(mode="json", exclude_unset=True)
    return [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items()]


@pytest.fixture(scope="module")
def run(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(tiny(epochs=1, method="linear"), tmp_path_factory.mktemp("runs") / "run", observer=lambda event: None)


def test_training_prints_epochs_metrics_and_the_run_and_nothing_else(tiny: Tiny, tmp_path: Path) -> None:
    """In a process of its own, so that whatever libraries log is seen; bf16, which Fabric announces."""
    config = tiny(epochs=1, precision="bf16", method="linear")
    ended = processes.vptsp(["train", *words(config), "--run-dir", str(tmp_path / "run")], tmp_path / "log")
    assert ended.code == 0, ended.output
    reading, begins, *lines = ended.output.splitlines()
    assert reading == "linear probe on folder: reading images and model"
    assert begins.startswith(f"{tmp_path / 'run'}: ")
    assert begins.endswith(", one epoch of 5 steps")
    assert lines[0].startswith("epoch 1/1  loss ")
    assert lines[1] == "test, epoch 1, 20 images of 4 classes"
    assert lines[2].split()[0] == "recall_at_1"
    assert lines[2].endswith(" %")
    assert lines[-1] == f"run: {tmp_path / 'run'}"
    assert all(line.startswith("  ") and line.endswith("%") for line in lines[2:-1]), "noise among the metrics"


def test_a_preset_lies_under_the_settings_given(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('method = "frozen"\nembedding_size = 24\n')
    given = words(tiny())  # nothing about the method
    result = vptsp("train", *given, "--preset", tmp_path / "mine.toml", "--run-dir", tmp_path / "run")
    assert result.exit_code == 0, result.output
    config = Run.open(tmp_path / "run").config
    assert (config.method, config.embedding_size) == ("frozen", 16)


def test_a_finished_run_says_so_when_resumed(run: Run) -> None:
    result = vptsp("train", "--resume", run.path)
    assert result.exit_code == 0
    assert f"{run.path} is finished; nothing is left to train" in result.output
    assert "recall_at_1" in result.output


def test_evaluate_prints_the_metrics_of_the_run(run: Run) -> None:
    result = vptsp("evaluate", run.path)
    assert result.exit_code == 0
    assert "20 queries, 20 gallery, 0 lone queries" in result.output
    recall = run.summary()["test"]["best_val"]["recall_at_1"]
    assert f"{100 * recall:.2f} %" in result.output


def test_runs_lists_them(run: Run) -> None:
    result = vptsp("runs", run.path.parent)
    assert result.exit_code == 0
    header, row = result.output.splitlines()
    assert header.split()[:4] == ["run", "state", "began", "recall_at_1"]
    assert row.split()[:2] == ["run", "done"]
    assert re.search(r"  \d{4}-\d\d-\d\d \d\d:\d\d  ", row), "when it began"
    assert f" {100 * run.result().metrics['recall_at_1']:.2f} %" in row, "in percent, as everywhere"


def test_what_is_typed_wrong_is_answered_with_what_is_near(tmp_path: Path) -> None:
    assert "No such command 'trian'. Did you mean 'train'?" in vptsp("trian").output
    assert vptsp("zzzz").output.endswith("No such command 'zzzz'.\n")
    assert f"{tmp_path / 'nowhere'} is not a folder" in vptsp("runs", tmp_path / "nowhere").output
    assert "there are no runs in" in vptsp("runs", tmp_path).output


def test_settings_lists_every_field() -> None:
    result = vptsp("settings")
    assert result.exit_code == 0
    assert all(f"\n{name} = " in "\n" + result.output for name in Config.model_fields)


def test_presets_lists_all_and_explains_one() -> None:
    listed = vptsp("presets")
    assert [line.split()[0] for line in listed.output.splitlines()] == preset_names()
    one = vptsp("presets", "cub_vit_s")
    assert "num_prompts = 10\n" in one.output
    assert "expected:\n  recall_at_1 = 0.866" in one.output
    assert "is not known; legal: " in vptsp("presets", "nope").output


def test_export_writes_what_the_suffix_says(tiny_run: Run, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    result = vptsp("export", tiny_run.path, target)
    assert (result.exit_code, result.output.strip()) == (0, str(target))
    assert target.stat().st_size > 0
    assert "cannot export to '.h5'" in vptsp("export", tiny_run.path, tmp_path / "model.h5").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "lrr=1"], "lrr is not a setting; did you mean lr?"),
        (["train", "epochs"], "'epochs' is not a setting; write key=value"),
        (["train", "epochs=true"], "epochs=True: input should be a valid integer"),
        (["train", "--preset", "nope"], "preset 'nope' is not known"),
        (["train", "--resume", "RUN", "lr=1"], "--resume goes on with the run's own settings; give no others"),
        (["train", "--resume", "RUN", "--run-dir", "x"], "--resume goes on with the run's own settings"),
        (["train", "--resume", "PARENT"], "is not a run directory (it holds no config.json); runs near it: "),
        (
            [
                "train",
                "--run-dir",
                "RUN",
                "backbone=test_vit",
                "backbone_weights=random",
                "image_size=32",
                "dataset=digits",
                "batch_size=4",
            ],
            "already holds a run; resume it",
        ),
        (["train", "backbone=test_vit", "backbone_weights=random", "dataset=flowers"], "dataset='flowers' is unknown"),
        (["train", "backbone=test_vit", "backbone_weights=random", "dataset=folder"], "needs data_root=FOLDER"),
        (
            ["train", "backbone=test_vit", "backbone_weights=random", "dataset=folder", "data_root=/no/where"],
            "data_root=/no/where is not a folder",
        ),
        (["train", "device=cuda:99"], "device='cuda:99' does not exist"),
        (["evaluate", "PARENT"], "is not a run directory"),
        (["runs", "/no/where"], "/no/where is not a folder; name one that holds runs"),
    ],
)
def test_errors_are_one_message_without_a_traceback(run: Run, arguments: list[str], message: str) -> None:
    places = {"RUN": str(run.path), "PARENT": str(run.path.parent)}
    result = vptsp(*(places.get(argument, argument) for argument in arguments))
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    *before, said = result.output.splitlines()
    assert said.startswith("Error: ")
    assert message in said
    assert all(line.endswith(processes.READING) for line in before)


@pytest.mark.parametrize(
    "arguments", [["bogus"], ["evaluate"], ["evaluate", "x", "--checkpoint", "first"], ["--bogus"]]
)
def test_misuse_shows_how_to_use_it(arguments: list[str]) -> None:
    result = vptsp(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.output
    assert "Error: " in result.output
