"""Plotly figures and HTML tables of runs and results, readable on light and on dark pages.

Everything here is a ``go.Figure`` or a string; :mod:`vptsp.figures.stills` shows them where no JavaScript runs.
"""

from __future__ import annotations

import colorsys
import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int64
from plotly.subplots import make_subplots

from vptsp.runs.run import Run
from vptsp.settings.tasks import TASKS
from vptsp.text import safe
from vptsp.training.baselines import Result

INK = "#76797f"  # 4.4:1 on white and 4.3:1 on #111: one grey for both themes
GRID = "rgba(128,128,128,0.22)"
BLUE, ORANGE, GREEN, PURPLE = "#3b82f6", "#f97316", "#10a37f", "#a855f7"
PROXIES = {  # kind -> symbol, colour, size, what it is
    "learned": ("circle-open", ORANGE, 8, "learned proxy O"),
    "semantic": ("diamond", PURPLE, 8, "semantic proxy G"),
    "fused": ("star", BLUE, 11, "fused proxy"),
}
_CLASSES_IN_LEGEND = 12
_POINTS_AS_SVG = 5000  # above, WebGL draws the points


def template() -> go.layout.Template:
    """No background of its own, one grey that both themes can read, quiet grid."""
    axis = {
        "gridcolor": GRID,
        "linecolor": GRID,
        "zerolinecolor": GRID,
        "ticks": "",
        "title": {"standoff": 10, "font": {"size": 13}},
        "automargin": True,
    }
    return go.layout.Template(
        layout={
            "font": {"family": "system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif", "size": 13, "color": INK},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": [BLUE, ORANGE, GREEN, PURPLE],
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 60, "r": 20, "t": 40, "b": 50},
            "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
            "hoverlabel": {"font": {"family": "system-ui, sans-serif"}},
        }
    )


# --- curves -----------------------------------------------------------------------------------------
def curves(run: Run, lr: bool = False) -> go.Figure:
    """Training loss and validation recall over epochs, the selected epoch starred; learning rates on demand."""
    lines = run.metrics()
    epochs = [line["epoch"] for line in lines]
    task = TASKS[run.config.task]
    judged, shown = f"val_{run.config.selection_metric}", f"val_{task.metric}"
    scored = [line for line in lines if line.get(judged) is not None]
    has_scores = bool(scored) or any(f"test_{task.metric}" in line for line in lines)
    held_out = "Retrieval on held-out classes" if task is TASKS["retrieval"] else "Recognition of held-out images"
    titles = ["Training loss", *[held_out] * has_scores, *["Learning rates"] * lr]
    figure = make_subplots(rows=1, cols=len(titles), subplot_titles=titles, horizontal_spacing=0.12)

    def draw(column: int, key: str, name: str, colour: str, scale: float = 1, **line: Any) -> None:
        values = [line[key] * scale if line.get(key) is not None else None for line in lines]
        if any(value is not None for value in values):
            trace = go.Scatter(
                x=epochs, y=values, name=name, mode="lines+markers", connectgaps=True,
                line={"color": colour, "width": 2.5, **line}, marker={"size": 6},
            )  # fmt: skip
            figure.add_trace(trace, row=1, col=column)

    draw(1, "loss", "loss", ORANGE)
    draw(2, shown, f"validation {task.title}", BLUE, 100)
    draw(2, f"val_{task.second}", f"validation {task.second_title}", GREEN, 100)
    draw(2, f"test_{task.metric}", f"test {task.title} (tracked, not used)", PURPLE, 100, dash="dot")
    if scored:
        best = max(scored, key=lambda line: line[judged])  # the first of equals, as training selects
        mark = {"symbol": "star", "size": 14, "color": BLUE, "line": {"width": 1, "color": "white"}}
        figure.add_trace(
            go.Scatter(x=[best["epoch"]], y=[100 * best[judged]], name="selected epoch", mode="markers", marker=mark),
            row=1,
            col=2,
        )
    if lr:
        draw(len(titles), "lr", "learning rate", ORANGE)
        draw(len(titles), "lr_proxy", "learning rate of proxies", PURPLE)
        figure.update_yaxes(title_text="learning rate", type="log", col=len(titles), row=1)
    figure.update_xaxes(title_text="epoch", dtick=max(1, len(lines) // 8))
    figure.update_yaxes(title_text="loss", col=1, row=1)
    if has_scores:
        figure.update_yaxes(title_text="percent", col=2, row=1)
    legend = {"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0}
    return figure.update_layout(template=template(), height=380, legend=legend)


# --- maps -------------------------------------------------------------------------------------------
def embedding_map(
    points: Float[np.ndarray, "N 2"],
    labels: Int64[np.ndarray, " N"],
    class_names: Sequence[str],
    proxies: Mapping[str, Float[np.ndarray, "C 2"]] | None = None,
    proxy_names: Sequence[str] = (),
    ids: Sequence[str] | None = None,
    axes: tuple[str, str] = ("UMAP 1", "UMAP 2"),
    total: int | None = None,
) -> go.Figure:
    """Test images coloured by class, and the proxies of the training classes as glyphs of their own.

    ``proxies`` maps learned, semantic and fused to coordinates; a hairline joins the three of a class.
    ``ids`` become the points' customdata. ``total`` says of how many images the points are a sample.
    """
    figure = go.Figure()
    colours = _class_colours(len(class_names))
    names = [safe(name) for name in class_names]
    kind = go.Scattergl if len(points) > _POINTS_AS_SVG else go.Scatter
    present = [int(label) for label in np.unique(labels)]
    single = len(present) > _CLASSES_IN_LEGEND  # then all points are one trace
    for first in present[:1] if single else present:
        rows = np.arange(len(labels)) if single else np.flatnonzero(labels == first)
        figure.add_trace(
            kind(
                x=points[rows, 0],
                y=points[rows, 1],
                mode="markers",
                name="test image, coloured by class" if single else names[first],
                text=[names[label] for label in labels[rows].tolist()],
                customdata=None if ids is None else [ids[row] for row in rows.tolist()],
                hovertemplate="%{text}<extra></extra>",
                marker={
                    "size": 7 if len(points) <= 2000 else 4,
                    "opacity": 0.85,
                    "color": [colours[label] for label in labels[rows].tolist()] if single else colours[first],
                },
            )
        )
    if proxies:
        _add_proxies(figure, proxies, [safe(name) for name in proxy_names])
    if total is not None and total > len(points):
        figure.add_annotation(
            text=f"{len(points):,} of {total:,} test images shown", xref="paper", yref="paper", x=1, y=0,
            xanchor="right", yanchor="bottom", showarrow=False, font={"size": 12},
        )  # fmt: skip
    figure.update_xaxes(title_text=axes[0], showticklabels=False, showgrid=False, zeroline=False)
    figure.update_yaxes(title_text=axes[1], showticklabels=False, showgrid=False, zeroline=False)
    margin = {"l": 30, "r": 20, "t": 60, "b": 40}
    return figure.update_layout(template=template(), height=620, hovermode="closest", margin=margin)


def _add_proxies(figure: go.Figure, proxies: Mapping[str, np.ndarray], names: Sequence[str]) -> None:
    if {"learned", "fused", "semantic"} <= proxies.keys():
        density = 0.55 if len(names) <= 30 else 0.25
        gap = np.full_like(proxies["fused"], np.nan)
        paths = np.stack([proxies["learned"], proxies["fused"], proxies["semantic"], gap], axis=1).reshape(-1, 2)
        figure.add_trace(
            go.Scatter(
                x=paths[:, 0], y=paths[:, 1], mode="lines", name="learned – fused – semantic, same class",
                line={"width": 0.8, "color": f"rgba(128,128,128,{density})"}, hoverinfo="skip", connectgaps=False,
            )
        )  # fmt: skip
    for kind, (symbol, colour, size, title) in PROXIES.items():
        if kind in proxies:
            rim = {"width": 2, "color": colour} if symbol.endswith("open") else {"width": 0.8, "color": "white"}
            marker = {"symbol": symbol, "color": colour, "size": size, "line": rim}
            figure.add_trace(
                go.Scatter(
                    x=proxies[kind][:, 0], y=proxies[kind][:, 1], mode="markers", marker=marker, name=title,
                    text=list(names), hovertemplate=f"%{{text}}<br>{title}, training class<extra></extra>",
                )
            )  # fmt: skip


def _class_colours(classes: int) -> list[str]:
    """Hues by the golden ratio: neighbouring labels differ most, whatever their number; mid-tones for both themes."""
    tones = []
    for label in range(classes):
        red, green, blue = colorsys.hls_to_rgb((0.58 + label * 0.61803) % 1, (0.52, 0.62, 0.44)[label % 3], 0.62)
        tones.append(f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}")
    return tones


# --- tables -----------------------------------------------------------------------------------------
_CELL = "padding:.45em .9em;border-bottom:1px solid rgba(128,128,128,.3);"


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str, strong: int | None = None) -> str:
    """A table in inline styles, which JupyterLab keeps in notebooks that it does not trust.

    The first column is text, the others numbers; row ``strong`` is set in bold. Cells are escaped.
    """

    def cell(text: str, column: int, tag: str, style: str = "") -> str:
        side = "left" if column == 0 else "right"
        return f'<{tag} style="{_CELL}text-align:{side};{style}">{html.escape(text)}</{tag}>'

    head = "".join(cell(text, column, "th", "font-weight:600;opacity:.75;") for column, text in enumerate(header))
    body = ""
    for number, row in enumerate(rows):
        bold = "white-space:nowrap;" + "font-weight:700;" * (number == strong)
        body += f"<tr>{''.join(cell(text, column, 'td', bold) for column, text in enumerate(row))}</tr>"
    return (
        '<figure style="margin:0"><div style="overflow-x:auto"><table style="border-collapse:collapse;'
        'font-size:14px;font-variant-numeric:tabular-nums;margin:.4em 0">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f'<figcaption style="font-size:13px;opacity:.75;max-width:46em">{html.escape(caption)}</figcaption></figure>'
    )


def parameter_table(counts: Mapping[str, Mapping[str, Any]]) -> str:
    """Parameter counts by title, in four columns that are never added up: ``counts`` is a summary's ``counts``."""
    header = ["", "trained", "kept at inference", "class-prompt bank", "total", "trained / total"]
    rows = [
        [title, *(f"{row[name]:,}" for name in ("trained", "kept", "bank", "total")), _share(row)]
        for title, row in counts.items()
    ]
    parts = next(iter(counts.values()))["parts"]
    split = ", ".join(f"{name} {number:,}" for name, number in sorted(parts.items(), key=lambda item: -item[1]))
    first = next(iter(counts))
    caption = (
        "Trained: receives gradients. Kept: what retrieval needs beside the frozen backbone. "
        "Bank: prompts of the training classes, dropped after training. Total: with the frozen backbone. "
    )
    return html_table(header, rows, caption + (f"{first} trains: {split}." if split else ""), strong=0)


def result_table(results: Sequence[Result]) -> str:
    """One row per method, the run itself first and in bold: its task's two metrics, trained and kept parameters."""
    task = TASKS[results[0].summary.get("task", "retrieval")]
    header = ["method", task.title, task.second_title, "trained parameters", "kept at inference"]
    rows = [
        [
            result.title,
            f"{100 * result.test[task.metric]:.1f} %",
            f"{100 * result.test[task.second]:.1f} %",
            f"{result.summary['counts']['trained']:,}",
            f"{result.summary['counts']['kept']:,}",
        ]
        for result in results
    ]
    classes = results[0].summary["classes"]["test"]
    test = results[0].test
    if "num_images" in test:
        caption = f"{test['num_images']:,} test images of the {classes:,} classes that every method trained on."
        return html_table(header, rows, caption, strong=0)
    caption = (
        f"{test['num_queries']:,} queries, {test['num_gallery']:,} gallery images, "
        f"{classes:,} test classes that no method saw in training."
    )
    return html_table(header, rows, caption, strong=0)


def _share(counts: Mapping[str, Any]) -> str:
    return f"{100 * counts['trained'] / counts['total']:.2f} %"
