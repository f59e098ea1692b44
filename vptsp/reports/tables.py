"""A table in the form that its reader wants: CSV, Parquet, Markdown or LaTeX."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from vptsp.errors import UsageError, explained
from vptsp.files import write_bytes


def write_table(table: pd.DataFrame, path: str | Path) -> Path:
    """Write ``table`` in the form that the suffix names: .csv, .parquet, .md or .tex. The file is whole or as before.

    Raises UsageError for other suffixes, RunError where it cannot be written.
    """
    path = Path(path)
    if path.suffix not in _FORMS:
        raise UsageError(
            f"{path}: a table cannot be written as {path.suffix or 'no suffix'!r}; use {', '.join(_FORMS)}"
        )
    data = _FORMS[path.suffix](table)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)
    return path


def markdown(table: pd.DataFrame) -> str:
    """A pipe table; numbers to the right."""
    numeric = [pd.api.types.is_numeric_dtype(table[name]) and table[name].dtype != bool for name in table]
    lines = [[str(name) for name in table], ["--:" if right else "---" for right in numeric]]
    lines += [[_text(value) for value in row] for row in table.itertuples(index=False)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def latex(table: pd.DataFrame) -> str:
    """A ``tabular`` for the booktabs package, with LaTeX's special characters escaped."""
    return table.map(_text).rename(columns=str).to_latex(index=False, escape=True)


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if value is None or value is pd.NA or value != value:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return " ".join(text.split())


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    mixed = {str(name): table[name].map(_text) for name in table if table[name].dtype == object}  # Arrow wants one type
    table.assign(**mixed).to_parquet(buffer, index=False)
    return buffer.getvalue()


_FORMS: dict[str, Callable[[pd.DataFrame], bytes]] = {
    ".csv": lambda table: table.to_csv(index=False).encode(),
    ".parquet": _parquet,
    ".md": lambda table: markdown(table).encode(),
    ".tex": lambda table: latex(table).encode(),
}
