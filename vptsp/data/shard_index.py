"""The index of a folder of shards, kept on disk: tars are read through once, and again only where they change.

It lies beside the shards (``.shards-index.jsonl``), or where nothing can be written there in ``shards/`` of the cache
folder (:func:`vptsp.home.cache_folder`), and may be deleted at any time. It has a line for each tar, with the size and
time that it had.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from vptsp.data.tar_index import TarIndex, read_tar, stamp
from vptsp.errors import RunError
from vptsp.files import write_text
from vptsp.home import cache_folder

NAME = ".shards-index.jsonl"
FORMAT = 1  # to be raised when what is noted of a tar changes


def indexed(root: Path, tars: Sequence[str], wanted: Collection[str]) -> dict[str, TarIndex]:
    """The index of each tar, by its path below ``root``, with the ``wanted`` keys of JSON.

    Raises what :func:`~vptsp.data.tar_index.read_tar` raises.
    """
    stamps = {tar: stamp(root / tar) for tar in tars}
    kept = _kept(root, stamps, wanted)
    if missing := [tar for tar in tars if tar not in kept]:
        kept |= {tar: read_tar(root / tar, wanted) for tar in missing}
        _keep(root, {tar: kept[tar] for tar in tars}, stamps, wanted)
    return {tar: kept[tar] for tar in tars}


def _places(root: Path) -> Iterator[Path]:
    """Where an index may be, the better place first."""
    yield root / NAME
    with suppress(RuntimeError):  # no home directory
        name = hashlib.sha256(str(root.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
        yield cache_folder() / "shards" / f"{name}.jsonl"


def _kept(root: Path, stamps: dict[str, tuple[int, int]], wanted: Collection[str]) -> dict[str, TarIndex]:
    """What earlier indexes say of tars that have not changed; what is cut off or no index says nothing."""
    found: dict[str, TarIndex] = {}
    for place in _places(root):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError), place.open(encoding="utf-8") as lines:
            header = json.loads(next(lines, "{}"))
            if header["format"] != FORMAT or not set(wanted) <= set(header["wanted"]):
                continue
            for text in lines:
                line = json.loads(text)
                if line["tar"] not in found and tuple(line["stamp"]) == stamps.get(line["tar"]):
                    found[line["tar"]] = TarIndex.of(line)
        if found.keys() == stamps.keys():
            break
    return found


def _keep(root: Path, tars: dict[str, TarIndex], stamps: dict[str, tuple[int, int]], wanted: Collection[str]) -> None:
    """Write the index where that can be done, and nowhere else."""
    lines: list[dict[str, Any]] = [{"format": FORMAT, "wanted": sorted(wanted)}]
    lines += [{"tar": name, "stamp": stamps[name], **vars(tar)} for name, tar in tars.items()]
    text = "".join(f"{json.dumps(line, ensure_ascii=False, separators=(',', ':'))}\n" for line in lines)
    for place in _places(root):
        with suppress(RunError, OSError):
            write_text(place, text)
            return
