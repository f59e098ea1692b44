"""``vptsp notebooks`` and ``vptsp lab``: the workbench's notebooks listed, copied, and opened in JupyterLab."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from vptsp.errors import UsageError

FOLDER = Path("notebooks")
FIRST = "01_train.ipynb"


@click.group(invoke_without_command=True)
@click.pass_context
def notebooks(context: click.Context) -> None:
    """List the workbench's notebooks: name, title, and what each is for."""
    from vptsp.notebooks.library import list_notebooks

    if context.invoked_subcommand:
        return
    found = list_notebooks()
    wide = max(len(notebook.name) for notebook in found) + 2
    columns = shutil.get_terminal_size((120, 24)).columns
    for notebook in found:
        click.echo(f"{notebook.name:<{wide}}{notebook.title}")
        click.echo(f"{'':<{wide}}{_shortened(notebook.purpose, max(40, columns - wide))}")
    click.echo("\nvptsp lab opens them in JupyterLab; vptsp notebooks copy [NAME]... [FOLDER] only copies them")


@notebooks.command()
@click.argument("words", nargs=-1, metavar="[NAME]... [FOLDER]")
def copy(words: tuple[str, ...]) -> None:
    """Put copies of notebooks, to be changed freely, into FOLDER (default: ./notebooks); without names, all of them.

    For example: vptsp notebooks copy 01_train 05 my_notebooks. What exists is never written over.
    """
    from vptsp.notebooks.library import copy_notebooks, split_names

    for path in copy_notebooks(*split_names(words, FOLDER)):
        click.echo(path)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[JUPYTER LAB'S ARGUMENTS]...")
def lab(arguments: tuple[str, ...]) -> None:
    """Open JupyterLab in the current folder; the notebooks are copied into ./notebooks if there are none."""
    from vptsp.notebooks.library import copy_notebooks, split_names

    if not any(FOLDER.glob("*.ipynb")):
        made = copy_notebooks(*split_names((), FOLDER))
        click.echo(f"copied {len(made)} notebooks into {FOLDER.resolve()}; they are yours to change")
    command = lab_command(arguments)
    if os.name != "posix":
        raise SystemExit(subprocess.call(command))
    os.execv(command[0], command)  # Ctrl-C and the exit status are JupyterLab's own


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


def _shortened(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    return text[: width - 2].rsplit(" ", 1)[0].rstrip(" ,;:") + " …"
