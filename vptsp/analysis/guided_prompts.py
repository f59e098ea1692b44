"""Which guided prompt speaks for which classes (DA-VPT, arXiv 2505.23694), and how that changes over a run's epochs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from vptsp.errors import RunError
from vptsp.runs.run import Run
from vptsp.runs.snapshots import Snapshot, Snapshots


def guided_classes(run: Run | str | Path, epoch: int | None = None) -> pd.DataFrame:
    """The guided prompts of a run, a row each, after ``epoch`` epochs (none: the last that has a snapshot).

    - ``prompt``: its number, the same in every guided block; ``classes``: the names of those it speaks for in the next
      epoch; ``count`` of them;
    - ``nearest``: the prompt most similar to it, ``cosine`` their similarity, as the mean over the guided blocks.
      Prompts that come close to each other tell their classes apart no more. One prompt alone has none: -1 and NaN.

    Raises :class:`RunError` for a run without guided prompts.
    """
    snapshots = Snapshots(run)
    last = snapshots.epochs[-1] if snapshots.epochs else 0
    snapshot = snapshots[last if epoch is None else epoch]
    prompts, mapping = _guided(snapshot)
    units = prompts / np.maximum(np.linalg.norm(prompts, axis=-1, keepdims=True), 1e-12)
    cosines = (units @ units.transpose(0, 2, 1)).mean(axis=0)
    np.fill_diagonal(cosines, -np.inf)
    alone = len(cosines) == 1
    names = np.array(snapshot.index.class_names)
    return pd.DataFrame(
        {
            "prompt": np.arange(len(cosines)),
            "count": np.bincount(mapping, minlength=len(cosines)),
            "classes": [", ".join(names[mapping == prompt]) for prompt in range(len(cosines))],
            "nearest": -1 if alone else cosines.argmax(axis=1),
            "cosine": np.nan if alone else cosines.max(axis=1),
        }
    )


def mapping_history(run: Run | str | Path) -> pd.DataFrame:
    """How the mapping settles: for each ``epoch`` with a snapshot how many prompts speak for any class (``used``), and
    the share of classes that ``moved`` to another prompt since the one before (NaN in the first).

    Raises :class:`RunError` for a run without guided prompts.
    """
    rows, before = [], None
    for snapshot in Snapshots(run):
        _, mapping = _guided(snapshot)
        moved = np.nan if before is None else float((mapping != before).mean())
        rows.append({"epoch": snapshot.epoch, "used": len(np.unique(mapping)), "moved": moved})
        before = mapping
    return pd.DataFrame(rows, columns=["epoch", "used", "moved"])


def _guided(snapshot: Snapshot) -> tuple[np.ndarray, np.ndarray]:
    if snapshot.guided_prompts is None or snapshot.prompt_of_class is None:
        raise RunError(
            f"{snapshot.path} holds no guided prompts; choose a run of method=davpt, davpt_dml or davpt_vptsp"
        )
    return snapshot.guided_prompts, snapshot.prompt_of_class
