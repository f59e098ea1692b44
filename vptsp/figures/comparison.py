"""Comparisons of runs as plotly figures; their tables are in :mod:`vptsp.figures.comparison_tables`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import plotly.graph_objects as go

from vptsp.analysis.comparison import Comparison
from vptsp.analysis.wording import METRIC_TITLES, cell, mean_and_spread
from vptsp.figures.signs_and_colours import BLUE, INK, SERIES
from vptsp.figures.template import template
from vptsp.text import plain

_MOST_CURVES = 10
_MOST_TICKS = 8  # numeric settings of more values are axes to scale
_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star")


def learning_curves(comparison: Comparison) -> go.Figure:
    """Curves of all runs over epochs: a colour per experiment, a thin line per seed, a thick one for their mean."""
    curves = comparison.curves()
    figure = go.Figure(layout={"template": template(), "height": 440})
    names = list(dict.fromkeys(curves["experiment"]))
    for number, name in enumerate(names[:_MOST_CURVES]):
        rows, colour = curves[curves["experiment"] == name], SERIES[number % len(SERIES)]
        thin, thick = {"color": colour, "width": 1}, {"color": colour, "width": 2.5}
        for _, seed in rows.groupby("seed"):
            line = go.Scatter(x=seed["epoch"], y=seed["value"], mode="lines+markers", line=thin, opacity=0.45)
            figure.add_trace(line.update(marker={"size": 3, "color": colour}, showlegend=False, hoverinfo="skip"))
        mean = rows.groupby("epoch", as_index=False)["value"].mean()
        line = go.Scatter(x=mean["epoch"], y=mean["value"], mode="lines+markers", line=thick, name=plain(name))
        figure.add_trace(line.update(marker_size=5))
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


def recall_by_parameters(
    comparison: Comparison, families: Mapping[str, Sequence[str]], metric: str | None = None
) -> go.Figure:
    """Trained parameters against a metric: a colour per family, a symbol per method, seeds as small dots.

    ``families`` are names or labels of experiments; what trains nothing is a line. ``metric`` none: the comparison's.
    """
    metric = metric or comparison.measure
    figure = go.Figure()
    for colour, (family, names) in zip(cycle(SERIES[:6]), families.items(), strict=False):
        symbols = cycle(_SYMBOLS)
        for name in names:
            experiment = comparison.find(name)
            trained = experiment.count("trained") if experiment else None
            if experiment is None or not trained:
                continue
            values, title = [100 * value for value in experiment.values(metric)], plain(name)
            dots = go.Scatter(x=[trained] * len(values), y=values, mode="markers", opacity=0.45, showlegend=False)
            dots.update(marker={"size": 5, "color": colour})
            dots.update(hovertemplate=f"{title}, one seed: %{{y:.1f}}<extra></extra>")
            mean = go.Scatter(x=[trained], y=[np.mean(values)], mode="markers", name=title, legendgroup=family)
            mean.update(marker={"size": 12, "color": colour, "symbol": next(symbols)})
            mean.update(hovertemplate=f"{title}<br>%{{x:,}} trained, %{{y:.1f}} %<extra></extra>")
            figure.add_traces([dots, mean])
    counts = [experiment.count("trained") or 0 for experiment in comparison.finished]
    frozen = [experiment for experiment in comparison.finished if not experiment.count("trained")]
    if frozen and any(counts):
        level = 100 * np.mean([value for experiment in frozen for value in experiment.values(metric)])
        ends = [min(filter(None, counts)), max(counts)]
        line = go.Scatter(x=ends, y=[level, level], mode="lines", name=f"{plain(frozen[0].name)} (trains nothing)")
        figure.add_trace(line.update(line={"color": INK, "dash": "dash", "width": 2}))
    ticks = [step * 10**power for power in range(10) for step in (1, 2, 5)]  # plotly's own lack their thousands
    figure.update_xaxes(title_text="trained parameters, class prompts included", type="log")
    figure.update_xaxes(tickvals=ticks, tickformat="~s")
    figure.update_yaxes(title_text=f"{METRIC_TITLES[metric]} on unseen classes (%)")
    return figure.update_layout(template=template(), height=620)


def metric_bars(comparison: Comparison, metric: str | None = None) -> go.Figure:
    """Mean of a metric per experiment as bars from 0, with the spread over seeds written on them.

    ``metric`` none: the comparison's.
    """
    metric = metric or comparison.measure
    values = {experiment.name: experiment.values(metric) for experiment in comparison.finished}
    means = [100 * float(np.mean(shares)) for shares in values.values()]
    bar = go.Bar(x=[plain(name) for name in values], y=means, marker_color=BLUE, name="mean")
    bar.update(text=[mean_and_spread(shares) for shares in values.values()], textposition="outside")
    figure = go.Figure(bar, layout={"template": template(), "height": 460})
    figure.update_xaxes(title_text="method")
    highest = min(108, 1.15 * max(means, default=100))
    return figure.update_yaxes(title_text=f"{METRIC_TITLES[metric]} on test images (%)", range=[0, highest])


def _dimension(name: str, values: Sequence[Any]) -> dict[str, Any]:
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    if numbers and len(set(values)) > _MOST_TICKS:
        return {"label": name, "values": [float(value) for value in values]}
    ticks = [cell(value) for value in (sorted(set(values)) if numbers else dict.fromkeys(map(_hashable, values)))]
    places = [ticks.index(cell(value)) for value in values]
    return {"label": name, "values": places, "tickvals": list(range(len(ticks))), "ticktext": ticks}


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
