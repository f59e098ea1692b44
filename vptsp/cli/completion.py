"""``vptsp completion``: what a shell needs to complete commands, settings, presets and runs."""

from __future__ import annotations

import os
from pathlib import Path

import click

from vptsp.errors import UsageError

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_VPTSP_COMPLETE"
_END = "    return 0\n"
_NO_SPACE = "    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n\n"


@click.command()
@click.argument("shell", required=False, type=click.Choice(SHELLS))
def command(shell: str | None) -> None:
    """Print what makes Tab complete settings, presets and runs.

    For bash and zsh, once or in ~/.bashrc or ~/.zshrc: eval "$(vptsp completion)". For fish: vptsp completion | source
    """
    chosen = shell or Path(os.environ.get("SHELL", "")).name
    if chosen not in SHELLS:
        raise UsageError(
            f"your shell, {chosen or 'which $SHELL does not say'}, is not one of {', '.join(SHELLS)}; "
            "name one: vptsp completion bash"
        )
    from click.shell_completion import BashComplete, get_completion_class

    from vptsp.cli import main

    made = get_completion_class(chosen)
    assert made is not None
    if made is BashComplete:  # its own asks bash for its version first, and fails where there is none
        text = BashComplete.source_template % BashComplete(main, {}, "vptsp", _VARIABLE).source_vars()
        text = text.replace(_END, _NO_SPACE + _END)  # a setting's value follows its = at once
    else:
        text = made(main, {}, "vptsp", _VARIABLE).source()
    click.echo(text)
