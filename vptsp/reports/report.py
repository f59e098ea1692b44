"""A run as one page: ``report.html`` holds its pictures, figures and scripts, and asks no network for anything.

It is written from the run directory alone.
"""

from __future__ import annotations

import json
from pathlib import Path

import jinja2
import plotly
import plotly.graph_objects as go

from vptsp.analysis.projection import Method
from vptsp.analysis.wording import METRIC_TITLES
from vptsp.errors import RunError
from vptsp.figures.gallery import retrieval_gallery
from vptsp.figures.html import html_table
from vptsp.figures.run_map import run_map
from vptsp.figures.runs import curves, parameter_table, result_table
from vptsp.figures.stills import image_html
from vptsp.figures.template import CONFIG
from vptsp.files import read_json, write_text
from vptsp.reports.views import further, view_blocks
from vptsp.runs.result import RunResult
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.settings.methods import METHODS
from vptsp.settings.tasks import TASKS
from vptsp.text import plain, script_json
from vptsp.training.baselines import Result, compared

SETTINGS = (  # those that a reader of the numbers asks for first
    "dataset",
    "method",
    "backbone",
    "backbone_weights",
    "image_size",
    "embedding_size",
    "num_prompts",
    "num_class_prompts",
    "alpha",
    "loss",
    "epochs",
    "batch_size",
    "images_per_class",
    "optimizer",
    "lr",
    "lr_proxy",
    "val_fraction",
    "precision",
    "seed",
)
_METRICS = {
    "map_at_r": "MAP@R",
    "map_at_r_published": "MAP@R (published variant)",
    "r_precision": "R-precision",
    "top1": "top-1 accuracy",
    "top5": "top-5 accuracy",
    "mean_class_accuracy": "mean class accuracy",
    "nmi": "NMI",
    "pairwise_f1": "pairwise F1",
}


def write_report(run: Run, projection: Method = "umap", path: str | Path | None = None) -> Path:
    """Write ``<run>/report.html`` (self-contained, some 6 to 12 MB, most of it plotly) and return its path.

    ``path``: another place for the page, for a run that may only be read. Raises
    :class:`~vptsp.errors.RunError` for a run that is not finished or not readable.
    """
    path = Path(path) if path is not None else run.path / "report.html"
    if path.parent == run.path and not run.is_writable():
        raise RunError(f"{path} cannot be written; write the page elsewhere with vptsp report {run.path} --out FILE")
    results = compared(run)
    result, config = results[0].result, run.config
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("vptsp.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    views = view_blocks(run, projection)
    page = environment.get_template("report.html").render(
        projection=projection,
        title=f"{results[0].title} on {plain(config.dataset)}",
        run=run.name,
        results=results,
        task=TASKS[config.task],
        result=result,
        settings=_settings(config),
        tables={
            "results": result_table(results),
            "metrics": _metrics_table(result),
            "parameters": parameter_table({each.title: each.result.counts for each in results}),
        },
        figures=_figures(run, projection),
        gallery=retrieval_gallery(run),
        environment=read_json(run.path / "environment.json", "train the run again"),
        plotly_js=plotly.offline.get_plotlyjs(),
        plotly_config=json.dumps(CONFIG),
        views=views,
        further_views=further(views),
        lead=_lead(results),
    )
    write_text(path, page)
    return path


def _settings(config: Config) -> list[tuple[str, str, bool]]:
    """Name, value, and whether it differs from the default."""
    rows = []
    for name in SETTINGS:
        value = getattr(config, name)
        rows.append((name, plain("none" if value is None else value), value != Config.model_fields[name].default))
    return rows


def _lead(results: list[Result]) -> str:
    """One sentence that a reader can take away."""
    first, *others = results
    classes = first.result.classes["test"]
    task = TASKS[first.result.task]
    best = 100 * first.test[task.metric]
    if task is TASKS["recognition"]:
        text = (
            f"Of {first.test['num_images']:,} test images of the {classes:,} training classes, "
            f"{best:.1f} % are recognised"
        )
    else:
        text = (
            f"Of {first.test['num_queries']:,} test images from {classes:,} classes never seen in "
            f"training, {best:.1f} % have an image of their own class as the nearest neighbour"
        )
    names = {"linear": "a linear probe", "frozen": "the frozen backbone"}
    gains = [
        f"{best - 100 * other.test[task.metric]:+.1f} points against {names[other.result.method]}" for other in others
    ]
    return text + (f": {', '.join(gains)}." if gains else ".") + f" {first.result.advice}".rstrip()


def _metrics_table(result: RunResult) -> str:
    columns = {f"last epoch ({result.epochs})" if result.epochs else "frozen": result.last_metrics}
    if result.validation_metric:
        judged = METRIC_TITLES[result.validation_metric.removeprefix("val_")]
        whitened = ", whitened" if result.selected == "whitened" else ""
        columns[f"selected epoch ({result.epoch}{whitened}, by validation {judged})"] = result.metrics
    if result.max_over_test_epochs:
        columns["best over test epochs (not a fair result)"] = result.max_over_test_epochs
    recalls = [name for name in result.last_metrics if name.startswith("recall_at_")]
    titles = {name: f"R@{name.removeprefix('recall_at_')}" for name in recalls} | _METRICS
    rows = [
        [title, *(_percent(values.get(name)) for values in columns.values())]
        for name, title in titles.items()
        if name in result.last_metrics
    ]
    caption = "Metrics on the test classes. " if recalls else "Metrics on the test images. "
    if result.validation_metric and recalls and (held := result.classes.get("val")):
        tested = result.classes.get("test", 0)
        few = ", among which a wrong neighbour is rarer" if held < tested else ""
        caption += f"Validation, as in the curves, is on {held:,} classes{few}; the test is on {tested:,}. "
    if lone := result.sizes.get("num_lone_queries"):
        caption += f"{lone:,} queries without another image of their class are left out. "
    return html_table(["metric", *columns], rows, caption)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f} %"


def _figures(run: Run, projection: Method) -> dict[str, dict[str, str]]:
    """For each figure its JSON, a still for readers without scripts, and what a screen reader says."""
    made: dict[str, tuple[go.Figure, str]] = {}
    if run.metrics():
        made["curves"] = curves(run), "Training loss and validation recall over epochs."
    title = METHODS[run.config.method].title
    made["map"] = (
        run_map(run, projection),
        f"Map of the test embeddings of {title}, coloured by class, with the proxies of the training classes.",
    )
    return {
        name: {"json": script_json(figure.to_json()), "still": image_html(figure, alt), "alt": alt}
        for name, (figure, alt) in made.items()
    }
