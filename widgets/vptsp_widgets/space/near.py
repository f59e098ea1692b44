"""What a query finds: the gallery images nearest to one image, for the lines that lead to them on the map."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32, Int64

from vptsp.evaluation.gallery_index import GalleryIndex
from vptsp.evaluation.ranking import search, unit_rows
from vptsp.runs.embeddings import SavedEmbeddings

NEIGHBOURS = 10
MOST_TABLED = 5000  # images whose neighbours a page without a kernel holds


class Near:
    """The ``NEIGHBOURS`` nearest gallery images of any of N images, by cosine similarity, the image itself left out."""

    def __init__(self, saved: SavedEmbeddings) -> None:
        self._saved = saved

    @cached_property
    def _unit(self) -> Float32[np.ndarray, "N E"]:
        return unit_rows(self._saved.embeddings)

    @cached_property
    def _rows(self) -> Int64[np.ndarray, " G"]:
        gallery = self._saved.is_gallery
        return np.arange(len(self._saved)) if gallery is None else np.flatnonzero(gallery)

    @cached_property
    def _index(self) -> GalleryIndex:
        return GalleryIndex.build(self._unit[self._rows], [self._saved.ids[row] for row in self._rows])

    def of(self, row: int) -> dict[str, Any]:
        """``row``, ``rows`` of its neighbours, the nearest first, and ``right``: whether each is of its class.

        They are those that the gallery answers with. ``right`` is empty where nobody knows any class; ``relevant`` is
        how many images of its class there are to find.
        """
        found, _ = self._index.search(self._unit[row][None], NEIGHBOURS, [self._saved.ids[row]])
        near = self._rows[found[0][found[0] >= 0]]
        right = self._saved.labels[near] == self._saved.labels[row] if self._saved.has_classes else np.empty(0, bool)
        same = self._rows[self._saved.labels[self._rows] == self._saved.labels[row]]
        relevant = int((same != row).sum())
        return {"row": row, "rows": near.tolist(), "right": right.tolist(), "relevant": relevant}

    def table(self, most_images: int = MOST_TABLED) -> Int32[np.ndarray, "N k"] | None:
        """The neighbours of all images, -1 where there are no more; none for too many images."""
        if len(self._saved) > most_images:
            return None
        most = min(NEIGHBOURS, len(self._rows))
        found = search(self._saved.embeddings, self._saved.labels, None, self._saved.is_gallery, k=most)
        return found.neighbor_positions.astype("<i4")
