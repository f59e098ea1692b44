"""The three spaces of a run's proxies, as in Figure 4 of VPTSP: learned O, semantic G, and the fused q.

Everything is read from a run's snapshots and measured on its training probe images, whose classes the proxies belong
to. Directions alone count, as in the loss: all vectors are made unit length. Dimensions: C classes, P probe images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float32, Int64
from plotly.subplots import make_subplots

from vptsp.errors import DataError, RunError
from vptsp.figures import INK, PROXIES, html_table, template
from vptsp.files import read_json
from vptsp.labels import plain, safe
from vptsp.retrieval import unit_rows
from vptsp.runs import Run

KINDS = ("learned", "semantic", "fused")
_COLOURS = ("#2563eb", "#ea580c", "#059669", "#9333ea", "#dc2626", "#0891b2", "#a16207", "#be185d")
_TITLES = {"learned": "learned O", "semantic": "semantic G", "fused": "fused q"}


@dataclass(frozen=True)
class Moment:
    """A run after ``epoch`` epochs: unit ``proxies`` by kind (C, E), unit probe ``images`` (P, E), ``labels`` (P,)."""

    epoch: int
    proxies: dict[str, Float32[np.ndarray, "C E"]]
    images: Float32[np.ndarray, "P E"]
    labels: Int64[np.ndarray, " P"]
    class_names: tuple[str, ...]
    length: float  # mean length of the learned proxies, before they are made unit

    def accuracy(self, kind: str) -> float:
        """Share of the images whose nearest proxy is that of their class."""
        return float(((self.images @ self.proxies[kind].T).argmax(axis=1) == self.labels).mean())

    def own(self, kind: str) -> float:
        """Mean cosine of an image with the proxy of its class."""
        return float((self.images * self.proxies[kind][self.labels]).sum(axis=1).mean())

    def others(self, kind: str) -> float:
        """Mean cosine of an image with the proxies of the other classes."""
        classes = len(self.class_names)
        return float((self.images @ self.proxies[kind].T).mean() * classes - self.own(kind)) / (classes - 1)

    def crowding(self, kind: str) -> float:
        """Mean cosine between the proxies of two classes: 1 if all are one, at least -1 / (C - 1)."""
        cosines = self.proxies[kind] @ self.proxies[kind].T
        return float(cosines[~np.eye(len(cosines), dtype=bool)].mean())


def moments(run: Run) -> list[Moment]:
    """Every snapshot of a run. Raises RunError for runs without snapshots, probe images or semantic proxies."""
    epochs = run.snapshots()
    if not epochs:
        raise RunError(f"{run.path} has no snapshots; train a run with this version")
    index = read_json(run.path / "snapshots" / "probes.json", "train the run again")
    rows = {name: row for row, name in enumerate(index["proxy_class_names"])}
    labels = np.array([rows[index["train"]["class_names"][label]] for label in index["train"]["labels"]], dtype=int)
    found = []
    for epoch in epochs:
        tensors = run.snapshot(epoch)
        if "semantic" not in tensors or "probe_train" not in tensors:
            what = "semantic proxies" if "semantic" not in tensors else "training probe images"
            raise RunError(f"{run.path} has no {what}; choose a run of vptsp_g or vptsp_m with probe_images >= 2")
        proxies = {kind: unit_rows(tensors[kind]).cpu().numpy() for kind in KINDS}
        images = unit_rows(tensors["probe_train"]).cpu().numpy()
        length = float(tensors["learned"].norm(dim=1).mean())
        found.append(Moment(epoch, proxies, images, labels, tuple(rows), length))
    return found


def progress_table(run_moments: Sequence[Moment]) -> pd.DataFrame:
    """One row per epoch; columns are (measure, kind) for the measures accuracy, own, others and crowding."""
    rows = {
        moment.epoch: {
            (measure, kind): getattr(moment, measure)(kind)
            for measure in ("accuracy", "own", "others", "crowding")
            for kind in KINDS
        }
        for moment in run_moments
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("epoch")


def share_table(run_moments: Sequence[Moment], alpha: float) -> pd.DataFrame:
    """By epoch: length of O, its real share in q = alpha O + (1 - alpha) G, and the share of G's entries below 0."""
    rows = {
        moment.epoch: {
            "length of O": moment.length,
            "share of O in q": alpha * moment.length / (alpha * moment.length + 1 - alpha),
            "negative entries of G": float((moment.proxies["semantic"] < 0).mean()),
        }
        for moment in run_moments
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("epoch")


def frame_table(frame: pd.DataFrame, caption: str, digits: int = 2) -> str:
    """Numbers as an HTML table; of two levels of columns the upper name comes first."""
    header = [" ".join(map(str, column)) if isinstance(column, tuple) else str(column) for column in frame.columns]
    rows = [[str(index), *("" if pd.isna(v) else f"{v:.{digits}f}" for v in row)] for index, row in zip(
        frame.index, frame.to_numpy(dtype=float), strict=True
    )]  # fmt: skip
    return html_table([str(frame.index.name), *header], rows, caption)


def progress_figure(run_moments: Sequence[Moment]) -> go.Figure:
    """Two panels over epochs: accuracy of the nearest proxy, and how far the own proxy is ahead of the others."""
    table = progress_table(run_moments)
    figure = make_subplots(
        rows=1, cols=2, horizontal_spacing=0.12,
        subplot_titles=["Nearest proxy is the class's own", "Own proxy ahead of the others"],
    )  # fmt: skip
    ahead = table["own"] - table["others"]
    for kind in KINDS:
        _, colour, _, _ = PROXIES[kind]
        for column, values in ((1, 100 * table["accuracy"][kind]), (2, ahead[kind])):
            trace = go.Scatter(
                x=table.index, y=values, name=_TITLES[kind] if column == 1 else "", mode="lines+markers",
                showlegend=column == 1,
                line={"color": colour, "width": 2.5}, marker={"size": 6},
            )  # fmt: skip
            figure.add_trace(trace, row=1, col=column)
    figure.update_xaxes(title_text="epoch", dtick=max(1, len(table) // 8))
    figure.update_yaxes(title_text="percent of the images", col=1, row=1)
    figure.update_yaxes(title_text="cosine: own minus others", col=2, row=1)
    legend = {"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0}
    return figure.update_layout(template=template(), height=380, legend=legend)


def spaces_figure(moment: Moment, classes: Sequence[str] = ()) -> go.Figure:
    """Three panels in one frame, the main plane of the images (PCA): each kind of proxy among the same images.

    Images are dots, proxies diamonds in the colour of their class; a line joins a proxy with the centre of its
    images. ``classes`` are names, at most 8; none: eight that lie spread out. Raises DataError for unknown names.
    """
    chosen = _chosen(moment, classes)
    shown = np.isin(moment.labels, chosen)
    images, labels = moment.images[shown], moment.labels[shown]
    middle = images.mean(axis=0)
    axes = np.linalg.svd(images - middle)[2][:2]  # of two images, too, there are two axes
    points = (images - middle) @ axes.T
    colours = {row: _COLOURS[place] for place, row in enumerate(chosen)}
    figure = make_subplots(rows=1, cols=3, subplot_titles=[_TITLES[kind] for kind in KINDS], horizontal_spacing=0.04)
    everything = np.concatenate([points, *((moment.proxies[kind][chosen] - middle) @ axes.T for kind in KINDS)])
    reach = 1.08 * float(np.abs(everything).max())
    for column, kind in enumerate(KINDS, start=1):
        places = (moment.proxies[kind][chosen] - middle) @ axes.T
        for row, place in zip(chosen, places, strict=True):
            own, name = points[labels == row], safe(moment.class_names[row])
            centre, colour = own.mean(axis=0), colours[row]
            line = go.Scatter(
                x=[centre[0], place[0]], y=[centre[1], place[1]], mode="lines", showlegend=False, hoverinfo="skip",
                line={"color": colour, "width": 1.5},
            )  # fmt: skip
            dots = go.Scatter(
                x=own[:, 0], y=own[:, 1], mode="markers", showlegend=False, hovertemplate=f"{name}<extra></extra>",
                marker={"color": colour, "size": 6, "opacity": 0.45},
            )  # fmt: skip
            diamond = go.Scatter(
                x=[place[0]], y=[place[1]], mode="markers", name=name if column == 2 else "", showlegend=column == 2,
                hovertemplate=f"{_TITLES[kind]} of {name}<extra></extra>",
                marker={"color": colour, "size": 11, "symbol": "diamond", "line": {"color": INK, "width": 1}},
            )  # fmt: skip
            for trace in (line, dots, diamond):
                figure.add_trace(trace, row=1, col=column)
    figure.update_xaxes(range=[-reach, reach], showticklabels=False)
    figure.update_yaxes(range=[-reach, reach], showticklabels=False)
    figure.update_xaxes(title_text=f"after {moment.epoch} epochs", row=1, col=2)
    legend = {"orientation": "h", "y": -0.14, "yanchor": "top"}
    return figure.update_layout(template=template(), height=380, legend=legend)


def _chosen(moment: Moment, classes: Sequence[str]) -> list[int]:
    counts = np.bincount(moment.labels, minlength=len(moment.class_names))
    seen = [name for name, count in zip(moment.class_names, counts, strict=True) if count]
    unknown = [name for name in classes if name not in seen]
    if unknown or len(classes) > len(_COLOURS):
        what = f"no probe image of {plain(unknown[0])!r}" if unknown else f"{len(classes)} classes are too many"
        raise DataError(
            f"{what}; give at most {len(_COLOURS)} of the {len(seen)} training classes with probe images, such as "
            f"{plain(seen[0])!r}"
        )
    if classes:
        return [moment.class_names.index(name) for name in classes]
    full = np.flatnonzero(counts == counts.max())
    return [int(full[i]) for i in np.linspace(0, len(full) - 1, min(len(full), len(_COLOURS))).round().astype(int)]
