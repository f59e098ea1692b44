"""The proxies that belong to a run's stored embeddings."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import torch

from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.errors import RunError
from vptsp.files import read_json
from vptsp.runs.run import Run


def proxies_beside(run: Run, saved: SavedEmbeddings) -> tuple[int, dict[str, torch.Tensor], list[str]]:
    """Epoch, snapshot and class names of the proxies that belong to a run's stored train embeddings.

    Those may be of the selected epoch or, after ``vptsp evaluate --which last``, of the last: it is the snapshot whose
    probe images lie where the embeddings put them. Raises RunError for a run without snapshots or without proxies.
    """
    epochs = run.snapshots()
    if not epochs:
        raise RunError(f"{run.path} has no snapshots, so its proxies are not known; only methods that train keep them")
    candidates = [epochs[-1]]
    with suppress(RunError):
        best = run.summary().get("best_val") or {}
        candidates = [*(epoch for epoch in (best.get("epoch"),) if epoch in epochs[:-1]), epochs[-1]]
    index = read_json(run.path / "snapshots" / "probes.json", "train the run again")
    place = {name: row for row, name in enumerate(saved.ids)}
    probes = [(place[name], row) for row, name in enumerate(index["train"]["ids"]) if name in place]

    def agreement(epoch: int) -> float:
        tensors = run.snapshot(epoch)
        if not probes or "probe_train" not in tensors:
            return 0.0
        own, other = np.array(probes).T
        return float((saved.embeddings[own] * tensors["probe_train"].numpy()[other]).sum(axis=1).mean())

    epoch = max(candidates, key=agreement) if len(candidates) > 1 else candidates[0]
    tensors = run.snapshot(epoch)
    if "learned" not in tensors:
        raise RunError(f"{run.path} was trained without proxies (method {run.config.method}, loss {run.config.loss}); "
                       "choose a run of a method with proxies, such as vptsp_g")  # fmt: skip
    return epoch, tensors, list(index["proxy_class_names"])
