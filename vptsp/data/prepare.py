"""Fill a cache of decoded images; stop it at any time, and the next call goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout
from torch.utils.data import DataLoader, Dataset

from vptsp.data.cache import FORMAT, Kept, fingerprint, read_header, read_shard, shard_file, shards
from vptsp.data.image_set import LoadImage, Parts
from vptsp.data.transforms import resize_short
from vptsp.errors import DataError
from vptsp.files import write_json

SHARD_IMAGES = 1024  # of 256 pixels: about 256 MiB, the most that an interruption costs


class Wanted(NamedTuple):
    image_id: str
    load: LoadImage
    position: int
    fingerprint: str


@dataclass(frozen=True)
class Prepared:
    """What a call did: images made now, images that were there already, and ids of all others: unreadable."""

    made: int
    reused: int
    unreadable: list[str]
    bytes: int


class Shrunk(Dataset[Any]):
    """Item: uint8 (H, W, 3) with the shorter side cut down to ``size``, or the sentence why it cannot be read."""

    def __init__(self, wanted: list[Wanted], size: int) -> None:
        self.wanted, self.size, self.resize = wanted, size, resize_short(size)

    def __len__(self) -> int:
        return len(self.wanted)

    def __getitem__(self, index: int) -> np.ndarray | str:
        try:
            image = self.wanted[index].load(self.wanted[index].position)
        except DataError as error:
            return str(error)
        # Small images stay as they are: enlarging them is the transform's work, and costs no disk.
        return np.asarray(self.resize(image) if min(image.size) > self.size else image)


def prepare(
    parts: Parts, folder: Path, dataset: str, size: int = 256, *, skip_bad: bool = False, num_workers: int = 0
) -> Iterator[int | Prepared]:
    """Yields the number of images done after each, and at last what was done.

    With the size that tests resize to (256 for 224), scores from the cache equal those from the files, bit for bit.
    Raises DataError for a folder that holds something else, for an unreadable image unless ``skip_bad``, for a full
    disk, and where another process fills the same cache.
    """
    every = [
        Wanted(image_id, images.load, position, fingerprint(images.load, position))
        for images in parts.each()
        for position, image_id in enumerate(images.ids)
    ]
    try:
        _claim(folder, dataset, size)
        with FileLock(folder / ".lock", timeout=0):
            done = _finished(folder, skip_bad)
            left = [w for w in every if w.image_id not in done or done[w.image_id].fingerprint != w.fingerprint]
            yield len(every) - len(left)
            yield from _fill(folder, left, size, len(every) - len(left), skip_bad, num_workers)
            done = _finished(folder, skip_bad)
            bad = [w.image_id for w in every if done[w.image_id].error]
            total = sum(file.stat().st_size for file in folder.glob("*.bin"))
    except Timeout:
        raise DataError(f"another process is filling the cache {folder}; wait, or choose another folder") from None
    except OSError as error:
        raise DataError(
            f"cannot write the cache {folder} ({error.strerror or error}); what is finished stays: free some space "
            "or mend the folder and run the same command again"
        ) from None
    made = len({w.image_id for w in left} - set(bad))
    yield Prepared(made, len(every) - made - len(bad), bad, total)


def _claim(folder: Path, dataset: str, size: int) -> None:
    """Makes the folder this cache's, or makes sure that it is."""
    if not (folder / "cache.json").exists():
        if folder.is_dir() and any(folder.iterdir()):
            raise DataError(f"{folder} holds other files and no cache; choose an empty or new folder")
        write_json(folder / "cache.json", {"format": FORMAT, "dataset": dataset, "size": size})
    header = read_header(folder)
    if (header["dataset"], header["size"]) != (dataset, size):
        raise DataError(
            f"{folder} is a cache of {header['dataset']} at {header['size']} pixels, not of {dataset} at {size}; "
            "choose another folder"
        )


def _finished(folder: Path, skip_bad: bool) -> dict[str, Kept]:
    """What is in the cache. Shards without a list or damaged are deleted; unreadable images are tried again
    unless they are to be skipped."""
    done: dict[str, Kept] = {}
    for shard in shards(folder):
        kept = read_shard(folder, shard)
        if kept is None:
            (folder / f"{shard:05d}.json").unlink()
        else:
            done |= kept
    for file in [*folder.glob("*.bin"), *folder.glob(".*.part")]:
        if not (folder / f"{file.stem}.json").exists():
            file.unlink()
    return {image_id: kept for image_id, kept in done.items() if skip_bad or not kept.error}


def _fill(folder: Path, left: list[Wanted], size: int, count: int, skip_bad: bool, num_workers: int) -> Iterator[int]:
    loader = DataLoader(Shrunk(left, size), batch_size=1, collate_fn=_only, num_workers=num_workers)
    images = zip(left, loader, strict=True)
    shard = max(shards(folder), default=-1) + 1
    for start in range(0, len(left), SHARD_IMAGES):
        part = folder / f".{shard:05d}.part"
        rows: list[list[Any]] = []
        try:
            with part.open("wb") as file:
                for wanted, pixels in _take(images, min(SHARD_IMAGES, len(left) - start)):
                    if isinstance(pixels, str) and not skip_bad:
                        raise DataError(pixels)
                    error, (height, width) = (pixels, (0, 0)) if isinstance(pixels, str) else ("", pixels.shape[:2])
                    if not error:
                        file.write(np.ascontiguousarray(pixels).data)
                    rows.append([wanted.image_id, height, width, wanted.fingerprint, error])
                    count += 1
                    yield count
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, shard_file(folder, shard))
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
        # The list comes last: without it the shard does not count.
        (listing := folder / f".{shard:05d}.json.part").write_text(json.dumps({"images": rows}), encoding="utf-8")
        os.replace(listing, folder / f"{shard:05d}.json")
        shard += 1


def _take(images: Iterable[Any], number: int) -> Iterator[Any]:
    return (pair for _, pair in zip(range(number), images, strict=False))


def _only(batch: list[Any]) -> Any:
    """A batch of one as it is."""
    return batch[0]
