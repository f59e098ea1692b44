"""A file of JSON lines, each a change, that several processes add to.

Lines are appended under a lock and never rewritten, so that two notebooks at once lose nothing, a crash costs at most
the line being written, and what was said before stays to be read.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vptsp.errors import RunError, explained

_PATIENCE = 10  # seconds: others hold the lock for milliseconds


class Lines:
    """The file at ``path``, which need not exist. Raises RunError where it cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[dict[str, Any]]:
        """All changes, the earliest first; what is cut off or no object is left out."""
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be read ({error.strerror or error}); make it readable, or move it away"
            ) from None
        return [line for row in text.split("\n") if (line := _object(row))]

    def append(self, change: Mapping[str, Any]) -> None:
        """Add a change, with the time of now."""
        import filelock  # only who writes needs it

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

    def _torn(self) -> bool:
        """Whether the last line was left unfinished, by a machine that lost its power."""
        if not self.path.exists() or not self.path.stat().st_size:
            return False
        with open(self.path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"


def _object(row: str) -> dict[str, Any]:
    try:
        line = json.loads(row)
    except (json.JSONDecodeError, RecursionError):
        return {}
    return line if isinstance(line, dict) else {}


def place_of(folder: Path, kind: str) -> Path:
    """Where lines of a ``kind`` about embeddings in ``folder`` are kept: under their run, or beside them.

    ``runs/<name>/<kind>/<split>.jsonl``, or ``<kind>.jsonl`` beside embeddings of no run.
    """
    run = folder.parent.parent
    if folder.parent.name == "embeddings" and (run / "config.json").is_file():
        return run / kind / f"{folder.name}.jsonl"
    return folder / f"{kind}.jsonl"
