"""A run's proxies as handles: which proxy every image is nearest to if alpha were another, or a proxy elsewhere.

The fused proxy is the model's own, ``q = alpha O + (1 - alpha) G`` (:func:`vptsp.core.proxies.fuse`), and directions
alone count, as in the loss. Dimensions: N images, P probe images, C classes with proxies, E embedding size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float32, Int64

from vptsp.errors import DataError, RunError
from vptsp.evaluation.ranking import unit_rows
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.proxies import snapshot_beside
from vptsp.runs.run import Run
from vptsp.runs.whitening import Whitening
from vptsp.settings.config import Config
from vptsp.text import plain

_CELLS_AT_ONCE = 2**24  # similarities held at once, in fp32
NOWHERE: Mapping[int, np.ndarray] = MappingProxyType({})  # no proxy is moved


@dataclass(frozen=True)
class Probes:
    """The training images that a run watched: ``embeddings`` (P, E), and which proxy is that of their class (P,)."""

    embeddings: Float32[np.ndarray, "P E"]
    own: Int64[np.ndarray, " P"]


@dataclass(frozen=True)
class ProxyHandles:
    """The proxies (C, E) of one epoch as training left them, and the share ``alpha`` that the run fuses them by.

    Without ``semantic`` ones the learned are those that images are compared with, and alpha means nothing. ``config``
    names the run's loss. ``whitening`` leads to the space of the images, where that is another
    (:mod:`vptsp.runs.whitening`); a proxy that was moved is a vector of that space.
    """

    class_names: tuple[str, ...]
    learned: Float32[np.ndarray, "C E"]
    semantic: Float32[np.ndarray, "C E"] | None
    alpha: float
    config: Config | None = None
    whitening: Whitening | None = None
    probes: Probes | None = None

    def among_images(
        self, alpha: float | None = None, moved: Mapping[int, Float[np.ndarray, " E"]] = NOWHERE
    ) -> Float32[np.ndarray, "C E"]:
        """The fused proxies, of length 1, where the images lie; ``alpha`` none: the run's own. ``moved`` by row.

        Raises DataError for an alpha out of 0..1.
        """
        rows = self._fused(alpha)
        found = unit_rows(rows) if self.whitening is None else self.whitening.apply(rows)
        return _replaced(found, moved)

    def as_trained(
        self, alpha: float | None = None, moved: Mapping[int, Float[np.ndarray, " E"]] = NOWHERE
    ) -> Float32[np.ndarray, "C E"]:
        """The same, of length 1, where the loss compared them with images (:meth:`image_as_trained`)."""
        back = {row: self.image_as_trained(vector) for row, vector in moved.items()}
        return _replaced(unit_rows(self._fused(alpha)), back)

    def image_as_trained(self, embedding: Float[np.ndarray, " E"]) -> Float32[np.ndarray, " E"]:
        """An embedding (E,), of length 1, in the space that the loss knew."""
        given = np.asarray(embedding, np.float32)[None]
        found: np.ndarray = (unit_rows(given) if self.whitening is None else self.whitening.undo(given))[0]
        return found

    def own_of(self, class_names: Sequence[str], labels: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
        """Which proxy is that of each image's class, -1 where the class has none; ``labels`` are rows of the names."""
        row = {name: number for number, name in enumerate(self.class_names)}
        return np.array([row.get(name, -1) for name in class_names], dtype=np.int64)[labels]

    def _fused(self, alpha: float | None) -> Float32[np.ndarray, "C E"]:
        share = float(self.alpha if alpha is None else alpha)
        if not 0 <= share <= 1:
            raise DataError(
                f"alpha={share} is no share; give 0, the semantic proxies alone, to 1, the learned ones alone"
            )
        if self.semantic is None:
            return self.learned
        import torch  # a map is opened without it

        from vptsp.core.proxies import fuse

        found: np.ndarray = fuse(torch.from_numpy(self.learned), torch.from_numpy(self.semantic), share).numpy()
        return found


def handles_of(run: Run, saved: SavedEmbeddings) -> ProxyHandles | None:
    """The proxies of the epoch that a run's stored embeddings are from; none where there are none to be shown.

    Those are runs without proxies and without snapshots, and untrained models, whose proxies are random.
    """
    try:
        snapshot = snapshot_beside(run, saved)
        whitening = Whitening.beside(run, saved)
    except RunError:
        return None
    if snapshot.learned is None:
        return None
    names = snapshot.index.class_names
    found = ProxyHandles(names, snapshot.learned, snapshot.semantic, snapshot.alpha, run.config, whitening)
    images, seen = snapshot.embeddings.get("train"), snapshot.index.probes["train"]
    if images is None or not len(images):
        return found
    placed = images if whitening is None else whitening.apply(images)
    probes = Probes(placed, found.own_of(seen.class_names, seen.labels))
    return ProxyHandles(names, found.learned, found.semantic, found.alpha, found.config, whitening, probes)


def nearest_proxies(embeddings: Float[np.ndarray, "N E"], proxies: Float[np.ndarray, "C E"]) -> Int64[np.ndarray, " N"]:
    """The proxy of largest cosine for each image, the first of equal ones; a block of images at a time."""
    unit = unit_rows(proxies)
    if not len(unit):
        raise DataError("there are no proxies, so no image is nearest to one; give one or more")
    found = np.empty(len(embeddings), dtype=np.int64)
    block = max(1, _CELLS_AT_ONCE // len(unit))
    for start in range(0, len(embeddings), block):
        # the length of an image changes no order among its proxies
        images = np.asarray(embeddings[start : start + block], dtype=np.float32)
        found[start : start + block] = (images @ unit.T).argmax(axis=1)
    return found


def nearest_after(
    embeddings: Float[np.ndarray, "N E"],
    proxies: Float[np.ndarray, "C E"],
    nearest: Int64[np.ndarray, " N"],
    moved: Mapping[int, Float[np.ndarray, " E"]],
) -> Int64[np.ndarray, " N"]:
    """:func:`nearest_proxies` once some of the unit ``proxies`` are elsewhere, where it was ``nearest`` before.

    Only images of the proxies that were moved are compared with all again, so that a drag is answered at once.
    """
    if not moved:
        return nearest
    after, found = _replaced(proxies, moved), nearest.copy()
    rows = np.array(sorted(moved), dtype=np.int64)
    lost = np.isin(nearest, rows)
    found[lost] = nearest_proxies(embeddings[lost], after)
    kept = np.flatnonzero(~lost)
    block = max(1, _CELLS_AT_ONCE // max(after.shape[1], len(rows)))
    for start in range(0, len(kept), block):
        part = kept[start : start + block]
        images = np.asarray(embeddings[part], dtype=np.float32)
        own = np.einsum("ne,ne->n", images, after[nearest[part]])
        others = images @ after[rows].T
        best = others.argmax(axis=1)
        won = others[np.arange(len(part)), best] > own
        found[part[won]] = rows[best[won]]
    return found


@dataclass(frozen=True)
class Predictions:
    """The proxy nearest to each image ``before`` and ``now`` (N,), and its ``own`` class's, -1: that has none."""

    before: Int64[np.ndarray, " N"]
    now: Int64[np.ndarray, " N"]
    own: Int64[np.ndarray, " N"]

    @property
    def changed(self) -> Bool[np.ndarray, " N"]:
        return self.before != self.now

    @property
    def known(self) -> int:
        """Images of a class that has a proxy: of these alone an assignment is right or wrong."""
        return int((self.own >= 0).sum())

    @property
    def accuracy(self) -> tuple[float, float] | None:
        """Share of the images whose nearest proxy is that of their class, before and now; none for unseen classes."""
        rows = self.own >= 0
        if not rows.any():
            return None
        before, now = (float((found[rows] == self.own[rows]).mean()) for found in (self.before, self.now))
        return before, now

    def by_class(self, class_names: Sequence[str]) -> pd.DataFrame:
        """A line for each proxy: images of its class, how many of them were and are right, and how many images of any
        class it was and is nearest to."""

        def counted(rows: np.ndarray) -> np.ndarray:
            return np.bincount(rows[rows >= 0], minlength=len(class_names))

        return pd.DataFrame(
            {
                "images": counted(self.own),
                "right_before": counted(self.own[self.own == self.before]),
                "right": counted(self.own[self.own == self.now]),
                "nearest_before": counted(self.before),
                "nearest": counted(self.now),
            },
            index=pd.Index(list(class_names), name="proxy"),
        )


def mean_direction(
    embeddings: Float[np.ndarray, "K E"], weights: Sequence[float] | None = None
) -> Float32[np.ndarray, " E"]:
    """The weighted mean of unit embeddings, of length 1. Raises DataError for none, and where they cancel out."""
    if not len(embeddings):
        raise DataError("a proxy goes to the mean of images, and none were given; give one or more")
    share = np.ones(len(embeddings)) if weights is None else np.asarray(weights, dtype=np.float64)
    mean = share @ unit_rows(embeddings) / share.sum()
    if np.linalg.norm(mean) < 1e-6:
        raise DataError(f"the {len(embeddings)} images cancel each other out, so that their mean has no direction")
    return unit_rows(mean[None])[0]


def row_of(handles: ProxyHandles, name: str) -> int:
    """The row of a class's proxy. Raises DataError for a class without one."""
    if name not in handles.class_names:
        first = plain(handles.class_names[0])
        raise DataError(
            f"{plain(name)!r} has no proxy; the {len(handles.class_names):,} classes that have begin with {first!r}"
        )
    return handles.class_names.index(name)


def _replaced(rows: np.ndarray, moved: Mapping[int, np.ndarray]) -> np.ndarray:
    if not moved:
        return rows
    rows = rows.copy()
    for row, vector in moved.items():
        rows[row] = unit_rows(np.asarray(vector, np.float32)[None])[0]
    return rows
