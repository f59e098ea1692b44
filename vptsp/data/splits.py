"""Which classes train, which select, and which images of the test split are queries."""

from __future__ import annotations

import csv
import fnmatch
import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from vptsp.data.enough import held_out
from vptsp.data.images import ImageSet
from vptsp.errors import ConfigError, DataError

TRUE, FALSE = {"1", "true", "yes"}, {"0", "false", "no"}


def some(names: Collection[str], most: int = 3) -> str:
    """``'a', 'b', 'c' and 7 more``, for messages."""
    listed = ", ".join(repr(n) for n in sorted(names)[:most])
    return listed + (f" and {len(names) - most} more" if len(names) > most else "")


def check_splits(train: ImageSet, test: ImageSet) -> None:
    """Raises DataError unless train and test have images in each class and share no class."""
    for part in (train, test):
        empty = [c for c, n in zip(part.class_names, part.class_counts(), strict=True) if n == 0]
        if empty:
            raise DataError(f"{part.name}: no images in class {some(empty)}")
        if len(part.class_names) < 2:
            raise DataError(f"{part.name} has {len(part.class_names)} class; retrieval needs at least 2")
    if shared := set(train.class_names) & set(test.class_names):
        raise DataError(
            f"{len(shared)} of the classes are in both train and test: {some(shared)}. Retrieval is tested "
            "on classes that training has not seen; keep each class on one side"
        )


def hold_out_classes(train: ImageSet, fraction: float, seed: int) -> tuple[ImageSet, ImageSet | None]:
    """Moves a seeded choice of ``fraction`` of the classes, at least 2, from train to validation."""
    if not 0 <= fraction < 1:
        raise ConfigError(f"val_fraction={fraction} must be at least 0 and below 1")
    if fraction == 0:
        return train, None
    classes = len(train.class_names)
    held = held_out(classes, fraction)
    if classes - held < 2:
        raise ConfigError(
            f"val_fraction={fraction} holds {held} of {classes} training classes out and leaves "
            f"{classes - held}; at least 2 must stay, so lower it (0 = no validation classes)"
        )
    chosen = set(np.random.default_rng([seed, classes]).permutation(classes)[:held].tolist())
    val = [c for label, c in enumerate(train.class_names) if label in chosen]
    rest = [c for label, c in enumerate(train.class_names) if label not in chosen]
    base = train.name.removesuffix("/train")
    return train.only_classes(rest), train.only_classes(val, f"{base}/val")


def queries_by_pattern(test: ImageSet, pattern: str) -> ImageSet:
    """Images whose file name matches are queries, all others gallery.

    ``pattern`` is a glob (``test_*``), or after ``re:`` a regular expression for the whole name.
    """
    try:
        rule = re.compile(pattern[3:] if pattern.startswith("re:") else fnmatch.translate(pattern))
    except re.error as error:
        raise ConfigError(f"query_pattern={pattern!r} is not a regular expression: {error}") from None
    is_query = np.array([rule.fullmatch(i.rsplit("/", 1)[-1]) is not None for i in test.ids], dtype=bool)
    if is_query.all() or not is_query.any():
        matched = "all" if len(test) and is_query.all() else "none"
        raise DataError(
            f"query_pattern={pattern!r} matches {matched} of the {len(test)} file names of {test.name} "
            f"(such as {some([i.rsplit('/', 1)[-1] for i in test.ids[:2]])}); it must leave queries and a gallery"
        )
    return replace(test, is_query=is_query, is_gallery=~is_query)


def queries_by_csv(test: ImageSet, table: Path, skipped: Collection[str] = ()) -> ImageSet:
    """Queries and gallery from the columns ``path,is_query,is_gallery``; ``path`` is an image's id.

    Rows of training or skipped images are passed over; every test image needs a row.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"query_csv={table}: cannot be read ({error})") from None
    if missing := {"path", "is_query", "is_gallery"} - set(reader.fieldnames or ()):
        raise DataError(
            f"query_csv={table}: no column {some(missing)}; the first line must be path,is_query,is_gallery"
        )
    roles: dict[str, tuple[bool, bool]] = {}
    for line, row in enumerate(rows, start=2):
        words = [(row[c] or "").strip().lower() for c in ("is_query", "is_gallery")]
        if not all(w in TRUE | FALSE for w in words):
            raise DataError(f"query_csv={table}, line {line}: is_query and is_gallery must be 0 or 1")
        roles[row["path"]] = (words[0] in TRUE, words[1] in TRUE)
    known = set(test.ids) | set(skipped)
    if unknown := [p for p in roles if p not in known and not p.startswith("train/")]:
        raise DataError(f"query_csv={table}: {len(unknown)} paths are no test images: {some(unknown)}")
    if absent := [i for i in test.ids if i not in roles]:
        raise DataError(f"query_csv={table}: {len(absent)} test images have no row: {some(absent)}")
    is_query, is_gallery = np.array([roles[i] for i in test.ids], dtype=bool).T
    if not (is_query.any() and is_gallery.any()):
        raise DataError(f"query_csv={table} names no {'query' if not is_query.any() else 'gallery image'}")
    return replace(test, is_query=is_query.copy(), is_gallery=is_gallery.copy())
