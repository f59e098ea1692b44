"""Which images a run was made with, so that it is noticed when they are others later.

``data.json`` tells a person how many there are, with a fingerprint; ``data_ids.json.gz`` holds ids, classes and roles,
to say what is different. Ids are paths below the data's root: moved data are the same data.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from typing import Any

from vptsp.data.image_set import DataSplits, ImageSet
from vptsp.data.splits import some
from vptsp.errors import RunError
from vptsp.files import read_json, write_bytes, write_json
from vptsp.runs.run import Run

Part = dict[str, Any]  # class_names, and for each image its id, class name and roles


def record_data(run: Run, splits: DataSplits) -> None:
    """Write down the images of a run that begins; an earlier record is replaced."""
    parts = {name: _part(images) for name, images in _each(splits)}
    content = json.dumps(parts, ensure_ascii=False).encode()
    write_bytes(run.path / "data_ids.json.gz", gzip.compress(content, 6, mtime=0))
    sizes = {name: {"images": len(part["ids"]), "classes": len(part["class_names"])} for name, part in parts.items()}
    write_json(run.path / "data.json", {"sha256": hashlib.sha256(content).hexdigest(), **sizes})


def data_differences(run: Run, splits: DataSplits) -> list[str]:
    """What is different from the images that the run was made with, a sentence each; empty where nothing is.

    Also empty for a run of an earlier version that recorded none, unless its training classes are others.
    """
    before = _recorded(run)
    if before is None:
        return _classes_of_snapshots(run, splits)
    now = {name: _part(images) for name, images in _each(splits)}
    return [text for name in ("train", "val", "test") for text in _differences(name, before.get(name), now.get(name))]


def _each(splits: DataSplits) -> Iterator[tuple[str, ImageSet]]:
    for name, images in (("train", splits.train), ("val", splits.val), ("test", splits.test)):
        if images is not None:
            yield name, images


def _part(images: ImageSet) -> Part:
    part: Part = {
        "class_names": list(images.class_names),
        "ids": list(images.ids),
        "classes": [images.class_names[label] for label in images.labels],
    }
    if images.is_query is not None and images.is_gallery is not None:
        part["roles"] = (images.is_query + 2 * images.is_gallery).tolist()
    return part


def _recorded(run: Run) -> dict[str, Part] | None:
    try:
        return dict(json.loads(gzip.decompress((run.path / "data_ids.json.gz").read_bytes())))
    except (
        OSError,
        EOFError,
        ValueError,
        zlib.error,
    ):  # none, or one that a crash has cut off: nothing to compare with
        return None


def _classes_of_snapshots(run: Run, splits: DataSplits) -> list[str]:
    try:
        names = read_json(run.probes_path, "")["proxy_class_names"]
    except (RunError, KeyError, TypeError):
        return []
    return [] if names == list(splits.train.class_names) else ["train: the classes, or their order, are others"]


def _differences(name: str, before: Part | None, now: Part | None) -> Iterator[str]:
    if before is None or now is None:
        if before is not now:
            yield f"{name}: there {'is no such part any more' if now is None else 'was no such part'}"
        return
    then, today = (dict(zip(part["ids"], part["classes"], strict=True)) for part in (before, now))
    gone, new = then.keys() - today.keys(), today.keys() - then.keys()
    moved = [image_id for image_id, label in then.items() if today.get(image_id, label) != label]
    for ids, what in ((gone, "gone"), (new, "new"), (moved, "of another class")):
        if ids:
            yield f"{name}: {len(ids):,} of {max(len(then), len(today)):,} images are {what} ({some(ids)})"
    if before["class_names"] != now["class_names"]:
        yield f"{name}: the classes, or their order, are others"
    elif not (gone or new or moved) and before["ids"] != now["ids"]:
        yield f"{name}: the images are in another order"
    elif not (gone or new or moved) and before.get("roles") != now.get("roles"):
        yield f"{name}: queries and gallery are others"
