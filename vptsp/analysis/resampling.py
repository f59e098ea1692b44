"""Intervals of means by bootstrap: whole classes are resampled where there are enough of them, else single queries.

Queries of one class are dependent: an odd class moves all of its queries at once. An interval over classes speaks of
other classes; one over queries speaks of other images of the same classes, and is the only one that a selection of few
classes has. Which of both it is stands beside every interval. Percentile intervals, 95 %.

Dimensions: M measures, S scored queries, C classes, R resamples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float64, Int64

Unit: TypeAlias = Literal["classes", "queries"]

FEWEST_CLASSES = 8  # with fewer, resampled classes say little, and some resamples would leave nothing
_DRAWN = 4096  # means of more queries are as good as normal, and are drawn as that


@dataclass(frozen=True)
class Interval:
    """A mean (or a difference of two) with the middle 95 % of its resamples."""

    value: float
    low: float
    high: float


def unit_of(labels: Int64[np.ndarray, " S"]) -> Unit:
    """What is resampled for queries of these classes."""
    return "classes" if len(np.unique(labels)) >= FEWEST_CLASSES else "queries"


def mean_intervals(
    values: Float64[np.ndarray, "M S"], labels: Int64[np.ndarray, " S"], resamples: int, seed: int
) -> list[Interval]:
    """The mean of each measure. ``labels`` are the classes of the queries; there is at least one query."""
    rng = np.random.default_rng(seed)
    if unit_of(labels) == "classes":
        sums, counts = _by_class(values, labels, np.ones(len(labels), dtype=bool))
        weights = _weights(len(counts), resamples, rng)
        drawn = (weights @ sums.T) / (weights @ counts)[:, None]
    else:
        drawn = _means_of_queries(values, resamples, rng)
    return _intervals(values.mean(axis=1), drawn)


def difference_intervals(
    values: Float64[np.ndarray, "M S"],
    labels: Int64[np.ndarray, " S"],
    here: Bool[np.ndarray, " S"],
    resamples: int,
    seed: int,
) -> list[Interval]:
    """The mean of the queries in ``here`` minus that of all others; there is at least one of either.

    Classes are resampled for both at once: one that has queries on both sides moves both.
    """
    rng = np.random.default_rng(seed)
    if unit_of(labels[here]) == "classes":
        ours, theirs = _by_class(values, labels, here), _by_class(values, labels, ~here)
        weights = _weights(len(ours[1]), resamples, rng)
        some = (weights @ ours[1] > 0) & (weights @ theirs[1] > 0)
        weights = weights[some]
        drawn = (weights @ ours[0].T) / (weights @ ours[1])[:, None]
        drawn -= (weights @ theirs[0].T) / (weights @ theirs[1])[:, None]
    else:
        drawn = _means_of_queries(values[:, here], resamples, rng)
        drawn -= _means_of_queries(values[:, ~here], resamples, rng)
    return _intervals(values[:, here].mean(axis=1) - values[:, ~here].mean(axis=1), drawn)


def _intervals(means: Float64[np.ndarray, " M"], drawn: Float64[np.ndarray, "R M"]) -> list[Interval]:
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    return [Interval(*map(float, numbers)) for numbers in zip(means, low, high, strict=True)]


def _weights(classes: int, resamples: int, rng: np.random.Generator) -> Float64[np.ndarray, "R C"]:
    """How often each class is in each resample."""
    return rng.multinomial(classes, [1 / classes] * classes, size=resamples).astype(np.float64)


def _by_class(
    values: Float64[np.ndarray, "M S"], labels: Int64[np.ndarray, " S"], taken: Bool[np.ndarray, " S"]
) -> tuple[Float64[np.ndarray, "M C"], Float64[np.ndarray, " C"]]:
    """Sums and numbers of the queries taken, for each class that any query has."""
    _, place = np.unique(labels, return_inverse=True)
    classes = int(place.max()) + 1
    sums = np.stack([np.bincount(place[taken], weights=row[taken], minlength=classes) for row in values])
    return sums, np.bincount(place[taken], minlength=classes).astype(np.float64)


def _means_of_queries(
    values: Float64[np.ndarray, "M S"], resamples: int, rng: np.random.Generator
) -> Float64[np.ndarray, "R M"]:
    count = values.shape[1]
    if count > _DRAWN:
        spread = values.std(axis=1) / count**0.5
        return values.mean(axis=1) + spread * rng.standard_normal((resamples, len(values)))
    return _weights(count, resamples, rng) @ values.T / count
