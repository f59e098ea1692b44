"""WebDataset shards: tars in ``train/`` and ``test/``, or with these words in their names, of this workbench or others.

The images of the tars become one list, so seeds, batches, resumed runs and several processes mean the same as for
folders; nothing is streamed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from vptsp.data.file_endings import is_read, why_not
from vptsp.data.folder import printable
from vptsp.data.image_set import ImageSet, Parts
from vptsp.data.passed_over import Looked
from vptsp.data.rules import LABELS, cell_text, flag, in_order, label_text
from vptsp.data.settings import DataConfig
from vptsp.data.shard_index import indexed
from vptsp.data.shard_loader import ShardLoader
from vptsp.data.shard_manifest import NAME as MANIFEST
from vptsp.data.shard_manifest import Written, read_manifest
from vptsp.data.sources.text_lists import LayoutError
from vptsp.data.splits import ROLES, some
from vptsp.data.tar_index import TarIndex, compressed, stamp
from vptsp.errors import ConfigError, DataError

NAMES = ("label_name", "class_name", *LABELS)  # keys of JSON that are labels, those that people read first
_PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
}
_PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst")
_WORD = re.compile("[a-z]+")


@dataclass(frozen=True)
class Shard:
    """A tar by its path below the root, and what is in it."""

    path: str
    tar: TarIndex


def shards(config: DataConfig, root: Path) -> Parts:
    """The samples of all tars below ``root``; ``val`` is used for validation, or joins train, or stands for a test
    that is not there.

    Labels are ``label_column`` of each sample's JSON, else its ``.cls``, a known key of its JSON, or its ``.txt``:
    the first that any sample of the set has. Raises DataError for tars and samples that cannot be used.
    """
    look, manifest = Looked(), read_manifest(root)
    tars = _tars(root, look)
    if missing := [part for part in ("train", "test") if part not in tars and not (part == "test" and "val" in tars)]:
        raise LayoutError(f"data_root={root} has no shards (.tar) of {some(missing)}")
    wanted = {*NAMES, *ROLES, "id"} | ({config.label_column} if config.label_column else set())
    index = indexed(root, [path for paths in tars.values() for path in paths], wanted)
    found = {part: [Shard(path, index[path]) for path in paths] for part, paths in tars.items()}
    kind = _kind(root, [shard for part in found.values() for shard in part], config.label_column, manifest is not None)
    sets = {
        part: _image_set(root, part, found[part], kind, look, manifest.parts.get(part) if manifest else None)
        for part in found
    }
    if "test" not in sets:
        sets["test"] = sets.pop("val")
        look.notes.append(f"{root} has no shards of test, so those of validation are the test images")
    train, val = sets["train"], sets.get("val")
    if val is not None and config.val_fraction == 0:
        train, val = train.joined(val), None
    given = manifest is not None and manifest.classes_given
    return Parts(train, sets["test"], val, given, tuple(look.passed), tuple(look.notes))


def _tars(root: Path, look: Looked) -> dict[str, list[str]]:
    """Paths of the tars of each part below the root, sorted. Raises DataError for compressed ones."""
    found: dict[str, list[str]] = {}
    for folder in [root, *sorted(place for place in root.iterdir() if place.is_dir() and place.name[0] != ".")]:
        for file in sorted(folder.iterdir()):
            path = file.relative_to(root).as_posix()
            if file.name[0] == "." or path == MANIFEST:
                continue
            if file.is_dir():
                below = sorted(deep.relative_to(root).as_posix() for deep in file.rglob("*.tar") if folder != root)
                look.pass_over(map(printable, below), "deeper than <part>/<tar>")
                continue
            if file.name.lower().endswith(_PACKED):
                raise compressed(file)
            if file.suffix.lower() != ".tar":
                look.pass_over([printable(path)], "no tar")
                continue
            words = _WORD.findall((file.name if folder == root else folder.name).lower())
            parts = {_PARTS[word] for word in words if word in _PARTS}
            if len(parts) == 1:
                found.setdefault(parts.pop(), []).append(path)
            else:
                look.pass_over([printable(path)], "its place and name do not say train, test or val")
    return found


def _kind(root: Path, found: Sequence[Shard], asked: str | None, own: bool) -> str:
    """Which texts are the labels, as :class:`TarIndex` calls them. Raises ConfigError or DataError where none is."""
    there = {kind for shard in found for kind in shard.tar.texts}
    if own:
        return "json:label"
    if asked is not None:
        if f"json:{asked}" not in there:
            names = sorted({name for shard in found for name in shard.tar.names})
            raise ConfigError(
                f"label_column={asked!r} is no key of the JSON files in the shards of {root}; they have "
                f"{', '.join(names) or 'no keys'}"
            )
        return f"json:{asked}"
    for kind in ("cls", *(f"json:{name}" for name in NAMES), "txt"):
        if kind in there:
            return kind
    raise DataError(
        f"{root}: the samples of its shards have no labels; legal: a file KEY.cls, KEY.txt, or KEY.json with one of "
        f"{', '.join(NAMES)} or what label_column=NAME says"
    )


def _image_set(root: Path, part: str, found: list[Shard], kind: str, look: Looked, written: Written | None) -> ImageSet:
    """One part; ids are those that the shards were written with, or ``<part>/<tar>/<key>``."""
    ids: list[str] = []
    texts: list[Any] = []
    members: list[str] = []
    places: list[np.ndarray] = []
    roles: dict[str, list[Any]] = {role: [] for role in ROLES}
    for number, shard in enumerate(found):
        tar = shard.tar
        endings, where = _one_image_each(root / shard.path, tar, look, shard.path)
        taken = np.flatnonzero(where[:, 1] >= 0).tolist()
        stem = printable(str(PurePosixPath(shard.path).with_suffix("")))
        stem = stem.split("/", 1)[1] if "/" in stem else stem
        own = tar.texts.get("json:id", []) if written else None
        ids += [str(own[n]) if own else f"{part}/{stem}/{tar.keys[n]}" for n in taken]
        members += [f"{tar.keys[n]}.{endings[n]}" for n in taken]
        places.append(np.column_stack([np.full(len(taken), number), where[taken]]))
        values = tar.texts.get(kind, [None] * len(tar.keys))
        texts += [str(values[n]) for n in taken] if written else _labels(root / shard.path, tar, kind, values, taken)
        for role in ROLES:
            given = tar.texts.get(f"json:{role}")
            roles[role] += [given[n] if given else None for n in taken]
    if not ids:
        raise DataError(f"{root}: the shards of {part} hold no images; legal endings: jpg, png, webp, tif and others")
    if written is not None:
        written.require_all(root, part, [shard.path for shard in found], len(ids))
    names = written.class_names if written else in_order(texts)
    place = {name: label for label, name in enumerate(names)}
    if odd := sorted({text for text in texts if text not in place}):
        raise DataError(f"{root}/{MANIFEST} has no class {some(odd)}, which samples of {part} have; write them again")
    files = [root / shard.path for shard in found]
    is_query, is_gallery = _roles(root, roles, part)
    return ImageSet(
        name=written.name if written else f"{printable(root.resolve().name)}/{part}",
        ids=ids,
        labels=np.array([place[text] for text in texts], dtype=np.int64),
        class_names=names,
        load=ShardLoader(tuple(map(str, files)), tuple(stamp(f)[1] for f in files), np.concatenate(places), members),
        is_query=is_query,
        is_gallery=is_gallery,
        mirror_ok=written.mirror_ok if written else True,
    )


def _one_image_each(file: Path, tar: TarIndex, look: Looked, path: str) -> tuple[list[str], np.ndarray]:
    """The ending of each sample's image, and int64 (S, 2): its offset and size, -1 where the sample has none."""
    endings, where = [""] * len(tar.keys), np.full((len(tar.keys), 2), -1, dtype=np.int64)
    unread: dict[int, str] = {}
    # An image called KEY.jpg before one called KEY.small.jpg, which is taken where it is the only one.
    for wide in (False, True):
        before = {n for n, ending in enumerate(endings) if ending}
        for ending, (numbers, offsets, sizes) in tar.images.items():
            last = f".{ending.rpartition('.')[2]}"
            if ("." in ending) != wide:
                continue
            for n, offset, size in zip(numbers, offsets, sizes, strict=True):
                if not is_read(last):
                    unread[n] = last
                elif n not in before:
                    if endings[n]:
                        key = tar.keys[n]
                        raise DataError(
                            f"{file}: the sample {key} has several images ({key}.{endings[n]}, {key}.{ending}), and "
                            "which is meant is not said; write the shard with one image for each sample"
                        )
                    endings[n], where[n] = ending, (offset, size)
    for n in np.flatnonzero(where[:, 1] < 0).tolist():
        why = why_not(unread[n]) if n in unread else "a sample without an image"
        look.pass_over([f"{printable(path)}: {tar.keys[n]}"], why)
    return endings, where


def _labels(file: Path, tar: TarIndex, kind: str, values: list[Any], taken: list[int]) -> list[str]:
    """The class of each sample that is taken, of a value for each that is there. Raises DataError for one without."""
    found = []
    for n in taken:
        try:
            found.append(label_text(values[n]))
        except DataError as error:
            raise DataError(f"{file}: the label of {tar.keys[n]} cannot be used: {error}") from None
    if missing := found.count(""):
        what = f"{kind.removeprefix('json:')} in its .json" if kind.startswith("json:") else f".{kind}"
        raise DataError(
            f"{file}: {missing:,} of {len(taken):,} samples have no label ({what}), the first is "
            f"{tar.keys[taken[found.index('')]]}; write the shard with a label for each, or without them"
        )
    return found


def _roles(root: Path, roles: dict[str, list[Any]], part: str) -> Iterator[np.ndarray | None]:
    """Masks of queries and gallery, of test images where all have such keys; else none of both."""
    given = {role: [value is not None for value in values] for role, values in roles.items()}
    if part != "test" or not any(any(having) for having in given.values()):
        yield from (None, None)
        return
    for role, values in roles.items():
        masks = [flag(cell_text(value)) for value in values]
        if None in masks:
            raise DataError(
                f"{root}: {role} of a test sample must be 0 or 1, not {values[masks.index(None)]!r}; give is_query and "
                "is_gallery in the .json of all test samples, or of none"
            )
        yield np.array(masks, dtype=bool)
