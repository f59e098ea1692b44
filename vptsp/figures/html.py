"""Tables as HTML that JupyterLab keeps in notebooks it does not trust."""

from __future__ import annotations

import html
from collections.abc import Sequence

_WHOLE = 18  # letters that a number with its spread has, and that a cell may need on one line
_CELL = "padding:.45em .9em;border-bottom:1px solid rgba(128,128,128,.3);"


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str, strong: int | None = None) -> str:
    """A table in inline styles, which JupyterLab keeps in notebooks that it does not trust.

    The first column is text, the others numbers, which stay on one line; longer texts wrap. Row ``strong`` is set in
    bold. Cells are escaped.
    """

    def cell(text: str, column: int, tag: str, style: str = "") -> str:
        side = "left" if column == 0 else "right"
        return f'<{tag} style="{_CELL}text-align:{side};{style}">{html.escape(text)}</{tag}>'

    head = "".join(cell(text, column, "th", "font-weight:600;opacity:.75;") for column, text in enumerate(header))
    body = ""
    for number, row in enumerate(rows):
        bold = "font-weight:700;" * (number == strong)
        cells = (
            cell(text, column, "td", bold + "white-space:nowrap;" * (len(text) <= _WHOLE))
            for column, text in enumerate(row)
        )
        body += f"<tr>{''.join(cells)}</tr>"
    return (
        '<figure style="margin:0"><div style="overflow-x:auto"><table style="border-collapse:collapse;'
        'font-size:14px;font-variant-numeric:tabular-nums;margin:.4em 0">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f'<figcaption style="font-size:13px;opacity:.75;max-width:46em">{html.escape(caption)}</figcaption></figure>'
    )
