"""The run as it is now, without scripts: its state, its curves and its most confused classes."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Mapping
from typing import Any

from vptsp.errors import UsageError
from vptsp.figures.html import html_table
from vptsp.figures.runs import curves
from vptsp.figures.stills import image_html
from vptsp.runs.run import Run
from vptsp.text import plain, safe

_COLOURS = {"training": "#1d4ed8", "starting": "#1d4ed8", "done": "#15803d", "failed": "#b91c1c", "killed": "#b91c1c"}
_STILL_PAIRS = 5


Said = Mapping[str, Any]  # what vptsp_widgets.monitor.watching says: of the moment, of the curves, of confused classes


def facts(now: Said, lines: Said) -> list[str]:
    """What is known of the run, the state first."""
    found = [now["state"]]
    if now["steps"]:
        found += [f"epoch {now['epoch']} of {now['epochs']}", f"step {now['step']:,} of {now['steps']:,}"]
    found += [f"loss {lines['loss'][-1]:.3f}"] if lines["loss"] else []
    judged = [value for value in lines["judged"] if value is not None]
    found += [f"validation {lines['title']} {100 * judged[-1]:.1f} %"] if judged else []
    found += [f"{now['speed']:,.0f} images/s"] if now["speed"] else []
    return found


def html_of(run: Run | None, now: Said, lines: Said, confused: Said) -> str:
    """State and facts, the curves of the epochs, and tables of confused classes."""
    if run is None:
        return '<p style="margin:0">No run is watched. Set <b>run</b> to a run directory.</p>'
    state, *told = facts(now, lines)
    parts = [
        f'<div><b>{safe(now["name"])}</b> <span style="background:{_COLOURS.get(state, "#57606a")};'
        f'color:#fff;border-radius:4px;padding:1px 7px">{state}</span> {" · ".join(told)}</div>'
    ]
    if now["message"]:
        parts.append(f'<p style="margin:.4em 0">{html.escape(now["message"])}</p>')
    if lines["epoch"]:
        alt = f"Training loss and validation recall over the epochs of {plain(now['name'])}."
        with contextlib.suppress(UsageError):  # of a run whose settings are damaged
            parts.append(image_html(curves(run), alt))
    for group in confused.get("groups", []):
        caption = f"Most confused classes after epoch {confused['epoch']}: {group['title']}."
        if group["rows"]:
            parts.append(html_table(group["header"], group["rows"][:_STILL_PAIRS], caption))
    return f'<div style="font-family:system-ui,sans-serif;font-size:13px">{"".join(parts)}</div>'
