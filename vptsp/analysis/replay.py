"""A run played again: where its proxies and its probe images were after each epoch, in one frame for all epochs.

Only ``snapshots/``, ``metrics.jsonl`` and ``config.json`` of the run are read, also while it still trains.

The frame ``"pca"`` is fitted once, to the unit vectors of all probe images after the last epoch; every other epoch and
all proxies are projected onto those two axes, so that whatever moves has moved in the embedding space. The axes are
the images' and not the proxies': proxies lie apart from every image and in groups of their own, and axes that show
those distances show no class (on the demo's run, the plane of both holds the gap between them and little else, while
in the images' plane a class's proxies lie where its images are). What the plane leaves out is given as
:attr:`Replay.shares`. The frame ``"aligned"`` is AlignedUMAP over images and proxies (:mod:`vptsp.analysis.aligned`):
better neighbourhoods, less faithful movements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from vptsp.analysis.aligned import align
from vptsp.analysis.angles import angles
from vptsp.analysis.projection import FEWEST_FOR_UMAP, project
from vptsp.errors import ConfigError, DataError, RunError
from vptsp.evaluation.metrics import recall_at_k
from vptsp.evaluation.ranking import search, unit_rows
from vptsp.runs.run import Run
from vptsp.runs.snapshots import KINDS as KINDS
from vptsp.runs.snapshots import SPLITS, SnapshotIndex, Snapshots
from vptsp.settings.tasks import TASKS

Frame: TypeAlias = Literal["pca", "aligned"]


@dataclass(frozen=True)
class Recall:
    """R@1 of one split's probe images among themselves: ``values`` (T,), of ``images``, ``queries`` can be right."""

    images: int
    queries: int  # those with another probe image of their class
    values: Float64[np.ndarray, " T"]


@dataclass(frozen=True)
class Replay:
    """T epochs of a run in the plane: P probe images, and the proxies of C classes by kind.

    ``class_names`` begins with the training classes; ``labels`` (P,) and ``proxy_labels`` (C,) are rows of it.
    ``proxies`` maps learned, semantic and fused, as far as the run has them, to (T, C, 2); a run without semantic
    proxies has learned ones only, which its loss then uses as they are. ``moved`` is the angle in degrees in the
    embedding space between a proxy's first and last direction, (C,) by kind; ``turned`` that since the epoch before,
    (T, C) by kind, 0 in the first. ``shares`` are the shares of the last epoch's variance that the plane holds: of
    the images by axis ("1", "2"), and of each kind of proxy; empty for aligned UMAP. ``recall`` has the splits that
    can be scored. ``judged`` is what the run is selected by, per epoch, NaN where it was not scored;
    ``judged_title`` is its name.
    """

    name: str
    frame: Frame
    epochs: tuple[int, ...]
    ids: tuple[str, ...]
    is_test: Bool[np.ndarray, " P"]
    labels: Int64[np.ndarray, " P"]
    class_names: tuple[str, ...]
    images: Float32[np.ndarray, "T P 2"]
    proxy_labels: Int64[np.ndarray, " C"]
    proxies: dict[str, Float32[np.ndarray, "T C 2"]]
    moved: dict[str, Float64[np.ndarray, " C"]]
    turned: dict[str, Float64[np.ndarray, "T C"]]
    shares: dict[str, float]
    recall: dict[str, Recall]
    judged: Float64[np.ndarray, " T"]
    judged_title: str
    totals: dict[str, int]  # "images" and "classes" (of training) of the run, whether kept here or not

    @property
    def axes(self) -> tuple[str, str]:
        """Names of the axes; with PCA, the share of the images' variance that each holds."""
        if self.frame == "aligned":
            return "aligned UMAP 1", "aligned UMAP 2"
        what = "images'" if len(self.ids) else "proxies'"
        first, second = (
            f"principal component {axis} ({100 * self.shares[axis]:.0f} % of the {what} variance)" for axis in "12"
        )
        return first, second


def replay(run: Run | str | Path, frame: Frame = "pca", classes: Sequence[str] | None = None) -> Replay:
    """The snapshots of a run in one frozen frame.

    With ``classes`` (names) only their proxies and probe images are kept. The PCA frame and the recall are those of
    all probe images all the same. Aligned UMAP places only what is kept; it takes minutes for a few hundred points,
    once: the result is kept in the run's ``embeddings/projections``. One epoch or fewer than ten vectors are placed
    by PCA, as :attr:`Replay.frame` then says.

    Raises RunError for a run without snapshots or with damaged ones, ConfigError for an unknown frame, and DataError
    for unknown classes.
    """
    run = Run.of(run)
    if frame not in get_args(Frame):
        raise ConfigError(f"frame={frame!r} is unknown; legal: {', '.join(get_args(Frame))}")
    snapshots = _snapshots_of(run)
    epochs, index = snapshots.epochs, snapshots.index
    ids, is_test, labels, names = _images_of(index)
    chosen = _chosen(names, classes)
    proxy_labels = np.flatnonzero(chosen[: len(index.class_names)])
    vectors = _vectors(snapshots, proxy_labels)
    kinds = [kind for kind in KINDS if kind in vectors]
    proxy_labels = proxy_labels if kinds else proxy_labels[:0]

    rows = np.flatnonzero(chosen[labels])
    kept = np.concatenate([rows, np.arange(len(labels), len(labels) + len(kinds) * len(proxy_labels))])
    if not len(kept):
        raise DataError(f"{run.path} has no proxies and no probe images of the classes to show; choose other classes")
    everything = np.concatenate([vectors["images"], *(vectors[kind] for kind in kinds)], axis=1)
    shares: dict[str, float] = {}
    if len(epochs) == 1 or len(kept) < FEWEST_FOR_UMAP:
        frame = "pca"  # as align would have it
    if frame == "aligned":
        points = np.stack(align(list(everything[:, kept]), cache=run.path / "embeddings" / "projections"))
    else:
        points, shares = _frozen(everything, len(labels), {kind: vectors[kind][-1] for kind in kinds})
        points = points[:, kept]
    images, *placed = np.split(points, np.cumsum([len(rows), *[len(proxy_labels)] * len(kinds)])[:-1], axis=1)
    judged, title = _judged(run, epochs)
    before = [0, *range(len(epochs) - 1)]
    return Replay(
        name=run.name,
        frame=frame,
        epochs=tuple(epochs),
        ids=tuple(ids[row] for row in rows),
        is_test=is_test[rows],
        labels=labels[rows],
        class_names=tuple(names),
        images=images,
        proxy_labels=proxy_labels,
        proxies=dict(zip(kinds, placed, strict=True)),
        moved={kind: angles(vectors[kind][0], vectors[kind][-1]) for kind in kinds},
        turned={kind: angles(vectors[kind][before], vectors[kind]) for kind in kinds},
        shares=shares,
        recall=_recall(vectors["images"], labels, is_test),
        judged=judged,
        judged_title=title,
        totals={"images": len(labels), "classes": len(index.class_names)},
    )


def some_classes(run: Run, most: int) -> list[str] | None:
    """Class names to give to :func:`replay` for at most ``most`` training classes and all test classes.

    Those with probe images come first. None if the run has no more than ``most``. Raises RunError as replay does,
    and DataError for ``most`` below 1.
    """
    if most < 1:
        raise DataError(f"most={most} training classes leaves no proxy to show; give 1 or more")
    index = _snapshots_of(run).index
    names, test = index.class_names, index.probes["test"]
    if len(names) <= most:
        return None
    seen = list(dict.fromkeys(index.probes["train"].labels.tolist()))
    others = np.setdiff1d(np.arange(len(names)), seen)
    spread = others[np.linspace(0, len(others) - 1, max(0, most - len(seen))).astype(int)] if len(others) else others
    taken = np.sort([*seen, *spread][:most])
    return [*(names[label] for label in taken), *(name for name in test.class_names if name not in names)]


def _snapshots_of(run: Run) -> Snapshots:
    snapshots = Snapshots(run)
    if not len(snapshots):
        why = (
            "the frozen backbone is not trained, so that nothing in it moves"
            if run.config.method == "frozen"
            else f"its state is {run.state()!r}, and the first is written when training begins"
        )
        raise RunError(f"{run.path} has no snapshots to play: {why}; choose a run that was trained")
    return snapshots


def _vectors(snapshots: Snapshots, proxy_rows: Int64[np.ndarray, " C"]) -> dict[str, Float32[np.ndarray, "T n E"]]:
    """Unit vectors by ``images`` (train, then test) and by kind of proxy, as far as there are any."""
    series = dict[str, list[np.ndarray]]()
    index = snapshots.index
    images = sum(len(probes) for probes in index.probes.values())
    expected: dict[str, tuple[int, int]] = {}
    for snapshot in snapshots:
        parts = list(snapshot.embeddings.values())
        width = int(next((rows.shape[1] for rows in (*parts, *snapshot.proxies.values())), 0))
        found = {"images": np.concatenate([*parts, np.empty((0, width), np.float32)]), **snapshot.proxies}
        shapes = {name: rows.shape for name, rows in found.items()}
        classes = {name: (len(index.class_names), width) for name in shapes if name != "images"}
        expected = expected or {"images": (images, width), **classes}
        if shapes != expected:
            raise RunError(f"{snapshot.path} holds {shapes} instead of {expected}; delete it")
        for name, rows in found.items():
            try:
                units = unit_rows(rows if name == "images" else rows[proxy_rows])
            except DataError as error:
                raise RunError(f"{name} of {snapshot.path} cannot be placed: {error}") from None
            series.setdefault(name, []).append(units)
    return {name: np.stack(rows) for name, rows in series.items()}


def _images_of(index: SnapshotIndex) -> tuple[list[str], np.ndarray, np.ndarray, list[str]]:
    """Ids, whether a test image, label and the names that labels mean; test classes follow the training classes."""
    train, test = (index.probes[split] for split in SPLITS)
    # a closed set is recognised by the same classes
    shift = 0 if test.class_names == index.class_names else len(index.class_names)
    names = [*index.class_names, *(test.class_names if shift else ())]
    labels = np.concatenate([train.labels, test.labels + shift])
    is_test = np.repeat([False, True], [len(train), len(test)])
    return [*train.ids, *test.ids], is_test, labels, names


def _chosen(names: Sequence[str], classes: Sequence[str] | None) -> Bool[np.ndarray, " n"]:
    if classes is None:
        return np.full(len(names), True)
    unknown = sorted(set(classes) - set(names))
    if unknown:
        raise DataError(f"the run has no class {unknown[0]!r}; its {len(names):,} classes begin with {names[:3]}")
    return np.isin(np.array(names, dtype=object), list(classes))


def _frozen(
    vectors: Float32[np.ndarray, "T n E"], images: int, last: dict[str, Float32[np.ndarray, "C E"]]
) -> tuple[Float32[np.ndarray, "T n 2"], dict[str, float]]:
    """Everything on the first two principal axes of the last epoch's images, and the shares of variance they hold.

    A run without probe images has the axes of its last proxies.
    """
    times, count, width = vectors.shape
    shaping = np.arange(images if images else count)
    flat = vectors.reshape(-1, width)
    fitted = project(vectors[-1, shaping], "pca", guests=flat)
    points = fitted[len(shaping) :].reshape(times, count, 2)
    total = max(float(vectors[-1, shaping].var(axis=0, dtype=np.float64).sum()), 1e-12)
    shares = {axis: float(fitted[: len(shaping), turn].var()) / total for turn, axis in enumerate("12")}
    start = images
    for kind, rows in last.items():
        spread = max(float(rows.var(axis=0, dtype=np.float64).sum()), 1e-12)
        shares[kind] = float(points[-1, start : start + len(rows)].var(axis=0).sum()) / spread
        start += len(rows)
    return points, shares


def _recall(images: Float32[np.ndarray, "T P E"], labels: np.ndarray, is_test: np.ndarray) -> dict[str, Recall]:
    found = {}
    for split in SPLITS:
        rows = np.flatnonzero(is_test == (split == "test"))
        _, place, counts = np.unique(labels[rows], return_inverse=True, return_counts=True)
        queries = int((counts[place] > 1).sum())
        if queries:
            values = [recall_at_k(search(epoch[rows], labels[rows], k=1), 1) for epoch in images]
            found[split] = Recall(len(rows), queries, np.array(values))
    return found


def _judged(run: Run, epochs: Sequence[int]) -> tuple[Float64[np.ndarray, " T"], str]:
    """The validation metric that selects the epoch, and its title."""
    task = TASKS[run.config.task]
    scored = {line["epoch"]: line.get(f"val_{task.metric}") for line in run.metrics()}
    values = [scored.get(epoch) for epoch in epochs]
    return np.array([np.nan if value is None else value for value in values], np.float64), task.title
