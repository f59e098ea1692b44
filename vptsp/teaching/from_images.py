"""Session 4: semantic proxies, their fusion, and a run of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vptsp.core.proxies.fusion import fuse
from vptsp.core.proxies.groups import ClassGroups
from vptsp.core.proxies.moving_average import MovingAverage
from vptsp.errors import UsageError
from vptsp.runs.run import Run
from vptsp.teaching.exercise import Exercise, Trial
from vptsp.training.baselines import compared


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def _average(rng: np.random.Generator) -> Iterator[Trial]:
    for keep in (0.9, 0.3):
        state, labels = _unit(rng.normal(size=(4, 3))), np.array([2, 0, 2, 3, 0, 2])  # class 1 is not in the batch
        features = _unit(rng.normal(size=(6, 3)))
        groups = ClassGroups.of(torch.from_numpy(labels))
        _, stored = MovingAverage(keep)(torch.from_numpy(state)[groups.classes], torch.from_numpy(features), groups)
        right = state.copy()
        right[groups.classes.numpy()] = _unit(stored.numpy())
        yield (state, features, labels, keep), right


def _fused(rng: np.random.Generator) -> Iterator[Trial]:
    for alpha in (0.0, 0.4, 1.0):
        learned, semantic = 3 * rng.normal(size=(4, 3)), _unit(rng.normal(size=(4, 3)))
        right = fuse(torch.from_numpy(learned), torch.from_numpy(semantic), alpha)
        yield (learned, semantic, alpha), _unit(right.numpy())


def _share(rng: np.random.Generator) -> Iterator[Trial]:
    for alpha, length in ((0.5, 1.0), (0.5, 3.0), (float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.2, 9)))):
        learned, semantic = length * np.array([1.0, 0.0]), np.array([0.0, 1.0])  # at right angles: parts are seen apart
        fused = fuse(torch.from_numpy(learned)[None], torch.from_numpy(semantic)[None], alpha)[0].numpy()
        yield (alpha, length), fused[0] / fused.sum()


def _beats_frozen(answer: Any) -> str:
    """Whether a run found more than its frozen backbone."""
    try:
        run = answer if isinstance(answer, Run) else Run.open(Path(str(answer)))
        own, *others = compared(run)
    except UsageError as error:
        return f"It cannot be read as a finished run: {error}"
    frozen = next((each for each in others if each.result.method == "frozen"), None)
    if frozen is None:
        return "It has no frozen baseline; train one: vptsp.training.baselines.train_baselines(run)."
    best, least = own.test["recall_at_1"], frozen.test["recall_at_1"]
    if best > least:
        return ""
    return (
        f"Its R@1 is {100 * best:.1f} %, that of the frozen backbone {100 * least:.1f} %; train longer, or otherwise."
    )


EXERCISES = {
    "moving_average": Exercise(
        session=4,
        question="write moving_average(state, features, labels, keep): the container (C, E) after a batch, by eq. 3 of "
        "VPTSP: norm(keep G + (1 - keep) mean of the class's features); classes not in the batch stay.",
        hint="Mean first, then mix, then length 1; and only rows of classes that are in labels.",
        trials=_average,
        names=("state", "features", "labels", "keep"),
    ),
    "fused": Exercise(
        session=4,
        question="write fused(learned, semantic, alpha): the directions (C, E), of length 1, of q = alpha O + "
        "(1 - alpha) G.",
        hint="O is not normalised before it is mixed.",
        trials=_fused,
        names=("learned", "semantic", "alpha"),
    ),
    "share": Exercise(
        session=4,
        question="G has length 1 and O the length given. write share(alpha, length): the real share of O in q.",
        hint="How much does each contribute to the sum? alpha = 0.5 and length 3 give 0.75.",
        trials=_share,
        names=("alpha", "length"),
    ),
    "own_run": Exercise(
        session=4,
        question="train a run with its baselines that finds more than the frozen backbone; the answer is the run.",
        hint="Notebook 01, or vptsp.train(preset='demo') and train_baselines; vptsp demo does both.",
        judge=_beats_frozen,
    ),
}
