"""The still form of the map: a picture by matplotlib, and the thumbnails of the selected images, in plain HTML."""

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
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vptsp.figures.palettes import palette, ramp
from vptsp.figures.signs_and_colours import FAINT, FRAME, PROXIES, SOFT, TEXT
from vptsp.runs.thumbnails import Thumbnails
from vptsp.text import plain, safe
from vptsp_widgets.sampling import spread
from vptsp_widgets.space.data import Column
from vptsp_widgets.space.still_density import ONLY_FLAT, Group, draw_density, groups_of, legend_of
from vptsp_widgets.space.turning import Sight
from vptsp_widgets.still_images import pictures

MOST_POINTS = 20_000  # a picture of 900 pixels shows no more
MOST_THUMBNAILS = 24
_CLASSES_IN_LEGEND = 12
_INK, _SOFT, _MISSING = TEXT.light, SOFT.light, FAINT.light


@dataclass(frozen=True)
class StillMap:
    """A map of N images as it is to be drawn; ``glyphs`` are places (C, 2) of proxies by kind."""

    name: str
    ids: Sequence[str]
    labels: np.ndarray  # (N,), into class_names
    class_names: Sequence[str]
    points: np.ndarray  # (N, 2)
    sample: np.ndarray  # rows drawn unless the state says all
    glyphs: Mapping[str, np.ndarray]
    axes: Sequence[str]
    column: Column  # to colour by
    state: Mapping[str, Any]  # as vptsp_widgets.space.state has it
    selected: Sequence[int]  # rows
    counts: str  # how many of how many, in words
    notes: Sequence[str]
    seed: int
    passes: np.ndarray  # (N,) bool, whether the filter leaves it
    sight: Sight | None = None  # of a map in three dimensions, of which points and glyphs are what is seen


@dataclass(frozen=True)
class Drawn:
    """A picture of a map, and what its caption says: how many images it shows of how many, and their colours."""

    png: bytes
    note: str
    colour: str


def drawn(shown: StillMap) -> Drawn:
    """The map as a picture of 1296 x 922 pixels, on white."""
    rows, note = _rows(shown)
    groups, said = _density(shown)
    return Drawn(_png(shown, rows, groups), "; ".join(part for part in (note, said) if part), shown.column.name)


def html_of(shown: StillMap, thumbnails: Thumbnails | None) -> str:
    """The figure, and the thumbnails of what is selected."""
    return figure_of(shown.name, drawn(shown), strip_of(shown, thumbnails))


def figure_of(name: str, picture: Drawn, below: str) -> str:
    """A picture of the map of ``name`` with its caption; ``below`` is HTML that follows in the figure."""
    source = base64.b64encode(picture.png).decode()
    alt = f"Map of {plain(name)}, coloured by {picture.colour}: {picture.note}"
    title = f'<div style="font-size:15px;font-weight:600;margin-bottom:4px">Map of {safe(name)}</div>'
    return (
        f'<figure style="margin:0">{title}<img src="data:image/png;base64,{source}" alt="{html.escape(alt)}" '
        'style="max-width:100%;width:860px;border-radius:8px">'
        f'<figcaption style="font-size:13px;opacity:.8;max-width:860px">{html.escape(picture.note)}. '
        f"Coloured by {safe(picture.colour)}.</figcaption>{below}</figure>"
    )


def _rows(shown: StillMap) -> tuple[np.ndarray, str]:
    """The rows drawn, and how many they are of how many."""
    rows = np.flatnonzero(np.isfinite(shown.points).all(axis=1)) if shown.state["all"] else shown.sample
    filtered = [f"{int(shown.passes[rows].sum()):,} pass the filter"] if shown.state["filter"] else []
    if len(rows) <= MOST_POINTS:
        return rows, "; ".join([shown.counts, *filtered])
    rows = rows[spread(shown.labels[rows], MOST_POINTS, shown.seed)]
    return rows, "; ".join([f"{len(rows):,} of {len(shown.points):,} images shown", *shown.notes, *filtered])


def _density(shown: StillMap) -> tuple[list[Group], str]:
    """Whose lines of density are drawn, and what is said of them: of all images shown, also of those not drawn."""
    if not shown.state["density"]:
        return [], ""
    if shown.sight:
        return [], ONLY_FLAT
    lit = np.full(len(shown.points), False)
    rows = np.arange(len(lit)) if shown.state["all"] else shown.sample
    lit[rows] = _lit(shown, rows)
    selected = np.isin(np.arange(len(lit)), shown.selected)
    table = None if shown.column.values is None else _table(shown.column) / 255
    return groups_of(shown.state["density"], shown.points, lit, selected, shown.column, table)


def _lit(shown: StillMap, rows: np.ndarray) -> np.ndarray:
    """Which of the rows are not faded: by a solo, the filter, or the class found."""
    solo = _solo(shown)
    lit = shown.passes[rows] & (np.isin(shown.column.codes[rows], solo) if solo else True)
    if shown.state["find"] in shown.class_names:
        lit &= shown.labels[rows] == list(shown.class_names).index(shown.state["find"])
    return lit


def _solo(shown: StillMap) -> list[int]:
    """Codes of the categories shown alone; empty: none is."""
    return [code for code, value in enumerate(shown.column.values or ()) if value in shown.state["solo"]]


def _png(shown: StillMap, rows: np.ndarray, groups: Sequence[Group]) -> bytes:
    if shown.sight:
        rows = rows[np.argsort(shown.sight.depths[rows], kind="stable")]  # what is near lies on top
    canvas = Figure(figsize=(9, 6.4), dpi=144, facecolor="white", layout="constrained")
    FigureCanvasAgg(canvas)
    axis = canvas.subplots()
    state, column = shown.state, shown.column
    chosen = np.isin(rows, shown.selected)
    colours, lit = _colours(shown, rows), _lit(shown, rows)
    rim = {"linewidths": 0.6, "edgecolors": _SOFT} if column.named else {"linewidths": 0}
    size = float(np.clip(24_000 / max(len(rows), 1), 2.5, 30)) * np.ones(len(rows))
    near = np.ones(len(rows))
    if shown.sight:
        near = shown.sight.depths[rows].clip(0, 1)
        size *= 0.5 + near
    rest = lit & (chosen.sum() > 1) & ~chosen  # one alone is ringed, and dims nothing
    points = shown.points[rows]
    for which, alpha in (
        (~lit, 0.14 if shown.state["filter"] else 0.22),
        (rest, 0.5 if shown.state["filter"] else 0.22),
    ):
        if which.any():
            shades = alpha * (0.5 + near[which] / 2)
            x, y = points[which].T
            axis.scatter(x, y, s=size[which], c=colours[which], alpha=shades, linewidths=0)
    full = lit & ~rest
    if full.any():
        shades = 0.85 * (0.45 + 0.55 * near[full])
        x, y = points[full].T
        axis.scatter(x, y, s=size[full] * 1.2, c=colours[full], alpha=shades, **rim)
    if chosen.any():
        x, y = points[chosen].T
        axis.scatter(x, y, s=size[chosen] * 2.2, facecolors="none", edgecolors=_INK, linewidths=0.8)
    draw_density(axis, groups)
    _draw_proxies(axis, shown)
    _legend(axis, shown, groups)
    axis.set_aspect("equal", adjustable="datalim")
    if shown.sight:
        _draw_axes(axis, shown.axes, shown.sight.axes)
    else:
        axis.set_xlabel(shown.axes[0], color=_SOFT, fontsize=9)
        axis.set_ylabel(shown.axes[1], color=_SOFT, fontsize=9)
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_color(FRAME)
    if state["zoom"] != 1 or state["x"] is not None:
        canvas.draw_without_rendering()  # the legend takes its room
        _camera(axis, shown)
    if state["labels"]:
        _draw_labels(axis, shown, rows)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script without a font shows boxes
        canvas.savefig(buffer, format="png")
    return buffer.getvalue()


def _colours(shown: StillMap, rows: np.ndarray) -> np.ndarray:
    """RGB (n, 3) in 0..1 of the rows."""
    column, state = shown.column, shown.state
    codes = column.codes[rows]
    if column.values is None:
        header = column.header()
        place = (np.nan_to_num(codes) - header["low"]) / max(header["high"] - header["low"], 1e-12)
        colours = ramp(dark=False)[(255 * place).clip(0, 255).astype(int)] / 255
        colours[np.isnan(codes)] = 0.63
        return colours
    grey = np.full((1, 3), 160, dtype=np.uint8)
    table = _table(column)
    solo = _solo(shown)
    if column.grey:
        looked = np.union1d(solo, column.codes[list(shown.selected)]).astype(int)
        found = [number for number, name in enumerate(shown.class_names) if name == state["find"]]
        looked = np.union1d(looked, column.codes[np.isin(shown.labels, found)]).astype(int)
        table[np.setdiff1d(np.arange(len(table)), looked)] = grey
    return np.concatenate([table, grey])[codes] / 255


def _table(column: Column) -> np.ndarray:
    """RGB (values, 3) of a column's categories."""
    if column.named:
        return np.array([[round(255 * part) for part in to_rgb(colour)] for colour in column.named], dtype=np.uint8)
    return palette(len(column.values or ()), dark=False)


def _draw_proxies(axis: Axes, shown: StillMap) -> None:
    kinds = [kind for kind in shown.glyphs if kind in shown.state["proxies"]]
    if shown.state["arrows"] and "fused" in kinds:
        for kind in ("learned", "semantic"):
            if kind in kinds:
                pairs = np.stack(
                    [shown.glyphs[kind], shown.glyphs["fused"], np.full_like(shown.glyphs[kind], np.nan)], 1
                )
                axis.plot(*pairs.reshape(-1, 2).T, color=_SOFT, lw=0.6, alpha=0.5, zorder=2.5)
    for kind in kinds:
        sign = PROXIES[kind]
        x, y = shown.glyphs[kind].T
        size, width = (40, 0.6) if sign.filled else (26, 1.3)
        axis.scatter(x, y, s=size, marker=sign.matplotlib, zorder=3, linewidths=width, **sign.inks())


def _camera(axis: Axes, shown: StillMap) -> None:
    """The part of the map that is looked at, as ``front/camera.js`` has it, and what there is room for around it."""
    state = shown.state
    places = np.concatenate([shown.points, *shown.glyphs.values()])
    places = places[np.isfinite(places).all(axis=1)]
    if not len(places):
        return
    low, high = places.min(axis=0), places.max(axis=0)
    middle, extent = (low + high) / 2, np.where(high > low, high - low, 1.0)
    if shown.sight:
        middle, extent = shown.sight.middle, shown.sight.extent
    centre = [middle[side] if state[name] is None else state[name] for side, name in enumerate("xy")]
    box = axis.get_window_extent()
    scale = 0.92 * min(box.width / extent[0], box.height / extent[1]) * state["zoom"]
    axis.set_aspect("auto")  # it is equal by these ends
    axis.set_xlim(centre[0] - box.width / 2 / scale, centre[0] + box.width / 2 / scale)
    axis.set_ylim(centre[1] - box.height / 2 / scale, centre[1] + box.height / 2 / scale)


def _draw_axes(axis: Axes, names: Sequence[str], ends: np.ndarray) -> None:
    """Arrows in the corner that point where the axes do, with their names."""
    start = 64.0
    for name, (x, y) in zip(names, ends, strict=True):
        end, out = (start + 40 * x, start + 40 * y), (start + 46 * x, start + 46 * y)
        place: dict[str, Any] = {"xycoords": "axes pixels", "textcoords": "axes pixels"}
        arrow = {"arrowstyle": "->", "color": _SOFT, "shrinkA": 0, "shrinkB": 0}
        axis.annotate("", end, (start, start), arrowprops=arrow, **place)
        ha = "left" if x > 0.3 else "right" if x < -0.3 else "center"
        axis.annotate(
            name, out, out, ha="left" if ha == "right" and out[0] < 60 else ha, color=_SOFT, fontsize=8, **place
        )


def _draw_labels(axis: Axes, shown: StillMap, rows: np.ndarray) -> None:
    """Names of classes at their medians, largest class first, where no other name stands."""
    labels = shown.labels[rows]
    x0, x1, y0, y1 = *axis.get_xlim(), *axis.get_ylim()
    taken: list[tuple[float, float, float]] = []
    for label in np.argsort(-np.bincount(labels, minlength=1), kind="stable")[:200]:
        own = shown.points[rows[labels == label]]
        if not len(own) or len(taken) == 25:
            continue
        place, name = np.median(own, axis=0), plain(shown.class_names[label], 28)
        across, up = (place[0] - x0) / (x1 - x0) * 860, (place[1] - y0) / (y1 - y0) * 560
        wide = 3.6 * len(name)
        if not (wide < across < 860 - wide and 8 < up < 552):
            continue
        if all(abs(across - x) > wide + w or abs(up - y) > 17 for x, y, w in taken):
            taken.append((across, up, wide))
            box = {"facecolor": "white", "alpha": 0.72, "edgecolor": "none", "pad": 1}
            text = axis.text(place[0], place[1], name, ha="center", va="center", fontsize=7.5, color=_INK, bbox=box)
            text.set(parse_math=False, zorder=4)


def _legend(axis: Axes, shown: StillMap, groups: Sequence[Group]) -> None:
    handles, column = [], shown.column
    if column.values is None:
        header = column.header()
        scale = Normalize(header["low"], header["high"])
        bar = axis.figure.colorbar(
            ScalarMappable(scale, ListedColormap(ramp(dark=False) / 255)), ax=axis, shrink=0.7, pad=0.02
        )
        if column.dates is not None:
            bar.ax.yaxis.set_major_formatter(lambda value, _: column.told(value))
        bar.set_label(column.name, fontsize=9, color=_INK, parse_math=False)
        bar.ax.tick_params(labelsize=8, colors=_SOFT)
        bar.outline.set_visible(False)
    else:
        colours = _table(column) / 255
        counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.values))
        order = [code for code in np.argsort(-counts, kind="stable") if counts[code]]
        if len(order) <= _CLASSES_IN_LEGEND:
            handles = [_dot(colours[code], f"{plain(column.values[code], 30)}  {counts[code]:,}") for code in order]
        if (column.codes < 0).any():
            handles.append(_dot(_MISSING, f"(missing)  {(column.codes < 0).sum():,}"))
    for kind in shown.glyphs:
        if kind in shown.state["proxies"]:
            handles.append(Line2D([], [], ls="", ms=7, label=PROXIES[kind].title, **PROXIES[kind].line()))
    handles += legend_of(groups)
    if handles:
        place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1.0)}
        legend = axis.legend(handles=handles, ncols=min(5, len(handles)), fontsize=8, frameon=False, **place)
        for text in legend.get_texts():
            text.set_parse_math(False)  # a class may be called $x$


def _dot(colour: Any, label: str) -> Line2D:
    return Line2D([], [], ls="", marker="o", mfc=colour, mec="none", ms=6, label=label)


def strip_of(shown: StillMap, thumbnails: Thumbnails | None) -> str:
    """Thumbnails of the selected images, with the names of their classes; empty where none is selected."""
    if not shown.selected:
        return ""
    cells = ""
    rows = shown.selected[:MOST_THUMBNAILS]
    names = [shown.ids[row] for row in rows]
    for row, name, source in zip(rows, names, pictures(thumbnails, names), strict=True):
        label = shown.class_names[shown.labels[row]]
        note = html.escape(f"{plain(label)} ({plain(name)})")
        image = (
            f'<img src="{source}" alt="{note}" title="{note}" width="64" height="64" '
            'style="display:block;width:64px;height:64px;border-radius:5px">'
            if source
            else ""
        )
        text = "font-size:11px;line-height:1.3;overflow:hidden;overflow-wrap:anywhere;max-height:2.6em"
        cells += f'<div style="width:72px">{image}<div style="{text}">{safe(label, 40)}</div></div>'
    more = f", the first {len(rows)}" if len(shown.selected) > len(rows) else ""
    return (
        f'<div style="font-size:13px;font-weight:600;margin:10px 0 4px">{len(shown.selected):,} selected{more}</div>'
        f'<div style="display:flex;flex-wrap:wrap;gap:8px;max-width:860px">{cells}</div>'
    )
