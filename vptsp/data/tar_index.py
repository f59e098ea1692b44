"""What one WebDataset shard holds, by one pass over the headers of its tar: where each image lies, and its labels.

A shard is a plain tar. Its members ``KEY.ENDING`` of one key are a sample; the key is all of the path up to the first
dot of the file name, as WebDataset has it. Of images the place is noted, while labels (``.cls``, ``.txt`` and some keys
of ``.json``) are read, so that a data set of a million images is known without opening one.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from vptsp.data.file_endings import is_image
from vptsp.data.folder import printable
from vptsp.data.rules import refuse_pointer
from vptsp.errors import DataError

_MEMBER = re.compile(r"((?:.*/|)[^./]+)[.]([^/]*)")  # the key and, after the first dot of the name, the ending
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_BLOCK = 512  # bytes, of a header and of the zeros that end a tar
_CAPTION = 200  # characters; longer texts are no labels, and are cut there
_LONGEST = 5000  # characters of a value of JSON, which may be a path
_NAMES = 40  # keys of JSON that an error lists


@dataclass
class TarIndex:
    """The S samples of a tar, in its order.

    ``images`` has for each ending of an image three lists of equal length: the samples' numbers, and offset and size
    of their bytes. ``texts`` has for each kind of label (``cls``, ``txt``, and ``json:NAME`` for a key of JSON) S
    values, none where a sample has no such thing. ``names`` are the keys of JSON that were met.
    """

    keys: list[str] = field(default_factory=list)
    images: dict[str, tuple[list[int], list[int], list[int]]] = field(default_factory=dict)
    texts: dict[str, list[Any]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, line: dict[str, Any]) -> TarIndex:
        """From what :func:`vars` of one was, by way of JSON. Raises KeyError, TypeError or ValueError for others."""
        images = {str(ending): tuple(map(list, places)) for ending, places in line["images"].items()}
        found = cls(list(line["keys"]), images, dict(line["texts"]), list(line["names"]))  # type: ignore[arg-type]
        if any(len(values) != len(found.keys) for values in found.texts.values()):
            raise ValueError("of unequal length")
        return found

    def put(self, kind: str, sample: int, value: Any) -> None:
        """A label of a sample; samples come in order."""
        values = self.texts.setdefault(kind, [])
        values += [None] * (sample + 1 - len(values))
        values[sample] = value


def read_tar(path: Path, wanted: Collection[str]) -> TarIndex:
    """The index of a tar, with the ``wanted`` keys of its JSON members.

    Raises DataError for what is no tar, for a compressed one and one that is cut off, and for a member that is there
    twice or is no JSON; OSError where the file cannot be read.
    """
    found = TarIndex()
    seen: set[tuple[str, str]] = set()
    samples: dict[str, int] = {}
    with path.open("rb") as file:
        _require_plain(path, file)
        for info in _members(path, file):
            match = _MEMBER.fullmatch(printable(info.name))
            if match is None or not info.isreg() or info.issparse():
                continue  # directories, links, files without an ending: nothing of a sample
            key, ending = match[1].removeprefix("./"), match[2].lower()
            if (key, ending) in seen:
                raise DataError(
                    f"{path} holds {key}.{ending} twice; a sample has one file of each ending: write the shard again"
                )
            seen.add((key, ending))
            sample = samples.setdefault(key, len(samples))
            if sample == len(found.keys):
                found.keys.append(key)
            last = ending.rpartition(".")[2]
            if is_image(f".{last}"):
                for values, value in zip(
                    found.images.setdefault(ending, ([], [], [])), (sample, info.offset_data, info.size), strict=True
                ):
                    values.append(value)
            elif ending in ("cls", "txt"):
                file.seek(info.offset_data)
                text = file.read(min(info.size, 4 * _CAPTION)).decode("utf-8", "backslashreplace")
                found.put(ending, sample, text[:_CAPTION].strip())
            elif ending == "json":
                file.seek(info.offset_data)
                for name, value in _object(path, f"{key}.json", file.read(info.size)).items():
                    if name not in found.names and len(found.names) < _NAMES:
                        found.names.append(name)
                    if name in wanted:
                        found.put(f"json:{name}", sample, _short(value))
    for texts in found.texts.values():
        texts += [None] * (len(found.keys) - len(texts))
    return found


def _require_plain(path: Path, file: BinaryIO) -> None:
    start = file.read(_BLOCK)
    refuse_pointer(path, start)
    for magic, name in _PACKED.items():
        if start.startswith(magic):
            raise compressed(path, f" ({name})")
    file.seek(0)


def compressed(path: Path, form: str = "") -> DataError:
    """What to say of a tar that is compressed; `` (gzip)`` where it is known how."""
    return DataError(
        f"{path} is compressed{form}, so that images in it cannot be read one by one; decompress it: images are "
        "compressed already"
    )


def _members(path: Path, file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """The headers of a tar. Raises DataError for what is none, and where its end is missing."""
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while (info := tar.next()) is not None:
                yield info
                tar.members.clear()  # type: ignore[attr-defined]  # which tarfile keeps; a shard may have a million
            end = tar.offset
    except tarfile.TarError as error:
        if "unexpected end" not in str(error):
            raise DataError(f"{path} is no tar ({error}); replace it by a shard, or remove it") from None
        end = -1
    # tarfile takes whatever is no header for the end
    file.seek(max(end, 0))
    if end < 0 or file.read(_BLOCK) != bytes(_BLOCK):
        raise DataError(f"{path} is cut off or damaged: the end of a tar is missing; copy or write it again")


def _object(path: Path, member: str, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:  # also of bytes that are no text
        raise DataError(f"{path}: {member} is no JSON ({error}); write the shard again") from None
    return found if isinstance(found, dict) else {}


def _short(value: Any) -> Any:
    """A value as the index keeps it: long texts are cut, and of lists it is enough to know that they are some."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()[:_LONGEST]
    if isinstance(value, list | dict):
        return [json.dumps(value)[:_CAPTION]]
    return value


def stamp(path: Path) -> tuple[int, int]:
    """Size in bytes and time of change in nanoseconds, by which a tar is known to be the same."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns
