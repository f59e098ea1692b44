"""The look of all plotly figures.

The tool bar stands upright in the right margin, which every figure leaves free for it: lying, it would cover titles,
and on screens without a mouse, where nothing hovers, for ever.
"""

from __future__ import annotations

import plotly.graph_objects as go

from vptsp.figures.signs_and_colours import ACCENT, GRID, INK, SERIES

CONFIG = {  # of plotly.js, for whoever shows a figure
    "responsive": True,
    "displaylogo": False,
    "modeBarButtons": [["toImage"], ["zoom2d", "pan2d", "resetScale2d"]],
}


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
            "colorway": list(SERIES),
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 60, "r": 40, "t": 40, "b": 50},
            "modebar": {"orientation": "v", "bgcolor": "rgba(0,0,0,0)", "color": INK, "activecolor": ACCENT.both},
            "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
            "hoverlabel": {"font": {"family": "system-ui, sans-serif"}},
        }
    )


def corner_note(figure: go.Figure, text: str, y: float = 1, yshift: float | None = 4) -> None:
    """Small text that ends at the right edge: above the plot, or at ``y`` (0 is the bottom) within it."""
    figure.add_annotation(
        text=text,
        xref="paper",
        yref="paper",
        x=1,
        y=y,
        yshift=yshift,
        xanchor="right",
        yanchor="bottom",
        showarrow=False,
        font={"size": 12},
    )
