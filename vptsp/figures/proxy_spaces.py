"""The three spaces of a run's proxies as figures and tables; the numbers are :mod:`vptsp.analysis.proxy_spaces`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from vptsp.analysis.proxy_spaces import KINDS, Moment, progress_table, spread_classes
from vptsp.figures.html import html_table
from vptsp.figures.palettes import palette_for_both
from vptsp.figures.signs_and_colours import INK, PROXIES
from vptsp.figures.template import template
from vptsp.text import safe


def frame_table(frame: pd.DataFrame, caption: str, digits: int = 2) -> str:
    """Numbers as an HTML table; of two levels of columns the upper name comes first."""
    header = [" ".join(map(str, column)) if isinstance(column, tuple) else str(column) for column in frame.columns]
    rows = [
        [str(index), *("" if pd.isna(v) else f"{round(v, digits) + 0.0:.{digits}f}" for v in row)]  # no -0.00
        for index, row in zip(frame.index, frame.to_numpy(dtype=float), strict=True)
    ]
    return html_table([str(frame.index.name), *header], rows, caption)


def progress_figure(run_moments: Sequence[Moment]) -> go.Figure:
    """Two panels over epochs: accuracy of the nearest proxy, and how far the own proxy is ahead of the others."""
    table = progress_table(run_moments)
    figure = make_subplots(
        rows=1,
        cols=2,
        horizontal_spacing=0.12,
        subplot_titles=["Nearest proxy is the class's own", "Own proxy ahead of the others"],
    )
    ahead = table["own"] - table["others"]
    for kind in KINDS:
        colour = PROXIES[kind].colour.both
        for column, values in ((1, 100 * table["accuracy"][kind]), (2, ahead[kind])):
            trace = go.Scatter(
                x=table.index,
                y=values,
                name=PROXIES[kind].title if column == 1 else "",
                mode="lines+markers",
                showlegend=column == 1,
                line={"color": colour, "width": 2.5},
                marker={"size": 6},
            )
            figure.add_trace(trace, row=1, col=column)
    figure.update_xaxes(title_text="epoch", dtick=max(1, len(table) // 8))
    figure.update_yaxes(title_text="percent of the images", col=1, row=1)
    figure.update_yaxes(title_text="cosine: own minus others", col=2, row=1)
    legend = {"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0}
    return figure.update_layout(template=template(), height=380, legend=legend)


def spaces_figure(moment: Moment, classes: Sequence[str] = ()) -> go.Figure:
    """Three panels in one frame, the main plane of the images (PCA): each kind of proxy among the same images.

    Images are dots, proxies the sign of their kind in the colour of their class; a line joins a proxy with the centre
    of its images. ``classes`` are names, at most 8; none: eight that lie spread out. Raises DataError for unknown
    names.
    """
    chosen = spread_classes(moment, classes)
    shown = np.isin(moment.labels, chosen)
    images, labels = moment.images[shown], moment.labels[shown]
    middle = images.mean(axis=0)
    axes = np.linalg.svd(images - middle)[2][:2]  # of two images, too, there are two axes
    points = (images - middle) @ axes.T
    colours = dict(zip(chosen, palette_for_both(len(chosen)), strict=True))
    figure = make_subplots(
        rows=1, cols=3, subplot_titles=[PROXIES[kind].title for kind in KINDS], horizontal_spacing=0.04
    )
    everything = np.concatenate([points, *((moment.proxies[kind][chosen] - middle) @ axes.T for kind in KINDS)])
    reach = 1.08 * float(np.abs(everything).max())
    for column, kind in enumerate(KINDS, start=1):
        sign = PROXIES[kind]
        places = (moment.proxies[kind][chosen] - middle) @ axes.T
        for row, place in zip(chosen, places, strict=True):
            own, name = points[labels == row], safe(moment.class_names[row])
            centre, colour = own.mean(axis=0), colours[row]
            line = go.Scatter(
                x=[centre[0], place[0]],
                y=[centre[1], place[1]],
                mode="lines",
                showlegend=False,
                hoverinfo="skip",
                line={"color": colour, "width": 1.5},
            )
            dots = go.Scatter(
                x=own[:, 0],
                y=own[:, 1],
                mode="markers",
                showlegend=False,
                hovertemplate=f"{name}<extra></extra>",
                marker={"color": colour, "size": 6, "opacity": 0.45},
            )
            proxy = go.Scatter(
                x=[place[0]],
                y=[place[1]],
                mode="markers",
                name=name if column == 2 else "",
                showlegend=column == 2,
                hovertemplate=f"{sign.title} of {name}<extra></extra>",
                marker={
                    "color": colour,
                    "size": 11,
                    "symbol": sign.plotly,
                    "line": {"color": INK, "width": 1} if sign.filled else {"color": colour, "width": 2.5},
                },
            )
            for trace in (line, dots, proxy):
                figure.add_trace(trace, row=1, col=column)
    figure.update_xaxes(range=[-reach, reach], showticklabels=False)
    figure.update_yaxes(range=[-reach, reach], showticklabels=False)
    figure.update_xaxes(title_text=f"after {moment.epoch} epochs", row=1, col=2)
    legend = {"orientation": "h", "y": -0.14, "yanchor": "top"}
    return figure.update_layout(template=template(), height=380, legend=legend)
