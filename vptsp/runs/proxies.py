"""The proxies that belong to a run's stored embeddings."""

from __future__ import annotations

from vptsp.errors import RunError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.origins import origin_of
from vptsp.runs.run import Run
from vptsp.runs.snapshots import Snapshot, Snapshots


def proxies_beside(run: Run, saved: SavedEmbeddings) -> Snapshot:
    """The snapshot of the epoch that a run's stored embeddings are from; its ``learned`` proxies are there.

    That epoch is the selected one or, after ``vptsp evaluate RUN --checkpoint last``, the last
    (:mod:`vptsp.runs.origins`). Raises RunError for a run without snapshots or without proxies.
    """
    snapshots = Snapshots(run)
    if not len(snapshots):
        raise RunError(f"{run.path} has no snapshots, so its proxies are not known; only methods that train keep them")
    snapshot = snapshots[origin_of(run, saved).epoch]
    if snapshot.learned is None:
        raise RunError(
            f"{run.path} was trained without proxies (method {run.config.method}, loss {run.config.loss}); "
            "choose a run of a method with proxies, such as vptsp_g"
        )
    return snapshot
