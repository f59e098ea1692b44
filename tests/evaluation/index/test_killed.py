"""An index whose writer is killed at many moments is as before or as after, and goes on."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fork_client
import forks
import numpy as np
import processes
import pytest
from small_indexes import clustered, few_are_enough, names

from vptsp.errors import RunError
from vptsp.evaluation.index import StoredIndex
from vptsp.evaluation.index.check import problems_of
from vptsp.evaluation.index.folders import changing_alone


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        few_are_enough(patch)
        yield


def add(folder: Path) -> None:
    """Some are new, some are replaced, and the segment is extended."""
    StoredIndex.load(folder).add(clustered(100, seed=1), names(100, 350), {"kind": ["new"] * 100}, replace=True)


def remove(folder: Path) -> None:
    """So many that the index is written anew."""
    StoredIndex.load(folder).remove(names(200))


def save(folder: Path) -> None:
    StoredIndex.load(folder).save(folder.parent / "copy")


def build(folder: Path) -> None:
    StoredIndex.build(folder.parent / "another", clustered(400), names(400), engine="ivf", effort=16)


def die_at(moment: int, folder: Path, change: Callable[[Path], None], said: Path) -> None:
    """Make a change, and kill this process at its so many-th call; 0: write down how many there are."""
    few_are_enough(pytest.MonkeyPatch())
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")
        if calls == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    change(folder)
    sys.setprofile(None)
    said.write_text(str(calls))


def run(*arguments: Any, log: Path) -> processes.Process:
    with log.open("a") as file, open(os.devnull) as nothing:
        files = (nothing.fileno(), file.fileno(), file.fileno())
        call = pickle.dumps((die_at, arguments))
        return processes.Process(*fork_client.ask(forks.address(), files, path=sys.path, call=call))


@pytest.mark.parametrize(
    ("change", "moments"),
    [
        (add, 3),
        (remove, 2),
        *(
            pytest.param(change, n, marks=pytest.mark.slow)
            for change, n in ((add, 7), (remove, 5), (save, 3), (build, 3))
        ),
    ],
)
def test_a_writer_that_is_killed_loses_at_most_what_it_was_doing(
    change: Callable[[Path], None], moments: int, tmp_path: Path
) -> None:
    before, log, said = tmp_path / "before", tmp_path / "log", tmp_path / "said"
    StoredIndex.build(before, clustered(400), names(400), engine="ivf", effort=16)
    images, queries = {}, clustered(30, seed=2)
    images["before"] = (names(400), StoredIndex.load(before).vectors(names(400)))
    shutil.copytree(before, tmp_path / "whole" / "index")
    whole = run(0, tmp_path / "whole" / "index", change, said, log=log)
    whole.join(60)
    assert whole.exitcode == 0, log.read_text()
    index = StoredIndex.load(tmp_path / "whole" / "index")
    images["after"] = (index.ids, index.vectors(index.ids))
    outcomes = set()
    for moment in np.linspace(1, int(said.read_text()) - 1, moments).astype(int).tolist():
        root = tmp_path / str(moment)
        shutil.copytree(before, root / "index")
        process = run(moment, root / "index", change, said, log=log)
        process.join(60)
        assert process.exitcode == -signal.SIGKILL, log.read_text()
        index = StoredIndex.load(root / "index")
        outcomes.add(outcome := next(name for name, (ids, _) in images.items() if ids == index.ids))
        ids, vectors = images[outcome]
        np.testing.assert_array_equal(index.vectors(ids), vectors)
        assert problems_of(root / "index") == []
        true = [{ids[row] for row in line[:5]} for line in np.argsort(-(queries @ vectors.T), axis=1)]
        found = index.find(queries, 5).ids
        assert np.mean([len(a & {*b}) / 5 for a, b in zip(true, found, strict=True)]) > 0.9
        if change in (add, remove):
            index.add(clustered(1, seed=9), ["one more"])  # the next one goes on, and clears away
            kept = {"index.sqlite", index._current().facts["vectors"], *index._current().facts["segment"]}
            assert {
                path.name for path in (root / "index").iterdir() if not path.name.endswith((".lock", "-wal", "-shm"))
            } == kept
            assert problems_of(root / "index") == []
        else:
            made = root / ("copy" if change is save else "another")
            assert not made.exists() or (problems_of(made) == [] and len(StoredIndex.load(made)) == 400)
            if not made.exists():
                change(root / "index")
            assert {path.name for path in root.iterdir()} == {"index", made.name}
            assert problems_of(made) == []
    assert outcomes == ({"before", "after"} if change in (add, remove) else {"before"})


def hold(folder: Path) -> None:
    with changing_alone(folder):
        (folder.parent / "held").write_text("")
        signal.pause()


def test_one_writes_and_others_read_or_are_told(tmp_path: Path) -> None:
    index = StoredIndex.build(tmp_path / "index", clustered(40), names(40))
    reader, other = StoredIndex.load(tmp_path / "index"), StoredIndex.load(tmp_path / "index")
    process = run(0, tmp_path / "index", hold, tmp_path / "said", log=tmp_path / "log")
    while not (tmp_path / "held").exists():
        assert process.is_alive(), (tmp_path / "log").read_text()
    with pytest.raises(RunError, match=r"is being changed by another process; wait for it to end"):
        index.add(clustered(1, seed=3), ["new"])
    assert reader.find(clustered(1), 1).ids == [["image 0"]]
    process.kill()
    process.join(10)
    index.add(clustered(1, seed=3), ["new"])
    with reader._asking() as (state, table):  # a version is searched as it was when the search began
        other.remove(names(39))
        assert len(table.ids()) == state.images == 41
        assert state.vectors.take(np.arange(41)).shape == (41, 16)
    assert (reader.ids, len(reader)) == (["image 39", "new"], 2)
    assert reader.find(clustered(1, seed=3), 1).ids == [["new"]]


def test_an_index_built_in_the_place_of_another_is_searched_as_itself(tmp_path: Path) -> None:
    reader = StoredIndex.build(tmp_path / "index", clustered(40), names(40))
    shutil.rmtree(tmp_path / "index")
    with pytest.raises(RunError, match="holds no index; vptsp index build makes one"):
        reader.find(clustered(1), 1)
    StoredIndex.build(tmp_path / "index", clustered(40)[::-1].copy(), names(40))
    assert reader.find(clustered(1), 1).ids == [["image 39"]]


def test_what_is_damaged_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    StoredIndex.build(folder, clustered(400), names(400), engine="ivfpq")
    assert problems_of(folder) == []
    data = bytearray((folder / "vectors").read_bytes())
    data[100:104] = np.float32(3).tobytes()
    (folder / "vectors").write_bytes(data)
    (file,) = folder.glob("*.faiss")
    whole = bytearray(file.read_bytes())
    assert problems_of(folder) == [
        f"{folder / 'vectors'} is not as it was written: its checksum is another",
        "1 of 400 vectors are not of length 1",
    ]
    whole[-1] ^= 1
    file.write_bytes(whole)
    with pytest.raises(RunError, match="is damaged or cut off"):
        problems_of(folder)
