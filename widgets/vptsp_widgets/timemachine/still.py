"""The still form of the time machine: a few epochs side by side with trails, and a table of the epochs."""

from __future__ import annotations

import base64
import html
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg  # never pyplot: its state is global and not thread-safe
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vptsp.analysis.replay import Replay
from vptsp.figures.html import html_table
from vptsp.figures.palettes import palette
from vptsp.figures.signs_and_colours import FAINT, FRAME, PROXIES, SOFT, TEXT
from vptsp.text import plain, safe

MOST_EPOCHS, MOST_ROWS = 4, 14
_INK, _SOFT, _FAINT = TEXT.light, SOFT.light, FAINT.light
_WIDE, _SHAPE = 4.9, 1.3  # inches of a panel, and its width over its height
_MARGINS, _BETWEEN = (0.32, 0.35), (0.2, 0.42)
_SIZES = {"learned": 30, "semantic": 28, "fused": 40}


@dataclass(frozen=True)
class StillReplay:
    """A replay as it is to be drawn, in one frame."""

    replay: Replay
    images: np.ndarray  # rows of the probe images shown
    trails: Mapping[int, str]  # names of the classes with trails by label, in the order of their colours
    curves: Sequence[Mapping[str, Any]]  # as vptsp_widgets.timemachine.data gives them
    counts: str  # how much is shown, of how much, in words
    note: str  # what the frame keeps


def html_of(shown: StillReplay) -> str:
    """The figure, its caption and the table."""
    replay = shown.replay
    picked = _picked(len(replay.epochs), MOST_EPOCHS)
    picture = base64.b64encode(_png(shown, picked)).decode()
    epochs = ", ".join(str(replay.epochs[turn]) for turn in picked)
    some = f"{len(picked)} of {len(replay.epochs)} epochs" if len(picked) < len(replay.epochs) else "epochs"
    alt = f"Proxies and probe images of {plain(replay.name)} after epochs {epochs}, in one frame"
    names = ", ".join(plain(name) for name in shown.trails.values())
    trails = f" Trails: {names}." if names and replay.proxies else ""
    caption = f"{some} ({epochs}); {shown.counts}. {shown.note}{trails}"
    return (
        f'<figure style="margin:0"><div style="font-size:15px;font-weight:600;margin-bottom:4px">'
        f'Time machine of {safe(replay.name)}</div><img src="data:image/png;base64,{picture}" alt="{html.escape(alt)}" '
        'style="max-width:100%;width:1000px;border-radius:8px">'
        f'<figcaption style="font-size:13px;opacity:.8;max-width:860px">{html.escape(caption[0].upper() + caption[1:])}'
        f"</figcaption></figure>{_table(shown)}"
    )


def _picked(count: int, most: int) -> list[int]:
    """Evenly spaced turns, the first and the last among them."""
    return sorted({int(turn) for turn in np.linspace(0, count - 1, min(most, count)).round()})


def _table(shown: StillReplay) -> str:
    curves, replay = shown.curves, shown.replay
    header = ["epoch", *(curve["title"] for curve in curves), *(f"{kind} proxies turned" for kind in replay.proxies)]
    picked = _picked(len(replay.epochs), MOST_ROWS)
    rows = [
        [
            str(replay.epochs[turn]),
            *("–" if (value := curve["values"][turn]) is None else f"{value:.1f} %" for curve in curves),
            *(f"{angles[turn].mean():.1f}°" if turn else "–" for angles in replay.turned.values()),
        ]
        for turn in picked
    ]
    caption = "After each epoch. " if len(picked) == len(rows) == len(replay.epochs) else ""
    caption = caption or f"{len(picked)} of {len(replay.epochs)} epochs replay. "
    if replay.proxies:
        caption += "Turned: mean angle of the proxies to where they were an epoch before. "
    scored = [f"{curve['title']}: {curve['note']}" for curve in curves if curve["name"] != "val"]
    return html_table(header, rows, caption + "; ".join(scored) + ("." if scored else ""))


def _png(shown: StillReplay, picked: list[int]) -> bytes:
    replay = shown.replay
    across = min(2, len(picked))
    down = -(-len(picked) // across)
    wide = _MARGINS[0] + 0.1 + across * _WIDE + (across - 1) * _BETWEEN[0]
    high = _MARGINS[1] + 0.85 + down * _WIDE / _SHAPE + (down - 1) * _BETWEEN[1]
    canvas = Figure(figsize=(wide, high), dpi=120, facecolor="white")
    FigureCanvasAgg(canvas)
    grid = canvas.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    limits = _limits(replay, _SHAPE)
    for panel, axis in enumerate(grid.flat):
        if panel >= len(picked):
            axis.set_axis_off()
            continue
        _draw(axis, shown, picked[panel])
        axis.set(xlim=limits[0], ylim=limits[1], xticks=[], yticks=[])
        axis.set_title(_title(shown, picked[panel]), fontsize=9.5, color=_INK, loc="left")
        for spine in axis.spines.values():
            spine.set_color(FRAME)
    for column in range(across):
        grid[-1 if len(picked) != 3 or not column else 0, column].set_xlabel(replay.axes[0], color=_SOFT, fontsize=8)
    for row in range(down):
        grid[row, 0].set_ylabel(replay.axes[1], color=_SOFT, fontsize=8)
    left, bottom = _MARGINS[0] / wide, _MARGINS[1] / high
    right = left + (across * _WIDE + (across - 1) * _BETWEEN[0]) / wide
    top = bottom + (down * _WIDE / _SHAPE + (down - 1) * _BETWEEN[1]) / high
    gaps = {"wspace": _BETWEEN[0] / _WIDE, "hspace": _BETWEEN[1] / _WIDE * _SHAPE}
    canvas.subplots_adjust(left=left, right=right, bottom=bottom, top=top, **gaps)
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (0.02, 0.995), "ncols": 5 if across > 1 else 3}
    room: dict[str, Any] = {"columnspacing": 1.2, "handletextpad": 0.4}
    legend = canvas.legend(handles=_legend(shown), frameon=False, fontsize=8, **place, **room)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a class may be called $x$
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script without a font shows boxes
        canvas.savefig(buffer, format="png")
    return buffer.getvalue()


def _limits(replay: Replay, shape: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Limits of both axes that hold every epoch, in the same units in a panel of that width over height."""
    everything = np.concatenate([replay.images, *replay.proxies.values()], axis=1)
    low, high = everything.min(axis=(0, 1)), everything.max(axis=(0, 1))
    half = 0.53 * max((high[0] - low[0]) / shape, high[1] - low[1], 1e-6)
    across, up = (low + high) / 2
    return (across - half * shape, across + half * shape), (up - half, up + half)


def _title(shown: StillReplay, turn: int) -> str:
    parts = [f"epoch {shown.replay.epochs[turn]}"]
    for curve in shown.curves:
        if curve["name"] != "train" and curve["values"][turn] is not None:
            name = curve["title"].lower().replace("r@1", "R@1") if curve["name"] == "val" else "R@1 of test probes"
            parts.append(f"{name} {curve['values'][turn]:.0f} %")
    return " · ".join(parts)


def _draw(axis: Axes, shown: StillReplay, turn: int) -> None:
    replay, colours = shown.replay, _colours(shown)
    places, labels = replay.images[turn, shown.images], replay.labels[shown.images]
    for test, marker in ((False, "o"), (True, "^")):
        x, y = places[(replay.is_test[shown.images] == test) & ~np.isin(labels, list(colours))].T
        axis.scatter(x, y, s=9, marker=marker, c=_FAINT, alpha=0.5, linewidths=0)
    rest = ~np.isin(replay.proxy_labels, list(colours))
    for kind, path in replay.proxies.items():
        x, y = path[turn, rest].T
        inks = PROXIES[kind].inks("none", _SOFT)
        axis.scatter(x, y, s=_SIZES[kind] * 0.3, marker=PROXIES[kind].matplotlib, alpha=0.4, linewidths=0.5, **inks)
    for label, colour in colours.items():
        x, y = places[labels == label].T
        axis.scatter(x, y, s=22, c=colour, alpha=0.95, linewidths=0.7, edgecolors="white", zorder=4)
        for kind, path in replay.proxies.items():
            sign = PROXIES[kind]
            look: dict[str, Any] = {"linewidths": 0.7 if sign.filled else 1.4, "zorder": 5, **sign.inks(colour=colour)}
            for row in np.flatnonzero(replay.proxy_labels == label):
                x, y = path[: turn + 1, row].T
                axis.plot(x, y, color=colour, lw=1.1, alpha=0.6, zorder=3)
                axis.scatter(x[-1], y[-1], s=_SIZES[kind], marker=sign.matplotlib, **look)


def _colours(shown: StillReplay) -> dict[int, str]:
    """Colour of each class with a trail, by label."""
    slots = palette(max(1, len(shown.trails)), dark=False) / 255
    return {label: to_hex(slots[turn]) for turn, label in enumerate(shown.trails)}


def _legend(shown: StillReplay) -> list[Line2D]:
    tests = shown.replay.is_test[shown.images]
    marks = [("o", "train probe image", _FAINT, 4.5)] if not tests.all() else []
    marks += [("^", "test probe image", _FAINT, 4.5)] if tests.any() else []
    handles = [
        Line2D([], [], ls="", marker=marker, mfc=colour, mec=colour, ms=size, label=name)
        for marker, name, colour, size in marks
    ]
    signs = [PROXIES[kind] for kind in shown.replay.proxies]
    handles += [Line2D([], [], ls="", ms=5.5, label=sign.title, **sign.line(_SOFT)) for sign in signs]
    named = zip(_colours(shown).values(), shown.trails.values(), strict=True)
    return handles + [Line2D([], [], color=colour, lw=2.2, label=plain(name, 26)) for colour, name in named]
