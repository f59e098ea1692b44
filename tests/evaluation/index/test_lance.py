"""An index as a LanceDB table answers as one on disk does, and says what is wrong with what it is given."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from small_indexes import clustered, names

from vptsp.errors import DataError, RunError
from vptsp.evaluation.index import Index, StoredIndex
from vptsp.evaluation.index.opened import open_index

if find_spec("lancedb") is None:  # found, and imported by the first test: each worker collects, one runs
    pytest.skip("needs the package lancedb", allow_module_level=True)
from vptsp.evaluation.index import lance
from vptsp.evaluation.index.lance import LanceIndex


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 images with an exact answer, twins among them."""
    folder, embeddings = tmp_path_factory.mktemp("lance") / "index", clustered(120)
    embeddings[60:90] = embeddings[:30]  # ties
    columns = {"kind": [f"k{n % 3}" for n in range(120)], "thumbnail": [bytes([n]) for n in range(120)]}
    LanceIndex.build(folder, embeddings, names(120), columns, model="a" * 64)
    StoredIndex.build(folder.parent / "stored", embeddings, names(120), columns)
    return folder


def test_it_answers_as_the_index_on_disk_ties_and_filters_included(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built.parent, tmp_path / "both")
    index, stored = open_index(tmp_path / "both" / "index"), StoredIndex.load(tmp_path / "both" / "stored")
    assert isinstance(index, Index)
    assert isinstance(index, LanceIndex)
    for change in (
        lambda one: None,
        lambda one: one.add(-clustered(9), names(9, 5), {"kind": ["new"] * 9}, replace=True),
        lambda one: one.remove(names(20, 40)),
        lambda one: one.add(clustered(3, seed=4), ["a'b", "c", "d"]),
    ):
        change(index)
        change(stored)
        assert index.ids == stored.ids
        queries = clustered(12, seed=8)
        for where in (
            None,
            "kind = 'k1'",
            "kind = 'new' OR id = 'image 100'",
            ["a'b", "image 0", "image 60", "none"],
            [],
        ):
            mine, theirs = (one.find(queries, 7, names(12), where) for one in (index, stored))
            assert mine.ids == theirs.ids
            np.testing.assert_allclose(mine.similarities, theirs.similarities, atol=1e-6)
            assert mine.recall is None
    assert index.about(["image 119", "c"]) == stored.about(["image 119", "c"])
    assert index.about(["image 119"])["image 119"]["thumbnail"] == bytes([119])
    assert index.ids_where("kind = 'k2'") == stored.ids_where("kind = 'k2'")
    index.save(tmp_path / "copy")
    assert open_index(tmp_path / "copy").find(queries, 3).ids == index.find(queries, 3).ids


def test_many_images_have_an_approximate_answer_of_known_recall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lance, "LEAST", 600)
    index = LanceIndex.build(tmp_path / "index", clustered(600), names(600))
    for more in (0, 1):
        index.add(clustered(more, seed=5), names(more, 600))
        embeddings = np.concatenate([clustered(600), clustered(more, seed=5)])
        exact = StoredIndex.build(tmp_path / f"exact {more}", embeddings, names(600 + more))
        found, true = index.find(embeddings[::6], 10), exact.find(embeddings[::6], 10)
        share = np.mean([len({*a} & {*b}) / 10 for a, b in zip(found.ids, true.ids, strict=True)])
        assert found.recall is not None
        assert found.recall.current
        assert found.recall.share == pytest.approx(share, abs=0.05)
        assert found.recall.share > 0.9


def test_bad_input_changes_nothing(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "index")
    index, one = LanceIndex.load(tmp_path / "index"), clustered(1)
    for embeddings, ids, more, said in [
        (np.eye(4), names(4), {}, "have 4 numbers each, the index holds 16"),
        (one * np.nan, ["new"], {}, "1 of 1 embeddings hold NaN"),
        (one, ["image 3"], {}, "1 of 1 ids are in the index already, the first is 'image 3'"),
        (one, ["new"], {"columns": {"colour": ["red"]}}, "there is no column 'colour'; legal: kind, thumbnail"),
        (one, ["new"], {"columns": {"thumbnail": [3.5]}}, "the column 'thumbnail' cannot be kept"),
        (one, ["new"], {"model": "b" * 64}, "of the model bbbbbbbbbbbb, the index holds those of aaaaaaaaaaaa"),
    ]:
        with pytest.raises(DataError, match=said):
            index.add(embeddings, ids, **more)
    with pytest.raises(DataError, match="1 of 2 ids are not in the index, the first is 'new'"):
        index.remove(["image 0", "new"])
    with pytest.raises(DataError, match="removing all 120"):
        index.remove(index.ids)
    with pytest.raises(DataError, match=r"colour.*SQL expression over the columns id, kind, thumbnail"):
        index.find(one, 1, where="colour = 'red'")
    with pytest.raises(DataError, match="a column cannot be called 'vector'"):
        LanceIndex.build(tmp_path / "new", one, ["a"], {"vector": [1]})
    assert not (tmp_path / "new").exists()
    assert index.ids == names(120)
    shutil.rmtree(tmp_path / "index" / "images.lance" / "_versions")
    with pytest.raises(RunError, match="cannot be read as an index"):
        LanceIndex.load(tmp_path / "index")
