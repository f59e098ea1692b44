"""The still form of a plotly figure: a PNG drawn by matplotlib, for pages without JavaScript.

Covers what the figures here use: scatter (lines, markers), bars, heat maps, parallel coordinates, subplots,
annotations.
"""

from __future__ import annotations

import base64
import html
import io
import re
import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg  # never pyplot: its state is global and not thread-safe
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, MultipleLocator, NullLocator

from vptsp.figures.signs_and_colours import BLUE, DRAWN, MARKERS
from vptsp.figures.template import CONFIG

_DPI = 144
_DASHES = {"dot": ":", "dash": "--", "dashdot": "-."}


def show(figure: go.Figure, alt: str) -> None:
    """Display a figure as one bundle: interactive in JupyterLab, a picture with ``alt`` everywhere else."""
    from IPython.display import display  # only notebooks show

    display(bundle(figure, alt), raw=True)


def bundle(figure: go.Figure, alt: str) -> dict[str, Any]:
    """The plotly MIME type for viewers that have it, HTML for nbconvert and untrusted notebooks, and text."""
    return {
        "application/vnd.plotly.v1+json": figure.to_plotly_json() | {"config": CONFIG},
        "text/html": image_html(figure, alt),
        "text/plain": alt,
    }


def image_html(figure: go.Figure, alt: str, width: int = 860) -> str:
    """The still as an ``<img>`` that holds its own data."""
    data = base64.b64encode(png(figure, width)).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}" style="max-width:100%;width:{width}px">'


def png(figure: go.Figure, width: int = 860) -> bytes:
    """A PNG of ``width`` CSS pixels at 1.5 times their density, dark on white.

    Raises ValueError for trace types that have no still form.
    """
    layout = figure.to_dict()["layout"]
    canvas = Figure(figsize=(width / 96, (layout.get("height") or 450) / 96), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(canvas)
    for trace in figure.data:
        if trace.type not in _DRAW:
            raise ValueError(f"a {trace.type} trace has no still form; stills know {', '.join(_DRAW)}")
    panels = dict.fromkeys(_panel(trace) for trace in figure.data) or {"": None}
    grid = canvas.subplots(1, len(panels), squeeze=False)[0]
    axes = dict(zip(panels, grid, strict=True))
    for trace in figure.data:
        if trace.visible in (None, True):
            _DRAW[trace.type](axes[_panel(trace)], trace, figure)
    for suffix, axis in axes.items():
        _dress(axis, layout.get(f"xaxis{suffix}", {}), layout.get(f"yaxis{suffix}", {}))
    notes = layout.get("annotations", [])
    titles = [note for note in notes if note.get("y") == 1.0 and note.get("yanchor") == "bottom"]  # of the subplots
    for axis, title in zip(axes.values(), titles, strict=False):
        axis.set_title(_text(title["text"]), fontsize=10, color=DRAWN, parse_math=False)
    for note in notes:
        if note not in titles:
            canvas.text(0.985, 0.015, _text(note["text"]), ha="right", fontsize=8, color=DRAWN, parse_math=False)
    legends = [_legend(axis, low=len(axes) > 1) for axis in axes.values()] if len(figure.data) > 1 else []
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script without a font shows boxes
        canvas.tight_layout()
        canvas.savefig(buffer, format="png", bbox_extra_artists=[item for item in legends if item], bbox_inches="tight")
    return buffer.getvalue()


def _panel(trace: Any) -> str:
    """The subplot of a trace: "", "2", as in xaxis2."""
    return (getattr(trace, "xaxis", None) or "x")[1:]


# --- traces -----------------------------------------------------------------------------------------
def _scatter(axis: Axes, trace: go.Scatter, figure: go.Figure) -> None:
    x, y = _numbers(trace.x), _numbers(trace.y)
    mode, marker, line = trace.mode or "lines", trace.marker, trace.line
    name = _text(trace.name or "")
    kept = np.isfinite(y) if trace.connectgaps else np.full(len(y), True)
    if "lines" in mode:
        colour = _colour(line.color)
        style, width = _DASHES.get(line.dash or "", "-"), (line.width or 2) * 0.75
        axis.plot(x[kept], y[kept], style, color=colour, lw=width, label=name, zorder=1)
    if "markers" in mode:
        symbol = str(marker.symbol or "circle")
        listed = isinstance(marker.color, (list, tuple, np.ndarray))
        colours = [_colour(colour) for colour in marker.color] if listed else _colour(marker.color or line.color)
        bare = symbol.endswith("-open")
        axis.scatter(
            x[kept],
            y[kept],
            s=((marker.size or 6) * 0.8) ** 2,
            marker=MARKERS.get(symbol.removesuffix("-open"), "o"),
            c=None if bare else (colours if listed else [colours]),
            facecolors="none" if bare else None,
            edgecolors=colours if bare else _colour(marker.line.color or "rgba(0,0,0,0)"),
            linewidths=(marker.line.width or 0) * 0.75,
            alpha=marker.opacity,
            label=None if "lines" in mode else name,
            zorder=2,
        )


def _bar(axis: Axes, trace: go.Bar, figure: go.Figure) -> None:
    bars = [other for other in figure.data if other.type == "bar" and other.xaxis == trace.xaxis]
    place, width = next(i for i, other in enumerate(bars) if other is trace), 0.7 / len(bars)
    ticks = [_text(str(value)) for value in trace.x]
    left = np.arange(len(ticks)) - 0.35 + (place + 0.5) * width
    listed = isinstance(trace.marker.color, (list, tuple, np.ndarray))
    colour = [_colour(each) for each in trace.marker.color] if listed else _colour(trace.marker.color)
    drawn = axis.bar(left, _numbers(trace.y), width, color=colour, label=_text(trace.name or ""))
    axis.set_xticks(np.arange(len(ticks)), ticks, parse_math=False, rotation=90 if len(ticks) > 8 else 0)
    if trace.text is not None:
        axis.bar_label(drawn, [_text(str(text)) for text in trace.text], fontsize=8, padding=2, color=DRAWN)


def _heatmap(axis: Axes, trace: go.Heatmap, figure: go.Figure) -> None:
    image = axis.imshow(np.asarray(trace.z, dtype=float), aspect="auto", origin="lower", cmap="viridis")
    for set_ticks, names in ((axis.set_xticks, trace.x), (axis.set_yticks, trace.y)):
        if names is not None and len(names) <= 80:
            set_ticks(np.arange(len(names)), [_text(str(name)) for name in names], parse_math=False)
    axis.tick_params("x", rotation=90 if trace.x is not None and len(trace.x) > 8 else 0)
    title = trace.colorbar.title.text
    axis.figure.colorbar(image, ax=axis, label=_text(title) if title else None)


def _parcoords(axis: Axes, trace: go.Parcoords, figure: go.Figure) -> None:
    places = list(range(len(trace.dimensions)))
    heights, marks = [], []
    for place, dimension in zip(places, trace.dimensions, strict=True):
        values = _numbers(dimension.values)
        low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
        span = high - low or 1.0
        heights.append((values - low) / span)
        given = dimension.tickvals is not None
        ticks = np.asarray(dimension.tickvals if given else np.linspace(low, high, 5), dtype=float)
        names = dimension.ticktext if given else [f"{tick:.3g}" for tick in ticks]
        axis.axvline(place, color=DRAWN, lw=0.8, zorder=3)
        marks += [(place, (tick - low) / span, str(name)) for tick, name in zip(ticks, names, strict=True)]
    colours = colormaps["viridis"](Normalize()(_numbers(trace.line.color)))
    for row, colour in zip(np.transpose(heights), colours, strict=True):
        axis.plot(places, row, color=colour, lw=1.6, alpha=0.85, zorder=2)
    for place, height, name in marks:
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}
        axis.text(place + 0.02, height, _text(name), fontsize=7.5, color=DRAWN, va="center", bbox=box, zorder=4)
    axis.set_xticks(places, [_text(dimension.label) for dimension in trace.dimensions], parse_math=False)
    axis.set(ylim=(-0.05, 1.05), xlim=(-0.1, len(places) - 0.6), yticks=[])


_DRAW: dict[str, Callable[[Axes, Any, go.Figure], None]] = {
    "scatter": _scatter,
    "scattergl": _scatter,
    "bar": _bar,
    "heatmap": _heatmap,
    "parcoords": _parcoords,
}


# --- axes, legends, values --------------------------------------------------------------------------
def _dress(axis: Axes, x: dict[str, Any], y: dict[str, Any]) -> None:
    sides: list[tuple[Literal["x", "y"], dict[str, Any]]] = [("x", x), ("y", y)]
    for side, settings in sides:
        set_label = axis.set_xlabel if side == "x" else axis.set_ylabel
        set_label(_text(settings.get("title", {}).get("text") or ""), fontsize=9, color=DRAWN, parse_math=False)
        if settings.get("type") == "log":
            axis.set(**{f"{side}scale": "log"})
        drawn = axis.xaxis if side == "x" else axis.yaxis
        if settings.get("dtick"):
            drawn.set_major_locator(MultipleLocator(settings["dtick"]))
        if settings.get("tickvals"):
            drawn.set_major_locator(FixedLocator(settings["tickvals"]))
            drawn.set_minor_locator(NullLocator())
        if settings.get("tickformat") == "~s":  # 20k
            drawn.set_major_formatter(EngFormatter(sep=""))
        if settings.get("range"):
            axis.set(**{f"{side}lim": settings["range"]})
        if settings.get("showticklabels") is False:
            axis.tick_params(side, **{"labelbottom" if side == "x" else "labelleft": False})
        if settings.get("showgrid") is not False:
            axis.grid(axis=side, color="#000000", alpha=0.09, lw=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(which="both", labelsize=8, colors=DRAWN, length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _legend(axis: Axes, low: bool) -> Any:
    handles, names = axis.get_legend_handles_labels()
    if not handles:
        return None
    place: dict[str, Any] = (
        {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14)}
        if low
        else {"loc": "lower left", "bbox_to_anchor": (0, 1.01)}
    )
    columns = 2 if low else min(len(handles), 4)
    legend = axis.legend(handles, names, ncols=columns, fontsize=8, frameon=False, labelcolor=DRAWN, **place)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a class may be called $x$
    return legend


def _numbers(values: Any) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _text(text: str) -> str:
    """Plotly's text without its few tags."""
    return html.unescape(re.sub(r"</?(b|i|br|sup|sub|span)\b[^>]*>", "", text))


def _colour(text: str | None) -> tuple[float, float, float, float]:
    """A CSS colour, ``rgb()`` and ``rgba()`` too, as matplotlib wants it."""
    if text and text.startswith("rgb"):
        red, green, blue, *alpha = (float(part) for part in re.findall(r"[\d.]+", text))
        return red / 255, green / 255, blue / 255, alpha[0] if alpha else 1.0
    return to_rgba(text or BLUE)
