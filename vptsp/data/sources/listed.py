"""From rows of ``(path, class)`` to image sets."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from vptsp.data.folder import FileLoader, printable
from vptsp.data.image_set import ImageSet, Parts
from vptsp.data.rules import clean_path
from vptsp.errors import DataError

Rows = list[tuple[str, str]]  # path below the root, class name


def listed(
    name: str, root: Path, rows: Iterable[tuple[str, str]], class_names: Sequence[str] | None = None
) -> ImageSet:
    """The images of these rows, with ids ``<split>/<path>``, split = end of ``name``.

    Classes are ``class_names``, or those of the rows as they come. Raises DataError where a path is listed twice.
    """
    rows = [(clean_path(path, root), label) for path, label in rows]
    names = list(dict.fromkeys(label for _, label in rows)) if class_names is None else class_names
    place = {label: number for number, label in enumerate(names)}
    paths = [path for path, _ in rows]
    if "" in paths:
        raise DataError(f"{name}: row {paths.index('') + 1} has no path; restore the original lists")
    twice, count = Counter(map(posixpath.normpath, paths)).most_common(1)[0] if paths else ("", 1)
    if count > 1:
        raise DataError(f"{name}: {twice!r} is listed twice; an image has one row")
    split = name.rsplit("/", 1)[-1]
    return ImageSet(
        name=name,
        ids=[f"{split}/{printable(path)}" for path in paths],
        labels=np.array([place[label] for _, label in rows], dtype=np.int64),
        class_names=names,
        load=FileLoader(tuple(str(root / path) for path in paths)),
    )


def halves(name: str, root: Path, rows: Rows, class_names: Sequence[str]) -> Parts:
    """The zero-shot split of deep metric learning: the first half of the classes trains, the rest is searched."""
    names = [n for n in class_names if n in {label for _, label in rows}]
    first = set(names[: len(class_names) // 2])
    train = [row for row in rows if row[1] in first]
    test = [row for row in rows if row[1] not in first]
    return Parts(
        train=listed(f"{name}/train", root, train, [n for n in names if n in first]),
        test=listed(f"{name}/test", root, test, [n for n in names if n not in first]),
    )


def closed(
    name: str,
    root: Path,
    train: Rows,
    val: Rows,
    test: Rows,
    class_names: Sequence[str],
    val_fraction: float,
) -> Parts:
    """Published train and test images of the same classes.

    Published validation images (``val`` may be empty) are used with any ``val_fraction`` above 0 and belong to
    the training images with 0: the two ways in which VPT's recipes use them. Ids are the same in both.
    """
    if not val or val_fraction == 0:
        part = None
        train = train + val
    else:
        part = listed(f"{name}/train", root, val, class_names)
    return Parts(
        train=listed(f"{name}/train", root, train, class_names),
        val=part,
        test=listed(f"{name}/test", root, test, class_names),
    )
