"""What people say of images, kept with the run: tags, and selections with a name.

A file of lines, each a change: ``runs/<name>/marks/<split>.jsonl``, or ``marks.jsonl`` beside embeddings of no run.
Lines are appended under a lock and never rewritten, so that two notebooks at once lose nothing, a crash costs at most
the line being written, and what was said before stays to be read. Of two words about one image the later one holds.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vptsp.errors import DataError, RunError, explained
from vptsp.text import plain

if TYPE_CHECKING:
    from vptsp.runs.embeddings import SavedEmbeddings

_PATIENCE = 10  # seconds: others hold the lock for milliseconds


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

    @classmethod
    def of(cls, saved: SavedEmbeddings) -> Marks | None:
        """Those of embedded images; none for embeddings that are gone with this process."""
        if saved.temporary:
            return None
        folder = saved.folder
        run = folder.parent.parent
        if folder.parent.name == "embeddings" and (run / "config.json").is_file():
            return cls(run / "marks" / f"{folder.name}.jsonl")
        return cls(folder / "marks.jsonl")

    def read(self) -> Marked:
        """All that was said, the latest of each; what is cut off or no line is left out."""
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return Marked()
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be read ({error.strerror or error}); make it readable, or move it away"
            ) from None
        tags: dict[str, str] = {}
        selections: dict[str, tuple[str, ...]] = {}
        for row in text.split("\n"):
            line = _line(row)
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
        import filelock  # only who marks needs it

        line = json.dumps({"time": round(time.time(), 3), **change}, ensure_ascii=False)
        with explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with filelock.FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=_PATIENCE):
                    torn = b"\n" if self._torn() else b""
                    with open(self.path, "ab") as file:
                        file.write(torn + line.encode(errors="replace") + b"\n")
                        file.flush()
                        os.fsync(file.fileno())
            except filelock.Timeout:
                raise RunError(
                    f"{self.path} has been locked by another process for {_PATIENCE} seconds; end that, or try again"
                ) from None
        return self.read()

    def _torn(self) -> bool:
        """Whether the last line was left unfinished, by a machine that lost its power."""
        if not self.path.exists() or not self.path.stat().st_size:
            return False
        with open(self.path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"


def _line(row: str) -> dict[str, Any]:
    """A change as it was written; empty for what is none."""
    try:
        line = json.loads(row)
    except json.JSONDecodeError:
        return {}
    if not isinstance(line, dict):
        return {}
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
