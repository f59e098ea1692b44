"""An index on disk against brute force, against one built anew, and against bad input."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from small_indexes import SIZE, clustered, few_are_enough, names

from vptsp.errors import ConfigError, DataError, RunError
from vptsp.evaluation.gallery_index import GalleryIndex
from vptsp.evaluation.index import ENGINES, Index, StoredIndex
from vptsp.evaluation.index.measured import Sample
from vptsp.evaluation.ranking import search

# small whole numbers: many duplicates, ties and zero vectors
tied = st.integers(1, 4).flatmap(
    lambda size: hnp.arrays(
        np.float32, st.tuples(st.integers(2, 30), st.just(size)), elements=st.integers(-2, 2).map(float)
    )
)


def true_ids(embeddings: np.ndarray, ids: list[str], queries: np.ndarray, k: int) -> list[list[str]]:
    """Ids by the fp64 cosine and then by place, from numpy alone."""
    unit, asked = ((x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32) for x in (embeddings, queries))
    cosines = (asked.astype(np.float64) @ unit.astype(np.float64).T).astype(np.float32)
    return [[ids[row] for row in order[:k]] for order in np.argsort(-cosines, axis=1, kind="stable")]


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        few_are_enough(patch)
        yield


@settings(max_examples=20)
@given(tied, st.integers(1, 33))
def test_exact_answers_are_the_search_s_ties_included(
    tmp_path_factory: pytest.TempPathFactory, embeddings: np.ndarray, k: int
) -> None:
    ids = names(len(embeddings))
    expected = search(embeddings, np.zeros(len(embeddings), dtype=int), k=k)
    index = StoredIndex.build(tmp_path_factory.mktemp("exact") / "index", embeddings, ids)
    found = index.find(embeddings, k, exclude_ids=ids)
    assert found.ids == [[ids[row] for row in line if row >= 0] for line in expected.neighbor_positions]
    np.testing.assert_allclose(found.similarities, expected.similarities, atol=2e-7)
    assert found.recall is None


@pytest.fixture(scope="module")
def built(small: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of 600 images for each engine, in folders of their names."""
    root, embeddings = tmp_path_factory.mktemp("built"), clustered(600)
    columns = {"kind": [f"k{number % 3}" for number in range(600)], "year": [2000 + n % 7 for n in range(600)]}
    for engine in ENGINES:
        StoredIndex.build(root / engine, embeddings, names(600), columns, engine=engine, model="a" * 64)
    return root


def sample_of(index: StoredIndex) -> Sample:
    """The sample that the index keeps."""
    with index._asking() as (_, table):
        sample = Sample.from_bytes(table.blob("sample"))
    assert sample is not None
    return sample


def copy(built: Path, engine: str, folder: Path) -> StoredIndex:
    shutil.copytree(built / engine, folder / "index")
    return StoredIndex.load(folder / "index")


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_finds_most_of_the_truth_and_says_how_much(built: Path, engine: str, tmp_path: Path) -> None:
    index, embeddings = copy(built, engine, tmp_path), clustered(600)
    assert isinstance(index, Index)
    found, true = index.find(embeddings[::5], 10), true_ids(embeddings, names(600), embeddings[::5], 10)
    share = np.mean([len({*a} & {*b}) / 10 for a, b in zip(found.ids, true, strict=True)])
    if engine == "exact":
        assert found.ids == true
        assert found.recall is None
        assert index.describe().lines()[0] == "600 images of 16 numbers each, engine exact: exact answers"
    else:
        assert found.recall is not None
        assert found.recall.share >= 0.95
        assert share == pytest.approx(found.recall.share, abs=0.05)
        assert f"finds {100 * found.recall.share:.1f} % of the true ten" in index.describe().lines()[0]
    for query, (line, cosines) in enumerate(zip(found.ids, found.similarities, strict=True)):
        unit = index.vectors([names(600)[5 * query], *line])
        np.testing.assert_allclose(cosines, unit[1:] @ unit[0], atol=1e-6)
        assert (np.diff(cosines) <= 0).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "where", ["kind = 'k1' AND year < 2003", "year = 2006 or kind in ('k0')", "id LIKE '%7'", None]
)
def test_a_filter_leaves_what_it_says(built: Path, engine: str, where: str | None, tmp_path: Path) -> None:
    index, embeddings, ids = copy(built, engine, tmp_path), clustered(600), names(600)
    with sqlite3.connect(":memory:") as db:  # the oracle of the expression
        db.execute("CREATE TABLE images (id, kind, year)")
        db.executemany("INSERT INTO images VALUES (?, ?, ?)", [(ids[n], f"k{n % 3}", 2000 + n % 7) for n in range(600)])
        kept = {name for (name,) in db.execute(f"SELECT id FROM images WHERE {where or 'true'}")}
    rows = [row for row in range(600) if ids[row] in kept]
    for given_as in (where, kept):
        found = index.find(embeddings[:9], 5, ids[:9], given_as)
        true = [
            [name for name in line if name != ids[query]][:5]
            for query, line in enumerate(true_ids(embeddings[rows], [ids[row] for row in rows], embeddings[:9], 6))
        ]
        assert {name for line in found.ids for name in line} <= kept
        assert all(ids[query] not in line for query, line in enumerate(found.ids))
        shared = np.mean([len({*a} & {*b}) / 5 for a, b in zip(found.ids, true, strict=True)])
        assert found.ids == true if engine == "exact" else shared > 0.85


def test_a_filter_of_few_images_is_answered_exactly(built: Path, tmp_path: Path) -> None:
    index, embeddings, ids = copy(built, "ivfpq", tmp_path), clustered(600), names(600)
    few = ids[30:50]
    found = index.find(embeddings[:50], 8, where=few)
    assert found.ids == true_ids(embeddings[30:50], few, embeddings[:50], 8)
    assert found.recall is None


@settings(max_examples=8)
@given(tied, st.data())
def test_adding_replacing_and_removing_equals_building_anew(
    tmp_path_factory: pytest.TempPathFactory, embeddings: np.ndarray, data: st.DataObject
) -> None:
    count, root = len(embeddings), tmp_path_factory.mktemp("changed")
    first = data.draw(st.integers(1, count))
    index = StoredIndex.build(root / "index", embeddings[:first], names(first))
    index.add(embeddings[first:], names(count - first, first))
    again = sorted(data.draw(st.sets(st.integers(0, count - 1), max_size=3)))
    index.add(-embeddings[again], [f"image {number}" for number in again], replace=True)
    gone = data.draw(st.sets(st.integers(0, count - 1), max_size=count - 1))
    index.remove([f"image {number}" for number in gone])
    kept = [number for number in range(count) if number not in gone and number not in again]
    new = [number for number in again if number not in gone]
    vectors = np.concatenate([embeddings[kept], -embeddings[new]])
    anew = StoredIndex.build(root / "anew", vectors, [f"image {number}" for number in [*kept, *new]])
    assert index.ids == anew.ids
    assert index.find(embeddings, 5).ids == anew.find(embeddings, 5).ids


@pytest.mark.parametrize("engine", ["hnsw", "ivf", "ivfpq"])
def test_what_is_measured_stays_true_through_changes(built: Path, engine: str, tmp_path: Path) -> None:
    index, more = copy(built, engine, tmp_path), clustered(300, seed=1)
    there = np.concatenate([clustered(600), more])[400:]
    index.add(more[:5], names(5, 600))  # behind the segment
    assert index.describe().facts["images compared with directly"] == 5
    index.add(more[5:], names(295, 605), {"kind": ["k9"] * 295})  # the segment is extended
    assert index.describe().facts["images compared with directly"] == 0
    index.remove(names(100))  # some are passed over
    index.remove(names(300, 100))  # many: the index is written anew
    assert len(index) == 500
    assert index.ids == names(500, 400)
    assert index.about(["image 700"])["image 700"] == {"kind": "k9", "year": None}
    found, true = index.find(there[::4], 10), true_ids(there, names(500, 400), there[::4], 10)
    share = np.mean([len({*a} & {*b}) / 10 for a, b in zip(found.ids, true, strict=True)])
    assert found.recall is not None
    assert found.recall.current
    assert share == pytest.approx(found.recall.share, abs=0.05)
    index.add(-more[:1], ["image 999"], measure=False)
    assert index.describe().lines()[0].endswith("measured before the last change")
    measured = index.measure()
    assert measured is not None
    assert measured.current


def test_the_sample_s_true_answers_are_those_of_a_new_sample(built: Path, tmp_path: Path) -> None:
    index, rng = copy(built, "ivf", tmp_path), np.random.default_rng(1)
    for step in range(6):
        index.add(clustered(20, seed=step), [f"{step} {n}" for n in range(20)])
        index.remove(list(rng.choice(index.ids, 60, replace=False)))
    kept, state = sample_of(index), index._current()
    for query in range(len(kept.queries)):
        true = np.sort(state.vectors.take(np.flatnonzero(state.alive)) @ kept.queries[query])[::-1]
        own = int(kept.own[query] >= 0 and state.alive[kept.own[query]])
        depth = int(kept.depth[query])
        assert depth >= 10
        np.testing.assert_allclose(kept.cosines[query, :depth], true[own : depth + own], atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_copy_answers_alike_and_a_half_one_is_refused(built: Path, engine: str, tmp_path: Path) -> None:
    index = copy(built, engine, tmp_path)
    index.remove(names(20))
    index.save(tmp_path / "copy")
    again = StoredIndex.load(tmp_path / "copy")
    a, b = index.find(clustered(50), 5), again.find(clustered(50), 5)
    assert a.ids == b.ids
    assert (again.kind, again.size, again.ids, again.model) == (engine, SIZE, index.ids, "a" * 64)
    with pytest.raises(RunError, match="exists already; choose another folder"):
        index.save(tmp_path / "copy")
    for path in (tmp_path / "copy").iterdir():
        if path.suffix == ".faiss" or path.name.startswith("vectors"):
            data = path.read_bytes()
            path.write_bytes(data[:-1])
            with pytest.raises(RunError, match="cut off"):
                StoredIndex.load(tmp_path / "copy")
            path.unlink()
            with pytest.raises(RunError, match=r"cannot be read .*build the index again"):
                StoredIndex.load(tmp_path / "copy")
            path.write_bytes(data)


def test_fp16_takes_half_and_moves_similarities_little(tmp_path: Path) -> None:
    embeddings, ids = clustered(400), names(400)
    index = StoredIndex.build(tmp_path / "half", embeddings, ids, dtype="float16")
    assert (tmp_path / "half" / "vectors").stat().st_size == 400 * SIZE * 2
    found = index.find(embeddings, 3)
    whole = StoredIndex.build(tmp_path / "whole", embeddings, ids).find(embeddings, 3)
    np.testing.assert_allclose(found.similarities, whole.similarities, atol=5e-4)
    assert [line[0] for line in found.ids] == ids


def test_files_that_are_no_index_are_refused(built: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no index; vptsp index build makes one"):
        StoredIndex.load(tmp_path)
    table = tmp_path / "index.sqlite"
    table.write_bytes(b"a picture of a cat" * 99)
    with pytest.raises(RunError, match="is damaged or no index"):
        StoredIndex.load(tmp_path)
    table.unlink()
    with sqlite3.connect(table) as db:
        db.execute("CREATE TABLE cats (name)")
    with pytest.raises(RunError, match="is of another program"):
        StoredIndex.load(tmp_path)
    table.write_bytes((built / "exact" / "index.sqlite").read_bytes()[:5000])
    with pytest.raises(RunError, match="damaged"):
        StoredIndex.load(tmp_path)


def test_bad_input_says_what_is_wrong_and_changes_nothing(built: Path, tmp_path: Path) -> None:
    index, one = copy(built, "ivfpq", tmp_path), clustered(1)
    before = (tmp_path / "index" / "vectors").read_bytes()
    for error, embeddings, ids, more, said in [
        (DataError, np.eye(4), names(4), {}, "have 4 numbers each, the index holds 16"),
        (DataError, one * np.nan, ["new"], {}, "1 of 1 embeddings hold NaN"),
        (DataError, one, ["image 3"], {}, "1 of 1 ids are in the index already, the first is 'image 3'; remove them"),
        (DataError, np.repeat(one, 2, 0), ["new", "new"], {}, "1 of 2 ids are not unique"),
        (DataError, one, ["new", "newer"], {}, "1 embeddings but 2 ids"),
        (DataError, one, ["new"], {"columns": {"kind": []}}, "1 ids but 0 values of 'kind'"),
        (DataError, one, ["new"], {"columns": {"Id": ["x"]}}, "a column cannot be called 'Id'"),
        (
            DataError,
            one,
            ["new"],
            {"model": "b" * 64},
            "of the model bbbbbbbbbbbb, the index holds those of aaaaaaaaaaaa",
        ),
        (DataError, one, ["\ud800"], {}, "is no text that can be kept"),
    ]:
        with pytest.raises(error, match=said):
            index.add(embeddings, ids, **more)
    with pytest.raises(DataError, match="1 of 2 ids are not in the index, the first is 'new'"):
        index.remove(["image 0", "new"])
    with pytest.raises(DataError, match="removing all 600"):
        index.remove(index.ids)
    for where, said in [
        ("colour = 'red'", "no such column: colour.*columns id, kind, year"),
        ("year >", "cannot be used"),
        ("id IN (SELECT value FROM facts)", "not authorized|prohibited"),
        ("1); DELETE FROM images; --", "cannot be used"),
    ]:
        with pytest.raises(DataError, match=said):
            index.find(one, 1, where=where)
    with pytest.raises(DataError, match="have 4 numbers each, the index holds 16"):
        index.find(np.eye(4), 1)
    with pytest.raises(DataError, match="k is 0"):
        index.find(one, 0)
    assert index.ids == names(600)
    assert (tmp_path / "index" / "vectors").read_bytes()[: len(before)] == before
    for options, said in [
        ({"engine": "annoy"}, "index engine 'annoy' is not known; legal: exact, hnsw, ivf, ivfpq"),
        ({"dtype": "int8"}, "dtype 'int8' is unknown; legal: float32, float16"),
        ({"effort": 0}, "effort is 0"),
        ({"target": 1.5}, "target is 1.5"),
    ]:
        with pytest.raises(ConfigError, match=said):
            StoredIndex.build(tmp_path / "new", one, ["a"], **options)
    with pytest.raises(DataError, match="no images"):
        StoredIndex.build(tmp_path / "new", np.empty((0, 3)), [])
    with pytest.raises(DataError, match="NaN"):
        StoredIndex.build(tmp_path / "new", one * np.nan, ["a"])
    assert not (tmp_path / "new").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_the_index_in_memory_answers_alike(tmp_path: Path) -> None:
    embeddings, ids = clustered(80), names(80)
    memory, disk = GalleryIndex.build(embeddings, ids), StoredIndex.build(tmp_path / "disk", embeddings, ids)
    assert isinstance(memory, Index)
    for index in (memory, disk):
        index.add(-embeddings[:4], ids[:4], replace=True)
    assert memory.ids == disk.ids
    for where in (None, ids[::3], ids[:2]):
        a, b = (index.find(embeddings, 6, ids, where) for index in (memory, disk))
        assert a.ids == b.ids
        np.testing.assert_allclose(a.similarities, b.similarities, atol=1e-6)
    with pytest.raises(DataError, match="an index in memory has none"):
        memory.find(embeddings, 1, where="kind = 1")
    with pytest.raises(DataError, match="keeps no columns"):
        memory.add(embeddings[:1], ["new"], {"kind": [1]})


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_an_approximate_index_in_memory_says_what_it_finds(kind: str, tmp_path: Path) -> None:
    embeddings, ids = clustered(400), names(400)
    index = GalleryIndex.build(embeddings, ids, kind, effort=1)  # type: ignore[arg-type]
    recall = index.describe().recall
    true = GalleryIndex.build(embeddings, ids).find(embeddings, 10, ids).ids
    share = np.mean([len({*a} & {*b}) / 10 for a, b in zip(index.find(embeddings, 10, ids).ids, true, strict=True)])
    assert recall is not None
    assert recall.share == pytest.approx(share, abs=0.1)
    index.save(tmp_path)
    assert GalleryIndex.load(tmp_path)._recall == recall
