"""What the papers published, as it was printed and beside one's own runs."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from vptsp.analysis.comparison import Comparison
from vptsp.analysis.wording import METRIC_TITLES, mean_and_spread
from vptsp.figures.comparison_tables import remarks
from vptsp.figures.html import html_table
from vptsp.figures.signs_and_colours import BLUE, ORANGE, PURPLE
from vptsp.figures.template import template
from vptsp.settings.paper_numbers import READ_OFF, Curve, Published

_LOW_LEGEND = {"orientation": "h", "y": -0.24, "yanchor": "top", "x": 0}


def published_table(published: Published) -> str:
    """A published table as it was printed."""
    return html_table(published.header, published.rows, f"{published.title}. {published.note}")


def ablation_table(comparison: Comparison, panel: str, published: Published) -> str:
    """The experiments of a panel (:meth:`~vptsp.analysis.comparison.Comparison.panel`) beside the published rows of the
    same name."""
    shown = comparison.panel(panel)
    metrics = {name: title for name, title in METRIC_TITLES.items() if name in shown.runs()}
    header = [published.header[0], *(f"{title}, here" for title in metrics.values())]
    header += [f"{name}, paper" for name in published.header[1:]]
    rows = []
    for name, *printed in published.rows:
        experiment = shown.find(name)
        if experiment is None or not experiment.finished:
            here = ["not run" if experiment is None else "failed"] * len(metrics)
        else:
            here = [mean_and_spread(experiment.values(metric)) for metric in metrics]
        rows.append([name, *here, *printed])
    caption = f"Here: percent, mean ± standard deviation over seeds. Paper: {published.title}. {published.note}"
    return html_table(header, rows, caption + remarks(shown))


def beside_paper(
    comparison: Comparison, panel: str, curve: Curve, default: str, metric: str = "recall_at_1"
) -> go.Figure:
    """One panel of the paper's Figure 3, computed here (left) and as published (right), for their shapes.

    The label of each experiment of the panel is its x, or its trained parameters in thousands for the panel
    ``parameters``. The left axis is the same for all panels of ``comparison``, so that effects can be compared; the
    experiment with the label ``default`` gets a star.
    """
    figure = make_subplots(rows=1, cols=2, subplot_titles=("computed here", READ_OFF), horizontal_spacing=0.14)
    points = []  # x, values of its seeds in percent, whether it is the default
    for experiment in comparison.panel(panel).finished:
        x = (experiment.count("trained") or 0) / 1000 if panel == "parameters" else float(experiment.labels[0])
        points.append((x, [100 * value for value in experiment.values(metric)], default in experiment.labels))
    points.sort(key=lambda point: point[0])
    seeds = [(x, value) for x, values, _ in points for value in values]
    means = [(x, sum(values) / len(values), is_default) for x, values, is_default in points]
    line, star = {"color": BLUE, "width": 2.5}, {"symbol": "star", "size": 15, "line": {"width": 1, "color": "white"}}
    here = [
        _points(seeds, "one seed", mode="markers", opacity=0.45, marker={"size": 6}),
        _points([point[:2] for point in means], "mean over seeds", mode="lines+markers", marker={"size": 7}, line=line),
        _points([point[:2] for point in means if point[2]], "default", mode="markers", marker=star),
    ]
    figure.add_traces([trace.update(marker_color=BLUE) for trace in here], rows=1, cols=1)
    for (name, recall), colour in zip(curve.recall.items(), (ORANGE, PURPLE), strict=False):
        line = {"color": colour, "width": 2.5, "dash": "dot"}
        marker = {"size": 7, "color": colour}
        trace = go.Scatter(x=curve.x, y=recall, mode="lines+markers", line=line, marker=marker)
        figure.add_trace(trace.update(name=f"paper, {name}, read off the plot"), row=1, col=2)
    every = [100 * value for experiment in comparison.finished for value in experiment.values(metric)]
    figure.update_xaxes(title_text=curve.axis)
    figure.update_yaxes(title_text=f"{METRIC_TITLES[metric]} (%)")
    if panel == "layers":
        figure.update_xaxes(dtick=1, row=1, col=1)
    edge = 0.05 * (max(every) - min(every)) + 0.5
    figure.update_yaxes(range=[min(every) - edge, max(every) + edge], row=1, col=1)
    return figure.update_layout(template=template(), height=380, legend=_LOW_LEGEND)


def _points(points: list[tuple[float, float]], name: str, **look: object) -> go.Scatter:
    return go.Scatter(x=[x for x, _ in points], y=[y for _, y in points], name=name, **look)
