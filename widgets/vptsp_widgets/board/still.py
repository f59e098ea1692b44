"""The still form of :mod:`vptsp_widgets.board`: a line that sums the sweep up, and its jobs as a table."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from vptsp.sweeps.terminal import duration
from vptsp.text import safe

_ROWS = 60
_COLOURS = {
    "queued": "#57606a",
    "running": "#1d4ed8",
    "done": "#15803d",
    "failed": "#b91c1c",
    "killed": "#9d174d",
    "interrupted": "#a34a07",
    "unreadable": "#6b21a8",
}
_PHASES = {"running": "#1d4ed8", "stopping": "#a34a07", "done": "#15803d"}
_CELL = "padding:.35em .8em;border-bottom:1px solid rgba(128,128,128,.3);vertical-align:top;"


def facts(head: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """``["5 done", "41 % of the work done", "about 0:12:00 left", "best validation R@1 71.2 %: x=1"]``."""
    found = [f"{count} {state}" for state, count in head["counts"].items() if count]
    found.append(f"{int(100 * head['fraction'])} % of the work done")
    if head["left"] is not None:
        found.append(f"about {duration(head['left'])} left")
    for best in head["best"]:
        found.append(f"best validation {best['metric']} {share(best['value'])}: {rows[best['row']]['title']}")
    return found


def share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def html_of(head: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], job: str) -> str:
    """Everything as one figure; ``job`` is set in bold."""
    line = " · ".join(html.escape(part) for part in facts(head, rows))
    phase = _badge(head["phase"], _PHASES.get(head["phase"], "#57606a"))
    shown = rows[:_ROWS]
    names = head["names"] or ["job"]
    header = [*names, "state", "epochs", "validation", "test", "time", "tries", "error"]
    titles = "".join(f'<th style="{_CELL}text-align:left;opacity:.75">{safe(name)}</th>' for name in header)
    stars, by_values = {best["row"] for best in head["best"]}, bool(head["names"])
    body = "".join(_row(row, index in stars, by_values, row["name"] == job) for index, row in enumerate(shown))
    caption = f"{len(shown):,} of {len(rows):,} jobs of the sweep in {head['folder']}." + (
        " ★: best by validation." if stars else ""
    )
    return (
        f'<figure style="margin:0;font-family:system-ui,sans-serif;font-size:13px"><div><b>{safe(head["name"])}</b> '
        f'{phase} {line}</div><div style="overflow-x:auto"><table style="border-collapse:collapse;margin:.5em 0;'
        f'font-size:13px;font-variant-numeric:tabular-nums"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'
        f'<figcaption style="opacity:.75">{html.escape(caption)}</figcaption></figure>'
    )


def _row(row: Mapping[str, Any], best: bool, by_values: bool, strong: bool) -> str:
    cells = [safe("default" if value is None else value) for value in row["values"]] if by_values else []
    cells = cells or [safe(row["title"])]
    cells.append(_badge(row["state"], _COLOURS[row["state"]]))
    cells.append(f"{row['epoch'] or 0} of {row['epochs']}" if row["epochs"] else "–")
    cells.append(("★ " if best else "") + share(row["best"]))
    cells += [share(row["test"]), duration(row["seconds"]) or "–", str(row["attempts"])]
    style = f"{_CELL}text-align:left;" + "font-weight:700;" * strong
    content = "".join(f'<td style="{style}white-space:nowrap">{cell}</td>' for cell in cells)
    error = safe(row["error"].partition("\n")[0], 120) if row["error"] else ""
    content += f'<td style="{style}min-width:14em">{error}</td>'
    return f"<tr>{content}</tr>"


def _badge(word: str, colour: str) -> str:
    return (
        f'<span style="background:{colour};color:#fff;border-radius:4px;padding:1px 7px;white-space:nowrap">'
        f"{html.escape(word)}</span>"
    )
