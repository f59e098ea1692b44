"""Do two kinds of distances between the same classes agree? Rank correlation, with a p-value by permutation.

Distances between C classes are not C(C-1)/2 independent numbers: each class takes part in C-1 of them. The null
hypothesis is therefore drawn by permuting the *classes* of one matrix, rows and columns alike, and never its cells
(N. Mantel, The detection of disease clustering and a generalized regression approach, Cancer Research 27, 1967).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations as arrangements

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64

from vptsp.errors import DataError

_LINEAGE = ("genus",)  # how a class came to be, not what it looks like
_EQUAL = 1e-12  # sums that differ by rounding only are the same


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's ``rho`` of two distances between ``classes`` classes.

    ``p_value`` is one-sided: the share of permutations of the classes, the given order among them, that agree at
    least as well. ``exact``: all of them were counted, and not ``permutations`` drawn at random.
    """

    rho: float
    p_value: float
    classes: int
    permutations: int
    exact: bool


def rank_correlation(first: Float[np.ndarray, "C C"], second: Float[np.ndarray, "C C"]) -> float:
    """Spearman's rho of the distances between different classes; equal distances share their mean rank.

    Raises DataError for matrices that are not both (C, C) with C of 3 or more, and for distances that are all equal.
    """
    one, other = _centred_ranks(first, second)
    return float((one * other).sum())


def mantel(
    first: Float[np.ndarray, "C C"], second: Float[np.ndarray, "C C"], permutations: int = 4999, seed: int = 0
) -> RankCorrelation:
    """:func:`rank_correlation` and how often chance does as well: all C! orders if there are no more than asked for."""
    one, other = _centred_ranks(first, second)
    classes = len(one)
    observed = float((one * other).sum())
    exact = math.factorial(classes) <= permutations
    orders: Iterator[np.ndarray] = (
        (np.array(order) for order in arrangements(range(classes)))
        if exact
        else _drawn(classes, permutations, np.random.default_rng(seed))
    )
    # a permutation moves the ranks along with the classes, so that ranking is done once
    reached = sum(float((one[order[:, None], order] * other).sum()) >= observed - _EQUAL for order in orders)
    counted = math.factorial(classes) if exact else permutations
    p_value = reached / counted if exact else (1 + reached) / (1 + counted)  # the given order is one of them
    return RankCorrelation(observed, p_value, classes, counted, exact)


def gower(table: pd.DataFrame) -> Float64[np.ndarray, "C C"]:
    """Gower's distance between the rows of a table (Biometrics 27, 1971), from 0, equal, to 1.

    The mean over the columns of ``|a - b| / (largest - smallest)`` for numbers, and of 0 or 1, equal or not,
    for anything else. Raises DataError for a table without columns or with missing values.
    """
    if not len(table.columns) or table.isna().to_numpy().any():
        raise DataError("attribute distances need a table of one or more columns without missing values")
    total = np.zeros((len(table), len(table)))
    for name in table.columns:
        column = table[name]
        if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
            values = column.to_numpy(dtype=np.float64)
            total += np.abs(values[:, None] - values) / (np.ptp(values) or 1.0)
        else:
            codes = pd.factorize(column)[0]
            total += codes[:, None] != codes
    return total / len(table.columns)


def visible(attributes: pd.DataFrame) -> pd.DataFrame:
    """The attributes of ``blossoms`` as an eye can tell them: no genus, and no second colour on a plain petal."""
    table = attributes.drop(columns=list(_LINEAGE), errors="ignore")
    if {"pattern", "second_colour"} <= set(table.columns):
        table["second_colour"] = table["second_colour"].where(table["pattern"] != "plain", "none")
    return table


def _centred_ranks(
    first: Float[np.ndarray, "C C"], second: Float[np.ndarray, "C C"]
) -> tuple[Float64[np.ndarray, "C C"], Float64[np.ndarray, "C C"]]:
    """Ranks of the distances above the diagonal, mirrored below it, scaled so that their product sums to rho."""
    if first.shape != second.shape or first.ndim != 2 or first.shape[0] != first.shape[1] or len(first) < 3:
        raise DataError(f"distances are {first.shape} and {second.shape}; both must be (C, C), of 3 classes or more")
    above = np.triu_indices(len(first), 1)
    made = []
    for distances in (first, second):
        ranks = pd.Series(np.asarray(distances, dtype=np.float64)[above]).rank().to_numpy(copy=True)  # mean of equals
        ranks -= ranks.mean()
        length = np.linalg.norm(ranks)
        if not length:
            raise DataError("the distances between the classes are all equal and cannot be ranked")
        matrix = np.zeros((len(first), len(first)))
        matrix[above] = ranks / length / math.sqrt(2)  # the mirrored half counts once more
        made.append(matrix + matrix.T)
    return made[0], made[1]


def _drawn(classes: int, number: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    return (rng.permutation(classes) for _ in range(number))
