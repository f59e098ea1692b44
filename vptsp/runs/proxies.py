"""The proxies that belong to a run's stored embeddings, in the space of these."""

from __future__ import annotations

from dataclasses import replace

from vptsp.errors import RunError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.origins import origin_of
from vptsp.runs.run import Run
from vptsp.runs.snapshots import Snapshot, Snapshots
from vptsp.runs.whitening import Whitening


def are_trained(run: Run, epoch: int) -> bool:
    """Whether the proxies of an epoch say anything of its images.

    Before training only where they began at class means, and where the model that embedded the images is that start.
    """
    return epoch > 0 or (run.config.proxy_init == "class_means" and run.config.selects_own_start)


def proxies_beside(run: Run, saved: SavedEmbeddings) -> Snapshot:
    """The snapshot of the epoch that a run's stored embeddings are from, with its proxies where these lie.

    Raises RunError as :func:`snapshot_beside` does.
    """
    return among(run, saved, snapshot_beside(run, saved))


def snapshot_beside(run: Run, saved: SavedEmbeddings) -> Snapshot:
    """The snapshot, as training wrote it, of the epoch that stored embeddings are from; it has ``learned`` proxies.

    That epoch is the selected one or, after ``vptsp evaluate RUN --checkpoint last``, the last
    (:mod:`vptsp.runs.origins`). Raises RunError for a run without snapshots, without proxies, or with random ones.
    """
    snapshots = Snapshots(run)
    if not len(snapshots):
        raise RunError(f"{run.path} has no snapshots, so its proxies are not known; only methods that train keep them")
    epoch = origin_of(run, saved).epoch
    if not are_trained(run, epoch):
        raise RunError(
            f"the images of {run.path} are embedded by the untrained model (no epoch was better on held-out classes), "
            "and its proxies are random directions. To see those of the last epoch: "
            f"vptsp evaluate {run.path} --checkpoint last"
        )
    snapshot = snapshots[epoch]
    if snapshot.learned is None:
        raise RunError(
            f"{run.path} was trained without proxies (method {run.config.method}, loss {run.config.loss}); "
            "choose a run of a method with proxies, such as vptsp_g"
        )
    return snapshot


def among(run: Run, saved: SavedEmbeddings, snapshot: Snapshot) -> Snapshot:
    """The snapshot with its proxies where stored embeddings of its epoch lie: those of a whitened model went through
    one map more than training knew (:mod:`vptsp.runs.whitening`)."""
    whitening = Whitening.beside(run, saved)
    if whitening is None:
        return snapshot
    parts = (snapshot.learned, snapshot.semantic, snapshot.fused)
    learned, semantic, fused = (None if rows is None else whitening.apply(rows) for rows in parts)
    return replace(snapshot, learned=learned, semantic=semantic, fused=fused)
