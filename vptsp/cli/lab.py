"""``vptsp lab``: the workbench's notebooks opened in JupyterLab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from vptsp.errors import UsageError

FOLDER = Path("notebooks")
FIRST = "01_train.ipynb"


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[JUPYTER LAB'S ARGUMENTS]...")
def command(arguments: tuple[str, ...]) -> None:
    """Open JupyterLab in the current folder; the notebooks are copied into ./notebooks if there are none."""
    from vptsp.notebooks.library import copy_notebooks, split_names

    if not any(FOLDER.glob("*.ipynb")):
        made = copy_notebooks(*split_names((), FOLDER))
        click.echo(f"copied {len(made)} notebooks into {FOLDER.resolve()}; they are yours to change")
    words = lab_command(arguments)
    if os.name != "posix":
        raise SystemExit(subprocess.call(words))
    os.execv(words[0], words)  # Ctrl-C and the exit status are JupyterLab's own


def lab_command(arguments: tuple[str, ...]) -> list[str]:
    """How to start JupyterLab. What the user says of the folder and of what to open goes before what is said here.

    Raises :class:`UsageError` where JupyterLab is not installed.
    """
    from importlib.util import find_spec

    if find_spec("jupyterlab") is None:
        raise UsageError(f"JupyterLab is not installed; install it: {sys.executable} -m pip install jupyterlab")
    command = [sys.executable, "-m", "jupyterlab"]
    if not any(word.split("=")[0] in ("--notebook-dir", "--ServerApp.root_dir") for word in arguments):
        command.append("--notebook-dir=.")
        if not any(Path(word).exists() for word in arguments):
            first = FOLDER / FIRST
            command.append(str(first if first.exists() else min(FOLDER.glob("*.ipynb"))))
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "--allow-root" not in arguments:
        command.append("--allow-root")
    return [*command, *arguments]
