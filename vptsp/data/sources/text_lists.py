"""Text lists as data sets are published with: one image a line, columns apart by blanks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vptsp.data.rules import read_text
from vptsp.errors import DataError


class LayoutError(DataError):
    """A file that the layout of a data set asks for is not there; the registry adds what the layout is."""


def inner(root: Path, *names: str) -> Path:
    """The first of these folders in ``root`` that exists, or ``root``: archives unpack into a folder of their own."""
    return next((root / name for name in names if (root / name).is_dir()), root)


def first_file(*places: Path) -> Path:
    """The first of these files that exists. Raises LayoutError naming the usual place."""
    for place in places:
        if place.is_file():
            return place
    raise LayoutError(f"{places[0]} is not there")


def read_lines(file: Path) -> list[tuple[int, str]]:
    """``(line number, text)`` of the lines that are not blank; a byte-order mark and either line end are fine."""
    text = read_text(first_file(file))
    # Not splitlines(), which also ends a line at characters that file names may hold.
    return [(n, line.strip()) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]


def read_rows(file: Path, form: str, header: str | None = None, count_first: bool = False) -> list[tuple[Any, ...]]:
    """The columns of each line, as ``form`` names them: ``"image_id path"``, ``"path label:int"``.

    A last column, or one called ``path``, may hold blanks; ``:int`` columns become integers. With ``header`` the
    line before the data must be it; with ``count_first`` the very first line says how many rows follow.
    Raises DataError naming the file and the line.
    """
    fields = [field.partition(":") for field in form.split()]
    names = [name for name, _, _ in fields]
    wide = names.index("path") if "path" in names else len(names) - 1
    lines = read_lines(file)
    count = None
    if count_first:
        number, text = lines.pop(0) if lines else (1, "")
        count = _integer(text)
        if count is None:
            raise DataError(f"{file}, line {number}: expected the number of images, found {text!r}")
    if header is not None:
        number, text = lines.pop(0) if lines else (1, "")
        if text.split() != header.split():
            raise DataError(f"{file}, line {number}: expected the column names {header!r}, found {text!r}")
    rows = []
    for number, line in lines:
        words = line.split(None, wide)
        words = words[:wide] + words[wide].rsplit(None, len(names) - 1 - wide) if len(words) > wide else []
        values = [_integer(word) if kind == "int" else word for (_, _, kind), word in zip(fields, words, strict=False)]
        if len(words) != len(names) or None in values:
            raise DataError(f"{file}, line {number}: expected {' '.join(names)!r}, found {line!r}")
        rows.append(tuple(values))
    if count is not None and count != len(rows):
        raise DataError(f"{file} announces {count:,} images, but lists {len(rows):,}; restore the original file")
    return rows


def read_table(file: Path, form: str) -> dict[Any, Any]:
    """Two columns as a dictionary. Raises DataError where a key comes twice."""
    rows = read_rows(file, form)
    table = dict(rows)
    if len(table) != len(rows):
        twice = Counter(key for key, _ in rows).most_common(1)[0][0]
        raise DataError(f"{file} has two lines for {twice!r}; restore the original file")
    return table


def same_keys(file: Path, keys: Iterable[Any], other: Path, others: Iterable[Any]) -> None:
    """Raises DataError unless two lists speak of the same images."""
    if odd := sorted(set(keys) ^ set(others), key=str):
        raise DataError(
            f"{file.name} and {other.name} in {file.parent} do not list the same images: {len(odd)} are in only one "
            f"of them, such as {odd[0]!r}; restore the original files"
        )


def read_mat(file: Path) -> dict[str, Any]:
    """A MATLAB file (version 5) by scipy, single values unwrapped. Raises DataError where it cannot be read."""
    from scipy.io import loadmat  # here, as only these sets should pay for it

    try:
        return dict(loadmat(str(first_file(file)), squeeze_me=True))
    except LayoutError:
        raise
    except Exception as error:  # scipy raises ValueError, TypeError, MatReadError, zlib.error, ...
        raise DataError(f"{file} cannot be read as a MATLAB file ({error}); restore the original file") from None


def mat_field(file: Path, content: Any, name: str) -> Any:
    """A variable of a MATLAB file or a field of its struct array. Raises DataError naming the file."""
    known = content.keys() if isinstance(content, dict) else (getattr(content, "dtype", None) and content.dtype.names)
    if name not in (known or ()):
        raise DataError(f"{file} has no field {name!r}; restore the original file")
    return content[name]


def _integer(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
