"""Pairs of images: which to look at, and what is known of one."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np
import torch

from vptsp.analysis.explain import attention, block_effects
from vptsp.evaluation.ranking import unit_rows
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.settings.build import ConfiguredModel
from vptsp_widgets.pictures import Pictures

_PAIRS_KEPT = 32
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


class Explained:
    """A pair of images as the model takes them, its attention, and its effects as far as they are computed."""

    def __init__(self, model: ConfiguredModel, sources: Pictures, ids: tuple[str, str]) -> None:
        self.lock = threading.Lock()
        device = next(model.parameters()).device
        inputs = torch.stack([sources.input(name, model.backbone) for name in ids]).to(device)
        self.pictures = [sources.jpeg(name) for name in ids]
        self.note = " ".join(dict.fromkeys(filter(None, map(sources.note, ids))))
        _, self.attention = attention(model, inputs)
        self.effects = np.empty((0, self.attention.prompts.shape[-1]), dtype=np.float32)
        self._blocks, self._rows = len(model.prompts()), block_effects(model, *inputs)

    @property
    def complete(self) -> bool:
        return len(self.effects) == self._blocks

    def advance(self) -> np.ndarray:
        """The effects with those of one more block."""
        row = next(self._rows)
        padding = np.full(self.effects.shape[1] - len(row), np.nan, dtype=np.float32)
        self.effects = np.concatenate([self.effects, [np.concatenate([row, padding])]])
        return self.effects


class ExplainedPairs:
    """What is known of the pairs looked at, the last 32."""

    def __init__(self, model: ConfiguredModel, sources: Pictures) -> None:
        self._model, self._sources = model, sources
        self._kept: OrderedDict[tuple[str, str], Explained] = OrderedDict()

    def of(self, query: str, neighbour: str) -> Explained:
        """Of the images of these ids."""
        pair = (query, neighbour)
        if pair not in self._kept:
            self._kept[pair] = Explained(self._model, self._sources, pair)
            while len(self._kept) > _PAIRS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(pair)
        return self._kept[pair]
