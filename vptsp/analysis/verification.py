"""Verification: are two images of one class? Answered by a threshold of their cosine, and how good that is.

Pairs of the same class are *genuine*, others are *impostors*, as biometrics calls them. A pair is accepted if its
cosine is at least the threshold. What is true of all thresholds is computed from counts of pairs in narrow bins of
cosines, so that memory does not grow with the pairs: rates are exact where a threshold is the edge of a bin, and what
lies between two edges comes with the most it can be off.

Terms: ISO/IEC 19795-1 calls the rates of comparisons false match and false non-match rate; face verification says true
and false accept rate, as here. TAR is recall, and the true positive rate of the ROC; FAR is its false positive rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from vptsp.analysis.image_pairs import BINS, MOST_PAIRS, ImagePairs
from vptsp.errors import DataError


@dataclass(frozen=True)
class AtThreshold:
    """Rates at a threshold, 0 to 1, and the counts they are of."""

    threshold: float
    accepted_genuine: int
    genuine: int
    accepted_impostors: int
    impostors: int

    @property
    def true_accept_rate(self) -> float:
        """Accepted among the pairs of the same class: TAR, recall."""
        return self.accepted_genuine / self.genuine

    @property
    def false_reject_rate(self) -> float:
        """Rejected among the pairs of the same class: FRR."""
        return (self.genuine - self.accepted_genuine) / self.genuine

    @property
    def false_accept_rate(self) -> float:
        """Accepted among the other pairs: FAR."""
        return self.accepted_impostors / self.impostors

    @property
    def precision(self) -> float | None:
        """Of the same class among the accepted pairs, as often as they are here; none where none is accepted."""
        accepted = self.accepted_genuine + self.accepted_impostors
        return self.accepted_genuine / accepted if accepted else None

    @property
    def accuracy(self) -> float:
        """Right answers if both kinds of pairs were equally frequent."""
        return (self.true_accept_rate + 1 - self.false_accept_rate) / 2


@dataclass(frozen=True)
class EqualError:
    """Where as many impostors are accepted as genuine pairs are rejected, by rate.

    Interpolated between two edges: the threshold is off by less than a bin, the rate by ``error`` at most.
    """

    rate: float
    threshold: float
    error: float


@dataclass(frozen=True)
class Verification:
    """How many genuine and impostor pairs have a cosine in each of B bins from -1 to 1.

    The pairs are those of ``queries`` images, drawn from ``of_queries``, with the gallery.
    """

    genuine: Int64[np.ndarray, " B"]
    impostors: Int64[np.ndarray, " B"]
    queries: int
    of_queries: int

    @property
    def bins(self) -> int:
        return len(self.genuine)

    @property
    def width(self) -> float:
        """Of a bin, in cosine."""
        return 2 / self.bins

    @cached_property
    def edges(self) -> Float64[np.ndarray, " B1"]:
        """The B + 1 thresholds at which rates are exact, from -1, which accepts all, to 1, which accepts none."""
        return -1 + 2 * np.arange(self.bins + 1) / self.bins

    def edge(self, threshold: float) -> int:
        """The number of the edge nearest to a threshold. Raises DataError for one that no cosine can have."""
        if not -1 <= threshold <= 1:
            raise DataError(f"a threshold of {threshold} is no cosine; give a number from -1 to 1")
        return round((threshold + 1) * self.bins / 2)

    def at(self, threshold: float) -> AtThreshold:
        """Rates at the edge nearest to a threshold."""
        return self.at_edge(self.edge(threshold))

    def at_edge(self, edge: int) -> AtThreshold:
        """Rates at an edge, by its number from 0 to B."""
        genuine, impostors = self._accepted
        return AtThreshold(
            float(self.edges[edge]), int(genuine[edge]), int(genuine[0]), int(impostors[edge]), int(impostors[0])
        )

    @cached_property
    def _accepted(self) -> Int64[np.ndarray, "2 B1"]:
        """Genuine and impostor pairs that each edge accepts."""
        both = np.zeros((2, self.bins + 1), dtype=np.int64)
        for row, counts in enumerate((self.genuine, self.impostors)):
            both[row, :-1] = counts[::-1].cumsum()[::-1]
        return both

    # --- over all thresholds --------------------------------------------------------------------------
    def roc(self) -> tuple[Float64[np.ndarray, " B1"], Float64[np.ndarray, " B1"], Float64[np.ndarray, " B1"]]:
        """False accept rates, true accept rates and thresholds, from the strictest to the one that accepts all."""
        genuine, impostors = self._accepted[:, ::-1]
        return impostors / impostors[-1], genuine / genuine[-1], self.edges[::-1]

    @cached_property
    def auc(self) -> float:
        """The area under the ROC: how often a genuine pair is more similar than an impostor, ties of a bin as half."""
        genuine, impostors = self._accepted
        pairs = float(genuine[0]) * float(impostors[0])
        above = genuine[1:] + self.genuine / 2
        return float((self.impostors * above).sum() / pairs)

    @property
    def auc_error(self) -> float:
        """How far the area of the cosines themselves may be from that of the bins."""
        genuine, impostors = self._accepted
        ties = (self.genuine.astype(float) * self.impostors).sum()
        return float(ties / 2 / (float(genuine[0]) * float(impostors[0])))

    @cached_property
    def equal_error(self) -> EqualError:
        """Equal error rate, between the last edge that accepts too many and the first that rejects too many.

        Where both rates are equal at several edges, as between classes that lie apart, in the middle of these.
        """
        genuine, impostors = self._accepted
        far, frr = impostors / impostors[0], 1 - genuine / genuine[0]
        excess = impostors.astype(float) * genuine[0] - (genuine[0] - genuine).astype(float) * impostors[0]
        equal = np.flatnonzero(excess == 0)
        if len(equal):
            return EqualError(float(far[equal[0]]), float((self.edges[equal[0]] + self.edges[equal[-1]]) / 2), 0.0)
        left = int(np.flatnonzero(excess > 0)[-1])
        part = float(excess[left] / (excess[left] - excess[left + 1]))
        rate = float(far[left] + part * (far[left + 1] - far[left]))
        low, high = max(far[left + 1], frr[left]), min(far[left], frr[left + 1])
        return EqualError(rate, float(self.edges[left] + part * self.width), float(max(rate - low, high - rate)))

    def at_false_accept_rate(self, rate: float) -> AtThreshold | None:
        """Rates at the lowest edge that accepts no more impostors than this share: TAR at FAR.

        None where there are fewer than 1 / rate impostors: too few for a share so small.
        """
        _, impostors = self._accepted
        if rate <= 0 or impostors[0] * rate < 1 - 1e-9:
            return None
        return self.at_edge(int(np.flatnonzero(impostors <= impostors[0] * rate * (1 + 1e-12))[0]))


def verification(
    embeddings: Any,
    labels: Any,
    is_query: Any = None,
    is_gallery: Any = None,
    bins: int = BINS,
    most: int = MOST_PAIRS,
    seed: int = 0,
) -> Verification:
    """Count the pairs of embeddings (N, E) by cosine; arguments as of :class:`~vptsp.analysis.image_pairs.ImagePairs`.

    Raises DataError where there is nothing to tell apart: no two images of one class, or none of two classes.
    """
    return counted(ImagePairs(embeddings, labels, is_query, is_gallery, most, seed), bins)


def counted(pairs: ImagePairs, bins: int = BINS) -> Verification:
    """The same of pairs that are there already."""
    genuine, impostors = pairs.counts(bins)
    images = len(pairs.labels)
    if not genuine.any():
        raise DataError(
            f"no pair among {images} images is of one class; verification takes classes of two or more images"
        )
    if not impostors.any():
        raise DataError(f"all pairs among {images} images are of one class; verification takes two or more classes")
    return Verification(genuine, impostors, len(pairs.queries), len(pairs.all_queries))
