"""Figures of a run for a paper: drawn by matplotlib at the width of one or two columns, as PDF, SVG or PNG.

Type is 8 points in print, fonts are embedded as TrueType (PDF) or drawn as outlines (SVG), colours are those that
everybody can tell apart, and whatever a colour says a shape says as well. The same run gives the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg  # never pyplot: its state is global and not thread-safe
from matplotlib.figure import Figure

from vptsp.analysis.projection import FEWEST_FOR_UMAP, Method, project
from vptsp.analysis.proxies_on_map import proxies_of
from vptsp.analysis.proxy_spaces import moments, spread_classes
from vptsp.errors import RunError, UsageError
from vptsp.evaluation.ranking import search
from vptsp.figures.gallery import choose_queries
from vptsp.figures.palettes import palette
from vptsp.figures.signs_and_colours import CATEGORIES_LIGHT, PROXIES, RIGHT, WRONG
from vptsp.files import write_bytes
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.runs.snapshots import KINDS as PROXY_KINDS
from vptsp.settings.tasks import TASKS
from vptsp.text import plain
from vptsp.training.baselines import compared

COLUMNS = {1: 3.25, 2: 6.875}  # inches, as CVPR's: 8.26 cm and 17.46 cm
ENDINGS = ("pdf", "svg", "png")
_DPI = 600  # of PNG, and of pictures within a PDF
_SHAPES = "os^vPX<"  # of classes, beside their colours; a diamond is a proxy
_STYLE: Any = {  # matplotlib's type lists every key it has
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # matplotlib's own: the same everywhere
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # TrueType, which printers and editors of text want; 3 is matplotlib's own
    "svg.fonttype": "path",
    "svg.hashsalt": "vptsp",
    "savefig.dpi": _DPI,
    "text.parse_math": False,  # a class may be called $x$
}


def save_figure(run: Run, kind: str, path: str | Path, columns: int = 1, projection: Method = "umap") -> Path:
    """Draw a kind of figure of a finished run into a file, whose ending says the format, and return its path.

    Raises UsageError for a kind, a width or an ending that there is not, and
    :class:`~vptsp.errors.RunError` for a run that has not what the figure shows.
    """
    path = Path(path)
    ending = path.suffix.lower().removeprefix(".")
    if ending not in ENDINGS:
        raise UsageError(f"{plain(path)} is not the name of a figure; give a file that ends in .pdf, .svg or .png")
    with matplotlib.rc_context(_STYLE):
        figure = paper_figure(run, kind, columns, projection)
        buffer = io.BytesIO()
        dates = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}[ending]
        figure.savefig(buffer, format=ending, metadata=dates)
    write_bytes(path, buffer.getvalue())
    return path


def paper_figure(run: Run, kind: str, columns: int = 1, projection: Method = "umap") -> Figure:
    """The figure itself, for changes before it is saved: its texts, its sizes. Raises as :func:`save_figure`."""
    if kind not in DRAWN:
        raise UsageError(f"{plain(kind)!r} is not a kind of figure; choose one of {', '.join(DRAWN)}")
    if columns not in COLUMNS:
        raise UsageError(f"columns={plain(columns)} is not a width; choose 1 ({COLUMNS[1]} in) or 2 ({COLUMNS[2]} in)")
    run.summary()  # refused here where the run is not finished
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(COLUMNS[columns], 2.4), layout="constrained")
        FigureCanvasAgg(figure)
        DRAWN[kind](figure, run, columns, projection)
    return figure


# --- kinds --------------------------------------------------------------------------------------------
def _curves(figure: Figure, run: Run, columns: int, projection: Method) -> None:
    """Training loss, and what validation said, over epochs; the selected epoch is ringed."""
    lines = run.metrics()
    if not lines:
        raise RunError(f"{run.path} has trained nothing, so that there are no curves; choose a run that trained")
    task = TASKS[run.config.task]
    key = f"val_{task.metric}"
    scored = [line for line in lines if line.get(key) is not None]
    panels = figure.subplots(1, 2 if scored else 1, squeeze=False)[0]
    figure.set_figheight(1.5 if columns == 1 else 2.2)
    panels[0].plot([line["epoch"] for line in lines], [line["loss"] for line in lines], "-o", color=CATEGORIES_LIGHT[1])
    panels[0].set(xlabel="epoch", ylabel="training loss")
    if scored:
        epochs, values = [line["epoch"] for line in scored], [100 * line[key] for line in scored]
        panels[1].plot(epochs, values, "-s", color=CATEGORIES_LIGHT[0])
        panels[1].set(xlabel="epoch", ylabel=f"validation {task.title} (%)")
        result = run.result()
        if result.epoch in epochs:
            at = epochs.index(result.epoch)
            panels[1].plot(epochs[at], values[at], "o", ms=8, mfc="none", mec="black", mew=0.8)


def _recall(figure: Figure, run: Run, columns: int, projection: Method) -> None:
    """R@K of the run and of its baselines on the test classes, K on a logarithmic axis; top-1 and top-5 likewise."""
    figure.set_figheight(2.1 if columns == 1 else 2.6)
    axis = figure.subplots()
    prefix = "recall_at_" if run.config.task == "retrieval" else "top"
    for place, each in enumerate(compared(run)):
        names = [name for name in each.test if name.startswith(prefix) and name.removeprefix(prefix).isdigit()]
        ks = sorted(int(name.removeprefix(prefix)) for name in names)
        values = [100 * each.test[f"{prefix}{k}"] for k in ks]
        colour, mark = CATEGORIES_LIGHT[place % len(CATEGORIES_LIGHT)], _SHAPES[place % len(_SHAPES)]
        axis.plot(ks, values, f"-{mark}", color=colour, label=each.title)
        axis.set_xticks(ks, [str(k) for k in ks])
    axis.set_xscale("log", base=2)
    axis.set_xticks(ks, [str(k) for k in ks])
    axis.set(xlabel="K", ylabel="R@K (%)" if prefix == "recall_at_" else "top-K accuracy (%)")
    axis.legend()


def _map(figure: Figure, run: Run, columns: int, projection: Method) -> None:
    """The test images, seven spread classes in colours and shapes and the others grey, with the fused proxies."""
    saved = SavedEmbeddings.of_run(run, "test")
    proxies, _ = proxies_of(run, saved)
    fused = proxies.get("fused", proxies.get("learned"))
    where = run.path / "embeddings" / "projections"
    points = project(saved.embeddings, projection, seed=0, cache=where, guests=fused)
    images, guests = points[: len(saved)], points[len(saved) :]
    figure.set_figheight(2.9 if columns == 1 else 4.2)
    axis = figure.subplots()
    size = 6 if len(images) <= 2000 else 2
    chosen = _spread(images, saved.labels)
    others = ~np.isin(saved.labels, chosen)
    axis.scatter(
        images[others, 0],
        images[others, 1],
        s=size * 0.6,
        c="#b8bcc2",
        linewidths=0,
        rasterized=True,
        label="other classes",
    )
    colours = palette(len(chosen), dark=False) / 255
    for colour, mark, label in zip(colours, _SHAPES, chosen, strict=False):
        own = images[saved.labels == label]
        axis.scatter(
            own[:, 0],
            own[:, 1],
            s=size * 2,
            color=colour,
            marker=mark,
            linewidths=0,
            label=plain(saved.class_names[label]),
        )
    if len(guests):
        sign = PROXIES["fused" if "fused" in proxies else "learned"]
        axis.scatter(
            guests[:, 0],
            guests[:, 1],
            s=9,
            marker=sign.matplotlib,
            facecolors="white",
            edgecolors="black",
            linewidths=0.5,
            label=f"proxies {sign.letter}",
        )
    name = "UMAP" if projection == "umap" and len(saved) >= FEWEST_FOR_UMAP else "principal component"
    axis.set(xticks=[], yticks=[], xlabel=f"{name} 1", ylabel=f"{name} 2")
    axis.set_aspect("equal", adjustable="datalim")
    figure.legend(loc="outside lower center", ncols=2 if columns == 1 else 4, handletextpad=0.2, columnspacing=0.9)


def _spread(images: np.ndarray, labels: np.ndarray) -> list[int]:
    """Seven classes whose middles lie far from each other: each is the farthest from those before it."""
    names = np.unique(labels)
    middles = np.stack([images[labels == label].mean(axis=0) for label in names])
    chosen = [int(((middles - middles.mean(axis=0)) ** 2).sum(axis=1).argmax())]
    while len(chosen) < min(len(CATEGORIES_LIGHT), len(_SHAPES), len(names)):
        nearest = ((middles[:, None] - middles[chosen]) ** 2).sum(axis=2).min(axis=1)
        chosen.append(int(nearest.argmax()))
    return [int(names[place]) for place in sorted(chosen)]


def _spaces(figure: Figure, run: Run, columns: int, projection: Method) -> None:
    """VPTSP's Figure 4: learned, semantic and fused proxies among the same images, in their main plane, at the end."""
    moment = moments(run)[-1]
    chosen = spread_classes(moment)[: len(_SHAPES)]
    shown = np.isin(moment.labels, chosen)
    images, labels = moment.images[shown], moment.labels[shown]
    middle = images.mean(axis=0)
    plane = np.linalg.svd(images - middle)[2][:2]
    points = (images - middle) @ plane.T
    panels = figure.subplots(1, len(PROXY_KINDS), sharex=True, sharey=True)
    figure.set_figheight(1.25 if columns == 1 else 2.45)
    colours = palette(len(chosen), dark=False) / 255
    for axis, kind in zip(panels, PROXY_KINDS, strict=True):
        places = (moment.proxies[kind][chosen] - middle) @ plane.T
        for label, place, colour, mark in zip(chosen, places, colours, _SHAPES, strict=False):
            own = points[labels == label]
            axis.scatter(*own.T, s=3 * columns, color=colour, marker=mark, linewidths=0, alpha=0.7)
            axis.plot(*np.stack([own.mean(axis=0), place]).T, "-", color=colour, lw=0.8)
            axis.scatter(*place, s=22 * columns, color=colour, marker=mark, ec="black", lw=0.6, zorder=3)
        axis.set_title(PROXIES[kind].title)
        axis.set(xticks=[], yticks=[], aspect="equal")
        axis.spines[:].set_visible(True)


def _retrieval(figure: Figure, run: Run, columns: int, projection: Method) -> None:
    """Queries and their nearest images, half of them with a wrong first one; frames solid if right, dashed if wrong."""
    saved = SavedEmbeddings.of_run(run, "test")
    ranks = 5 if columns == 1 else 10
    results = search(saved.embeddings, saved.labels, saved.is_query, saved.is_gallery, k=ranks)
    rows = choose_queries(results, 4)
    if not rows:
        raise RunError(f"{run.path} has no test image with another one of its class, so that nothing can be retrieved")
    panels = figure.subplots(len(rows), ranks + 1, squeeze=False)
    figure.set_figheight(COLUMNS[columns] / (ranks + 1) * len(rows) + 0.2)
    for line, row in zip(panels, rows, strict=True):
        found = [int(results.query_positions[row]), *(int(place) for place in results.neighbor_positions[row])]
        for rank, (axis, place) in enumerate(zip(line, found, strict=True)):
            right = bool(results.matches[row, rank - 1]) if rank else None
            _tile(axis, saved, saved.ids[place] if place >= 0 else None, right)
    for rank, axis in enumerate(panels[0]):
        axis.set_title(str(rank) if rank else "query")


def _effect(figure: Figure, run: Run, columns: int, projection: Method) -> None:
    """The same queries, drawn by lot, and what they find by the frozen backbone and by the run."""
    frozen = Run(run.path / "baselines" / "frozen")
    if not (frozen.path / "summary.json").exists():
        raise RunError(f"{run.path} has no frozen baseline to be compared with; vptsp demo and notebook 01 train one")
    ranks = 3 if columns == 1 else 5
    sides = [("frozen backbone", frozen), (compared(run)[0].title, run)]
    stored = [SavedEmbeddings.of_run(each, "test") for _, each in sides]
    found = [search(each.embeddings, each.labels, each.is_query, each.is_gallery, k=ranks) for each in stored]
    rows = np.random.default_rng(0).permutation(np.flatnonzero(found[0].relevant > 0))[:4]
    panels = figure.subplots(len(rows), 2 * ranks + 1, squeeze=False)
    figure.set_figheight(COLUMNS[columns] / (2 * ranks + 1) * len(rows) + 0.35)
    for line, row in zip(panels, rows, strict=True):
        query = stored[0].ids[int(found[0].query_positions[row])]
        own = stored[1].ids.index(query)  # the two keep their images in an order of their own
        places = np.flatnonzero(found[1].query_positions == own)
        _tile(line[ranks], stored[0], query, None)
        for side, saved, results, at in ((0, stored[0], found[0], row), (1, stored[1], found[1], places[0])):
            for rank in range(ranks):
                axis = line[ranks - 1 - rank] if side == 0 else line[ranks + 1 + rank]
                place = int(results.neighbor_positions[at, rank])
                _tile(axis, saved, saved.ids[place] if place >= 0 else None, bool(results.matches[at, rank]))
    for (title, _), first in zip(sides, (0, ranks + 1), strict=True):
        panels[0][first + ranks // 2].set_title(title)
    panels[0][ranks].set_title("query")


def _tile(axis: Axes, saved: SavedEmbeddings, name: str | None, right: bool | None) -> None:
    """One image in its frame; a query has a black one, a hit a solid one, a mistake a dashed one."""
    axis.set(xticks=[], yticks=[])
    if name is None:
        axis.set_axis_off()
        return
    axis.imshow(np.asarray(saved.thumbnails.image(name)))
    colour = "black" if right is None else (RIGHT if right else WRONG).light
    style: Any = (0, (1.6, 1.2)) if right is False else "-"
    for spine in axis.spines.values():
        spine.set(visible=True, color=colour, linewidth=1.4, linestyle=style, capstyle="butt")


DRAWN: dict[str, Callable[[Figure, Run, int, Method], None]] = {
    "map": _map,
    "curves": _curves,
    "recall": _recall,
    "spaces": _spaces,
    "retrieval": _retrieval,
    "effect": _effect,
}
