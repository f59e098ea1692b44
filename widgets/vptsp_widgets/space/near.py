"""What a query finds: the gallery images nearest to one image, for the lines that lead to them on the map."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32

from vptsp.evaluation.search import search, unit_rows
from vptsp.runs.embeddings import SavedEmbeddings

NEIGHBOURS = 10
MOST_TABLED = 5000  # images whose neighbours a page without a kernel holds


class Near:
    """The ``NEIGHBOURS`` nearest gallery images of any of N images, by cosine similarity, the image itself left out."""

    def __init__(self, saved: SavedEmbeddings) -> None:
        self._saved = saved

    @cached_property
    def _unit(self) -> Float32[np.ndarray, "N E"]:
        return unit_rows(self._saved.embeddings).numpy()

    def of(self, row: int) -> dict[str, Any]:
        """``row``, ``rows`` of its neighbours, the nearest first, and ``right``: whether each is of its class.

        ``right`` is empty where nobody knows any class.
        """
        similar = self._unit @ self._unit[row]
        if self._saved.is_gallery is not None:
            similar[~self._saved.is_gallery] = -np.inf
        similar[row] = -np.inf
        near = np.argsort(-similar, kind="stable")[:NEIGHBOURS]
        near = near[np.isfinite(similar[near])]
        right = self._saved.labels[near] == self._saved.labels[row] if self._saved.has_classes else np.empty(0, bool)
        return {"row": row, "rows": near.tolist(), "right": right.tolist()}

    def table(self) -> Int32[np.ndarray, "N k"] | None:
        """The neighbours of all images, -1 where there are no more; none for too many images."""
        if len(self._saved) > MOST_TABLED:
            return None
        gallery = self._saved.is_gallery
        most = min(NEIGHBOURS, len(self._saved) if gallery is None else int(gallery.sum()))
        found = search(self._saved.embeddings, self._saved.labels, None, gallery, k=most)
        return found.neighbor_positions.astype("<i4")
