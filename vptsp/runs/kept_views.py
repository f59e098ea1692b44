"""Views of a map that people keep under a name, with the run: what to look at, what was selected, and a picture of it.

A file of :mod:`~vptsp.runs.lines`: ``runs/<name>/views/<split>.jsonl``, or ``views.jsonl`` beside embeddings of no run.
Pictures stand in the folder of the same name, each written whole before the line that names it. A view that was
replaced or forgotten stays in the file, and can be brought back by its key.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vptsp.errors import DataError, RunError
from vptsp.files import write_bytes
from vptsp.runs.lines import Lines, place_of
from vptsp.text import meant, plain

if TYPE_CHECKING:
    from vptsp.runs.embeddings import SavedEmbeddings

_KEY = re.compile(r"[0-9a-f]{16}")
_KINDS: dict[str, Any] = {
    "state": dict, "focus": str, "made": dict, "note": str, "date": int | float, "key": str
}  # fmt: skip


@dataclass(frozen=True)
class KeptView:
    """A view as it was when it was kept.

    ``state`` is the ``view_state`` of the map, ``selection`` and ``focus`` are ids of images. ``made`` says how the map
    was made, ``span`` is [lowest, highest] of the places on each of its axes: by both one tells whether a map is the
    same. ``note`` says in words what was shown of how much, ``date`` is in seconds since 1970.
    """

    name: str
    state: Mapping[str, Any]
    selection: tuple[str, ...] = ()
    focus: str = ""
    made: Mapping[str, Any] = field(default_factory=dict)
    span: Sequence[Sequence[float]] = ()
    note: str = ""
    date: float = 0.0
    key: str = ""  # of its pictures


class KeptViews:
    """Those in the file at ``path``, which need not exist; without a path they last as long as this object.

    Raises RunError where they cannot be read or written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lines = Lines(path) if path else None
        self._said: list[dict[str, Any]] = []  # instead of a file
        self._files: dict[str, bytes] = {}

    @classmethod
    def of(cls, saved: SavedEmbeddings) -> KeptViews:
        """Those of embedded images; of embeddings that are gone with this process they are gone, too."""
        return cls(None if saved.temporary else place_of(saved.folder, "views"))

    def read(self) -> dict[str, KeptView]:
        """The latest of each name, those kept last at the end."""
        found: dict[str, KeptView] = {}
        for name, view in self._changes():
            found.pop(name, None)
            if view is not None:
                found[name] = view
        return found

    def named(self, name: str) -> KeptView:
        """Raises DataError for a name under which nothing is kept, with those there are."""
        found = self.read()
        if name not in found:
            there = ", ".join(plain(one, 60) for one in found) or "none"
            raise DataError(f"no view is kept as {plain(name)!r}{meant(name, found)}; there are: {there}")
        return found[name]

    def keep(self, view: KeptView, picture: bytes, small: bytes) -> KeptView:
        """Keep a view, its picture (PNG) and a small one (JPEG), instead of the one of this name that was kept before.

        Raises DataError for an empty name.
        """
        name = view.name.strip()
        if not name:
            raise DataError("a view is kept under a name, and none was given; type one")
        date = round(time.time(), 3)
        key = hashlib.sha256(f"{name} {time.time_ns()} ".encode(errors="replace") + picture).hexdigest()[:16]
        view = replace(view, name=name, date=date, key=key)
        self._write(f"{key}.png", picture)
        self._write(f"{key}.jpg", small)
        self._append(name, view)
        return view

    def forget(self, name: str) -> None:
        """Take a name away again. Raises DataError for one under which nothing is kept."""
        self.named(name)
        self._append(name, None)

    def restore(self, name: str, key: str) -> None:
        """Bring back what was kept under a name once; an empty key stands for nothing.

        Raises DataError where nothing of that key was kept under it.
        """
        then = next(
            (view for one, view in self._changes() if view is not None and (one, view.key) == (name, key)), None
        )
        if key and then is None:
            raise DataError(f"nothing that was kept as {plain(name)!r} has the key {plain(key)!r}; keep a view anew")
        self._append(name, then)

    def picture(self, view: KeptView) -> bytes:
        """PNG; empty where the file is gone."""
        return self._file(f"{view.key}.png")

    def small(self, view: KeptView) -> bytes:
        """JPEG; empty where the file is gone."""
        return self._file(f"{view.key}.jpg")

    def page_path(self, view: KeptView) -> Path | None:
        """Where a page of it belongs, which need not be there; none without a path."""
        return self._folder / f"{view.key}.html" if self._folder else None

    # --- files ---------------------------------------------------------------------------------
    def _changes(self) -> Iterator[tuple[str, KeptView | None]]:
        for line in self._lines.read() if self._lines else self._said:
            name, kept = line.get("view"), line.get("kept")
            if isinstance(name, str) and (kept is None or isinstance(kept, dict)):
                view = None if kept is None else _view_of(name, kept)
                if view is not None or kept is None:
                    yield name, view

    def _append(self, name: str, view: KeptView | None) -> None:
        kept = None
        if view is not None:
            kept = {key: value for key, value in asdict(view).items() if key != "name"}
        change = {"view": name, "kept": kept}
        if self._lines:
            self._lines.append(change)
        else:
            self._said.append(change)

    @property
    def _folder(self) -> Path | None:
        return self.path.with_suffix("") if self.path else None

    def _write(self, name: str, content: bytes) -> None:
        if self._folder:
            write_bytes(self._folder / name, content)
        else:
            self._files[name] = content

    def _file(self, name: str) -> bytes:
        if not self._folder:
            return self._files.get(name, b"")
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise RunError(
                f"{self._folder / name} cannot be read ({error.strerror or error}); make it readable, or move it away"
            ) from None


def _view_of(name: str, kept: Mapping[str, Any]) -> KeptView | None:
    """A view as it was written; none for what is none."""
    parts: dict[str, Any] = {key: kept.get(key) for key in _KINDS}
    selection, span = kept.get("selection"), kept.get("span")
    if not isinstance(selection, list | tuple) or not all(isinstance(one, str) for one in selection):
        return None
    if any(not isinstance(parts[key], kind) for key, kind in _KINDS.items()):
        return None
    if not _KEY.fullmatch(parts["key"]):  # it becomes the name of a file
        return None
    return KeptView(name, selection=tuple(selection), span=span if isinstance(span, list | tuple) else (), **parts)
