"""Plotly figures and HTML tables of runs and results, readable on light and on dark pages.

Everything here is a ``go.Figure`` or a string; :mod:`vptsp.figures.stills` shows them where no JavaScript runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from vptsp.figures.html import html_table
from vptsp.figures.signs_and_colours import BLUE, GREEN, ORANGE, PURPLE
from vptsp.figures.template import template
from vptsp.runs.epochs_of_model import epochs_of_model
from vptsp.settings.tasks import TASKS

if TYPE_CHECKING:
    from vptsp.runs.run import Run
    from vptsp.training.baselines import Result


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
                x=epochs,
                y=values,
                name=name,
                mode="lines+markers",
                connectgaps=True,
                line={"color": colour, "width": 2.5, **line},
                marker={"size": 6},
            )
            figure.add_trace(trace, row=1, col=column)

    draw(1, "loss", "loss", ORANGE)
    draw(2, shown, f"validation {task.title}", BLUE, 100)
    draw(2, f"val_{task.second}", f"validation {task.second_title}", GREEN, 100)
    draw(2, f"test_{task.metric}", f"test {task.title} (tracked, not used)", PURPLE, 100, dash="dot")
    if scored:
        own = epochs_of_model(scored, run.config)
        best = max(own, key=lambda line: line[judged])  # the first of equals, as training selects
        name = "selected epoch"
        if run.is_finished() and ((result := run.result()).epoch == 0 or result.selected == "whitened"):
            # not on the line: the start was better than all of them, or a trained model whose embedding was whitened
            best = {"epoch": result.epoch, judged: result.validation}
            name = f"selected: {result.title}"
        colour = BLUE if judged == shown else GREEN  # of the curve that it stands on
        mark = {"symbol": "star", "size": 14, "color": colour, "line": {"width": 1, "color": "white"}}
        figure.add_trace(
            go.Scatter(x=[best["epoch"]], y=[100 * best[judged]], name=name, mode="markers", marker=mark),
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


# --- tables -----------------------------------------------------------------------------------------
def parameter_table(counts: Mapping[str, Mapping[str, Any]]) -> str:
    """Parameter counts by title, in four columns that are never added up: ``counts`` are those of results."""
    header = ["", "trained", "kept at inference", "class-prompt bank", "total", "trained / total"]
    rows = [
        [title, *(f"{row[name]:,}" for name in ("trained", "kept", "bank", "total")), _share(row)]
        for title, row in counts.items()
    ]
    parts = next(iter(counts.values()))["parts"]
    split = ", ".join(f"{name} {number:,}" for name, number in sorted(parts.items(), key=lambda item: -item[1]))
    first = next(iter(counts))
    caption = (
        "Trained: receives gradients. Kept: what retrieval needs beside the frozen backbone, "
        "the map that whitens the embeddings included, which is computed and not trained. "
        "Bank: prompts of the training classes, dropped after training. Total: with the frozen backbone. "
    )
    return html_table(header, rows, caption + (f"{first} trains: {split}." if split else ""), strong=0)


def result_table(results: Sequence[Result]) -> str:
    """One row per method, the run itself first and in bold: its task's two metrics, trained and kept parameters."""
    task = TASKS[results[0].result.task]
    header = ["method", task.title, task.second_title, "trained parameters", "kept at inference"]
    rows = [
        [
            each.title + (" (selected before training)" if each.result.advice else ""),
            f"{100 * each.test[task.metric]:.1f} %",
            f"{100 * each.test[task.second]:.1f} %",
            f"{each.result.counts['trained']:,}",
            f"{each.result.counts['kept']:,}",
        ]
        for each in results
    ]
    classes = results[0].result.classes["test"]
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
