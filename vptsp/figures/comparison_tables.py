"""Tables of a comparison in inline styles, which JupyterLab keeps in notebooks that it does not trust."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from vptsp.analysis.comparison import Comparison
from vptsp.analysis.experiment import Experiment
from vptsp.analysis.wording import METRIC_TITLES, cell, mean_and_spread, records, with_spread
from vptsp.figures.html import html_table
from vptsp.text import plain


def comparison_table(comparison: Comparison) -> str:
    """One row per experiment: what it differs in first, then states, seeds, validation, test metrics, parameters."""
    table = comparison.table()
    metrics = [name for name in METRIC_TITLES if name in table]
    first = comparison.headings
    header = [*first, "runs", "seeds", "validation", *(METRIC_TITLES[metric] for metric in metrics), "trained"]
    rows = []
    for row in records(table):
        cells = [cell(row[name]) for name in first]
        if row["best"]:
            cells[0] = f"★ {cells[0]}"
        cells += [row["states"], str(row["seeds"])]
        cells += [with_spread(row, name) for name in ("validation", *metrics)]
        cells.append("–" if pd.isna(row["trained"]) else f"{row['trained']:,}")
        rows.append(cells)
    caption = (
        f"{len(comparison.all_runs)} runs of {len(table)} experiments. Mean ± standard deviation over finished seeds, "
        "in percent; metrics of the test images at the epoch that validation selected."
    )
    if comparison.best():
        caption += " ★ best mean validation metric; test metrics choose nothing."
    best = np.flatnonzero(table["best"].to_numpy())
    return html_table(header, rows, caption + remarks(comparison), strong=int(best[0]) if len(best) else None)


def cost_table(
    comparison: Comparison, spent: pd.DataFrame, strong: str | None = None, paces: Mapping[str, float] | None = None
) -> str:
    """One row per experiment: parameters, computed training memory, step time, and metrics over seeds.

    ``spent`` is what :func:`vptsp.analysis.costs.costs` found. ``paces`` are ratios by label from
    :func:`vptsp.analysis.pace.step_ratios`; without them the times of the runs themselves are shown, which compare
    only if nothing else ran. ``strong`` is the label of the row in bold.
    """
    known = comparison.runs()
    metrics = {name: title for name, title in METRIC_TITLES.items() if name in known}
    pace_title = "step (ms)" if paces is None else "step (× probe)"
    header = ["method", "trained", "kept", "bank", "memory (MB)", "of it activations", pace_title, *metrics.values()]
    rows = []
    for name, experiment in comparison.experiments.items():
        if not experiment.finished:
            rows.append([plain(name), *["failed"] * (len(header) - 1)])
            continue
        counts = next(iter(experiment.finished.values())).counts
        own = spent[spent["experiment"] == name]
        seeds = len(experiment.finished)
        title = name if seeds == len(experiment.by_seed) else f"{name} ({seeds} of {len(experiment.by_seed)} seeds)"
        rows.append(
            [
                plain(title),
                *(f"{counts[count]:,}" for count in ("trained", "kept", "bank")),
                *(f"{own[size].iloc[0] / 1e6:.1f}" for size in ("footprint", "activations")),
                _pace(experiment, own, paces),
                *(mean_and_spread(experiment.values(metric)) for metric in metrics),
            ]
        )
    pace_note = "median of the runs, loading included" if paces is None else "beside a linear probe, in turns"
    caption = (
        "Trained: receives gradients. Kept: needed for inference beside the frozen backbone. Bank: class prompts, "
        "dropped after training. Memory: computed from the autograd graph in fp32 (activations kept for the backward "
        "pass, gradients, optimiser state, all parameters), not measured on the process. Step: "
        f"{pace_note}. Metrics in percent: mean ± standard deviation over {_seeds(comparison)}."
    )
    found = comparison.find(strong) if strong else None
    row = list(comparison.experiments).index(found.name) if found else None
    return html_table(header, rows, caption + remarks(comparison), row)


def differences_table(differences: pd.DataFrame, reference: str, title: str) -> str:
    """What :meth:`~vptsp.analysis.comparison.Comparison.differences` found, in points, and whether it holds."""
    header = ["experiment", "seeds", f"Δ {title} (points)", "95 % interval", "resamples ≤ 0", "p (Holm)", "reading"]
    rows = []
    for row in records(differences):
        if row["note"]:
            rows.append([plain(row["experiment"]), str(row["seeds"]), *["–"] * 4, plain(row["note"], 200)])
            continue
        reading = "not told apart" if row["p_holm"] >= 0.05 else "better" if row["mean"] > 0 else "worse"
        rows.append(
            [
                plain(row["experiment"]),
                str(row["seeds"]),
                f"{100 * row['mean']:+.1f}",
                f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}",
                f"{100 * row['share_not_above']:.1f} %",
                "< 0.001" if row["p_holm"] < 0.001 else f"{row['p_holm']:.3f}",
                reading,
            ]
        )
    compared = int((differences["note"] == "").sum())
    caption = (
        f"{title} minus that of {plain(reference)}, on the same test images, averaged over seeds: a paired bootstrap. "
        "Whole classes are resampled, so the interval speaks of other classes, not of other training runs. "
        f"P-values are corrected by Holm's method for {compared} comparison{'s' * (compared != 1)}; "
        "below 0.05 a difference is called better or worse."
    )
    return html_table(header, rows, caption)


def runs_table(comparison: Comparison) -> str:
    """A column per run: how it stands, its results, then the settings in which the runs differ."""
    table = comparison.runs()
    metrics = [name for name in METRIC_TITLES if name in table]
    lines = {"state": table["state"].map(cell)}
    lines |= {METRIC_TITLES[name]: table[name].map(_percent) for name in metrics}
    lines["trained"] = table["trained"].map(lambda count: "–" if pd.isna(count) else f"{count:,}")
    names = [*comparison.differing, *["seed"] * (table["seed"].nunique() > 1)]
    lines |= {plain(name): table[name].map(cell) for name in names}
    header = ["", *(plain(run.name) for experiment in comparison.experiments.values() for run in experiment.runs)]
    caption = "Results, and the settings in which they differ." if names else "Results; no setting differs."
    return html_table(header, [[title, *cells] for title, cells in lines.items()], caption + remarks(comparison))


def remarks(comparison: Comparison) -> str:
    """Why runs failed and which seeds were run more than once, as the end of a caption; "" if there is nothing."""
    return "".join(
        f" {plain(name)}, {plain(said, 200)}."
        for name, experiment in comparison.experiments.items()
        for said in (*experiment.errors, *experiment.repetitions)
    )


def _seeds(comparison: Comparison) -> str:
    """``3 seeds`` or, where experiments differ in that, ``1 to 3 seeds``."""
    numbers = [len(experiment.finished) for experiment in comparison.finished]
    if not numbers:
        return "seeds"
    low, high = min(numbers), max(numbers)
    return f"{low} to {high} seeds" if low < high else f"{high} seed{'s' * (high != 1)}"


def _pace(experiment: Experiment, own: pd.DataFrame, paces: Mapping[str, float] | None) -> str:
    if paces is not None:
        label = next((label for label in experiment.labels if label in paces), None)
        return "–" if label is None else f"{paces[label]:.1f}"
    steps = own["step_ms"].dropna()
    return f"{steps.median():.0f}" if len(steps) else "–"


def _percent(share: float) -> str:
    return "–" if pd.isna(share) else f"{100 * share:.1f} %"
