"""What changes make necessary: a segment of the new rows, a file without the removed ones, a recall that holds.

Each step writes files first and then says in the table that they count, so it may be cut off anywhere, and the next
change does what is left. They are taken by the one that changes the index, with the version before the step.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import asdict
from pathlib import Path

import numpy as np

from vptsp.errors import explained
from vptsp.evaluation.index import table as tables
from vptsp.evaluation.index.folders import flush
from vptsp.evaluation.index.measured import K, Sample
from vptsp.evaluation.index.state import State, about_file
from vptsp.evaluation.index.vectors import Vectors, append

_TAIL = 0.02  # share of rows behind the segment from which it is extended
_OUTGROWN = 4  # times the rows that the segment was trained on, from which it is trained anew
_MOST_REMOVED = 0.25  # share of rows without an image from which the index is written anew


def rewrite_if_sparse(folder: Path, state: State) -> None:
    """Write the images that are there into a new file of vectors, where many have been removed."""
    if state.images >= (1 - _MOST_REMOVED) * state.vectors.count:
        return
    path, checksum = folder / f"vectors-{secrets.token_hex(4)}", 0
    path.write_bytes(b"")
    fresh = Vectors(path, state.vectors.size, state.facts["dtype"], 0)
    for first, block in state.vectors.blocks():
        kept = block[state.alive[first : first + len(block)]]
        checksum = append(fresh, kept, checksum)
        fresh = Vectors(path, fresh.size, state.facts["dtype"], fresh.count + len(kept))
    with tables.changing(folder) as table:
        sample = Sample.from_bytes(table.blob("sample"))
        if sample is not None:
            sample.renumbered(np.where(state.alive, np.cumsum(state.alive) - 1, -1))
            table.keep_blob("sample", sample.to_bytes())
        table.close_ranks()
        table.keep(vectors=path.name, count=fresh.count, checksum=checksum, segment={}, trained_on=0)


def seal_if_many(folder: Path, state: State) -> None:
    """Make a segment of all rows, where too many lie behind the one that there is."""
    rows, engine = state.vectors.count, state.engine
    behind = rows - state.sealed
    if not engine.efforts or rows < engine.least or behind <= (_TAIL * rows if state.segment else 0):
        return
    stem, trained = folder / f"segment-{secrets.token_hex(4)}", int(state.facts["trained_on"])
    with explained(stem):
        if state.segment is None or rows > _OUTGROWN * trained:
            files, trained = engine.build(stem, state.vectors, state.facts["seed"]), rows
        else:
            files = engine.extend([folder / name for name in state.facts["segment"]], stem, state.vectors)
        for file in files:
            flush(file)
    with tables.changing(folder) as table:
        changes = table.facts()["changes"] + 1
        table.keep(segment={file.name: about_file(file) for file in files}, trained_on=trained, changes=changes)


def measure(folder: Path, state: State) -> None:
    """Compare guesses with the true answers to the sample; a new one where most images of the old one are gone.

    Where no effort was asked for, the least that finds the target is the index's from now on.
    """
    with tables.reading(folder) as table:
        sample = Sample.from_bytes(table.blob("sample"))
    if sample is None or not sample.is_typical(state.alive):
        sample = Sample.drawn(state.vectors, state.alive, state.facts["seed"])
    recall, effort, asked = None, state.facts["effort"], state.facts["asked_effort"]
    if state.segment is not None:
        for effort in (asked,) if asked else state.engine.efforts:
            _, cosines = state.guess(sample.queries, K, state.alive, sample.own, effort)
            recall = sample.recall(cosines)
            if recall.share >= state.facts["target"]:
                break
    with tables.changing(folder) as table:
        table.keep_blob("sample", sample.to_bytes())
        told = None if recall is None else {**asdict(recall), "of": table.facts()["changes"]}
        table.keep(recall=told, effort=effort)


def sweep(folder: Path, state: State) -> None:
    """Delete files that nothing speaks of: of versions that are past, or of a process that was killed."""
    kept = {state.facts["vectors"], *state.facts["segment"]}
    for pattern in ("vectors*", "segment-*"):
        for path in folder.glob(pattern):
            if path.name not in kept:
                with contextlib.suppress(OSError):  # Windows keeps what somebody reads; a later change removes it
                    path.unlink()
