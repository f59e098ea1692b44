"""What people say of images, kept with the run: tags, and selections with a name.

A file of :mod:`~vptsp.runs.lines`: ``runs/<name>/marks/<split>.jsonl``, or ``marks.jsonl`` beside embeddings of no run.
Of two words about one image the later one holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vptsp.errors import DataError
from vptsp.runs.lines import Lines, place_of
from vptsp.text import plain

if TYPE_CHECKING:
    from vptsp.runs.embeddings import SavedEmbeddings


@dataclass(frozen=True)
class Marked:
    """The tag of each image that has one, and the ids of each selection, both by name."""

    tags: dict[str, str] = field(default_factory=dict)
    selections: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Marks:
    """The file at ``path``, which need not exist. Whatever changes it returns all there is then, others' changes too.

    Raises RunError where it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = Lines(path)

    @classmethod
    def of(cls, saved: SavedEmbeddings) -> Marks | None:
        """Those of embedded images; none for embeddings that are gone with this process."""
        return None if saved.temporary else cls(place_of(saved.folder, "marks"))

    def read(self) -> Marked:
        """All that was said, the latest of each; what is cut off or no line is left out."""
        tags: dict[str, str] = {}
        selections: dict[str, tuple[str, ...]] = {}
        for line in map(_change, self._lines.read()):
            tags |= line.get("tags", {})
            if "selection" in line:
                selections.pop(line["selection"], None)  # the latest is the last
                if line["ids"]:
                    selections[line["selection"]] = tuple(line["ids"])
        return Marked({name: tag for name, tag in tags.items() if tag}, selections)

    def tag(self, tags: Mapping[str, str]) -> Marked:
        """Give images tags; an empty one takes theirs away. Of all others nothing is said."""
        return self._append({"tags": dict(tags)}) if tags else self.read()

    def keep(self, name: str, ids: Iterable[str]) -> Marked:
        """Keep a selection under a name; without ids, it is forgotten. Raises DataError for an empty name."""
        if not name.strip():
            raise DataError("a selection is kept under a name, and none was given; type one")
        return self._append({"selection": name.strip(), "ids": list(ids)})

    def _append(self, change: dict[str, Any]) -> Marked:
        self._lines.append(change)
        return self.read()


def _change(line: Mapping[str, Any]) -> dict[str, Any]:
    """A change of tags or of a selection as it was written; empty for what is none."""
    tags = line.get("tags")
    if isinstance(tags, dict) and all(isinstance(tag, str) for tag in tags.values()):
        return {"tags": tags}
    ids = line.get("ids")
    if isinstance(line.get("selection"), str) and isinstance(ids, list) and all(isinstance(one, str) for one in ids):
        return {"selection": line["selection"], "ids": ids}
    return {}


def gone(name: str, ids: Iterable[str], known: Iterable[str]) -> str:
    """What to say of a selection some of whose images are not here; empty where all are."""
    ids, here = list(ids), set(known)
    missing = [one for one in ids if one not in here]
    if not missing:
        return ""
    first = plain(missing[0], 60)
    return f"{len(missing):,} of the {len(ids):,} images of {plain(name, 60)!r} are not here, the first is {first!r}"
