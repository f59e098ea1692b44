"""A few classes of a real run, flattened to the circle or the sphere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from vptsp.errors import DataError, RunError
from vptsp.runs.run import Run
from vptsp.runs.snapshots import Snapshots
from vptsp.text import plain
from vptsp_widgets.sandbox.state import MOST_CLASSES, MOST_SAMPLES, looking_from

_FEW = 4


def of_run(run: Run | str | Path, classes: Sequence[str | int] | None, dimension: int) -> dict[str, Any]:
    """Arguments of :class:`~vptsp_widgets.sandbox.ProxySandbox` for the last snapshot of a run."""
    if dimension not in (2, 3):
        raise DataError(f"dimension={plain(dimension)} is neither 2, the circle, nor 3, the sphere")
    run = Run.of(run)
    snapshots = Snapshots(run)
    if not len(snapshots):
        raise RunError(f"{run.path} has no snapshots yet; one is written after each epoch")
    last = snapshots[snapshots.epochs[-1]]
    whole = {kind: rows.astype(np.float64) for kind, rows in last.proxies.items()}
    if "learned" not in whole or "train" not in last.embeddings:
        raise RunError(f"{run.path} holds no proxies or no probe images of training classes; show a proxy method's run")
    labels, names = last.index.probes["train"].labels, list(last.index.class_names)
    chosen = _chosen(classes, names, np.bincount(labels, minlength=len(names)))
    rows = np.concatenate([np.flatnonzero(labels == row)[: MOST_SAMPLES // len(chosen)] for row in chosen])
    if not len(rows):
        raise DataError("none of these classes has a probe image in the run's snapshots; choose other classes")
    samples, learned = last.embeddings["train"][rows].astype(np.float64), whole["learned"][chosen]
    config, semantic, fused = run.config, None, learned
    if "semantic" in whole:
        semantic, fused = whole["semantic"][chosen], whole["fused"][chosen]
    axes = _main_axes(samples, dimension)
    agreement = spearmanr(_cosines(samples, fused), _cosines(samples @ axes, fused @ axes)).statistic
    # a class's O and G are stretched alike, so that the direction of q is that of the run, projected
    stretch = 1.0 if semantic is None else np.linalg.norm(semantic @ axes, axis=1, keepdims=True)
    flat = _unit(samples @ axes)
    note = (
        f"A projection of epoch {last.epoch}: {len(chosen)} of {len(names)} classes and their {len(rows)} "
        "probe images, on the main axes of these images (PCA) and then normalised, proxies with them. The order of "
        f"the cosines between images and proxies is kept with a rank correlation of {agreement:.2f}; loss and "
        "gradients are those of the picture, not of the run."
    )
    return {
        "samples": flat,
        "labels": np.array([chosen.index(label) for label in labels[rows]]),
        "proxies": learned @ axes / stretch,
        "semantic": None if semantic is None else semantic @ axes / stretch,
        "class_names": [names[row] for row in chosen],
        "loss": config.loss,
        "positive_mean": config.positive_mean,
        "scale": config.loss_scale,
        "margin": config.loss_margin,
        "alpha": last.alpha,
        "title": f"run {plain(run.name, 40)}",
        "turn": looking_from(*flat.mean(axis=0)) if dimension == 3 else None,
        "note": note,
    }


def _chosen(classes: Sequence[str | int] | None, names: list[str], images: np.ndarray) -> list[int]:
    if classes is None:
        return sorted(int(row) for row in np.argsort(-images, kind="stable")[:_FEW])
    found = []
    for one in classes:
        if isinstance(one, str) and one in names:
            found.append(names.index(one))
        elif isinstance(one, (int, np.integer)) and not isinstance(one, bool) and 0 <= one < len(names):
            found.append(int(one))
        else:
            raise DataError(
                f"{plain(one)!r} is not a training class of the run; give names such as {plain(names[0])!r}, "
                f"or numbers from 0 to {len(names) - 1}"
            )
    if not 2 <= len(set(found)) == len(found) <= MOST_CLASSES:
        raise DataError(f"{len(found)} classes given; give 2 to {MOST_CLASSES} different ones")
    return found


def _main_axes(samples: np.ndarray, dimension: int) -> np.ndarray:
    """The directions (E, D) in which the samples (B, E) differ most.

    Points are projected on them through the origin: a shift would change which mixture of O and G is which.
    """
    if samples.shape[1] < dimension:
        raise DataError(f"embeddings of size {samples.shape[1]} have no {dimension} main axes; give dimension=2")
    if len(samples) <= dimension:
        raise DataError(
            f"these classes have {len(samples)} probe images; a projection to {dimension} dimensions takes more than "
            f"{dimension}, so choose more classes"
        )
    return np.linalg.svd(samples - samples.mean(axis=0), full_matrices=False)[2][:dimension].T


def _cosines(samples: np.ndarray, proxies: np.ndarray) -> np.ndarray:
    return (_unit(samples) @ _unit(proxies).T).ravel()


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
