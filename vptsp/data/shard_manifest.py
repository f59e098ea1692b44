"""What a folder of shards says of itself, where this workbench wrote them: ``shards.json``.

Any reader of WebDataset can do without it. It holds what single samples cannot: the order of the classes, whether
images may be mirrored, and how many there must be, so that a shard that was not copied is missed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vptsp.data.image_set import ImageSet
from vptsp.data.splits import some
from vptsp.errors import DataError

NAME = "shards.json"
FORMAT = 1


@dataclass(frozen=True)
class Written:
    """One part: the set's name and classes in their order, and how many shards and images it has."""

    name: str
    class_names: list[str]
    mirror_ok: bool
    shards: int
    images: int

    @classmethod
    def of(cls, images: ImageSet, shards: int) -> Written:
        return cls(images.name, list(images.class_names), images.mirror_ok, shards, len(images))

    def require_all(self, root: Path, part: str, there: list[str], images: int) -> None:
        """Raises DataError where shards, or images in them, are missing or too many."""
        expected = {shard_name(part, number) for number in range(self.shards)}
        if missing := expected - set(there):
            raise DataError(
                f"{root} lacks {len(missing):,} of the {self.shards:,} shards of {part}: {some(missing)}; copy the "
                "whole folder, or write it again with vptsp data prepare DATASET --shards --out FOLDER"
            )
        if others := set(there) - expected:
            raise DataError(
                f"{root}/{NAME} speaks of {self.shards:,} shards of {part}, but there are others: {some(others)}; "
                f"move them elsewhere, or remove {NAME} to have all tars read as they are"
            )
        if images != self.images:
            raise DataError(
                f"{root} holds {images:,} images of {part}, but {self.images:,} were written; copy the folder again"
            )


@dataclass(frozen=True)
class Manifest:
    """``dataset`` is what the shards were made of; ``complete``: they all are there; see :class:`Parts`."""

    dataset: str
    complete: bool = False
    classes_given: bool = False
    parts: dict[str, Written] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}


def shard_name(part: str, number: int) -> str:
    """``train/shard-000000.tar``."""
    return f"{part}/shard-{number:06d}.tar"


def read_manifest(root: Path) -> Manifest | None:
    """What a folder says of itself; none where others wrote it. Raises DataError where it is unfinished or damaged."""
    found = manifest_of(root)
    if found is not None and not found.complete:
        raise DataError(
            f"the shards in {root} are not finished; run vptsp data prepare {found.dataset} --shards --out {root} "
            "again, which goes on"
        )
    return found


def manifest_of(root: Path) -> Manifest | None:
    """:func:`read_manifest`, finished or not."""
    try:
        found = json.loads((root / NAME).read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise DataError(f"{root}/{NAME} is of format {found['format']}, not {FORMAT}; write the shards again")
        parts = {name: Written(**part) for name, part in found["parts"].items()}
        return Manifest(found["dataset"], found["complete"], found["classes_given"], parts)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(
            f"{root}/{NAME} is damaged; copy it again, or remove it to have the tars read without it"
        ) from None
