"""Lists fit 80 letters, settings can be looked for, and a shell completes settings, presets and runs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pandas as pd
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner, Result

from vptsp.cli import compare, main
from vptsp.cli.completion import SHELLS
from vptsp.cli.groups import choices, groups
from vptsp.runs.run import Run
from vptsp.settings import config as configuration
from vptsp.settings.config import Config
from vptsp.settings.presets import preset_names


def vptsp(*arguments: str, colour: bool = False) -> Result:
    return CliRunner().invoke(main, list(arguments), color=colour)


def completed(typed: str) -> list[str]:
    *words, begun = typed.split(" ")
    return [item.value for item in BashComplete(main, {}, "vptsp", "_VPTSP_COMPLETE").get_completions(words, begun)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "typed", ["settings", "presets", "methods", "notebooks", "data list", "sweep --list", "settings prompt", "--help"]
)
def test_lists_fit_80_letters_and_have_colour_only_on_a_terminal(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    plain = vptsp(*typed.split()).output
    assert max(map(len, plain.splitlines())) <= 80
    assert "\x1b" not in plain
    coloured = vptsp(*typed.split(), colour=True).output
    assert re.sub(r"\x1b\[\d*m", "", coloured) == plain
    assert ("\x1b" in coloured) == (typed not in ("sweep --list", "--help"))


def test_settings_are_grouped_as_the_configuration_is() -> None:
    titles = re.findall(r"# --- (.+?) -+\n", Path(configuration.__file__).read_text())
    found = groups()
    assert list(found) == ["task", *titles]
    assert [name for names in found.values() for name in names] == list(Config.model_fields)
    source = Path(configuration.__file__).read_text()
    for title, names in list(found.items())[1:]:
        assert re.search(rf"# --- {title} -+\n    {names[0]}: ", source), title


def test_settings_are_found_by_a_word_of_name_meaning_or_group() -> None:
    found = vptsp("settings", "gru").output
    assert {"gru_activation", "gru_dropout"} <= set(re.findall(r"^(\w+) = ", found, re.MULTILINE))
    assert "epochs = " not in found
    machine = set(re.findall(r"^(\w+) = ", vptsp("settings", "machine").output, re.MULTILINE))
    assert {"seed", "device", "precision"} <= machine
    missing = vptsp("settings", "epoch_s")
    assert missing.exit_code == 1
    assert "did you mean epochs" in missing.output


def test_choices_are_the_values_that_are_legal() -> None:
    assert choices("precision") == ["auto", "fp32", "bf16", "fp16"]
    assert "vptsp_g" in choices("method")
    assert choices("bitfit") == ["true", "false"]
    assert choices("epochs") == choices("data_root") == choices("backbone") == []


def test_settings_presets_and_runs_are_completed(folder: Path) -> None:
    assert completed("train lr") == ["lr=", "lr_backbone=", "lr_proxy="]
    assert completed("train epochs=3 precision=b") == ["precision=bf16"]
    assert completed("train precision = b") == ["bf16"]  # as bash divides it
    assert completed("train precision =")[0] == "auto"
    assert completed("train lr=") == completed("train nothing=") == []
    assert completed("train --preset ") == preset_names()
    assert completed("presets demo") == ["demo"]
    Run.create("runs/demo-1", Config())
    (folder / "notebooks").mkdir()
    assert completed("report ") == completed("compare runs/") == completed("train --resume demo") == ["runs/demo-1"]
    assert completed("report elsewhere") == ["elsewhere"]  # a folder
    assert "report" in completed("rep")


@pytest.mark.parametrize("shell", [shell for shell in SHELLS if shutil.which(shell)])
def test_the_shell_understands_what_is_printed(shell: str, tmp_path: Path) -> None:
    (tmp_path / "script").write_text(vptsp("completion", shell).output)
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_bash_completes_a_value_after_its_name(folder: Path) -> None:
    (folder / "vptsp").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vptsp.cli "$@"\n')
    (folder / "vptsp").chmod(0o755)
    typed = "COMP_WORDS=(./vptsp train method = lin); COMP_CWORD=4; _vptsp_completion ./vptsp; echo ${COMPREPLY[@]}"
    done = subprocess.run(
        ["bash", "-c", f"{vptsp('completion', 'bash').output}\n{typed}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["linear"]


def test_a_shell_that_is_not_known_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    result = vptsp("completion")
    assert result.exit_code == 1
    assert "tcsh, is not one of bash, zsh, fish; name one: vptsp completion bash" in result.output
    monkeypatch.setenv("SHELL", "/bin/bash")
    assert "_vptsp_completion" in vptsp("completion").output


def test_a_comparison_is_readable_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"": "*", "method": "linear", "note": "word " * 30, "p": "-"},
        {"": "", "method": "lora", "note": "", "p": 1},
    ]
    table = pd.DataFrame(rows)
    wide = compare._lines(table)
    assert len(wide) == 3, "no terminal: a table, however wide"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    lines = click.unstyle("\n".join(compare._lines(table))).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[0] == "* method linear"
    assert lines[-2:] == ["method lora", "    p 1"]
    assert "p -" not in "\n".join(lines), "what is not known is left out"
