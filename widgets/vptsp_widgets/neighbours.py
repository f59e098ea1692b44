"""Which images are near which, and one to begin with. Without torch: a workbench begins before its model is there."""

from __future__ import annotations

import numpy as np

from vptsp.evaluation.ranking import unit_rows
from vptsp.runs.embeddings import SavedEmbeddings

_TRIED = 256  # queries among which a mistake is looked for


class Neighbours:
    """Which images are near which, by their saved embeddings."""

    def __init__(self, saved: SavedEmbeddings) -> None:
        self._saved, self._vectors = saved, unit_rows(saved.embeddings)

    def ranked(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Gallery rows by similarity to an image, itself left out, and all similarities (N,)."""
        similarities = self._vectors @ self._vectors[row]
        order = np.argsort(-similarities, kind="stable")
        if self._saved.is_gallery is not None:
            order = order[self._saved.is_gallery[order]]
        return order[order != row], similarities

    def of_another_class(self, row: int) -> int:
        """The nearest image of another class; the nearest of all where there is only one class."""
        ranked, _ = self.ranked(row)
        others = ranked[self._saved.labels[ranked] != self._saved.labels[row]]
        return int((others if len(others) else ranked)[0])

    def mistake(self, rng: np.random.Generator) -> int:
        """A random query whose nearest image is of another class; any query if none of those tried is."""
        rows = np.arange(len(self._saved)) if self._saved.is_query is None else np.flatnonzero(self._saved.is_query)
        rows = rng.permutation(rows)[:_TRIED]
        similarities = self._vectors[rows] @ self._vectors.T
        similarities[np.arange(len(rows)), rows] = -np.inf
        if self._saved.is_gallery is not None:
            similarities[:, ~self._saved.is_gallery] = -np.inf
        wrong = self._saved.labels[similarities.argmax(axis=1)] != self._saved.labels[rows]
        return int(rows[wrong.argmax()])
