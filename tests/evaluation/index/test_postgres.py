"""An index on a PostgreSQL server with pgvector, against the one on disk, on a real server that the tests start.

It needs psycopg and pgserver, which brings PostgreSQL and pgvector, or VPTSP_TEST_POSTGRES, the URL of a database in
which tables may be made. What is said without them is tested without them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from small_indexes import clustered, names

from vptsp.cli import main
from vptsp.errors import ConfigError, DataError, RunError, UsageError
from vptsp.evaluation.index import Index, StoredIndex
from vptsp.evaluation.index.opened import open_index
from vptsp.evaluation.index.postgres import PostgresIndex
from vptsp.evaluation.index.postgres_address import Address, connected


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database."""
    pytest.importorskip("psycopg")
    given = os.environ.get("VPTSP_TEST_POSTGRES")
    if given:
        yield given
        return
    started = pytest.importorskip("pgserver").get_server(tmp_path_factory.mktemp("postgres"))
    yield started.get_uri()
    started.cleanup()


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a table that is not there yet, and is gone afterwards."""
    address = f"{server}#t_{abs(hash(request.node.name)) % 10**9}"
    yield address
    table = Address.of(address)
    with connected(table, change=True) as db:
        db.execute(f"DROP TABLE IF EXISTS {table.table}, {table.table}_facts")


def test_it_answers_as_the_index_on_disk_ties_and_filters_included(url: str, tmp_path: Path) -> None:
    embeddings = clustered(120)
    embeddings[60:90] = embeddings[:30]  # ties
    columns = {"kind": [f"k{n % 3}" for n in range(120)], "year": [2000 + n % 7 for n in range(120)]}
    columns["odd % name"] = [n / 3 if n % 5 else float("nan") for n in range(120)]
    PostgresIndex.build(url, embeddings, names(120), columns, model="a" * 64)
    index, stored = open_index(url), StoredIndex.build(tmp_path / "stored", embeddings, names(120), columns)
    assert isinstance(index, Index)
    for change in (
        lambda one: None,
        lambda one: one.add(-clustered(9), names(9, 5), {"kind": ["new"] * 9}, replace=True),
        lambda one: one.remove(names(20, 40)),
        lambda one: one.add(clustered(3, seed=4), ["a'b", 'c "%s"', "d"], {"blob": [b"\0x", b"", None]}),
    ):
        change(index)
        change(stored)
        assert index.ids == stored.ids
        assert (len(index), index.columns) == (len(stored), stored.columns)
        queries = clustered(12, seed=8)
        for where in (
            None,
            "kind = 'k1' AND year < 2004",
            "id LIKE '%7' OR \"odd % name\" > 30",
            ["a'b", "image 0", "image 60", "none"],
            [],
        ):
            mine, theirs = (one.find(queries, 7, names(12), where) for one in (index, stored))
            assert mine.ids == theirs.ids
            np.testing.assert_allclose(mine.similarities, theirs.similarities, atol=1e-6)
            assert mine.recall is None
    assert index.about(["image 119", "a'b", "d"]) == stored.about(["image 119", "a'b", "d"])
    assert index.ids_where("kind = 'k2'") == stored.ids_where("kind = 'k2'")
    np.testing.assert_array_equal(index.vectors(["d", "image 3"]), stored.vectors(["d", "image 3"]))
    index.save(tmp_path / "copy")
    copy = StoredIndex.load(tmp_path / "copy")
    assert copy.find(queries, 3).ids == index.find(queries, 3).ids
    assert (copy.model, copy.columns) == ("a" * 64, index.columns)
    assert "exact of PostgreSQL: exact answers" in index.describe().lines()[0]


def test_a_graph_s_answers_carry_their_measured_recall(url: str, tmp_path: Path) -> None:
    embeddings = clustered(1500)
    index = PostgresIndex.build(url, embeddings[:1400], names(1400), {"n": list(range(1400))}, kind="hnsw")
    index.add(embeddings[1400:], names(100, 1400))
    exact = StoredIndex.build(tmp_path / "exact", embeddings, names(1500))
    found, true = index.find(embeddings[::15], 10), exact.find(embeddings[::15], 10)
    share = np.mean([len({*a} & {*b}) / 10 for a, b in zip(found.ids, true.ids, strict=True)])
    assert found.recall is not None
    assert found.recall.current
    assert found.recall.share == pytest.approx(share, abs=0.05)
    assert found.recall.share >= 0.95
    few = index.find(embeddings[:20], 5, where="n < 40")
    assert few.recall is None
    assert few.ids == exact.find(embeddings[:20], 5, where=names(40)).ids


def test_bad_input_is_a_sentence_and_changes_nothing(url: str) -> None:
    one = clustered(1)
    index = PostgresIndex.build(url, clustered(20), names(20), {"kind": ["a"] * 20, "n": [1] * 20}, model="a" * 64)
    for embeddings, ids, more, said in [
        (np.eye(4), names(4), {}, "have 4 numbers each, the index holds 16"),
        (one * np.nan, ["new"], {}, "1 of 1 embeddings hold NaN"),
        (one, ["image 3"], {}, "1 of 1 ids are in the index already, the first is 'image 3'"),
        (np.repeat(one, 2, 0), ["new", "new"], {}, "1 of 2 ids are not unique"),
        (one, ["new"], {"columns": {"n": ["many"]}}, "the column 'n' holds bigint, and not 'many'"),
        (one, ["n\0w"], {}, "does not take these values"),
        (one, ["new"], {"columns": {"vector": [1]}}, "a column cannot be called 'vector'"),
        (one, ["new"], {"columns": {"kind": []}}, "1 ids but 0 values of 'kind'"),
        (one, ["new"], {"model": "b" * 64}, "of the model bbbbbbbbbbbb, the index holds those of aaaaaaaaaaaa"),
    ]:
        with pytest.raises((DataError, RunError), match=said):
            index.add(embeddings, ids, **more)
    with pytest.raises(DataError, match="1 of 2 ids are not in the index, the first is 'new'"):
        index.remove(["image 0", "new"])
    with pytest.raises(DataError, match="removing all 20"):
        index.remove(index.ids)
    for where in ("colour = 'red'", "n >", "true); DROP TABLE x; --", "n = 'many'", "n / 0 = 1"):
        with pytest.raises(DataError, match=r"cannot be used .*SQL expression over the columns id, kind, n"):
            index.find(one, 1, where=where)
    assert index.ids == names(20)
    assert index.describe().facts["version"] == 1
    with pytest.raises(RunError, match="exists already; choose another table"):
        PostgresIndex.build(url, one, ["a"])
    with pytest.raises(RunError, match="holds no index; vptsp index build"):
        PostgresIndex.load(f"{url}_none")
    with pytest.raises(ConfigError, match="no engine 'ivf'; legal: exact, hnsw"):
        PostgresIndex.build(f"{url}_new", one, ["a"], kind="ivf")
    address = Address.of(url)
    with (
        connected(address, change=True),
        pytest.raises(RunError, match="is being changed by another process"),
        connected(address, change=True),
    ):
        pass
    assert index.find(one, 1).ids


def test_the_command_line_takes_a_url(url: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", clustered(30))

    def said(*words: object, code: int = 0) -> str:
        result = CliRunner().invoke(main, ["index", *map(str, words)])
        assert result.exit_code == code, result.output
        return result.output

    assert "30 images of 16 numbers each, engine hnsw of PostgreSQL" in said(
        "build", url, tmp_path / "a.npy", "--engine", "hnsw"
    )
    assert "holds float32, not float16" in said("build", url, tmp_path / "a.npy", "--dtype", "float16", code=1)
    assert "\t7\n" in said("search", url, "3", "-k", 29)
    assert "1 images removed; 29 images" in said("remove", url, "7")
    assert "the table can be read" in said("check", url, "--measure")


def test_a_server_that_is_away_is_a_sentence() -> None:
    pytest.importorskip("psycopg")
    away = "postgresql://me:secret@127.0.0.1:1/photos#mine"
    with pytest.raises(
        RunError, match=r"the server of 127\.0\.0\.1:1/photos#mine does not answer .*start it"
    ) as caught:
        open_index(away)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_the_package_and_for_no_address_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for place, said in [
        ("mysql://host/photos", "mysql:// is no server that is known; legal: postgresql://, postgres://"),
        ("postgresql://host/photos#a; DROP TABLE b", "names no table of a server; write postgresql://"),
    ]:
        with pytest.raises(UsageError, match=said):
            open_index(place)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match=r"pip install 'vptsp-workbench\[postgres\]'"):
        open_index("postgresql://host/photos")
