"""The run as it is now, without scripts: its state, its curves and its most confused classes."""

from __future__ import annotations

import contextlib
import html
from typing import TYPE_CHECKING

from vptsp.errors import UsageError
from vptsp.figures.html import html_table
from vptsp.figures.runs import curves
from vptsp.figures.stills import image_html
from vptsp.text import plain, safe

if TYPE_CHECKING:
    from vptsp_widgets.monitor.view import TrainingMonitor

_COLOURS = {"training": "#1d4ed8", "starting": "#1d4ed8", "done": "#15803d", "failed": "#b91c1c", "killed": "#b91c1c"}
_STILL_PAIRS = 5


def facts(view: TrainingMonitor) -> list[str]:
    """What is known of the run, the state first."""
    now, lines = view._now, view._curves
    found = [now["state"]]
    if now["steps"]:
        found += [f"epoch {now['epoch']} of {now['epochs']}", f"step {now['step']:,} of {now['steps']:,}"]
    found += [f"loss {lines['loss'][-1]:.3f}"] if lines["loss"] else []
    judged = [value for value in lines["judged"] if value is not None]
    found += [f"validation {lines['title']} {100 * judged[-1]:.1f} %"] if judged else []
    found += [f"{now['speed']:,.0f} images/s"] if now["speed"] else []
    return found


def html_of(view: TrainingMonitor) -> str:
    """State and facts, the curves of the epochs, and tables of confused classes."""
    if not view._watch:
        return '<p style="margin:0">No run is watched. Set <b>run</b> to a run directory.</p>'
    state, *told = facts(view)
    parts = [
        f'<div><b>{safe(view._now["name"])}</b> <span style="background:{_COLOURS.get(state, "#57606a")};'
        f'color:#fff;border-radius:4px;padding:1px 7px">{state}</span> {" · ".join(told)}</div>'
    ]
    if view._now["message"]:
        parts.append(f'<p style="margin:.4em 0">{html.escape(view._now["message"])}</p>')
    if view._curves["epoch"]:
        alt = f"Training loss and validation recall over the epochs of {plain(view._now['name'])}."
        with contextlib.suppress(UsageError):  # of a run whose settings are damaged
            parts.append(image_html(curves(view._watch.run), alt))
    for group in view._confused.get("groups", []):
        caption = f"Most confused classes after epoch {view._confused['epoch']}: {group['title']}."
        if group["rows"]:
            parts.append(html_table(group["header"], group["rows"][:_STILL_PAIRS], caption))
    return f'<div style="font-family:system-ui,sans-serif;font-size:13px">{"".join(parts)}</div>'
