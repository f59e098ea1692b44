"""Which classes train, which select, and which images of the test split are queries."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from vptsp.data.batch_fits import held_out
from vptsp.data.image_set import ImageSet
from vptsp.data.rules import FALSE as FALSE
from vptsp.data.rules import TRUE as TRUE
from vptsp.data.tables import clean_paths, flags, read_table, require_filled, require_unique
from vptsp.errors import ConfigError, DataError

ROLES = ("is_query", "is_gallery")


def some(names: Collection[str], most: int = 3) -> str:
    """``'a', 'b', 'c' and 7 more``, for messages."""
    listed = ", ".join(repr(n) for n in sorted(names)[:most])
    return listed + (f" and {len(names) - most} more" if len(names) > most else "")


def check_splits(train: ImageSet, test: ImageSet, title: str = "test") -> None:
    """Raises DataError unless train and test (or ``title``) have images in each class and share no class."""
    for part in (train, test):
        empty = [c for c, n in zip(part.class_names, part.class_counts(), strict=True) if n == 0]
        if empty:
            raise DataError(f"{part.name}: no images in class {some(empty)}")
        if len(part.class_names) < 2:
            raise DataError(f"{part.name} has {len(part.class_names)} class; retrieval needs at least 2")
    if shared := set(train.class_names) & set(test.class_names):
        raise DataError(
            f"{len(shared)} of the classes are in both train and {title}: {some(shared)}. Retrieval is tested "
            "on classes that training has not seen; keep each class on one side"
            + (", or set val_fraction=0 to train on both" if title == "val" else "")
        )


def hold_out_classes(
    train: ImageSet, fraction: float, seed: int, fit: bool = False
) -> tuple[ImageSet, ImageSet | None]:
    """Moves a seeded choice of ``fraction`` of the classes, at least 2, from train to validation.

    Raises ConfigError where fewer than 2 would stay; with ``fit`` none are held out then.
    """
    if not 0 <= fraction < 1:
        raise ConfigError(f"val_fraction={fraction} must be at least 0 and below 1")
    if fraction == 0:
        return train, None
    classes = len(train.class_names)
    held = held_out(classes, fraction)
    if fit and classes - held < 2:
        return train, None
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
    """Queries and gallery from the columns ``path,is_query,is_gallery``; ``path`` is an image's id, or its end below
    the first ``/``: the path below ``data_root``.

    Rows of ``skipped`` (left-out images, and those of training) are passed over; every test image needs one row.
    """
    name, columns = "query_csv", ("path", *ROLES)
    rows = read_table(name, table, columns)
    if missing := set(columns) - set(rows.columns):
        raise DataError(
            f"query_csv={table}: no column {some(missing)}; the first line must be path,is_query,is_gallery"
        )
    require_filled(name, table, rows, ["path"])
    rows["path"] = clean_paths(rows.path)
    require_unique(name, table, rows.path)
    known = {i: i for i in (*skipped, *test.ids)}
    short = Counter(i.partition("/")[2] for i in known)
    known = {i.partition("/")[2]: i for i in known if short[i.partition("/")[2]] == 1} | known
    ids = rows.path.map(known).fillna("")
    unknown = rows.path[(ids == "") & ~rows.path.str.startswith("train/")]
    if len(unknown):
        raise DataError(f"query_csv={table}: {len(unknown)} paths are no test images: {some(list(unknown))}")
    require_unique(name, table, ids[ids != ""])
    rows = rows[ids.isin(test.ids)].set_index(ids[ids.isin(test.ids)].rename("id"), append=True)
    is_query, is_gallery = (flags(name, table, rows[role].droplevel("id")) for role in ROLES)
    place = {image_id: row for row, image_id in enumerate(rows.index.get_level_values("id"))}
    if absent := [i for i in test.ids if i not in place]:
        raise DataError(f"query_csv={table}: {len(absent)} test images have no row: {some(absent)}")
    order = [place[i] for i in test.ids]
    if not (is_query.any() and is_gallery.any()):
        raise DataError(f"query_csv={table} names no {'query' if not is_query.any() else 'gallery image'}")
    return replace(test, is_query=is_query[order], is_gallery=is_gallery[order])
