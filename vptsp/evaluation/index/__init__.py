"""Galleries that are kept on disk, outgrow memory, and change while they are searched.

Read ``protocol.py`` first: what every index can do.
:class:`~vptsp.evaluation.gallery_index.GalleryIndex` does it in memory,
:class:`StoredIndex` on disk::

    protocol  what every index can do, and what it answers with
    stored    the index in a folder: build, add, replace, remove, find
    table     its images, columns and facts: an SQLite file, which makes changes whole
    vectors   its unit vectors: a file that only grows
    state     one version of it, opened
    upkeep    what changes make necessary: segments, clearing away, measuring
    folders   folders that appear whole, and one writer at a time
    scan      the exact answer over stored vectors, in bounded memory
    measured  the recall of an approximate one
    lance     the same as a LanceDB table; lance_rows: its rows
    postgres  the same as a table of a server with pgvector; postgres_address: where; postgres_rows: its rows
    certain   the nearest of what a database names, until they are certain
    opened    the index that a folder or a server holds, whichever it is
    sources   what a path means as images to put into it
    check     whether every byte is as it was written
    engines/  how the nearest are guessed: hnsw, ivf, ivfpq, or not at all
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vptsp.core.lazy import lazy

if TYPE_CHECKING:
    from vptsp.evaluation.index.engines import ENGINES as ENGINES
    from vptsp.evaluation.index.protocol import Description as Description
    from vptsp.evaluation.index.protocol import Found as Found
    from vptsp.evaluation.index.protocol import Index as Index
    from vptsp.evaluation.index.protocol import Recall as Recall
    from vptsp.evaluation.index.stored import StoredIndex as StoredIndex

__all__ = ["ENGINES", "Description", "Found", "Index", "Recall", "StoredIndex"]
__getattr__ = lazy(
    __name__,
    {
        "engines": ("ENGINES",),
        "protocol": ("Description", "Found", "Index", "Recall"),
        "stored": ("StoredIndex",),
    },
)
