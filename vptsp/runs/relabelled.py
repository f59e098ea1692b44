"""A run's data as a table with what was tagged in it put right: ``dataset=table`` trains on it.

A tag ``class: NAME`` says what an image is of; images of other tags can be left out. Whatever else a tag says stands in
a column of its own, which training passes over.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Collection
from pathlib import Path

import numpy as np

from vptsp.data import load_data
from vptsp.data.folder import FileLoader
from vptsp.data.image_set import Chained, ImageSet, LoadImage, Picked
from vptsp.data.load_splits import read_parts
from vptsp.data.splits import ROLES
from vptsp.errors import DataError, DataWarning, explained
from vptsp.files import write_text
from vptsp.project import placed
from vptsp.runs.marks import Marks
from vptsp.runs.run import Run

RELABELS = "class:"  # how a tag begins that names the class


def write_relabelled(run: Run | str | Path, file: str | Path, drop: Collection[str] = ()) -> Path:
    """Write the images of a run, with the labels that tags give them, as a CSV table, and return its path.

    ``drop``: tags whose images are left out. Images that are no files (drawn ones, those of archives) are written
    beside the table, into a folder of its name. A DataWarning says how many tagged images the data no longer have.

    Raises DataError for a file that is there already, for one that is no .csv, and where a tag to drop was given to no
    image.
    """
    run, place = Run.of(run), placed(file)
    if place.suffix.lower() != ".csv":
        raise DataError(f"{place}: a relabelled table ends in .csv; give such a name")
    if place.exists():
        raise DataError(f"{place} is there already; choose another name, or delete it")
    tags = {
        name: tag
        for split in ("train", "test")
        for name, tag in Marks(run.path / "marks" / f"{split}.jsonl").read().tags.items()
    }
    if unknown := sorted(set(drop) - set(tags.values())):
        given = ", ".join(sorted(set(tags.values()))) or "none at all"
        raise DataError(f"no image of {run.path} has the tag {unknown[0]!r} to drop; tags given: {given}")
    config = run.config.changed(data_cache=None)
    splits = load_data(config)
    sets = {name: images for name in ("train", "val", "test") if (images := getattr(splits, name)) is not None}
    known = {name for images in sets.values() for name in images.ids}
    if lost := len(tags.keys() - known):
        warnings.warn(
            f"{lost:,} of {len(tags):,} tagged images are not in the data any more", DataWarning, stacklevel=2
        )
    chosen = sets["test"].is_query is not None
    held_out = read_parts(config).val is None  # from train, and so again by whoever trains on the table
    rows = [["path", "label", "split", *(ROLES if chosen else ()), "tag"]]
    for split, images in sets.items():
        for position, name in enumerate(images.ids):
            tag = tags.get(name, "")
            if tag in drop and tag:
                continue
            label = images.class_names[images.labels[position]]
            roles = [_flag(images, role, position) for role in ROLES] if chosen else []
            path = file_of(images.load, position) or _written(images, position, place, split)
            role = "train" if split == "val" and held_out else split
            rows.append([str(path), class_named(tag) or label, role, *roles, tag])
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(place, text.getvalue())
    return place


def class_named(tag: str) -> str:
    """The class that a tag names; empty for other tags."""
    return tag[len(RELABELS) :].strip() if tag.lower().startswith(RELABELS) else ""


def file_of(load: LoadImage, position: int) -> Path | None:
    """The file that an image of a set is read from; none for images that are made, or read from an archive."""
    while isinstance(load, Picked | Chained):
        if isinstance(load, Picked):
            position = int(load.positions[position])
            load = load.load
        else:
            load, position = load.of(position)
    return Path(load.paths[position]).absolute() if isinstance(load, FileLoader) else None


def _flag(images: ImageSet, role: str, position: int) -> str:
    flags: np.ndarray | None = getattr(images, role)
    return "" if flags is None else str(int(flags[position]))


def _written(images: ImageSet, position: int, table: Path, split: str) -> Path:
    """An image that is no file, written beside the table; its place relative to that."""
    folder = Path(f"{table.stem}_images") / split
    target = table.parent / folder / f"{position:06d}.png"
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        images.load(position).save(target)
    return folder / target.name
