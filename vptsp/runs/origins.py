"""Which epoch's model a run's stored embeddings are from: asked here, and nowhere else.

Images, proxies and models are comparable within one epoch only. What a run keeps under ``embeddings/`` is the selected
epoch's when it ends, and another's after ``vptsp evaluate RUN --checkpoint last``; so ``index.json`` says which.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from vptsp.errors import RunError
from vptsp.runs.embeddings import Origin, SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.runs.snapshots import Snapshots


def is_of_run(saved: SavedEmbeddings, run: Run) -> bool:
    """Whether these are embeddings that the run itself keeps, rather than of a folder that its model embedded."""
    return saved.folder.resolve().parent == (run.path / "embeddings").resolve()


def origin_of(run: Run, saved: SavedEmbeddings) -> Origin:
    """The checkpoint and the epoch that a run's stored embeddings are from."""
    return saved.origin or _by_agreement(run, saved)


def _by_agreement(run: Run, saved: SavedEmbeddings) -> Origin:
    """For runs written before embeddings said it: the epoch, selected or last, whose probe images lie where the
    embeddings put them; the selected one where there are no probe images to tell by.
    """
    snapshots, split = Snapshots(run), saved.folder.name
    last = Origin("last", snapshots.epochs[-1] if len(snapshots) else len(run.metrics()))
    candidates = [last]
    with suppress(RunError):
        best = run.summary().get("best_val")
        if best and (best["epoch"] in snapshots.epochs[:-1] or not len(snapshots)):
            candidates = [Origin("best_val", best["epoch"]), last]
    if len(candidates) == 1 or not len(snapshots):
        return candidates[0]
    place = {name: row for row, name in enumerate(saved.ids)}
    probes = snapshots.index.probes.get(split)
    both = [(place[name], row) for row, name in enumerate(probes.ids) if name in place] if probes else []

    def agreement(origin: Origin) -> float:
        embeddings = snapshots[origin.epoch].embeddings.get(split)
        if not both or embeddings is None:
            return 0.0
        own, other = np.array(both).T
        return float((saved.embeddings[own] * embeddings[other]).sum(axis=1).mean())

    return max(candidates, key=agreement)
