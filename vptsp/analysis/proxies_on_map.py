"""A run's proxies for the map of its embeddings."""

from __future__ import annotations

import numpy as np

from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.origins import origin_of
from vptsp.runs.proxies import among, are_trained
from vptsp.runs.run import Run
from vptsp.runs.snapshots import Snapshots
from vptsp.settings.methods import METHODS


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


def why_no_proxies(run: Run, saved: SavedEmbeddings) -> str:
    """Why :func:`proxies_of` has none for these embeddings of a run, in a line for whoever looks for them."""
    config, snapshots = run.config, Snapshots(run)
    if not METHODS[config.method].trains:
        return f"no proxies: method {config.method} trains nothing, so it has none"
    if not len(snapshots):
        return "no proxies: the run keeps no snapshots of them"
    epoch = origin_of(run, saved).epoch
    if not are_trained(run, epoch):
        return (
            "no proxies: the untrained model embedded these images, as no epoch was better on held-out classes, and "
            "its proxies are random"
        )
    if epoch not in snapshots.epochs:
        return f"no proxies: the images are of epoch {epoch}, of which the run keeps no snapshot"
    return "" if snapshots[epoch].proxies else "no proxies: the run was trained without any"
