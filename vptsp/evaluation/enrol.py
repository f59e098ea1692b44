"""New classes from a few images, without training: the mean of their embeddings is the class's proxy.

So Snell et al. (NeurIPS 2017, eq. 1) make prototypes of classes that training never saw. An enrolled proxy is a unit
vector like any other: an index finds its images, and a gallery takes it among its ``proxies``.

Dimensions: n example images, E embedding size, C classes, Q queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from vptsp.errors import DataError
from vptsp.evaluation.ranking import Array, unit_rows


@dataclass(frozen=True)
class Enrolled:
    """Unit proxies (C, E) of the classes ``names``, and of how many images each is the mean."""

    names: list[str]
    proxies: Float32[np.ndarray, "C E"]
    examples: list[int]

    def with_(self, other: Enrolled) -> Enrolled:
        """The classes of both. Raises DataError where a name is in both, or their sizes differ."""
        twice = [name for name in self.names if name in other.names]
        if twice:
            raise DataError(
                f"{len(twice)} classes are enrolled already, the first is {twice[0]!r}; give it another name"
            )
        if self.proxies.shape[1] != other.proxies.shape[1]:
            raise DataError(
                f"the proxies have {self.proxies.shape[1]} and {other.proxies.shape[1]} numbers; enrol with one model"
            )
        proxies = np.concatenate([self.proxies, other.proxies])
        return Enrolled(self.names + other.names, proxies, self.examples + other.examples)

    def nearest(self, embeddings: Array) -> tuple[Int64[np.ndarray, " Q"], Float32[np.ndarray, " Q"]]:
        """The number of the class whose proxy is nearest to each embedding (Q, E), and its cosine."""
        queries = unit_rows(embeddings)
        if queries.shape[1] != self.proxies.shape[1]:
            raise DataError(f"the embeddings have {queries.shape[1]} numbers each, the proxies {self.proxies.shape[1]}")
        cosines = queries @ self.proxies.T
        best = cosines.argmax(axis=1)
        return best, cosines[np.arange(len(best)), best]


def enrol(embeddings: Array, classes: Sequence[str]) -> Enrolled:
    """Proxies of classes from embeddings (n, E) of their examples; ``classes`` names the class of each.

    A proxy is the mean of the unit embeddings, made unit. Raises DataError for embeddings that are not finite or have
    no class each, and for examples that cancel out.
    """
    unit = unit_rows(embeddings)
    if len(classes) != len(unit) or not len(unit):
        raise DataError(
            f"{len(unit)} embeddings but {len(classes)} classes; give one for each example, and some of them"
        )
    names = list(dict.fromkeys(map(str, classes)))
    place = {name: number for number, name in enumerate(names)}
    numbers = np.array([place[str(name)] for name in classes])
    sums = np.zeros((len(names), unit.shape[1]))
    np.add.at(sums, numbers, unit.astype(np.float64))
    lengths, counts = np.linalg.norm(sums, axis=1, keepdims=True), np.bincount(numbers)
    empty = np.flatnonzero(lengths[:, 0] < 1e-6 * counts)
    if len(empty):
        raise DataError(f"the examples of {names[empty[0]]!r} cancel out, so that their mean says nothing; give others")
    return Enrolled(names, (sums / lengths).astype(np.float32), counts.tolist())
