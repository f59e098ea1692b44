"""``vptsp notebooks``: the workbench's notebooks listed, and copied to where they may be changed."""

from __future__ import annotations

from pathlib import Path

import click

from vptsp.cli import layout

FOLDER = Path("notebooks")


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the workbench's notebooks: name, title, and what each is for."""
    from vptsp.notebooks.library import list_notebooks

    if context.invoked_subcommand:
        return
    found = list_notebooks()
    wide = max(len(notebook.name) for notebook in found) + 2
    for notebook in found:
        click.echo(f"{layout.name(f'{notebook.name:<{wide}}')}{_shortened(notebook.title, layout.columns() - wide)}")
        click.echo(f"{'':<{wide}}{_shortened(notebook.purpose, layout.columns() - wide)}")
    click.echo("\nvptsp lab opens copies of them in JupyterLab; vptsp notebooks copy makes copies")


@command.command()
@click.argument("words", nargs=-1, metavar="[NAME]... [FOLDER]")
def copy(words: tuple[str, ...]) -> None:
    """Put copies of notebooks, to be changed freely, into FOLDER (default: ./notebooks); without names, all of them.

    For example: vptsp notebooks copy 01_train 05 my_notebooks. What exists is never written over.
    """
    from vptsp.notebooks.library import copy_notebooks, split_names

    for path in copy_notebooks(*split_names(words, FOLDER)):
        click.echo(path)


def _shortened(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    return text[: width - 2].rsplit(" ", 1)[0].rstrip(" ,;:") + " …"
