"""Figures and tables of many trials beside each other, and beside what the papers published.

``table`` is always what :func:`vptsp.analysis.trials.run_trials` returns: a row per trial and seed, failed ones
included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from vptsp.figures.html import html_table
from vptsp.figures.template import template
from vptsp.figures.theme import BLUE, INK, ORANGE, PURPLE, SERIES
from vptsp.settings.paper_numbers import READ_OFF, Curve, Published
from vptsp.text import plain

METRICS = {"recall_at_1": "R@1", "map_at_r": "MAP@R", "top1": "top-1"}
SEPARATOR = ": "  # panels of one table: a trial is called <panel>: <label>
_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star")
_COLOURS = SERIES[:6]
_LOW_LEGEND = {"orientation": "h", "y": -0.24, "yanchor": "top", "x": 0}


# --- tables -----------------------------------------------------------------------------------------
def method_table(table: pd.DataFrame, strong: str | None = None, paces: Mapping[str, float] | None = None) -> str:
    """One row per trial: parameters, computed training memory, step time, and metrics as mean ± spread over seeds.

    ``paces`` are ratios from :func:`vptsp.analysis.pace.step_ratios`; without them the times of the runs
    themselves are shown, which compare only if nothing else ran.
    """
    metrics = _metrics_of(table)
    pace_title = "step (ms)" if paces is None else "step (× probe)"
    header = ["method", "trained", "kept", "bank", "memory (MB)", "of it activations", pace_title, *metrics.values()]
    rows, names = [], list(dict.fromkeys(table["trial"]))
    for name in names:
        done = _done(table, name)
        if done.empty:
            rows.append([plain(name), *["failed"] * (len(header) - 1)])
            continue
        first = done.iloc[0]
        title = name if len(done) == (table["trial"] == name).sum() else f"{name} ({len(done)} seeds)"
        rows.append(
            [
                plain(title),
                *(f"{first[count]:,}" for count in ("trained", "kept", "bank")),
                *(f"{first[size] / 1e6:.1f}" for size in ("footprint", "activations")),
                _pace(name, done, paces),
                *(_mean_and_spread(done[metric]) for metric in metrics),
            ]
        )
    pace_note = "median of the runs, loading included" if paces is None else "beside a linear probe, in turns"
    caption = (
        "Trained: receives gradients. Kept: needed for inference beside the frozen backbone. Bank: class prompts, "
        "dropped after training. Memory: computed from the autograd graph in fp32 (activations kept for the backward "
        "pass, gradients, optimiser state, all parameters), not measured on the process. Step: "
        f"{pace_note}. Metrics in percent: mean ± standard deviation over seeds.{_failures(table)}"
    )
    return html_table(header, rows, caption, names.index(strong) if strong in names else None)


def _pace(name: str, done: pd.DataFrame, paces: Mapping[str, float] | None) -> str:
    if paces is not None:
        return f"{paces[name]:.1f}" if name in paces else "–"
    steps = done["step_ms"].dropna()
    return f"{steps.median():.0f}" if len(steps) else "–"


def published_table(published: Published) -> str:
    """A published table as it was printed."""
    return html_table(published.header, published.rows, f"{published.title}. {published.note}")


def ablation_table(table: pd.DataFrame, panel: str, published: Published) -> str:
    """The trials of a panel beside the published rows of the same name."""
    metrics = _metrics_of(table)
    header = [published.header[0], *(f"{m}, here" for m in metrics.values())]
    header += [f"{name}, paper" for name in published.header[1:]]
    rows = []
    for row in published.rows:
        done = _done(table, f"{panel}{SEPARATOR}{row[0]}")
        here = [_mean_and_spread(done[metric]) if len(done) else "failed" for metric in metrics]
        rows.append([row[0], *here, *row[1:]])
    caption = f"Here: percent, mean ± standard deviation over seeds. Paper: {published.title}. {published.note}"
    return html_table(header, rows, caption + _failures(table[table["trial"].str.startswith(f"{panel}{SEPARATOR}")]))


def difference_table(differences: pd.DataFrame, reference: str, measure: str) -> str:
    """What :func:`vptsp.analysis.bootstrap.compare_with` found: differences in points, intervals, and whether they
    hold.
    """
    header = ["method", f"Δ {METRICS[measure]} (points)", "95 % interval", "resamples ≤ 0", "p (Holm)", "reading"]
    rows = []
    for row in differences.to_dict("records"):
        reading = "not told apart" if row["p_holm"] >= 0.05 else "better" if row["mean"] > 0 else "worse"
        rows.append(
            [
                plain(row["trial"]),
                f"{100 * row['mean']:+.1f}",
                f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}",
                f"{100 * row['share_not_above']:.1f} %",
                f"{row['p_holm']:.3f}",
                reading,
            ]
        )
    caption = (
        f"Each method minus {reference}, on the same test images, averaged over seeds. Whole classes are resampled, "
        f"so the interval speaks of other classes, not of other training runs. P-values are corrected by Holm's method "
        f"for {len(rows)} comparisons; below 0.05 a difference is called better or worse."
    )
    return html_table(header, rows, caption)


# --- figures ----------------------------------------------------------------------------------------
def recall_by_parameters(table: pd.DataFrame, families: Mapping[str, Sequence[str]], metric: str) -> go.Figure:
    """Trained parameters against a metric: a colour per family, a symbol per method, seeds as small dots."""
    figure = go.Figure()
    for colour, (family, names) in zip(_COLOURS, families.items(), strict=False):
        shown = [name for name in names if len(_done(table, name)) and _done(table, name)["trained"].iloc[0]]
        for symbol, name in zip(_SYMBOLS, shown, strict=False):
            done = _done(table, name)
            trained, title = int(done["trained"].iloc[0]), plain(name)
            figure.add_scatter(
                x=[trained] * len(done), y=100 * done[metric], mode="markers", opacity=0.45, showlegend=False,
                marker={"size": 5, "color": colour}, hovertemplate=f"{title}, one seed: %{{y:.1f}}<extra></extra>",
            )  # fmt: skip
            figure.add_scatter(
                x=[trained], y=[100 * done[metric].mean()], mode="markers", name=title, legendgroup=family,
                marker={"size": 12, "color": colour, "symbol": symbol},
                hovertemplate=f"{title}<br>%{{x:,}} trained, %{{y:.1f}} %<extra></extra>",
            )  # fmt: skip
    finished = table[table["state"] == "done"]
    without = finished[finished["trained"] == 0]
    if len(without) and len(without) < len(finished):
        ends = finished.loc[finished["trained"] > 0, "trained"]
        figure.add_scatter(
            x=[int(ends.min()), int(ends.max())], y=[100 * without[metric].mean()] * 2, mode="lines",
            name=f"{plain(without['trial'].iloc[0])} (trains nothing)", line={"color": INK, "dash": "dash", "width": 2},
        )  # fmt: skip
    figure.update_xaxes(title_text="trained parameters, class prompts included", type="log")
    figure.update_yaxes(title_text=f"{METRICS[metric]} on unseen classes (%)")
    return figure.update_layout(template=template(), height=620)


def beside_paper(table: pd.DataFrame, panel: str, curve: Curve, default: str, metric: str = "recall_at_1") -> go.Figure:
    """One panel of the paper's Figure 3, computed here (left) and as published (right), for their shapes.

    The label of each trial of the panel is its x, or its trained parameters in thousands for the panel ``parameters``.
    The left axis is the same for all panels of ``table``, so that effects can be compared; ``default`` gets a star.
    """
    figure = make_subplots(rows=1, cols=2, subplot_titles=("computed here", READ_OFF), horizontal_spacing=0.14)
    own = table[table["trial"].str.startswith(f"{panel}{SEPARATOR}") & (table["state"] == "done")].copy()
    own["label"] = own["trial"].str.removeprefix(f"{panel}{SEPARATOR}")
    own["x"] = own["trained"] / 1000 if panel == "parameters" else own["label"].astype(float)
    own = own.astype({"x": float}).sort_values("x", kind="stable")
    means = own.groupby("x")[metric].mean()
    figure.add_scatter(
        x=own["x"], y=100 * own[metric], mode="markers", name="one seed", opacity=0.45,
        marker={"size": 6, "color": BLUE}, row=1, col=1,
    )  # fmt: skip
    figure.add_scatter(
        x=means.index, y=100 * means, mode="lines+markers", name="mean over seeds", marker={"size": 7, "color": BLUE},
        line={"color": BLUE, "width": 2.5}, row=1, col=1,
    )  # fmt: skip
    star = own.loc[own["label"] == default, "x"].unique()
    figure.add_scatter(
        x=star, y=[100 * means[x] for x in star], mode="markers", name="default", row=1, col=1,
        marker={"symbol": "star", "size": 15, "color": BLUE, "line": {"width": 1, "color": "white"}},
    )  # fmt: skip
    for (name, recall), colour in zip(curve.recall.items(), (ORANGE, PURPLE), strict=False):
        figure.add_scatter(
            x=curve.x, y=recall, mode="lines+markers", name=f"paper, {name}, read off the plot", row=1, col=2,
            line={"color": colour, "width": 2.5, "dash": "dot"}, marker={"size": 7, "color": colour},
        )  # fmt: skip
    every = 100 * table.loc[table["state"] == "done", metric]
    edge = 0.05 * (every.max() - every.min()) + 0.5
    figure.update_xaxes(title_text=curve.axis)
    figure.update_yaxes(title_text=f"{METRICS[metric]} (%)")
    if panel == "layers":
        figure.update_xaxes(dtick=1, row=1, col=1)
    figure.update_yaxes(range=[every.min() - edge, every.max() + edge], row=1, col=1)
    return figure.update_layout(template=template(), height=380, legend=_LOW_LEGEND)


def metric_bars(table: pd.DataFrame, metric: str) -> go.Figure:
    """Mean of a metric per trial as bars from 0, with the spread over seeds written on them."""
    names = [name for name in dict.fromkeys(table["trial"]) if len(_done(table, name))]
    means = [100 * _done(table, name)[metric].mean() for name in names]
    texts = [_mean_and_spread(_done(table, name)[metric]) for name in names]
    titles = [plain(name) for name in names]
    figure = go.Figure(go.Bar(x=titles, y=means, text=texts, textposition="outside", marker_color=BLUE, name="mean"))
    figure.update_xaxes(title_text="method")
    figure.update_yaxes(title_text=f"{METRICS[metric]} on test images (%)", range=[0, min(108, 1.15 * max(means))])
    return figure.update_layout(template=template(), height=460)


def _metrics_of(table: pd.DataFrame) -> dict[str, str]:
    return {name: title for name, title in METRICS.items() if name in table}


def _done(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table[(table["trial"] == name) & (table["state"] == "done")]


def _mean_and_spread(shares: pd.Series) -> str:
    spread = f" ± {100 * shares.std():.1f}" if len(shares) > 1 else ""
    return f"{100 * shares.mean():.1f}{spread}"


def _failures(table: pd.DataFrame) -> str:
    """Why runs failed, as the end of a caption."""
    failed = table[table["error"] != ""]
    return "".join(f" {plain(row.trial)}, seed {row.seed}: {plain(row.error, 200)}." for row in failed.itertuples())
