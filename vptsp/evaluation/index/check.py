"""Whether an index on disk is whole: every byte is read, and its parts are compared with each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vptsp.evaluation.index import table as tables
from vptsp.evaluation.index.state import State, about_file

_UNIT = 2e-3  # by how much the length of a stored vector may differ from 1, also in fp16


def problems_of(folder: str | Path) -> list[str]:
    """What is wrong with the index in a folder, a sentence each; empty: nothing.

    Raises RunError for a folder that cannot be opened as an index at all.
    """
    place, found = Path(folder), []
    with tables.reading(place) as table:
        found += [f"the table is damaged: {text}" for text in table.problems()]
        state = State.of(place, table)
        rows = table.rows()
    count, vectors = state.vectors.count, state.vectors
    expected = np.flatnonzero(state.alive)
    if not np.array_equal(rows, expected):
        found.append(f"the table has {len(rows):,} images in its rows, and {len(expected):,} rows are said to hold one")
    if vectors.checksum() != state.facts["checksum"]:
        found.append(f"{vectors.path} is not as it was written: its checksum is another")
    strange = 0
    for first, block in vectors.blocks():
        length = np.linalg.norm(block[state.alive[first : first + len(block)]], axis=1)
        strange += int((~(np.abs(length - 1) < _UNIT) & (length != 0)).sum())
    if strange:
        found.append(f"{strange:,} of {len(expected):,} vectors are not of length 1")
    for name, about in state.facts["segment"].items():
        if about_file(place / name) != about:
            found.append(f"{place / name} is not as it was written: its checksum is another")
    if state.sealed > count:
        found.append(f"the segment holds {state.sealed:,} rows, the index {count:,}")
    return found
