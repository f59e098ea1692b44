"""Pairs of images, and what is known of one."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np
import torch

from vptsp.analysis.explain import attention, block_effects, prompted_blocks
from vptsp.settings.build import ConfiguredModel
from vptsp_widgets.pictures import Pictures

_PAIRS_KEPT = 32


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
        self._blocks, self._rows = prompted_blocks(model), block_effects(model, *inputs)

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
