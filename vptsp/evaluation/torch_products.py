"""Products of queries and gallery by torch, for :mod:`vptsp.evaluation.ranking` on a CUDA device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


class TorchProducts:
    """:class:`vptsp.evaluation.ranking.Products` on ``device``, whatever precision training has set."""

    def __init__(self, queries: np.ndarray, gallery: np.ndarray, device: torch.device | str) -> None:
        self._device, self.shape = torch.device(device), gallery.shape
        self._queries, self._gallery = (torch.from_numpy(rows).to(self._device) for rows in (queries, gallery))

    def nearest(self, first: int, last: int, m: int) -> tuple[np.ndarray, np.ndarray]:
        with self._full_precision():
            similarities, columns = (self._queries[first:last] @ self._gallery.T).topk(min(m, len(self._gallery)))
        missing = (0, m - columns.shape[1])
        pad = torch.nn.functional.pad
        return _array(pad(similarities, missing, value=-torch.inf)), _array(pad(columns, missing, value=-1))

    def pairs(self, queries: np.ndarray, columns: np.ndarray) -> np.ndarray:
        chosen = self._queries[self._index(queries)].double() * self._gallery[self._index(columns)].double()
        return _array(chosen.sum(dim=1).float())

    def rows(self, queries: np.ndarray) -> np.ndarray:
        with self._full_precision():
            return _array((self._queries[self._index(queries)].double() @ self._gallery.double().T).float())

    def _index(self, rows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(rows).to(self._device)

    @contextmanager
    def _full_precision(self) -> Iterator[None]:
        """No TF32 and no autocast inside."""
        matmul = torch.backends.cuda.matmul
        before = matmul.fp32_precision
        matmul.fp32_precision = "ieee"
        try:
            with torch.no_grad(), torch.autocast(self._device.type, enabled=False):
                yield
        finally:
            matmul.fp32_precision = before


def _array(tensor: torch.Tensor) -> np.ndarray:
    return np.asarray(tensor.cpu().numpy())
