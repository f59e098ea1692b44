"""Tags and named selections of the images of a map, kept with the run where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vptsp.errors import DataError, RunError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.marks import Marked, Marks, gone
from vptsp.text import plain


class KeptMarks:
    """What was said of the images of ``saved``; of images that are not among them, nothing is shown and nothing lost.

    ``note`` says why nothing could be read. Embeddings without a place of their own keep everything here only.
    """

    def __init__(self, saved: SavedEmbeddings) -> None:
        self.note = ""
        self._row = {name: row for row, name in enumerate(saved.ids)}
        self._marks = Marks.of(saved)
        self.tags: dict[str, str] = {}
        self.selections: dict[str, tuple[str, ...]] = {}
        self._forgotten: dict[str, tuple[str, ...]] = {}
        try:
            self._take(self._marks.read() if self._marks else Marked())
        except RunError as error:
            self.note, self._marks = f"tags and selections are not kept: {error}", None

    def _take(self, marked: Marked) -> None:
        self.tags = {name: tag for name, tag in marked.tags.items() if name in self._row}
        self.selections = dict(marked.selections)

    def tag(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """Keep what is other than before; returns all tags there are then, those of other writers too.

        Raises RunError where the run cannot be written; what is kept is then as before.
        """
        changes = {name: wanted.get(name, "") for name in [*wanted, *self.tags]}
        changes = {name: tag for name, tag in changes.items() if tag != self.tags.get(name, "")}
        if self._marks is None:
            self.tags = dict(wanted)
        elif changes:
            self._take(self._marks.tag(changes))
        return dict(self.tags)

    def keep(self, name: str, ids: Sequence[str]) -> None:
        """Keep a selection, or forget it where there are no ids.

        Raises DataError for an empty name, RunError as above.
        """
        before = self.selections.get(name.strip())
        if before and not ids:
            self._forgotten[name.strip()] = before
        if self._marks is not None:
            self._take(self._marks.keep(name, ids))
            return
        if not name.strip():
            raise DataError("a selection is kept under a name, and none was given; type one")
        self.selections.pop(name.strip(), None)
        if ids:
            self.selections[name.strip()] = tuple(ids)

    def restore(self, name: str) -> None:
        """Keep again what was forgotten last under a name, images that are not here among it."""
        self.keep(name, self._forgotten.get(name.strip(), ()))

    def for_front(self) -> list[dict[str, Any]]:
        """As the panel takes them: rows in ascending order, and what is to be said of images that are not here."""
        return [
            {
                "name": name,
                "shown": plain(name, 60),
                "rows": sorted(self._row[one] for one in ids if one in self._row),
                "gone": gone(name, ids, self._row),
            }
            for name, ids in self.selections.items()
        ]
