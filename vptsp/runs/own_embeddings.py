"""Embeddings made elsewhere: read from a file of numbers, checked, and kept as every view here reads them.

>>> from vptsp.runs import SavedEmbeddings
>>> saved = SavedEmbeddings.write("runs/own/clip", vectors, labels, images=paths)  # doctest: +SKIP
>>> saved = SavedEmbeddings.write("runs/own/clip", "clip.parquet")  # doctest: +SKIP

A file is ``.npy`` (the vectors), ``.npz`` (arrays named as the arguments are) or a table, ``.parquet`` or ``.csv``: a
column ``embedding`` of lists, or a column for each number, named ``0, 1, ...`` or with a common beginning (``e0, e1``);
``label``, ``image`` (a path) and ``id`` if there are such columns; all others to colour a map by.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from vptsp.data.folder import FileLoader, read_image
from vptsp.data.image_set import ImageSet
from vptsp.data.rules import in_order, label_text
from vptsp.errors import DataError, explained
from vptsp.runs.embeddings import NO_CLASS
from vptsp.runs.thumbnails import placeholder

SUFFIXES = (".npy", ".npz", ".parquet", ".csv")
_NAMES = {"label": "labels", "class": "labels", "image": "images", "path": "images", "id": "ids"}
_NUMBERED = re.compile(r"(.*?)(\d+)")


@dataclass(frozen=True)
class Own:
    """N embedded images as given: ``embeddings`` (N, E) float32; all else may be none.

    ``labels``: the class of each image, as text or numbers. ``images``: their files. ``ids``: unique names.
    ``columns``: more that is known, a row for each image.
    """

    embeddings: np.ndarray
    labels: Sequence[Any] | None = None
    images: Sequence[str | Path] | None = None
    ids: Sequence[str] | None = None
    columns: pd.DataFrame | None = None

    def image_set(self, name: str) -> ImageSet:
        """The images with labels 0..C-1.

        Raises DataError for parts of other lengths, ids that repeat and images that are not there; one that is there
        and cannot be read has a square with its id.
        """
        count = len(self.embeddings)
        for what in ("labels", "images", "ids", "columns"):
            part = getattr(self, what)
            if part is not None and len(part) != count:
                raise DataError(f"{name}: {count} embeddings but {len(part)} {what}; give one for each, in their order")
        if self.images is not None and (gone := FileLoader(tuple(map(str, self.images))).missing()):
            raise DataError(f"{len(gone):,} of {count:,} images are no files, such as {gone[0]}; give whole paths")
        ids = self.ids if self.ids is not None else _ids(self.images, count)
        given = [None] * count if self.labels is None else self.labels
        classes = [label_text(label) or NO_CLASS for label in given]
        names = in_order(classes)
        place = {label: number for number, label in enumerate(names)}
        labels = np.array([place[label] for label in classes], dtype=np.int64)
        texts = [str(one) for one in ids]
        return ImageSet(name, texts, labels, names, _Files(self.images, texts))


class _Files:
    """Opens the image of a row; where there is none, or it cannot be read, a square with its id."""

    def __init__(self, paths: Sequence[str | Path] | None, ids: list[str]) -> None:
        self.paths, self.ids = paths, ids

    def __call__(self, row: int) -> Image.Image:
        if self.paths is None:
            return placeholder(self.ids[row])
        try:
            return read_image(Path(self.paths[row]))
        except DataError:
            return placeholder(self.ids[row])


def own(embeddings: Any, **given: Any) -> Own:
    """What was given, or is in the file that ``embeddings`` names; arguments that are given win over the file's.

    Labels, images and ids may be the path of a ``.npy`` file, too. Raises DataError for a file that cannot be read, and
    for embeddings that are no (N, E) finite numbers.
    """
    found = read(Path(embeddings)) if isinstance(embeddings, (str, Path)) else Own(_vectors(embeddings))
    return replace(found, **{name: _listed_in(name, value) for name, value in given.items() if value is not None})


def _listed_in(name: str, given: Any) -> Any:
    """What is given, or the list in the file that it names."""
    if not isinstance(given, (str, Path)):
        return given
    path, what = Path(given), f"{name}={str(given)!r}"
    if path.suffix.lower() != ".npy":
        raise DataError(f"{what} is one text; give a list, one for each embedding, or a .npy file of it")
    try:
        array = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{what} cannot be read as an array ({error}); save the list with numpy.save") from None
    if not isinstance(array, np.ndarray) or array.ndim != 1:
        raise DataError(f"{what} holds no list; save one value for each embedding with numpy.save")
    return array.tolist()


def read(path: Path) -> Own:
    """The embeddings in a file; the module says which. Raises DataError."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path} is none of {', '.join(SUFFIXES)}; save the embeddings as one of these")
    try:
        return reader(path)
    except DataError:
        raise
    except Exception as error:  # numpy, pyarrow and pandas each have their own
        raise DataError(f"{path} cannot be read as embeddings ({error}); save it again") from None


def _read_npy(path: Path) -> Own:
    return Own(_vectors(np.load(path), path))


def _read_npz(path: Path) -> Own:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    if "embeddings" not in arrays:
        raise DataError(f"{path} holds {', '.join(arrays) or 'nothing'}; name one of its arrays embeddings")
    known = {name: arrays[name].tolist() for name in ("labels", "images", "ids") if name in arrays}
    return Own(_vectors(arrays["embeddings"], path), **known)


def _read_table(path: Path) -> Own:
    table = pd.read_parquet(path) if path.suffix.lower() == ".parquet" else pd.read_csv(path)
    vectors = ["embedding"] if "embedding" in table else _numbered(table)
    if not vectors:
        raise DataError(
            f"{path} has the columns {', '.join(map(str, table.columns[:8]))}; the vectors must be a column "
            "embedding of lists, or numbered columns such as e0, e1, e2"
        )
    if vectors == ["embedding"]:
        rows = [np.asarray(_listed(row), dtype="<f4") for row in table["embedding"]]
        if len({row.shape for row in rows}) > 1:
            raise DataError(f"{path}: the lists of its column embedding are not all of one length")
        numbers = np.stack(rows) if rows else np.empty((0, 0), "<f4")
    else:
        numbers = table[vectors].to_numpy(dtype="<f4")
    own_names = {part: name for name, part in reversed(_NAMES.items()) if name in table}
    rest = table.drop(columns=[*vectors, *own_names.values()]).reset_index(drop=True)
    return Own(
        _vectors(numbers, path),
        **{part: table[name].tolist() for part, name in own_names.items()},
        columns=rest if len(rest.columns) else None,
    )


_READERS: dict[str, Callable[[Path], Own]] = {
    ".npy": _read_npy, ".npz": _read_npz, ".parquet": _read_table, ".csv": _read_table,
}  # fmt: skip


def _numbered(table: pd.DataFrame) -> list[str]:
    """The columns of numbers that are numbered from 0 or 1 without a gap, of one beginning, in their order."""
    found: dict[str, dict[int, str]] = {}
    for name in table.columns:
        match = _NUMBERED.fullmatch(str(name))
        if match and pd.api.types.is_numeric_dtype(table[name].dtype):
            found.setdefault(match[1], {})[int(match[2])] = name
    most: dict[int, str] = max(found.values(), key=len, default={})
    whole = sorted(most) in (list(range(len(most))), list(range(1, len(most) + 1)))
    return [most[number] for number in sorted(most)] if len(most) > 1 and whole else []


def _listed(row: Any) -> Any:
    return [float(number) for number in row.strip("[] ").replace(",", " ").split()] if isinstance(row, str) else row


def _vectors(given: Any, place: Path | None = None) -> np.ndarray:
    """float32 (N, E)."""
    what = str(place) if place else "embeddings"
    try:
        if hasattr(given, "detach"):
            given = given.detach().cpu().float()
        vectors = np.ascontiguousarray(given, dtype="<f4")
    except (TypeError, ValueError) as error:
        raise DataError(f"{what}: no array of numbers ({error}); give (N, E), a row for each image") from None
    if vectors.ndim != 2 or not vectors.size:
        raise DataError(f"{what}: numbers of shape {vectors.shape}; give (N, E), a row for each image")
    return vectors


def _ids(images: Sequence[str | Path] | None, count: int) -> list[str]:
    """The files' paths without what they all begin with; numbers where there are no files."""
    if images is None:
        return [f"{row:0{len(str(count - 1))}d}" for row in range(count)]
    paths = [Path(path).as_posix() for path in images]
    if len(set(paths)) < count:
        twice = next(path for row, path in enumerate(paths) if path in paths[:row])
        raise DataError(f"images: {twice} is there twice, so it cannot name a row; give ids")
    parents = [path.rpartition("/")[0].split("/") for path in paths]
    same = 0
    while all(len(parts) > same and parts[same] == parents[0][same] for parts in parents):
        same += 1
    return ["/".join(path.split("/")[same:]) for path in paths]


def require_new(folder: Path) -> None:
    """Refuse a folder that holds something else than embeddings. Raises DataError."""
    with explained(folder):
        strangers = folder.is_dir() and any(folder.iterdir()) and not (folder / "embeddings.safetensors").is_file()
    if strangers or folder.is_file():
        raise DataError(f"{folder} holds something else; choose a new folder for the embeddings")
