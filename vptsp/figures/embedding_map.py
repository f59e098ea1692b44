"""A map of embedded images with proxies among them, as a plotly figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int64

from vptsp.figures.palettes import palette_for_both
from vptsp.figures.signs_and_colours import PROXIES
from vptsp.figures.template import corner_note, template
from vptsp.text import safe

_CLASSES_IN_LEGEND = 12
_POINTS_AS_SVG = 5000  # above, WebGL draws the points


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
    colours = palette_for_both(len(class_names))
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
        corner_note(figure, f"{len(points):,} of {total:,} test images shown", y=0, yshift=None)
    figure.update_xaxes(title_text=axes[0], showticklabels=False, showgrid=False, zeroline=False)
    figure.update_yaxes(title_text=axes[1], showticklabels=False, showgrid=False, zeroline=False)
    margin = {"l": 30, "r": 40, "t": 60, "b": 40}
    return figure.update_layout(template=template(), height=620, hovermode="closest", margin=margin)


def _add_proxies(figure: go.Figure, proxies: Mapping[str, np.ndarray], names: Sequence[str]) -> None:
    if {"learned", "fused", "semantic"} <= proxies.keys():
        density = 0.55 if len(names) <= 30 else 0.25
        gap = np.full_like(proxies["fused"], np.nan)
        paths = np.stack([proxies["learned"], proxies["fused"], proxies["semantic"], gap], axis=1).reshape(-1, 2)
        figure.add_trace(
            go.Scatter(
                x=paths[:, 0],
                y=paths[:, 1],
                mode="lines",
                name="O – q – G, same class",
                line={"width": 0.8, "color": f"rgba(128,128,128,{density})"},
                hoverinfo="skip",
                connectgaps=False,
            )
        )
    for kind, sign in PROXIES.items():
        if kind in proxies:
            colour = sign.colour.both
            rim = {"width": 0.8, "color": "white"} if sign.filled else {"width": 2, "color": colour}
            marker = {"symbol": sign.plotly, "color": colour, "size": 10 if sign.filled else 8, "line": rim}
            figure.add_trace(
                go.Scatter(
                    x=proxies[kind][:, 0],
                    y=proxies[kind][:, 1],
                    mode="markers",
                    marker=marker,
                    name=sign.title,
                    text=list(names),
                    hovertemplate=f"%{{text}}<br>{sign.title}, training class<extra></extra>",
                )
            )
