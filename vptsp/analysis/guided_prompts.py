"""Which guided prompt speaks for which classes (DA-VPT, arXiv 2505.23694), and how that changes over a run's epochs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vptsp.errors import RunError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.origins import origin_of
from vptsp.runs.run import Run
from vptsp.runs.snapshots import Snapshot, Snapshots
from vptsp.settings.methods import METHODS
from vptsp.text import plain

PROMPT = "guided prompt"  # the column of a map


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


@dataclass(frozen=True)
class Speakers:
    """Who speaks for whom after an epoch: ``blocks`` are those of the guided prompts, from 1, ``classes`` the names of
    the classes of each prompt, the same in every guided block, and ``of_class`` (C,) the prompt of each training class.
    """

    blocks: tuple[int, ...]
    classes: tuple[tuple[str, ...], ...]
    of_class: dict[str, int]

    def words(self, most: int = 3) -> list[str]:
        """For each prompt the names of some of its classes, and how many more there are: ``a, b, c and 7 more``."""
        found = []
        for names in self.classes:
            some = ", ".join(plain(name, 40) for name in names[:most])
            found.append(f"{some} and {len(names) - most} more" if len(names) > most else some or "no class")
        return found


def speakers(run: Run | str | Path, saved: SavedEmbeddings | None = None) -> Speakers | None:
    """Which guided prompts speak for which classes, at the epoch that ``saved`` embeddings are from (none: those of the
    test images). None for runs without guided prompts, and where that epoch has no snapshot."""
    run = Run.of(run)
    snapshots = Snapshots(run)
    if not METHODS[run.config.method].guided or not len(snapshots):
        return None
    epoch = origin_of(run, saved or SavedEmbeddings.of_run(run, "test")).epoch
    if epoch not in snapshots.epochs:
        return None
    prompts, mapping = _guided(snapshots[epoch])
    names = snapshots.index.class_names
    if run.config.guided_blocks:
        first, last = run.config.guided_blocks
    else:
        first, last = -len(prompts), -1  # the last ones, of a depth that the settings do not say
    return Speakers(
        tuple(range(first, last + 1)),
        tuple(tuple(np.array(names)[mapping == prompt].tolist()) for prompt in range(prompts.shape[1])),
        dict(zip(names, mapping.tolist(), strict=True)),
    )


def prompt_column(run: Run | str | Path, saved: SavedEmbeddings) -> pd.DataFrame | None:
    """The guided prompt of each image's class, by image id, as a column to colour a map by: ``prompt 3`` from 1.

    None where no class of the images was trained on, as in a test of unseen classes, or where :func:`speakers` is.
    """
    found = speakers(run, saved)
    if found is None or not set(saved.names) & set(found.of_class):
        return None
    words = [f"prompt {number + 1}" for number in range(len(found.classes))]
    values = [words[found.of_class[name]] if name in found.of_class else None for name in saved.names]
    return pd.DataFrame({PROMPT: pd.Categorical(values, words)}, index=pd.Index(saved.ids))


def _guided(snapshot: Snapshot) -> tuple[np.ndarray, np.ndarray]:
    if snapshot.guided_prompts is None or snapshot.prompt_of_class is None:
        raise RunError(
            f"{snapshot.path} holds no guided prompts; choose a run of method=davpt, davpt_dml or davpt_vptsp"
        )
    return snapshot.guided_prompts, snapshot.prompt_of_class
