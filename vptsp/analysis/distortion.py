"""How far a map lies about each image: trustworthiness and continuity, image by image.

Venna and Kaski, "Neighborhood preservation in nonlinear projection methods" (ICANN 2001). A map is *trustworthy* at an
image where those near it on the map are near it in truth; it is *continuous* there where those near it in truth are
near it on the map. Both are 1 where all of them are, less the farther the strangers are away by rank; the mean over all
images is the number usually given (scikit-learn's ``trustworthiness``, which does not tell single images).

In truth means by cosine, as retrieval sees it; on the map, by distance. Dimensions: N images, D of the map, E
embedding size, A images asked about, k neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64

from vptsp.errors import DataError
from vptsp.evaluation.ranking import unit_rows

NEIGHBOURS = 10
_CELLS_AT_ONCE = 2**22  # distances held at once


@dataclass(frozen=True)
class Distortion:
    """Of each image asked about, 0 to 1: ``trustworthiness``, ``continuity``, and ``kept``, the share of its k nearest
    in truth that are among the k nearest on the map."""

    rows: Int64[np.ndarray, " A"]
    trustworthiness: Float32[np.ndarray, " A"]
    continuity: Float32[np.ndarray, " A"]
    kept: Float32[np.ndarray, " A"]
    neighbours: int


def distortion(
    vectors: Float[np.ndarray, "N E"],
    points: Float[np.ndarray, "N D"],
    neighbours: int = NEIGHBOURS,
    rows: Int64[np.ndarray, " A"] | None = None,
) -> Distortion:
    """Of all images, or of those at ``rows``, among all images.

    ``neighbours`` is cut down to what the formula allows, (2N - 2) / 3. It takes time with A times N. Raises DataError
    for fewer than four images and for vectors that are not finite; images without a place on the map are to be left out
    before.
    """
    count = len(vectors)
    if count < 4:
        raise DataError(f"{count} images have no neighbourhoods to be distorted; it takes 4 or more")
    if len(points) != count or not np.isfinite(points).all():
        raise DataError(
            f"{count} vectors but {len(points)} places, or some hold NaN or infinity; give one for each image"
        )
    k = max(1, min(neighbours, (2 * count - 2) // 3 - 1))
    true, flat = unit_rows(vectors), np.asarray(points, dtype=np.float64)
    asked = np.arange(count) if rows is None else rows
    scores = np.empty((3, len(asked)), dtype=np.float32)
    step = max(1, _CELLS_AT_ONCE // count)
    for start in range(0, len(asked), step):
        part = asked[start : start + step]
        far = -(true[part].astype(np.float64) @ true.T.astype(np.float64))
        away = np.square(flat[part, None] - flat[None]).sum(axis=2)
        scores[:, start : start + step] = _scores(_ranks_ready(far, part), _ranks_ready(away, part), k)
    return Distortion(asked, scores[0], scores[1], scores[2], k)


def _ranks_ready(distances: Float64[np.ndarray, "A N"], own: Int64[np.ndarray, " A"]) -> Float64[np.ndarray, "A N"]:
    """The image itself comes before all others."""
    distances[np.arange(len(own)), own] = -np.inf
    return distances


def _scores(far: Float64[np.ndarray, "A N"], away: Float64[np.ndarray, "A N"], k: int) -> Float64[np.ndarray, "3 A"]:
    count = far.shape[1]
    in_truth, on_map = _nearest(far, k), _nearest(away, k)
    worst = k * (2 * count - 3 * k - 1) / 2  # what the sum of ranks beyond k comes to at most
    trust = 1 - _beyond(far, on_map, k) / worst
    continuity = 1 - _beyond(away, in_truth, k) / worst
    both: Bool[np.ndarray, "A k"] = (in_truth[:, :, None] == on_map[:, None, :]).any(axis=2)
    return np.stack([trust, continuity, both.mean(axis=1)])


def _nearest(distances: Float64[np.ndarray, "A N"], k: int) -> Int64[np.ndarray, "A k"]:
    """The k nearest of each, in no order, without the image itself, which is the nearest of all."""
    found = np.argpartition(distances, k, axis=1)[:, : k + 1]
    place = np.take_along_axis(distances, found, axis=1)
    return np.take_along_axis(found, np.argsort(place, axis=1, kind="stable"), axis=1)[:, 1:]


def _beyond(
    distances: Float64[np.ndarray, "A N"], neighbours: Int64[np.ndarray, "A k"], k: int
) -> Float64[np.ndarray, " A"]:
    """By how many ranks the neighbours lie beyond k, all together; a rank counts those that are nearer."""
    total = np.zeros(len(distances))
    for place in range(neighbours.shape[1]):
        own = np.take_along_axis(distances, neighbours[:, place : place + 1], axis=1)
        total += np.maximum((distances < own).sum(axis=1) - k, 0)
    return total
