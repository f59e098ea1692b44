"""The three spaces of a run's proxies, as in Figure 4 of VPTSP: learned O, semantic G, and the fused q.

Everything is read from a run's snapshots and measured on its training probe images, whose classes the proxies belong
to. Directions alone count, as in the loss: all vectors are made unit length. Dimensions: C classes, P probe images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float32, Int64

from vptsp.errors import DataError, RunError
from vptsp.evaluation.ranking import unit_rows
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.proxies import snapshot_beside
from vptsp.runs.run import Run
from vptsp.runs.snapshots import KINDS as KINDS
from vptsp.runs.snapshots import Snapshots
from vptsp.text import plain

MOST_CLASSES = 8  # that a picture tells apart by colour


@dataclass(frozen=True)
class Moment:
    """A run after ``epoch`` epochs: unit ``proxies`` by kind (C, E), unit probe ``images`` (P, E), ``labels`` (P,)."""

    epoch: int
    proxies: dict[str, Float32[np.ndarray, "C E"]]
    images: Float32[np.ndarray, "P E"]
    labels: Int64[np.ndarray, " P"]
    class_names: tuple[str, ...]
    length: float  # mean length of the learned proxies, before they are made unit
    alpha: float  # their share in the fused ones then

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
    snapshots = Snapshots(run)
    if not len(snapshots):
        raise RunError(f"{run.path} has no snapshots; train a run with this version")
    names, probes = snapshots.index.class_names, snapshots.index.probes["train"]
    rows = {name: row for row, name in enumerate(names)}
    labels = np.array([rows[probes.class_names[label]] for label in probes.labels], dtype=int)
    found = []
    for snapshot in snapshots:
        images = snapshot.embeddings.get("train")
        if snapshot.learned is None or snapshot.semantic is None or images is None:
            what = "semantic proxies" if snapshot.semantic is None else "training probe images"
            raise RunError(f"{run.path} has no {what}; choose a run of vptsp_g or vptsp_m with probe_images >= 2")
        proxies = {kind: unit_rows(vectors) for kind, vectors in snapshot.proxies.items()}
        length = float(np.linalg.norm(snapshot.learned, axis=1).mean())
        found.append(Moment(snapshot.epoch, proxies, unit_rows(images), labels, names, length, snapshot.alpha))
    return found


def has_spaces(run: Run) -> bool:
    """Whether a run's semantic proxies can be shown: snapshots with probe images, and a trained model.

    Where the untrained model was selected, the proxies are random directions.
    """
    try:
        first = next(iter(Snapshots(run)), None)
        if first is None or first.semantic is None or first.embeddings.get("train") is None:
            return False
        snapshot_beside(run, SavedEmbeddings.of_run(run))
    except (RunError, DataError):  # a damaged run is none to show
        return False
    return True


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


def share_table(run_moments: Sequence[Moment]) -> pd.DataFrame:
    """By epoch: length of O, its real share in q = alpha O + (1 - alpha) G, and the share of G's entries below 0."""
    rows = {
        moment.epoch: {
            "length of O": moment.length,
            "share of O in q": moment.alpha * moment.length / (moment.alpha * moment.length + 1 - moment.alpha),
            "negative entries of G": float((moment.proxies["semantic"] < 0).mean()),
        }
        for moment in run_moments
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("epoch")


def spread_classes(moment: Moment, classes: Sequence[str] = ()) -> list[int]:
    """Rows of the named classes; none: eight that lie spread out. Raises DataError for unknown or too many names."""
    counts = np.bincount(moment.labels, minlength=len(moment.class_names))
    seen = [name for name, count in zip(moment.class_names, counts, strict=True) if count]
    unknown = [name for name in classes if name not in seen]
    if unknown or len(classes) > MOST_CLASSES:
        what = f"no probe image of {plain(unknown[0])!r}" if unknown else f"{len(classes)} classes are too many"
        raise DataError(
            f"{what}; give at most {MOST_CLASSES} of the {len(seen)} training classes with probe images, such as "
            f"{plain(seen[0])!r}"
        )
    if classes:
        return [moment.class_names.index(name) for name in classes]
    most = np.sort(counts[counts > 0])[::-1][:MOST_CLASSES]
    full = np.flatnonzero(counts >= most[-1])  # those of the most images, and as many classes as there are signs for
    return [int(full[i]) for i in np.linspace(0, len(full) - 1, min(len(full), MOST_CLASSES)).round().astype(int)]
