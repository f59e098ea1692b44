"""Images decoded and made small once, so that training is not bound by decoding JPEG files.

A cache is a folder: ``cache.json`` says of which data set and size it is; a shard is ``00000.bin``, the RGB pixels of
some images one after the other, and ``00000.json``, which lists them. A shard counts once its list is there.
An image is found by its id and belongs to the file it was made from by a fingerprint (size and time of the file).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vptsp.data.image_set import Chained, ImageSet, ImageSize, LoadImage, Parts, Picked, drawn_side, with_margin
from vptsp.data.splits import some
from vptsp.data.unreadable import without
from vptsp.errors import DataError

FORMAT = 1  # to be raised when decoding changes, so that older caches are refused


@dataclass(frozen=True)
class Kept:
    """Where an image lies: ``height`` x ``width`` RGB pixels at ``offset`` of a shard. ``error``: it cannot be read."""

    shard: int
    offset: int
    height: int
    width: int
    fingerprint: str
    error: str = ""


@dataclass
class CachedLoader:
    """Loads image ``position`` from memory-mapped shards, which each process opens for itself."""

    folder: Path
    places: np.ndarray  # int64 (N, 4): shard, offset, height, width
    maps: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    def __call__(self, position: int) -> Image.Image:
        shard, offset, height, width = self.places[position].tolist()
        if shard not in self.maps:
            self.maps[shard] = np.memmap(shard_file(self.folder, shard), np.uint8, "r")
        pixels = self.maps[shard][offset : offset + 3 * height * width]
        return Image.fromarray(pixels.reshape(height, width, 3))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"maps": {}}


@dataclass(frozen=True)
class Cache:
    """The images of a cache by id, with shorter sides of at most ``size`` pixels."""

    folder: Path
    dataset: str
    size: int
    kept: dict[str, Kept]

    def applied(self, parts: Parts, skip_bad: bool) -> tuple[Parts, list[str]]:
        """The parts with their images from the cache, and the ids of unreadable ones, left out if ``skip_bad``.

        Raises DataError where an image is not in the cache, has changed since, or could not be read.
        """
        again = f"run vptsp data prepare {self.dataset} --out {self.folder} again, which makes only those"
        every = [(i, images.load, p) for images in parts.each() for p, i in enumerate(images.ids)]
        if absent := [i for i, _, _ in every if i not in self.kept]:
            raise DataError(
                f"data_cache={self.folder} lacks {len(absent):,} of the {len(every):,} images of {self.dataset}: "
                f"{some(absent)}; {again}"
            )
        stale = [i for i, load, position in every if self.kept[i].fingerprint != fingerprint(load, position)]
        if stale:
            raise DataError(
                f"data_cache={self.folder}: {len(stale):,} images of {self.dataset} changed since it was made: "
                f"{some(stale)}; {again}"
            )
        bad = [i for i, _, _ in every if self.kept[i].error]
        if bad and not skip_bad:
            raise DataError(
                f"data_cache={self.folder}: {len(bad):,} images could not be read when it was made: {some(bad)}; "
                "set skip_bad=true to leave them out"
            )
        return without(parts, set(bad)).map(self._from_here), bad

    def _from_here(self, images: ImageSet) -> ImageSet:
        found = [self.kept[i] for i in images.ids]
        places = np.array([(k.shard, k.offset, k.height, k.width) for k in found], dtype=np.int64).reshape(-1, 4)
        return replace(images, load=CachedLoader(self.folder, places))


def open_cache(folder: Path, dataset: str, image_size: ImageSize | None = None) -> Cache:
    """The cache in a folder. Raises DataError when it is none, damaged, of another data set, or too small."""
    header = read_header(folder)
    if header["dataset"] != dataset:
        raise DataError(f"data_cache={folder} was made of dataset={header['dataset']}, not {dataset}; make another one")
    if image_size is not None and header["size"] < (least := with_margin(drawn_side(image_size))):
        raise DataError(
            f"data_cache={folder} holds images of {header['size']} pixels, but image_size={image_size} needs "
            f"{least}; make one with vptsp data prepare {dataset} --out NEW --size {least}"
        )
    kept: dict[str, Kept] = {}
    for shard in shards(folder):
        whole = read_shard(folder, shard)
        if whole is None:
            raise DataError(
                f"data_cache={folder}: {shard_file(folder, shard).name} is damaged or cut off; "
                f"run vptsp data prepare {dataset} --out {folder} again, which makes only its images"
            )
        kept |= whole  # a later shard holds what was made again
    return Cache(folder, dataset, header["size"], kept)


def read_header(folder: Path) -> dict[str, Any]:
    """``dataset`` and ``size`` of a cache. Raises DataError when the folder holds none that this version reads."""
    try:
        header = json.loads((folder / "cache.json").read_text(encoding="utf-8"))
        found = header["format"], header["dataset"], header["size"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"data_cache={folder} is no cache of images; vptsp data prepare makes one, with --out FOLDER"
        ) from None
    if found[0] != FORMAT:
        raise DataError(f"data_cache={folder} is of format {found[0]}, not {FORMAT}; make another one")
    return dict(header)


def shards(folder: Path) -> Iterator[int]:
    """Numbers of the finished shards, in the order in which they were made."""
    return iter(sorted(int(file.stem) for file in folder.glob("[0-9]*.json")))


def shard_file(folder: Path, shard: int) -> Path:
    return folder / f"{shard:05d}.bin"


def read_shard(folder: Path, shard: int) -> dict[str, Kept] | None:
    """The images of a shard by id; none where the list or the pixels are damaged."""
    try:
        rows = json.loads((folder / f"{shard:05d}.json").read_text(encoding="utf-8"))["images"]
        kept = {}
        offset = 0
        for image_id, height, width, mark, error in rows:
            kept[image_id] = Kept(shard, offset, height, width, mark, error)
            offset += 3 * height * width
        return kept if shard_file(folder, shard).stat().st_size == offset else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def fingerprint(load: LoadImage, position: int) -> str:
    """What changes when the source of an image does. Raises DataError for images that have no files."""
    if isinstance(load, Picked):
        return fingerprint(load.load, int(load.positions[position]))
    if isinstance(load, Chained):
        return fingerprint(*load.of(position))
    of = getattr(load, "fingerprint", None)
    if of is None:
        raise DataError("these images are drawn or read from memory; a cache is for images in files")
    return str(of(position))
