"""A run's proxies for the map of its embeddings."""

from __future__ import annotations

import numpy as np

from vptsp.files import read_json
from vptsp.runs.run import Run


def proxies_of(run: Run) -> tuple[dict[str, np.ndarray], list[str]]:
    """Proxies (C, E) by kind after the selected epoch, and their class names; empty for methods without proxies."""
    epochs = run.snapshots()
    if not epochs:
        return {}, []
    best = run.summary().get("best_val")
    epoch = best["epoch"] if best and best["epoch"] in epochs else epochs[-1]
    tensors = run.snapshot(epoch)
    kinds = ("learned", "semantic", "fused") if "semantic" in tensors else ("learned",)
    names = read_json(run.path / "snapshots" / "probes.json", "train the run again")["proxy_class_names"]
    return {kind: tensors[kind].numpy() for kind in kinds if kind in tensors}, names
