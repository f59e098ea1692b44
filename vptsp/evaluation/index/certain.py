"""The nearest of candidates that a database names by its own arithmetic, by exact cosines, until they are certain.

Dimensions: E embedding size, k neighbours, m candidates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from vptsp.evaluation.index.scan import scores

_SPARE = 4  # candidates beyond k: where the next one is clearly less similar, the k are certain


@dataclass(frozen=True)
class Candidates:
    """Ids, rows (the order in which they were added) and vectors of images, and the database's least cosine of them."""

    ids: list[str]
    rows: Int64[np.ndarray, " m"]
    vectors: Float32[np.ndarray, "m E"]
    least: float


def nearest(
    query: Float32[np.ndarray, " E"],
    k: int,
    own: str | None,
    there: int,
    ask: Callable[[int], Candidates],
    *,
    exact: bool,
) -> tuple[list[str], Float32[np.ndarray, " m"]]:
    """Ids and cosines of the k nearest, equal ones by row; ``own`` is not among them.

    ``ask`` names as many as it is asked for of ``there`` images. Where the answer is to be exact, it is asked for twice
    as many until nobody beyond them can be as near as the k-th.
    """
    wanted, margin = k + _SPARE + 1, 2 * len(query) ** 0.5 * 2.0**-22  # of the database's own fp32 products
    while True:
        found = ask(max(1, min(wanted, there)))
        cosines, names = scores(query, found.vectors), np.array(found.ids, dtype=object)
        others = np.flatnonzero(names != own) if own is not None else np.arange(len(names))
        order = others[np.lexsort((found.rows[others], -cosines[others]))][:k]
        certain = len(order) == k and cosines[order[-1]] > found.least + margin
        if not exact or certain or len(names) < wanted or wanted >= there:
            return [str(name) for name in names[order]], cosines[order]
        wanted *= 2
