"""A run's proxies for the map of its embeddings."""

from __future__ import annotations

import numpy as np

from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.origins import origin_of
from vptsp.runs.proxies import among, are_trained
from vptsp.runs.run import Run
from vptsp.runs.snapshots import Snapshots


def proxies_of(run: Run, saved: SavedEmbeddings | None = None) -> tuple[dict[str, np.ndarray], list[str]]:
    """Proxies (C, E) by kind, of the epoch that a run's stored embeddings are from, and their class names.

    ``saved`` are those embeddings if they are open already; none: of the test images. Empty for methods without
    proxies, of the untrained model, whose proxies are random, and where that epoch has no snapshot any more: those of
    another epoch would lie elsewhere.
    """
    snapshots = Snapshots(run)
    if not len(snapshots):
        return {}, []
    saved = saved or SavedEmbeddings.of_run(run, "test")
    epoch = origin_of(run, saved).epoch
    if epoch not in snapshots.epochs or not are_trained(run, epoch):
        return {}, []
    snapshot = among(run, saved, snapshots[epoch])
    return snapshot.proxies, list(snapshot.index.class_names)
