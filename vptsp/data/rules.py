"""The rules by which every reader understands what people write: texts, paths, labels, flags, and their order.

A table, a query list, a published list, folders and the hub differ in form; what a cell or a name means is said here
once.
"""

from __future__ import annotations

import math
import os
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from vptsp.errors import ConfigError, DataError

TRUE, FALSE = {"1", "true", "yes", "y", "t"}, {"0", "false", "no", "n", "f"}
LABELS = ("label", "labels", "fine_label", "class", "target")  # columns of labels, the first that is there is meant
_LFS = b"version https://git-lfs.github.com/spec/"  # how a pointer begins that stands for a file not fetched
_MISSING = ("NAType", "NaTType")  # of pandas, which is not imported for this
_WHOLE = re.compile(r"[+-]?\d+")


def read_text(file: Path) -> str:
    """A text file: UTF-8 with or without a byte-order mark, or UTF-16 with one, as spreadsheets save it.

    Raises DataError for other encodings, which would have to be guessed, and for a file that cannot be read.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror or error})") from None
    refuse_pointer(file, data[: len(_LFS)])
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file} is not text in UTF-8 ({error.reason} at byte {error.start:,}); save it again as UTF-8"
        ) from None


def refuse_pointer(file: Path, start: bytes) -> None:
    """Raises DataError where a file's first bytes are those of a Git LFS pointer."""
    if start.startswith(_LFS):
        raise DataError(f"{file} is a Git LFS pointer and not the file itself; fetch it with git lfs pull")


def is_pointer(file: Path | bytes) -> bool:
    """Whether a file, which may be missing, or the content of one is a Git LFS pointer."""
    if isinstance(file, bytes):
        return file.startswith(_LFS)
    try:
        with file.open("rb") as opened:
            return opened.read(len(_LFS)) == _LFS
    except OSError:
        return False


def home_expanded(path: str | os.PathLike[str]) -> str:
    """``~`` as the home directory; as it is where there is none."""
    return os.path.expanduser(os.fspath(path))


def clean_path(text: str, root: Path | None = None) -> str:
    """A path as the lists of data sets write it, in one form, so that two ways of writing one place are equal.

    Windows' ``\\`` becomes ``/``, ``~`` the home directory, ``./x`` and ``a//x`` lose what says nothing, and a path
    below ``root`` is made relative to it. ``..`` stays: over links it means something else.
    """
    path = text.strip()
    if "\\" in path and "/" not in path:
        path = path.replace("\\", "/")
    path = home_expanded(path)
    if not path:
        return path
    parts = [part for part in path.split("/") if part not in ("", ".")]
    path = posixpath.join("/" if path.startswith("/") else "", *parts) or "."
    below = f"{str(root).rstrip('/')}/" if root is not None and root.is_absolute() else None
    return path.removeprefix(below) if below else path


def cell_text(value: Any) -> str:
    """A cell as text: "" where it is missing, ``3`` for 3 and 3.0."""
    if hasattr(value, "item") and not getattr(value, "ndim", None):
        value = value.item()
    if value is None or type(value).__name__ in _MISSING:
        return ""
    if isinstance(value, float):
        return "" if math.isnan(value) else str(int(value)) if value.is_integer() else str(value)
    return (value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)).strip()


def label_text(value: Any) -> str:
    """A label as the name of its class: :func:`cell_text` with accents as one letter, however they are written.

    Raises DataError for what is no single value, such as a list of labels.
    """
    single = value is None or isinstance(value, str | bytes | int | float | date) or hasattr(value, "item")
    if getattr(value, "ndim", None) or not (single or type(value).__name__ in _MISSING):
        raise DataError(f"a label is {value!r}; an image has one class, given as text or a number")
    return unicodedata.normalize("NFC", cell_text(value))


def flag(text: str) -> bool | None:
    """``1``, ``true``, ``yes`` and ``0``, ``false``, ``no`` in any case; none for anything else."""
    word = text.strip().lower().removesuffix(".0")
    return True if word in TRUE else False if word in FALSE else None


def in_order(names: Iterable[str]) -> list[str]:
    """Class names, each once: whole numbers by their value, where all are such, and else in the order of their text."""
    once = set(names)
    if all(_WHOLE.fullmatch(name) for name in once):
        return sorted(once, key=lambda name: (int(name), name))
    return sorted(once)


def label_column(name: str, columns: Sequence[str], asked: str | None, classes: Sequence[str] = ()) -> str:
    """Which column holds the labels: the one asked for, else the first known name, else the only one of ``classes``.

    Raises ConfigError for a column that is not there, DataError where none or several could be meant.
    """
    if asked is not None:
        if asked not in columns:
            raise ConfigError(f"label_column={asked!r} is no column of {name}; it has {', '.join(columns)}")
        return asked
    if known := [column for column in LABELS if column in columns]:
        return known[0]
    if len(classes) == 1:
        return classes[0]
    what = f"no column 'label', only {', '.join(columns)}"
    if classes:
        what = f"several columns of classes: {', '.join(classes)}"
    raise DataError(f"{name} has {what}; say with label_column=NAME which column holds the labels")
