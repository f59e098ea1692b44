"""What enrolling a class by a few images is worth, beside the classes that a run was trained on.

Every image that is no example is given to the class of its nearest proxy. Dimensions: N images, E embedding size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vptsp.analysis.proxies_on_map import proxies_of
from vptsp.errors import DataError
from vptsp.evaluation.enrol import Enrolled, enrol
from vptsp.evaluation.ranking import unit_rows
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run


def enrolment(run: Run, shots: Sequence[int] = (1, 3, 5), draws: int = 10, seed: int = 0) -> pd.DataFrame:
    """Accuracies of trained and of enrolled classes; a row per kind of classes and of proxies.

    ``classes``: trained (images that the run was trained on, so of these the learned proxies know more than anybody) or
    new (its test classes). ``proxies``: ``learned``, or the mean of so many images, drawn ``draws`` times by ``seed``.
    ``accuracy`` is among the classes of that kind; ``among_all`` among both kinds, all of whose proxies are means of so
    many (learned ones lie at other angles to images than means do, and are not compared with them; not a number where
    both kinds are the same classes). ``spread`` is the standard deviation of ``accuracy`` over the draws.

    Raises DataError where no class has more images than ``shots``, and RunError for a run without embeddings.
    """
    kinds = {"trained": SavedEmbeddings.of_run(run, "train"), "new": SavedEmbeddings.of_run(run, "test")}
    lines = []
    proxies, names = proxies_of(run, kinds["new"])
    if "learned" in proxies:
        learned = Enrolled(list(names), unit_rows(proxies["learned"]), [0] * len(names))
        everyone = np.ones(len(kinds["trained"]), dtype=bool)
        lines.append(("trained", "learned", _accuracy(kinds["trained"], everyone, learned), float("nan"), 0.0))
    found: dict[tuple[str, int], list[tuple[float, float]]] = {(kind, n): [] for kind in kinds for n in shots}
    for count in shots:
        for draw in range(draws):
            chosen = {kind: _examples(s, count, np.random.default_rng((seed, draw))) for kind, s in kinds.items()}
            own = {kind: _enrolled(saved, chosen[kind]) for kind, saved in kinds.items()}
            apart = not {*own["trained"].names} & {*own["new"].names}
            for kind, saved in kinds.items():
                asked = ~chosen[kind]
                among_all = _accuracy(saved, asked, own["trained"].with_(own["new"])) if apart else float("nan")
                found[kind, count].append((_accuracy(saved, asked, own[kind]), among_all))
    for (kind, count), pairs in found.items():
        alone, among_all_classes = np.array(pairs).T
        proxy = f"mean of {count}" if count > 1 else "one image"
        lines.append((kind, proxy, float(alone.mean()), float(among_all_classes.mean()), float(alone.std())))
    return pd.DataFrame(lines, columns=["classes", "proxies", "accuracy", "among_all", "spread"])


def _enrolled(saved: SavedEmbeddings, chosen: np.ndarray) -> Enrolled:
    rows = np.flatnonzero(chosen)
    return enrol(saved.embeddings[rows], [saved.class_names[label] for label in saved.labels[rows]])


def _examples(saved: SavedEmbeddings, count: int, rng: np.random.Generator) -> np.ndarray:
    """Whether each image is one of ``count`` examples of its class; classes of no more images give none."""
    chosen = np.zeros(len(saved), dtype=bool)
    for label in np.unique(saved.labels):
        rows = np.flatnonzero(saved.labels == label)
        if len(rows) > count:
            chosen[rng.choice(rows, count, replace=False)] = True
    if not chosen.any():
        raise DataError(f"no class of {saved.folder} has more than {count} images; enrol by fewer")
    return chosen


def _accuracy(saved: SavedEmbeddings, asked: np.ndarray, proxies: Enrolled) -> float:
    """The share of images, of classes that have a proxy, whose nearest one is that of their class."""
    known = set(proxies.names)
    rows = np.array(
        [row for row in np.flatnonzero(asked) if saved.class_names[saved.labels[row]] in known], dtype=np.int64
    )
    found, _ = proxies.nearest(saved.embeddings[rows])
    return float(
        np.mean(
            [
                proxies.names[number] == saved.class_names[saved.labels[row]]
                for number, row in zip(found, rows, strict=True)
            ]
        )
    )
