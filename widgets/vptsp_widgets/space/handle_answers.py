"""What the handles of the map are set to, and the answers: which proxy is nearest, which forces, which places.

A place on a map is no place in the space. A proxy that was dragged to one is the mean direction of the images nearest
to it there, and this is what all numbers are of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vptsp.analysis.projection import Method, project
from vptsp.analysis.proxy_handles import Predictions, ProxyHandles, mean_direction, nearest_after, nearest_proxies
from vptsp.errors import DataError
from vptsp.runs.embeddings import SavedEmbeddings

if TYPE_CHECKING:
    from vptsp.analysis.proxy_forces import Forces

NEAREST = 10  # images that a proxy dragged to a place is the mean of
MOST_PLACED = 20_000  # proxies projected for the way of all along alpha


@dataclass(frozen=True)
class Move:
    """A proxy at ``place`` (x, y) of the map: in truth the mean of the images ``rows``, by ``weights``."""

    place: tuple[float, float]
    rows: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Asked:
    """What the handles are set to; ``alpha`` none: the run's own. ``moved`` by row of the proxies."""

    alpha: float | None = None
    moved: Mapping[int, Move] = field(default_factory=dict)


def around(points: np.ndarray, place: tuple[float, float]) -> Move:
    """A proxy dragged to a place: the mean of the images nearest to it on the map, weighted by nearness.

    The weight is ``exp(-(d / m)^2 / 2)`` of the distance d, with m the mean distance of these images: a place on a map
    is no place in the space, and this is what can be said of one. Raises DataError for a map without images.
    """
    distances = np.hypot(*(points.astype(np.float64) - place).T)
    drawn = np.flatnonzero(np.isfinite(distances))
    if not len(drawn) or not np.isfinite(place).all():
        raise DataError(f"no image is near {place}; give a place of the map, as x and y")
    rows = drawn[np.argsort(distances[drawn], kind="stable")[:NEAREST]]
    near = distances[rows]
    weights = np.exp(-0.5 * (near / max(float(near.mean()), np.finfo(float).tiny)) ** 2)
    return Move((float(place[0]), float(place[1])), tuple(rows.tolist()), tuple(weights.tolist()))


def amid(points: np.ndarray, rows: Sequence[int]) -> Move:
    """A proxy that is the mean of these images, alike; its place is the mean of theirs, NaN where none has one."""
    return placed(points, Move((np.nan, np.nan), tuple(rows), (1.0,) * len(rows)))


def placed(points: np.ndarray, move: Move) -> Move:
    """The same on another map, at the weighted mean of the places of its images."""
    there, share = points[list(move.rows)].astype(np.float64), np.array(move.weights)
    seen = np.isfinite(there).all(axis=1)
    if not seen.any():
        return replace(move, place=(np.nan, np.nan))
    x, y = share[seen] @ there[seen] / share[seen].sum()
    return replace(move, place=(float(x), float(y)))


def way_along_alpha(
    embeddings: np.ndarray,
    handles: ProxyHandles,
    glyphs: Mapping[str, np.ndarray],
    method: Method,
    seed: int,
    cache: Path | None,
) -> tuple[list[float], np.ndarray]:
    """Values of alpha and the places (A, C, 2) of the fused proxies at these, by the projection of the map itself.

    They are 0, 1 and the run's own, where ``glyphs`` are already, and those between, as many as there is room for.
    UMAP lays a vector a little elsewhere when others are laid beside it: what is on the map stays where it is.
    """
    places = {handles.alpha: glyphs["fused"]} | {0.0: glyphs["semantic"], 1.0: glyphs["learned"]}
    classes = len(handles.class_names)
    steps = np.linspace(0, 1, int(np.clip(MOST_PLACED // classes, 2, 11))).round(4).tolist()
    between = [alpha for alpha in steps if alpha not in places]
    if between:
        guests = np.concatenate([handles.among_images(alpha) for alpha in between])
        found = project(embeddings, method, seed=seed, cache=cache, guests=guests)[len(embeddings) :]
        places |= dict(zip(between, found.reshape(len(between), classes, 2), strict=True))
    alphas = sorted(places)
    return alphas, np.stack([places[alpha] for alpha in alphas]).astype("<f4")


class Handled:
    """Answers about the handles of one set of images; what the run itself predicts is computed once."""

    def __init__(self, saved: SavedEmbeddings, handles: ProxyHandles) -> None:
        self.saved, self.handles = saved, handles
        self.own = handles.own_of(saved.class_names, saved.labels)
        self._before: dict[str, np.ndarray] = {}
        self._at_alpha: dict[str, tuple[float, np.ndarray]] = {}  # of the alpha asked for last, with no proxy moved
        self._last: dict[str, tuple[Asked, Predictions]] = {}

    def vectors(self, asked: Asked) -> dict[int, np.ndarray]:
        """The proxies that were moved, as unit vectors."""
        images = self.saved.embeddings
        return {row: mean_direction(images[list(move.rows)], move.weights) for row, move in asked.moved.items()}

    def of_images(self, asked: Asked) -> Predictions:
        return self._predictions("images", self.saved.embeddings, self.own, asked)

    def of_probes(self, asked: Asked) -> Predictions | None:
        """The same of the training images that the run watched; none where it watched none."""
        probes = self.handles.probes
        return None if probes is None else self._predictions("probes", probes.embeddings, probes.own, asked)

    def forces(self, row: int, asked: Asked) -> Forces:
        """The forces on an image. Raises DataError where there are none."""
        from vptsp.analysis.proxy_forces import forces  # torch, without which a map is opened

        proxies = self.handles.as_trained(asked.alpha, self.vectors(asked))
        return forces(self.handles, self.saved.embeddings[row], int(self.own[row]), proxies)

    def _predictions(self, which: str, images: np.ndarray, own: np.ndarray, asked: Asked) -> Predictions:
        if which not in self._before:
            self._before[which] = nearest_proxies(images, self.handles.among_images())
        if which not in self._last or self._last[which][0] != asked:
            before, alpha = self._before[which], self.handles.alpha if asked.alpha is None else asked.alpha
            now = self._at(which, images, alpha)
            if asked.moved:
                now = nearest_after(images, self.handles.among_images(alpha), now, self.vectors(asked))
            self._last[which] = asked, Predictions(before, now, own)
        return self._last[which][1]

    def _at(self, which: str, images: np.ndarray, alpha: float) -> np.ndarray:
        if alpha == self.handles.alpha:
            return self._before[which]
        if which not in self._at_alpha or self._at_alpha[which][0] != alpha:
            self._at_alpha[which] = alpha, nearest_proxies(images, self.handles.among_images(alpha))
        return self._at_alpha[which][1]
