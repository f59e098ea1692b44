"""Where a table of a PostgreSQL server is, and a transaction on it, or a sentence.

An address is a libpq URL whose fragment names the table: ``postgresql://user@host:5432/database#my_photos``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urldefrag, urlsplit

from vptsp.errors import DataError, RunError, UsageError
from vptsp.text import plain

SCHEMES = ("postgresql", "postgres")
_DEFAULT = "vptsp_images"
_PATIENCE = 5  # seconds until a server that does not answer is said to be away


@dataclass(frozen=True)
class Address:
    """Where a table is: what libpq takes, the table's name, and both in words, without a password."""

    server: str
    table: str
    words: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises UsageError for what is no such address."""
        server, fragment = urldefrag(url)
        table, parts = fragment or _DEFAULT, urlsplit(server)
        if parts.scheme not in SCHEMES or not re.fullmatch(r"[a-z_][a-z0-9_]{0,49}", table):
            raise UsageError(
                f"{plain(url)} names no table of a server; write postgresql://user@host:5432/database#table, the table "
                "in small letters, digits and _"
            )
        where = parts.netloc.rpartition("@")[2] or "this machine"
        return cls(server, table, f"{where}{parts.path}#{table}")


@contextlib.contextmanager
def connected(address: Address, *, change: bool = False) -> Iterator[Any]:
    """A transaction: one that reads sees one version throughout; one that changes is alone, and whole or nothing.

    Raises RunError for a server that is away or will not have it, and while another process changes the table;
    DataError for values that the table's columns do not take; UsageError without the package.
    """
    psycopg = _psycopg()
    try:
        with psycopg.connect(address.server, connect_timeout=_PATIENCE) as db:
            db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            db.read_only = not change
            if change:
                lock = db.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s))", (address.table,))
                if not lock.fetchone()[0]:
                    raise RunError(
                        f"{address.words} is being changed by another process; wait for it to end (searching goes on "
                        "meanwhile)"
                    )
            yield db
    except psycopg.OperationalError as error:
        raise RunError(
            f"the server of {address.words} does not answer ({plain(str(error), 200)}); start it, or look at the "
            "address"
        ) from None
    except psycopg.DataError as error:
        raise DataError(f"{address.words} does not take these values ({plain(str(error), 200)}); change them") from None
    except psycopg.Error as error:
        raise RunError(
            f"{address.words} cannot be used ({plain(str(error), 200)}); ask who runs the server, or choose another "
            "table"
        ) from None


def _psycopg() -> Any:
    try:
        import psycopg  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise UsageError(
            "an index on a PostgreSQL server needs the package psycopg: pip install 'vptsp-workbench[postgres]'"
        ) from None
    return psycopg
