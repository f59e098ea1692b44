"""One image for each class: the one nearest to the mean of its class."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int64

from vptsp.errors import DataError
from vptsp.evaluation.ranking import unit_rows


def representatives(
    embeddings: Float[np.ndarray, "N E"], labels: Int64[np.ndarray, " N"], classes: int
) -> Int64[np.ndarray, " C"]:
    """For each of C ``classes`` the row of its image with the largest cosine to the mean of its unit embeddings.

    Row -1 for a class without images; of equally near images the first counts. Raises DataError for lengths that
    differ and embeddings that are not finite.
    """
    if len(labels) != len(embeddings):
        raise DataError(f"{len(embeddings)} embeddings but {len(labels)} labels; give one label per image")
    rows = unit_rows(embeddings)
    found = np.full(classes, -1, dtype=np.int64)
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    for members in np.split(order, starts[1:]) if len(order) else ():
        own = rows[members]
        # the mean's length changes no order, and its direction is all that a cosine needs
        found[labels[members[0]]] = members[int((own @ own.mean(axis=0)).argmax())]
    return found
