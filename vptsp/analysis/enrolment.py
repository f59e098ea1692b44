"""What enrolling a class by a few images is worth, beside the classes that a run was trained on.

Every image that is no example is given to the class of its nearest proxy. Dimensions: N images, E embedding size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from vptsp.analysis.proxies_on_map import proxies_of
from vptsp.data import load_data
from vptsp.errors import DataError
from vptsp.evaluation.enrol import Enrolled, enrol
from vptsp.evaluation.enrol_by_tower import TowerView, model_with_tower
from vptsp.evaluation.ranking import unit_rows
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run


@dataclass(frozen=True)
class _Seen:
    """Images of a kind of classes: unit embeddings (N, E), labels, and ways from rows and their classes to proxies."""

    name: str
    embeddings: np.ndarray
    labels: np.ndarray
    class_names: Sequence[str]
    ways: dict[str, Callable[[np.ndarray, list[str]], Enrolled]]

    @classmethod
    def saved(cls, saved: SavedEmbeddings) -> Self:
        return cls(str(saved.folder), saved.embeddings, saved.labels, saved.class_names, _means(saved.embeddings))


def _means(embeddings: np.ndarray) -> dict[str, Callable[[np.ndarray, list[str]], Enrolled]]:
    return {"mean": lambda rows, classes: enrol(embeddings[rows], classes)}


def enrolment(
    run: Run, shots: Sequence[int] = (1, 3, 5), draws: int = 10, seed: int = 0, tower: bool = False
) -> pd.DataFrame:
    """Accuracies of trained and of enrolled classes; a row per kind of classes and of proxies.

    ``classes``: trained (images that the run was trained on, so of these the learned proxies know more than anybody) or
    new (its test classes). ``proxies``: ``learned``, or the mean of so many images, drawn ``draws`` times by ``seed``;
    with ``tower`` also what the run's semantic tower makes of the same images, for which all images are embedded again,
    by the last epoch (:mod:`vptsp.evaluation.enrol_by_tower`), and everything in the table is of that epoch.
    ``accuracy`` is among the classes of that kind; ``among_all`` among both kinds, all of whose proxies are enrolled by
    so many (learned ones lie at other angles to images than means do, and are not compared with them; not a number
    where both kinds are the same classes). ``spread`` is the standard deviation of ``accuracy`` over the draws.

    Raises DataError where no class has more images than ``shots``, RunError for a run without embeddings, or without
    its training checkpoint; ConfigError for a ``tower`` of a method that has none.
    """
    kinds, learned = _by_towers(run) if tower else _as_saved(run)
    lines = []
    if learned is not None:
        everyone = np.ones(len(kinds["trained"].labels), dtype=bool)
        lines.append(("trained", "learned", _accuracy(kinds["trained"], everyone, learned), float("nan"), 0.0))
    ways = list(kinds["new"].ways)
    found: dict[tuple[str, int, str], list[tuple[float, float]]] = {
        (kind, n, way): [] for kind in kinds for n in shots for way in ways
    }
    for count in shots:
        for draw in range(draws):
            chosen = {kind: _examples(s, count, np.random.default_rng((seed, draw))) for kind, s in kinds.items()}
            for way in ways:
                own = {kind: _enrolled(seen, chosen[kind], way) for kind, seen in kinds.items()}
                apart = not {*own["trained"].names} & {*own["new"].names}
                for kind, seen in kinds.items():
                    asked = ~chosen[kind]
                    among_all = _accuracy(seen, asked, own["trained"].with_(own["new"])) if apart else float("nan")
                    found[kind, count, way].append((_accuracy(seen, asked, own[kind]), among_all))
    for (kind, count, way), pairs in found.items():
        alone, among_all_classes = np.array(pairs).T
        proxy = f"{way} of {count}" if count > 1 or way != "mean" else "one image"
        lines.append((kind, proxy, float(alone.mean()), float(among_all_classes.mean()), float(alone.std())))
    return pd.DataFrame(lines, columns=["classes", "proxies", "accuracy", "among_all", "spread"])


def _as_saved(run: Run) -> tuple[dict[str, _Seen], Enrolled | None]:
    """Both kinds of images as the run keeps them, and its learned proxies, if it has any of that epoch."""
    test = SavedEmbeddings.of_run(run, "test")
    kinds = {"trained": _Seen.saved(SavedEmbeddings.of_run(run, "train")), "new": _Seen.saved(test)}
    proxies, names = proxies_of(run, test)
    learned = Enrolled(list(names), unit_rows(proxies["learned"]), [0] * len(names)) if "learned" in proxies else None
    return kinds, learned


def _by_towers(run: Run) -> tuple[dict[str, _Seen], Enrolled | None]:
    """Both kinds of images as the run's last epoch sees them, and its learned proxies."""
    splits = load_data(run.config)
    model = model_with_tower(run, len(splits.train.class_names))
    kinds = {}
    for kind, images in (("trained", splits.train), ("new", splits.test)):
        view = TowerView.of(model, images, run.config)
        ways = _means(view.embeddings)
        ways["tower"] = view.enrol
        kinds[kind] = _Seen(images.name, view.embeddings, images.labels, images.class_names, ways)
    proxies, names = model.learned_part(), list(splits.train.class_names)
    return kinds, None if proxies is None else Enrolled(names, unit_rows(proxies), [0] * len(names))


def _enrolled(seen: _Seen, chosen: np.ndarray, way: str) -> Enrolled:
    rows = np.flatnonzero(chosen)
    return seen.ways[way](rows, [seen.class_names[label] for label in seen.labels[rows]])


def _examples(seen: _Seen, count: int, rng: np.random.Generator) -> np.ndarray:
    """Whether each image is one of ``count`` examples of its class; classes of no more images give none."""
    chosen = np.zeros(len(seen.labels), dtype=bool)
    for label in np.unique(seen.labels):
        rows = np.flatnonzero(seen.labels == label)
        if len(rows) > count:
            chosen[rng.choice(rows, count, replace=False)] = True
    if not chosen.any():
        raise DataError(f"no class of {seen.name} has more than {count} images; enrol by fewer")
    return chosen


def _accuracy(seen: _Seen, asked: np.ndarray, proxies: Enrolled) -> float:
    """The share of images, of classes that have a proxy, whose nearest one is that of their class."""
    known = set(proxies.names)
    rows = np.array(
        [row for row in np.flatnonzero(asked) if seen.class_names[seen.labels[row]] in known], dtype=np.int64
    )
    found, _ = proxies.nearest(seen.embeddings[rows])
    return float(
        np.mean(
            [
                proxies.names[number] == seen.class_names[seen.labels[row]]
                for number, row in zip(found, rows, strict=True)
            ]
        )
    )
