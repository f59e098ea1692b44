"""The table of an index on disk: which images there are, in which row, with which columns, and what is known of them.

It is an SQLite file, so a change is whole or never was, also if the process is killed or the power fails; readers see
the version before or the one after. Every use opens it anew: nothing is held between two questions.
"""

from __future__ import annotations

import contextlib
import json
import math
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from vptsp.errors import DataError, RunError
from vptsp.files import to_plain
from vptsp.text import plain

NAME = "index.sqlite"
RESERVED = ("row", "rowid", "oid", "_rowid_", "id")
_APPLICATION, _FORMAT = 0x56505449, 1  # "VPTI"
_PATIENCE = 30.0  # seconds that a change waits for others to end their reading or writing
_AT_ONCE = 500  # values in one question
_MAY = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION}


class Table:
    """A connection within one transaction; :func:`reading` and :func:`changing` open one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    # --- facts ------------------------------------------------------------------------------------
    def facts(self) -> dict[str, Any]:
        """Everything that was kept with :meth:`keep`."""
        return {name: json.loads(value) for name, value in self._db.execute("SELECT name, value FROM facts")}

    @property
    def version(self) -> int:
        """Grows with every change."""
        ((value,),) = self._db.execute("SELECT value FROM facts WHERE name = 'version'")
        return int(value)

    @property
    def stamp(self) -> tuple[str, int]:
        """Which table it is, and its version: another one that was built in its place has another stamp."""
        ((identity,),) = self._db.execute("SELECT value FROM facts WHERE name = 'identity'")
        return str(identity), self.version

    def keep(self, **facts: Any) -> None:
        """Write facts down."""
        lines = [(name, json.dumps(to_plain(value))) for name, value in facts.items()]
        self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", lines)

    def blob(self, name: str) -> bytes | None:
        """Bytes that were kept with :meth:`keep_blob`."""
        found = self._db.execute("SELECT data FROM blobs WHERE name = ?", (name,)).fetchone()
        return found[0] if found else None

    def keep_blob(self, name: str, data: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO blobs VALUES (?, ?)", (name, data))

    # --- images -----------------------------------------------------------------------------------
    def columns(self) -> list[str]:
        """Names of what is known of each image, beside its row and id."""
        return [name for _, name, *_ in self._db.execute("PRAGMA table_info(images)") if name not in RESERVED]

    def rows_of(self, ids: Sequence[str]) -> dict[str, int]:
        """Rows by id, of those ids that are there."""
        return {name: row for row, name in self._of("id", list(ids))}

    def ids_of(self, rows: Sequence[int]) -> dict[int, str]:
        """Ids by row, of those rows that are there."""
        return dict(self._of("row", rows))

    def ids(self) -> list[str]:
        """All ids, in the order in which the images were added."""
        return [name for (name,) in self._db.execute("SELECT id FROM images ORDER BY row")]

    def _of(self, column: str, values: Sequence[Any]) -> Iterator[tuple[int, str]]:
        for start in range(0, len(values), _AT_ONCE):
            part = list(values[start : start + _AT_ONCE])
            yield from self._db.execute(
                f"SELECT row, id FROM images WHERE {column} IN ({','.join('?' * len(part))})", part
            )

    def about(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The columns of images, by id."""
        names, found = self.columns(), {}
        listed = "".join(f", {_quoted(name)}" for name in names)
        for name in ids:
            for _, *values in self._db.execute(f"SELECT id{listed} FROM images WHERE id = ?", (name,)):
                found[name] = dict(zip(names, values, strict=True))
        return found

    def put(self, first_row: int, ids: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> None:
        """New images, in rows from ``first_row`` on; columns that are new are there from now on."""
        known = {name.lower() for name in self.columns()}
        for name in columns:
            if name.lower() in RESERVED or not name.strip() or "\0" in name:
                raise DataError(f"a column cannot be called {name!r}; give it another name than {', '.join(RESERVED)}")
            if name.lower() not in known:
                self._db.execute(f"ALTER TABLE images ADD COLUMN {_quoted(name)}")
        places = ", ".join(["row", "id", *map(_quoted, columns)])
        lines = zip(
            range(first_row, first_row + len(ids)), ids, *(map(_value, c) for c in columns.values()), strict=True
        )
        self._db.executemany(f"INSERT INTO images ({places}) VALUES ({','.join('?' * (2 + len(columns)))})", lines)

    def drop(self, rows: Sequence[int]) -> None:
        """Forget images; their rows stay as rows that nobody finds."""
        self._db.executemany("DELETE FROM images WHERE row = ?", [(int(row),) for row in rows])
        self._db.executemany("INSERT INTO removed VALUES (?)", [(int(row),) for row in rows])

    def rows(self) -> Int64[np.ndarray, " G"]:
        """Rows of all images, ascending."""
        return np.fromiter((row for (row,) in self._db.execute("SELECT row FROM images ORDER BY row")), dtype=np.int64)

    def removed(self) -> Int64[np.ndarray, " m"]:
        """Rows without an image."""
        return np.fromiter((row for (row,) in self._db.execute("SELECT row FROM removed")), dtype=np.int64)

    def close_ranks(self) -> None:
        """Number the images anew, from 0 on in their order."""
        names = ", ".join(["id", *map(_quoted, self.columns())])
        (definition,) = self._db.execute("SELECT sql FROM sqlite_master WHERE name = 'images'").fetchone()
        self._db.execute("ALTER TABLE images RENAME TO old_images")
        self._db.execute(definition)
        self._db.execute(
            f"INSERT INTO images (row, {names}) SELECT row_number() OVER (ORDER BY row) - 1, {names} FROM old_images"
        )
        self._db.execute("DROP TABLE old_images")
        self._db.execute("DELETE FROM removed")

    def rows_where(self, expression: str) -> Int64[np.ndarray, " m"]:
        """Rows of which an SQL expression over the columns is true. Raises DataError for one that cannot be used."""

        def allowed(action: int, one: str | None, *_: str | None) -> int:
            fine = action in _MAY or (action == sqlite3.SQLITE_READ and one == "images")
            return sqlite3.SQLITE_OK if fine else sqlite3.SQLITE_DENY

        names = ", ".join(plain(name) for name in ("id", *self.columns()))
        self._db.set_authorizer(allowed)
        try:
            found = self._db.execute(f"SELECT row FROM images WHERE ({expression}\n)")
            return np.fromiter((row for (row,) in found), dtype=np.int64)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise DataError(
                f"the filter {plain(expression)!r} cannot be used ({error}); it is an SQL expression over the columns "
                f"{names}, such as id LIKE 'a%'"
            ) from None
        finally:
            self._db.set_authorizer(None)

    def problems(self) -> list[str]:
        """What SQLite finds wrong with its file."""
        return [text for (text,) in self._db.execute("PRAGMA quick_check") if text != "ok"]

    def copy_to(self, path: Path) -> None:
        """Write the table as it is in this transaction into a new file."""
        with contextlib.closing(sqlite3.connect(path)) as copy:
            self._db.backup(copy)


def create(folder: Path, **facts: Any) -> None:
    """A table without images."""
    with _connected(folder, "rwc") as db:
        db.execute(f"PRAGMA application_id = {_APPLICATION}")
        db.execute(f"PRAGMA user_version = {_FORMAT}")
        db.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not wait for each other
        db.execute("CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        db.execute("CREATE TABLE blobs (name TEXT PRIMARY KEY, data BLOB NOT NULL)")
        db.execute("CREATE TABLE images (row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE)")
        db.execute("CREATE TABLE removed (row INTEGER PRIMARY KEY)")
        Table(db).keep(version=0, identity=secrets.token_hex(8), **facts)


@contextlib.contextmanager
def reading(folder: Path) -> Iterator[Table]:
    """The table as it is now, whatever is changed meanwhile. Raises RunError for what is no index, or damaged."""
    with _connected(folder, "ro") as db:
        db.execute("BEGIN")
        _require_ours(db, folder)
        yield Table(db)


@contextlib.contextmanager
def changing(folder: Path) -> Iterator[Table]:
    """A change: all of it is there afterwards or, where it raises or the process ends, nothing of it."""
    with _connected(folder, "rw") as db:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        _require_ours(db, folder)
        table = Table(db)
        version = table.version
        yield table
        table.keep(version=version + 1)
        db.execute("COMMIT")


@contextlib.contextmanager
def _connected(folder: Path, mode: str) -> Iterator[sqlite3.Connection]:
    path = folder / NAME
    if mode != "rwc" and not path.is_file():
        raise RunError(f"{folder} holds no index; vptsp index build makes one")
    try:
        with contextlib.closing(_open(path, mode)) as db:
            yield db
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise RunError(f"{path} is being changed by another process; try again when it has ended") from None
        raise RunError(f"{path} cannot be used ({error}); look at the disk, or build the index again") from error
    except sqlite3.DatabaseError as error:
        raise RunError(f"{path} is damaged or no index ({error}); build the index again") from None


def _open(path: Path, mode: str) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode={mode}"
    db = sqlite3.connect(address, timeout=_PATIENCE, isolation_level=None, uri=True)
    if mode != "ro":
        return db
    try:
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:  # a folder that cannot be written, where nobody can change the file either
        db.close()
        db = sqlite3.connect(address + "&immutable=1", isolation_level=None, uri=True)
    return db


def _require_ours(db: sqlite3.Connection, folder: Path) -> None:
    ((application,),), ((version,),) = db.execute("PRAGMA application_id"), db.execute("PRAGMA user_version")
    if application != _APPLICATION:
        raise RunError(f"{folder / NAME} is of another program; choose a folder that vptsp index build made")
    if version != _FORMAT:
        raise RunError(f"{folder / NAME} is in format {version}, this version reads {_FORMAT}; build the index again")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _value(value: Any) -> Any:
    """As SQLite holds it: numbers, text, bytes or nothing (also for not-a-number)."""
    value = value.item() if hasattr(value, "item") else value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    fits = isinstance(value, (float, str, bytes)) or (isinstance(value, int) and -(2**63) <= value < 2**63)
    return value if fits else str(value)
