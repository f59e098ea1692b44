"""Comparisons of runs as plotly figures and tables in inline styles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from vptsp.analysis.comparison import METRIC_TITLES, Comparison, cell, records, with_spread
from vptsp.figures.html import html_table
from vptsp.figures.template import template
from vptsp.figures.theme import SERIES
from vptsp.text import plain

_MOST_CURVES = 10
_MOST_TICKS = 8  # numeric settings of more values are axes to scale


def comparison_table(comparison: Comparison) -> str:
    """One row per experiment: what it differs in first, then states, validation, test metrics, parameters, errors."""
    table = comparison.table()
    metrics = [name for name in METRIC_TITLES if name in table]
    first = comparison.headings
    header = [*first, "runs", "validation", *(METRIC_TITLES[metric] for metric in metrics), "trained"]
    rows = []
    for row in records(table):
        cells = [cell(row[name]) for name in first]
        if row["best"]:
            cells[0] = f"★ {cells[0]}"
        cells.append(row["states"])
        cells += [with_spread(row, name) for name in ("validation", *metrics)]
        cells.append("–" if pd.isna(row["trained"]) else f"{row['trained']:,}")
        rows.append(cells)
    caption = (
        f"{len(comparison.entries)} runs of {len(table)} experiments. Mean ± standard deviation over finished seeds, "
        "in percent; metrics of the test images at the epoch that validation selected."
    )
    if comparison.best():
        caption += " ★ best mean validation metric; test metrics choose nothing."
    for row in records(table):
        if row["error"]:
            caption += f" {plain(row['experiment'])}: {plain(row['error'], 200)}."
    return html_table(header, rows, caption, strong=_row_of_best(table))


def differences_table(differences: pd.DataFrame, reference: str, title: str) -> str:
    """What :meth:`~vptsp.analysis.comparison.Comparison.differences` found, in points, and whether it holds."""
    rows = []
    for row in records(differences):
        if row["note"]:
            rows.append([plain(row["experiment"]), str(row["seeds"]), "–", "–", "–", plain(row["note"], 200)])
            continue
        holds = "yes" if row["p_holm"] < 0.05 else "not shown"
        interval = f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"
        cells = [plain(row["experiment"]), str(row["seeds"]), f"{100 * row['mean']:+.1f}", interval]
        rows.append([*cells, "< 0.001" if row["p_holm"] < 0.001 else f"{row['p_holm']:.3f}", holds])
    caption = (
        f"{title} minus that of {plain(reference)}, in points: paired bootstrap over test classes, 95 % intervals, "
        "p corrected by Holm for the number of rows. An interval speaks of other test classes, given these models."
    )
    return html_table(["experiment", "seeds", "difference", "95 % interval", "p", "differs"], rows, caption)


def learning_curves(comparison: Comparison) -> go.Figure:
    """Curves of all runs over epochs: a colour per experiment, a thin line per seed, a thick one for their mean."""
    curves = comparison.curves()
    figure = go.Figure(layout={"template": template(), "height": 440})
    names = list(dict.fromkeys(curves["experiment"]))
    for number, name in enumerate(names[:_MOST_CURVES]):
        rows, colour = curves[curves["experiment"] == name], SERIES[number % len(SERIES)]
        for _, seed in rows.groupby("seed"):
            figure.add_scatter(
                x=seed["epoch"], y=seed["value"], mode="lines", line={"color": colour, "width": 1}, opacity=0.45,
                showlegend=False, hoverinfo="skip",
            )  # fmt: skip
        mean = rows.groupby("epoch", as_index=False)["value"].mean()
        figure.add_scatter(
            x=mean["epoch"], y=mean["value"], mode="lines+markers", name=plain(name),
            line={"color": colour, "width": 2.5}, marker={"size": 5},
        )  # fmt: skip
    metric = str(curves["metric"].iloc[0]) if len(curves) else "loss"
    validated = METRIC_TITLES.get(metric.removeprefix("val_"), metric)
    title = "training loss" if metric == "loss" else f"{validated}, validation"
    figure.update_xaxes(title="epoch", dtick=max(1, round(curves["epoch"].max() / 10)) if len(curves) else 1)
    figure.update_yaxes(title=title, **({} if metric == "loss" else {"tickformat": ".0%"}))
    if len(names) > _MOST_CURVES:
        note = f"{_MOST_CURVES} of {len(names)} experiments shown"
        figure.add_annotation(text=note, x=1, y=-0.18, xref="paper", yref="paper", showarrow=False)
    return figure


def parallel_coordinates(comparison: Comparison) -> go.Figure:
    """One line per finished run through the settings in which runs differ, coloured by the test metric.

    Settings of few values have a tick for each, others are axes to scale. Drag along an axis to choose runs.
    """
    table = comparison.runs()
    table = table[table[comparison.measure].notna()] if comparison.measure in table else table.iloc[:0]
    values = 100 * table[comparison.measure].to_numpy(dtype=float) if len(table) else np.zeros(0)
    settings = [name for name in (*comparison.differing, "seed") if table[name].astype(str).nunique() > 1]
    dimensions = [_dimension(name, table[name].tolist()) for name in settings]
    dimensions.append({"label": f"{METRIC_TITLES[comparison.measure]} %", "values": values.tolist()})
    line = {"color": values.tolist(), "colorscale": "Viridis", "showscale": False}
    figure = go.Figure(go.Parcoords(dimensions=dimensions, line=line))
    return figure.update_layout(template=template(), height=440, margin={"l": 90, "r": 60, "t": 70, "b": 40})


def _dimension(name: str, values: Sequence[Any]) -> dict[str, Any]:
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    if numbers and len(set(values)) > _MOST_TICKS:
        return {"label": name, "values": [float(value) for value in values]}
    ticks = [cell(value) for value in (sorted(set(values)) if numbers else dict.fromkeys(map(_hashable, values)))]
    places = [ticks.index(cell(value)) for value in values]
    return {"label": name, "values": places, "tickvals": list(range(len(ticks))), "ticktext": ticks}


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _row_of_best(table: pd.DataFrame) -> int | None:
    rows = np.flatnonzero(table["best"].to_numpy())
    return int(rows[0]) if len(rows) else None
