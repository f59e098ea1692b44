"""Write any data set as WebDataset shards; stop it at any time, and the next call goes on.

Image files are copied byte by byte; drawn images become PNG. Samples come in the order of the set, as ``KEY.ENDING``
and ``KEY.json`` with id, label and roles. The same images give the same bytes of the same tars.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from torch.utils.data import DataLoader, Dataset

from vptsp.data.file_endings import is_read
from vptsp.data.image_set import ImageSet, Parts
from vptsp.data.raw_files import RawFile, as_png, raw_file
from vptsp.data.shard_manifest import NAME, Manifest, Written, manifest_of, shard_name
from vptsp.data.tar_index import read_tar
from vptsp.data.unreadable import without
from vptsp.errors import DataError
from vptsp.files import write_json

MEGABYTES = 250  # of a shard, about


@dataclass(frozen=True)
class ShardsWritten:
    """What a call did: images written now, images that were there already, and ids of all others: unreadable."""

    made: int
    reused: int
    unreadable: list[str]
    shards: int
    bytes: int


class _Files(Dataset[Any]):
    """Item: the file of an image that can be read, or the sentence why it cannot."""

    def __init__(self, images: ImageSet, first: int) -> None:
        self.images, self.first = images, first

    def __len__(self) -> int:
        return len(self.images) - self.first

    def __getitem__(self, index: int) -> RawFile | str:
        load, position = self.images.load, self.first + index
        try:
            file = raw_file(load, position)
            if file is None or not is_read(file.ending):
                return as_png(load, position)
            load(position)  # what is copied without a look is met broken by whoever trains
            return file
        except DataError as error:
            return str(error)


@dataclass
class _Part:
    """One part on its way into shards. ``done`` are positions that finished shards hold."""

    name: str
    images: ImageSet
    shards: int = 0
    done: list[int] = field(default_factory=list)
    bad: dict[int, str] = field(default_factory=dict)

    @property
    def next(self) -> int:
        """The first position after those in finished shards."""
        return self.done[-1] + 1 if self.done else 0


def write_shards(
    parts: Parts,
    folder: Path,
    dataset: str,
    *,
    megabytes: int = MEGABYTES,
    skip_bad: bool = False,
    num_workers: int = 0,
) -> Iterator[int | ShardsWritten]:
    """Yields the number of images done after each, and at last what was done.

    A shard ends with the image by which it has ``megabytes`` or more. Raises DataError for a folder that holds
    something else or shards of other images, for an unreadable image unless ``skip_bad``, for a full disk, and where
    another process writes into the folder.
    """
    sets = _by_name(parts)
    total = sum(map(len, sets.values()))
    try:
        _claim(folder, dataset)
        with FileLock(folder / ".lock", timeout=0):
            every = [_Part(name, images) for name, images in sets.items()]
            for part in every:
                _look_at(folder, part)
            count = reused = sum(len(part.done) for part in every)
            yield count
            for part in every:
                for _ in _write(folder, part, megabytes * 10**6, skip_bad, num_workers):
                    count += 1
                    yield min(count, total)
            yield _finished(folder, dataset, parts, every, reused)
    except Timeout:
        raise DataError(f"another process is writing shards into {folder}; wait, or choose another folder") from None
    except OSError as error:
        raise DataError(
            f"cannot write shards into {folder} ({error.strerror or error}); what is finished stays: free some space "
            "or mend the folder and run the same command again"
        ) from None


def _by_name(parts: Parts) -> dict[str, ImageSet]:
    """The parts that there are, by the names of their folders."""
    return dict(zip(("train", "test", "val"), parts.each(), strict=False))


def _claim(folder: Path, dataset: str) -> None:
    """Makes the folder one of shards of this data set, or makes sure that it is."""
    found = manifest_of(folder)
    if found is None:
        if folder.is_dir() and any(place.name != ".lock" for place in folder.iterdir()):
            raise DataError(f"{folder} holds other files and no shards of this program; choose an empty or new folder")
        write_json(folder / NAME, Manifest(dataset).as_dict())
    elif found.dataset != dataset:
        raise DataError(f"{folder} holds shards of {found.dataset}, not of {dataset}; choose another folder")


def _look_at(folder: Path, part: _Part) -> None:
    """Finds what finished shards hold. Raises DataError where those are not the first images of the set, in order."""
    place = {image_id: position for position, image_id in enumerate(part.images.ids)}
    (folder / part.name).mkdir(exist_ok=True)
    for left in (folder / part.name).glob(".*.part"):
        left.unlink()
    while (file := folder / shard_name(part.name, part.shards)).is_file():
        tar = read_tar(file, ("id", "label"))
        labels = tar.texts.get("json:label", [])
        for image_id, label in zip(tar.texts.get("json:id", [None]), labels, strict=False):
            position = place.get(image_id, -1)
            if position < part.next or part.images.class_names[part.images.labels[position]] != label:
                raise DataError(
                    f"{file} holds {image_id!r}, which is not what follows in the data set now; write changed data "
                    "into another folder"
                )
            part.done.append(position)
        part.shards += 1


def _write(folder: Path, part: _Part, most: int, skip_bad: bool, num_workers: int) -> Iterator[None]:
    """Yields after each image."""
    images = part.images
    _passed_by(part, skip_bad)
    files = enumerate(
        DataLoader(_Files(images, part.next), batch_size=1, collate_fn=_only, num_workers=num_workers), part.next
    )
    for _, batch in groupby(_good(files, part, skip_bad), _Filling(most)):
        target = folder / shard_name(part.name, part.shards)
        temporary = target.with_name(f".{target.name}.part")
        held: list[int] = []
        try:
            with temporary.open("wb") as opened:
                with tarfile.open(fileobj=opened, mode="w", format=tarfile.GNU_FORMAT) as tar:
                    for position, file in batch:
                        _add(tar, f"{position:08d}{file.ending}", file.content)
                        _add(tar, f"{position:08d}.json", _about(images, position))
                        held.append(position)
                        yield
                opened.flush()
                os.fsync(opened.fileno())
            os.replace(temporary, target)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
        part.done += held
        part.shards += 1


class _Filling:
    """Tells the shard of each image: a new one after that by which the present one has ``most`` bytes."""

    def __init__(self, most: int) -> None:
        self.most, self.size, self.number = most, 0, 0

    def __call__(self, item: tuple[int, RawFile]) -> int:
        if self.size >= self.most:
            self.size, self.number = 0, self.number + 1
        self.size += len(item[1].content)
        return self.number


def _good(files: Iterator[tuple[int, RawFile | str]], part: _Part, skip_bad: bool) -> Iterator[tuple[int, RawFile]]:
    for position, file in files:
        if isinstance(file, RawFile):
            yield position, file
        elif skip_bad:
            part.bad[position] = file
        else:
            raise DataError(file)


def _passed_by(part: _Part, skip_bad: bool) -> None:
    """Images before the last that is there, and not there themselves: an earlier call has left them out."""
    for position in sorted(set(range(part.next)) - set(part.done)):
        file = _Files(part.images, 0)[position]
        if isinstance(file, RawFile):
            raise DataError(
                f"the shards of {part.name} were written without {part.images.ids[position]!r}, which can be read now; "
                "write them into another folder"
            )
        if not skip_bad:
            raise DataError(file)
        part.bad[position] = file


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)  # with time and owner 0, so that equal images give equal tars
    info.size, info.mode = len(content), 0o644
    tar.addfile(info, io.BytesIO(content))


def _about(images: ImageSet, position: int) -> bytes:
    label = int(images.labels[position])
    about: dict[str, Any] = {"id": images.ids[position], "label": images.class_names[label]}
    if images.is_query is not None and images.is_gallery is not None:
        about |= {"is_query": int(images.is_query[position]), "is_gallery": int(images.is_gallery[position])}
    return json.dumps(about, ensure_ascii=False).encode()


def _finished(folder: Path, dataset: str, parts: Parts, every: list[_Part], reused: int) -> ShardsWritten:
    """Writes what the folder says of itself, which makes it one that can be read."""
    bad = {part.images.ids[position] for part in every for position in sorted(part.bad)}
    kept = without(replace(parts, passed_over=(), notes=()), bad)
    sets = _by_name(kept)
    for part in every:
        if len(sets[part.name]) != len(part.done):
            raise DataError(f"the images of {part.name} changed while they were written; run the same command again")
    written = {part.name: Written.of(sets[part.name], part.shards) for part in every}
    for part in every:
        for extra in sorted((folder / part.name).glob("shard-*.tar")):
            if extra.relative_to(folder).as_posix() not in {shard_name(part.name, n) for n in range(part.shards)}:
                raise DataError(f"{extra} follows no other shard; remove it and run the same command again")
    write_json(folder / NAME, Manifest(dataset, True, parts.classes_given, written).as_dict())
    made = sum(len(part.done) for part in every) - reused
    size = sum(file.stat().st_size for file in folder.glob("*/*.tar"))
    unreadable = [part.images.ids[position] for part in every for position in sorted(part.bad)]
    return ShardsWritten(made, reused, unreadable, sum(part.shards for part in every), size)


def _only(batch: list[Any]) -> Any:
    """A batch of one as it is."""
    return batch[0]
