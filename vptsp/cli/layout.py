"""How lists are laid out: as wide as the terminal, 80 letters where there is none, and in colour where there is one.

click leaves colours out of pipes and files by itself.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable

import click

STATES = {
    "done": "green",
    "training": "cyan",
    "failed": "red",
    "killed": "red",
    "unreadable": "red",
    "stopped": "yellow",
}


def columns() -> int:
    """Letters of a line."""
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def name(text: str) -> str:
    """What somebody may type, so that it stands out."""
    return click.style(text, bold=True)


def heading(text: str) -> str:
    return click.style(text, fg="cyan", bold=True)


def state(text: str, shown: str | None = None) -> str:
    """``shown``, or the text itself, in the colour of a run's state."""
    return click.style(text if shown is None else shown, fg=STATES.get(text.strip()))


def paragraph(text: str, indent: int = 4) -> str:
    """Wrapped and indented, but for words that are longer than a line."""
    space = " " * indent
    return textwrap.fill(
        text, columns(), initial_indent=space, subsequent_indent=space, break_long_words=False, break_on_hyphens=False
    )


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """Names on the left, what they mean on the right, wrapped."""
    formatter = click.HelpFormatter(width=columns())
    formatter.write_dl([(name(word), meaning) for word, meaning in pairs], col_max=28)
    return formatter.getvalue().rstrip()
