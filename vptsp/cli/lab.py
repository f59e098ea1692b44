"""``vptsp lab``: the workbench's notebooks opened in JupyterLab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import click

from vptsp.errors import UsageError
from vptsp.project import VARIABLE, project_root

FOLDER = Path("notebooks")
COPIES = Path("my_notebooks")  # beside the repository's own notebooks, which git would otherwise see change
FIRST = "00_start_here.ipynb"


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[JUPYTER LAB'S ARGUMENTS]...")
def command(arguments: tuple[str, ...]) -> None:
    """Open JupyterLab in the current folder; the notebooks are copied into ./notebooks if there are none.

    In a clone of the repository, whose ./notebooks are the originals, the copies are in ./my_notebooks.
    """
    from vptsp.notebooks.library import copy_notebooks, split_names

    folder = own_folder()
    missing = [] if any(folder.glob("*.ipynb")) else split_names((), folder)[0]
    if not missing and not (folder / FIRST).exists():  # copies of a version that had none yet
        missing = [FIRST]
    if missing:
        made = copy_notebooks(missing, folder)
        click.echo(f"copied {len(made)} notebooks into {folder.resolve()}; they are yours to change")
    os.environ.setdefault(VARIABLE, str(project_root()))  # what kernels mean by runs/ is what this folder means by it
    click.echo(f"runs: {Path(os.environ[VARIABLE], 'runs')}")
    words = lab_command(arguments)
    if os.name != "posix":
        raise SystemExit(subprocess.call(words))
    os.execv(words[0], words)  # Ctrl-C and the exit status are JupyterLab's own


def own_folder() -> Path:
    """Where the user's copies of the notebooks are."""
    from vptsp.notebooks.library import are_originals

    return COPIES if are_originals(FOLDER) else FOLDER


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
            folder = own_folder()
            first = folder / FIRST
            opened = first if first.exists() else min(folder.glob("*.ipynb"))
            # as an address and not as a file: it is also printed, for whoever has no browser here
            command.append(f"--LabApp.default_url=/lab/tree/{quote(opened.as_posix())}")
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "--allow-root" not in arguments:
        command.append("--allow-root")
    return [*command, *arguments]
