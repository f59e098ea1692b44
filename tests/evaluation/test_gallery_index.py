"""A gallery index against the exact search, and against an index built anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vptsp.errors import ConfigError, DataError, RunError
from vptsp.evaluation.gallery_index import GalleryIndex, Kind
from vptsp.evaluation.ranking import search

KINDS: list[Kind] = ["exact", "hnsw", "ivf"]


def names(count: int, first: int = 0) -> list[str]:
    return [f"image {number}" for number in range(first, first + count)]


def clustered(images: int = 3000, size: int = 32, clusters: int = 60, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((clusters, size))
    return (centres[rng.integers(clusters, size=images)] + 0.5 * rng.standard_normal((images, size))).astype(np.float32)


# small whole numbers: many duplicates, ties and zero vectors
tied = st.integers(1, 4).flatmap(
    lambda size: hnp.arrays(
        np.float32, st.tuples(st.integers(2, 30), st.just(size)), elements=st.integers(-2, 2).map(float)
    )
)


@settings(max_examples=100)
@given(tied, st.integers(1, 33))
def test_the_exact_kind_ranks_as_the_search_does_ties_included(embeddings: np.ndarray, k: int) -> None:
    ids = names(len(embeddings))
    expected = search(embeddings, np.zeros(len(embeddings), dtype=int), k=k)
    rows, similarities = GalleryIndex.build(embeddings, ids).search(embeddings, k, exclude_ids=ids)
    np.testing.assert_array_equal(rows, expected.neighbor_positions)
    np.testing.assert_allclose(similarities, expected.similarities, atol=2e-7)


@settings(max_examples=60)
@given(tied, st.data())
def test_adding_and_removing_equals_building_anew(embeddings: np.ndarray, data: st.DataObject) -> None:
    count = len(embeddings)
    first = data.draw(st.integers(1, count))
    index = GalleryIndex.build(embeddings[:first], names(first))
    index.add(embeddings[first:], names(count - first, first))
    gone = data.draw(st.sets(st.integers(0, count - 1), max_size=count - 1))
    index.remove([f"image {number}" for number in gone])
    kept = [number for number in range(count) if number not in gone]
    anew = GalleryIndex.build(embeddings[kept], [f"image {number}" for number in kept])
    assert index.ids == anew.ids
    for mine, theirs in zip(index.search(embeddings, 5), anew.search(embeddings, 5), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_approximate_kinds_find_nine_of_ten_also_after_changes(kind: Kind) -> None:
    embeddings, ids = clustered(), names(3000)
    approximate, exact = GalleryIndex.build(embeddings[:2500], ids[:2500], kind), GalleryIndex.build(embeddings, ids)
    approximate.add(embeddings[2500:], ids[2500:])

    def recall() -> float:
        found, true = approximate.search(embeddings[::30], 10)[0], exact.search(embeddings[::30], 10)[0]
        return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, true, strict=True)]))

    assert recall() >= 0.9
    for gone in (ids[:100], ids[100:1500]):  # a few stay as dead nodes, many make it build anew
        approximate.remove(gone)
        exact.remove(gone)
        assert approximate.ids == exact.ids
        assert recall() >= 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_found_has_its_own_similarity_and_never_the_excluded_image(kind: Kind) -> None:
    embeddings, ids = clustered(200), names(200)
    index = GalleryIndex.build(embeddings, ids, kind)
    rows, similarities = index.search(embeddings[:20], 7, exclude_ids=[*ids[:19], "in no index"])
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    np.testing.assert_allclose(similarities, (unit[:20, None] * unit[rows]).sum(axis=2), atol=1e-6)
    assert (rows[:19] != np.arange(19)[:, None]).all()
    assert rows[19, 0] == 19
    assert (np.diff(similarities, axis=1) <= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_beyond_the_gallery_are_empty(kind: Kind) -> None:
    rows, similarities = GalleryIndex.build(np.eye(3), names(3), kind).search(np.eye(3)[:1], 5)
    assert rows[0, 0] == 0
    np.testing.assert_array_equal(rows[0, 3:], [-1, -1])
    np.testing.assert_array_equal(similarities[0, 3:], [-np.inf, -np.inf])


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_comes_back_from_disk(kind: Kind, tmp_path: Path) -> None:
    embeddings, ids = clustered(300), [f"{name} \u202e<b>é" for name in names(300)]
    index = GalleryIndex.build(embeddings, ids, kind)
    index.remove(ids[:9])
    index.save(tmp_path)
    index.add(embeddings[:9], ids[:9])
    index.save(tmp_path)  # replaces the first one
    again = GalleryIndex.load(tmp_path)
    assert (again.kind, again.ids, again.size) == (kind, index.ids, 32)
    for mine, theirs in zip(again.search(embeddings, 5), index.search(embeddings, 5), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    again.remove(ids[:20])
    assert len(again) == 280
    assert len(list(tmp_path.iterdir())) == 2


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="does not exist; build the index again"):
        GalleryIndex.load(tmp_path)
    GalleryIndex.build(np.eye(4), names(4)).save(tmp_path)
    vectors = tmp_path / json.loads((tmp_path / "index.json").read_text())["vectors"]
    vectors.write_bytes(vectors.read_bytes()[:-5])
    with pytest.raises(RunError, match="damaged or cut off; build the index again"):
        GalleryIndex.load(tmp_path)
    vectors.unlink()
    with pytest.raises(RunError, match="cannot be read"):
        GalleryIndex.load(tmp_path)


def test_every_part_of_the_list_is_checked(tmp_path: Path) -> None:
    index = GalleryIndex.build(np.eye(4, dtype=np.float32), names(4), "hnsw")
    index.remove(["image 3"])
    index.save(tmp_path)
    file = tmp_path / "index.json"
    facts = json.loads(file.read_text())
    assert GalleryIndex.load(tmp_path).ids == names(3)
    changed: list[dict[str, Any] | list[str]] = [
        facts | {"ids": names(4)[1:]},
        facts | {"effort": 3},
        facts | {"removed": [2]},
        [],
    ]
    changed += [{name: value for name, value in facts.items() if name != gone} for gone in facts if gone != "checksum"]
    for content in changed:
        file.write_text(json.dumps(content))
        with pytest.raises(RunError, match=r"index.json is damaged; build the index again and save it"):
            GalleryIndex.load(tmp_path)
    old = {name: value for name, value in facts.items() if name != "checksum"}  # as earlier versions wrote it
    file.write_text(json.dumps(old))
    assert GalleryIndex.load(tmp_path).ids == names(3)
    file.write_text(json.dumps(old | {"ids": names(2)}))
    with pytest.raises(RunError, match="does not fit its vectors; build the index again"):
        GalleryIndex.load(tmp_path)


def test_bad_input_says_what_is_wrong_and_changes_nothing() -> None:
    with pytest.raises(ConfigError, match="'flat' is unknown; legal: exact, hnsw, ivf"):
        GalleryIndex.build(np.eye(3), names(3), "flat")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="3 embeddings but 2 ids"):
        GalleryIndex.build(np.eye(3), names(2))
    with pytest.raises(DataError, match="1 of 3 ids are not unique"):
        GalleryIndex.build(np.eye(3), ["a", "b", "a"])
    with pytest.raises(DataError, match="1 of 2 embeddings hold NaN"):
        GalleryIndex.build(np.array([[1.0, np.nan], [1.0, 0.0]]), names(2))
    with pytest.raises(DataError, match="no images"):
        GalleryIndex.build(np.empty((0, 3)), [])
    index = GalleryIndex.build(np.eye(3), names(3))
    with pytest.raises(DataError, match="1 of 2 ids are in the index already, the first is 'image 0'"):
        index.add(np.eye(3)[:2], ["image 0", "new"])
    with pytest.raises(DataError, match="have 4 numbers each, the index holds 3"):
        index.add(np.eye(4)[:1], ["new"])
    with pytest.raises(DataError, match="have 4 numbers each, the index holds 3"):
        index.search(np.eye(4), 1)
    with pytest.raises(DataError, match="k is 0"):
        index.search(np.eye(3), 0)
    with pytest.raises(DataError, match="3 queries but 1 exclude_ids"):
        index.search(np.eye(3), 1, ["image 0"])
    with pytest.raises(DataError, match="1 of 2 ids are not in the index, the first is 'new'"):
        index.remove(["image 0", "new"])
    with pytest.raises(DataError, match="removing all 3"):
        index.remove(names(3))
    assert index.ids == names(3)
    np.testing.assert_array_equal(index.search(np.eye(3), 1)[0][:, 0], [0, 1, 2])
