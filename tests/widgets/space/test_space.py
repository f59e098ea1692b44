"""The map's Python side: what it takes and refuses, ids and rows, columns, sampling, colours, stills."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import load_file, save_file
from vptsp_widgets.colour_names import colours_named
from vptsp_widgets.linking import link
from vptsp_widgets.sampling import spread
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.space import data as space_data
from vptsp_widgets.space.near import Near
from vptsp_widgets.space.view import VIEW_STATE

from tests.markup import Markup, refused_by_sanitiser
from vptsp.analysis.distortion import distortion
from vptsp.analysis.projection import project
from vptsp.errors import DataError, RunError
from vptsp.evaluation.ranking import search
from vptsp.figures.palettes import palette
from vptsp.files import write_json, write_tensors
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run

EVIL = ['<img src=x onerror="boom()">', "'\"&amp;</script>", "line\nbreak", "فراشة \u202egnp.exe", "🌸 $x$", ""]


def tile_colour(row: int) -> tuple[int, int, int]:
    return (40 + 37 * row % 200, 40 + 83 * row % 200, 40 + 131 * row % 200)


def saved_images(
    folder: Path,
    labels: list[int],
    names: list[str],
    embeddings: np.ndarray | None = None,
    ids: list[str] | None = None,
) -> SavedEmbeddings:
    """Embeddings on disk with one plain tile per image, whose colour says its row."""
    ids = ids or [f"image {row}" for row in range(len(labels))]
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(len(labels), 4)) if embeddings is None else embeddings
    tensors = {"embeddings": torch.tensor(vectors, dtype=torch.float32), "labels": torch.tensor(labels)}
    write_tensors(folder / "embeddings.safetensors", tensors)
    write_json(folder / "index.json", {"name": "plain tiles", "ids": ids, "class_names": names})
    sheet = Image.new("RGB", (32 * 64, 64 * -(-len(ids) // 32)))
    for row in range(len(ids)):
        sheet.paste(tile_colour(row), (row % 32 * 64, row // 32 * 64, row % 32 * 64 + 64, row // 32 * 64 + 64))
    sheet.save(folder / "page_0.jpg", quality=95)
    write_json(folder / "tiles.json", {"tile": 64, "per_side": 32, "ids": ids})
    return SavedEmbeddings(folder)


@pytest.fixture
def saved(tmp_path: Path) -> SavedEmbeddings:
    return saved_images(tmp_path, [row % 3 for row in range(12)], ["rose", "lily", "iris"])


def rows_of(value: bytes) -> list[int]:
    return np.frombuffer(value, "<i4").tolist()


def test_a_map_without_proxies_says_why(tiny_run: Run, tmp_path: Path) -> None:
    frozen = Run.open(tiny_run.path / "baselines" / "frozen")
    assert SpaceExplorer.of_run(tiny_run, method="pca")._notes == []
    view = SpaceExplorer.of_run(frozen, method="pca")
    assert view._notes == ["no proxies: method frozen trains nothing, so it has none"]
    assert "method frozen trains nothing" in view.still()
    copy = shutil.copytree(tiny_run.path, tmp_path / "copy")
    view.run = str(copy)
    assert view._notes == []
    shutil.rmtree(copy / "snapshots")
    assert SpaceExplorer.of_run(copy, method="pca")._notes == ["no proxies: the run keeps no snapshots of them"]


def test_rows_and_ids_name_the_same_images(saved: SavedEmbeddings) -> None:
    space = SpaceExplorer(saved, "pca")
    space.selection = ["image 7", "image 2"]
    assert rows_of(space._selected) == [2, 7]
    space._selected = np.array([0, 11], "<i4").tobytes()
    assert space.selection == ["image 0", "image 11"]
    space._focused = 4
    assert space.focus == "image 4"
    with pytest.raises(DataError, match="'nobody'"):
        space.selection = ["nobody"]


def test_given_coordinates_are_shown_as_they_are(saved: SavedEmbeddings) -> None:
    places = np.arange(24, dtype=float).reshape(12, 2)
    space = SpaceExplorer(saved, places, {"fused": places[:2] + 0.5}, ["oak", "elm"])
    assert np.frombuffer(space._points, "<f4").reshape(-1, 2).tolist() == places.tolist()
    assert np.frombuffer(space._glyphs, "<f4").tolist() == [0.5, 1.5, 2.5, 3.5]
    assert space._proxies == {"kinds": ["fused"], "names": ["oak", "elm"]}


def test_projected_proxies_are_guests_of_the_images_map(saved: SavedEmbeddings) -> None:
    alone = SpaceExplorer(saved, "pca")
    both = SpaceExplorer(saved, "pca", {"semantic": np.ones((2, 4)), "learned": saved.embeddings[:2]}, ["oak", "elm"])
    assert both._points == alone._points
    assert both._proxies["kinds"] == ["learned", "semantic"]
    assert np.allclose(both.glyphs["learned"], both.points[:2], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"coordinates": np.zeros((5, 2))}, r"coordinates are \(5, 2\), but there are 12 images"),
        ({"proxies": {"fused": np.zeros((3, 4))}, "proxy_names": ["oak"]}, "3 fused proxies but 1 proxy_names"),
        ({"proxies": {"fused": np.zeros((1, 7))}, "proxy_names": ["oak"]}, r"\(1, 7\), but embeddings have size 4"),
        ({"proxies": {"mean": np.zeros((1, 4))}, "proxy_names": ["oak"]}, "legal kinds: learned, semantic, fused"),
        ({"columns": pd.DataFrame({"a": range(11)})}, "11 rows, but there are 12 images"),
        ({"columns": pd.DataFrame({"class": range(12)})}, "'class' is taken"),
        ({"view_state": {"color": "class"}}, "view_state has no color"),
        ({"view_state": {"colour": "size"}}, "no column 'size' to colour by; there are class"),
        ({"view_state": {"zoom": 0}}, "zoom is 0"),
        ({"view_state": {"x": float("nan")}}, "x is nan"),
    ],
)
def test_what_does_not_fit_is_refused(saved: SavedEmbeddings, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        SpaceExplorer(saved, **{"coordinates": "pca", **options})


def test_images_without_a_place_are_left_out_and_counted(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(6, 4))
    vectors[1, 2] = np.nan
    saved = saved_images(tmp_path, [0] * 6, ["rose"], vectors)
    places = np.zeros((5, 2))
    places[3] = np.inf
    space = SpaceExplorer(saved, places)
    assert rows_of(space._sample) == [0, 1, 2, 4]
    note = "4 of 5 images shown; 1 left out: their embeddings hold NaN or infinity; 1 left out: their coordinates"
    assert note in space.summary()
    assert note in Markup(space.still()).text
    with pytest.raises(DataError, match=r"there are 5 images \(without 1 left out\)"):
        SpaceExplorer(saved, np.zeros((6, 2)))


# --- columns ----------------------------------------------------------------------------------------
def test_columns_by_id_in_any_order_and_missing_values(saved: SavedEmbeddings) -> None:
    table = pd.DataFrame({"size": [3.0, 1.0], "soil": ["wet", None]}, index=["image 5", "image 1"])
    _, size, soil = SpaceExplorer(saved, "pca", columns=table).columns
    assert size.codes[[5, 1]].tolist() == [3.0, 1.0]
    assert np.isnan(size.codes).sum() == 10
    assert soil.values == ("wet",)
    assert soil.codes.tolist() == [-1] * 5 + [0] + [-1] * 6


def test_kinds_of_columns_and_how_they_travel(saved: SavedEmbeddings) -> None:
    table = pd.DataFrame(
        {
            "number": [*range(11), np.inf],
            "whether": [True, False] * 6,
            "size": pd.Categorical(["small", "large"] * 6, ["small", "large"]),
        }
    )
    space = SpaceExplorer(saved, "pca", columns=table)
    assert [header["kind"] for header in space._columns] == ["category", "number", "category", "category"]
    assert space._columns[1]["most"] == 10  # infinity is no number to scale by
    assert space._columns[2]["values"] == ["False", "True"]
    assert space._columns[3]["values"] == ["small", "large"]
    codes = np.frombuffer(space._codes, "<i4").reshape(4, 12)
    assert codes[0].tolist() == saved.labels.tolist()
    assert codes[3].tolist() == [0, 1] * 6


def test_equal_images_are_found_in_the_order_in_which_the_gallery_finds_them(tmp_path: Path) -> None:
    """Copies tie; a plain product rounds them apart."""
    few = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    vectors = np.concatenate([few * scale for scale in (1, 3, 0.1, 7, 1.7, 0.3)])
    saved = saved_images(tmp_path, [0, 1] * 15, ["a", "b"], vectors)
    expected = search(saved.embeddings, saved.labels, k=10).neighbor_positions
    assert [Near(saved).of(row)["rows"] for row in range(30)] == expected.tolist()
    gallery = np.ones(30, bool) if saved.is_gallery is None else saved.is_gallery
    others = [int(((saved.labels == saved.labels[row]) & gallery).sum() - gallery[row]) for row in range(30)]
    assert [Near(saved).of(row)["relevant"] for row in range(30)] == others
    table = Near(saved).table()
    assert table is not None
    assert table.tolist() == expected.tolist()


def test_nearest_image_right_or_wrong(tmp_path: Path) -> None:
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [-1, 0]], dtype=float)
    saved = saved_images(tmp_path, [0, 0, 1, 2, 3], ["a", "b", "c", "d"], vectors)
    table = space_data.nearest_columns(saved)
    assert table[space_data.NEAREST].tolist() == ["right", "right", *["nothing to find"] * 3]
    saved.labels[:] = [0, 0, 1, 2, 1]
    assert space_data.nearest_columns(saved)[space_data.NEAREST].tolist()[2:] == ["wrong", "nothing to find", "right"]
    saved.is_query, saved.is_gallery = np.array([True] + [False] * 4), np.array([False] + [True] * 4)
    table = space_data.nearest_columns(saved)
    assert table[space_data.NEAREST].tolist() == ["right", *["not a query"] * 4]
    assert table.isna()["similarity to nearest"].tolist() == [False, True, True, True, True]


def test_what_an_image_finds_is_what_the_search_finds(tmp_path: Path) -> None:
    saved = saved_images(tmp_path, [row % 3 for row in range(30)], ["rose", "lily", "iris"])
    saved.is_gallery = np.arange(30) % 4 > 0
    saved.is_query = ~saved.is_gallery
    space = SpaceExplorer(saved, "pca")
    found = search(saved.embeddings, saved.labels, None, saved.is_gallery, k=10)
    for row in (0, 7, 29):
        space.focus = saved.ids[row]
        assert space._near["row"] == row
        assert space._near["rows"] == found.neighbor_positions[row].tolist()
        assert space._near["right"] == found.matches[row].tolist()
    table = np.frombuffer(space.state_for_page()["_near_table"], "<i4").reshape(30, 10)
    assert table.tolist() == found.neighbor_positions.tolist()
    space.focus = ""
    assert space._near == {}


def test_at_first_sight_proxies_are_fused_or_all_there_are(saved: SavedEmbeddings) -> None:
    proxies = {kind: np.ones((1, 4)) for kind in ("learned", "semantic", "fused")}
    assert SpaceExplorer(saved, "pca", proxies, ["oak"]).view_state["proxies"] == ["fused"]
    del proxies["fused"]
    assert SpaceExplorer(saved, "pca", proxies, ["oak"]).view_state["proxies"] == ["learned", "semantic"]
    chosen = {"proxies": ["learned"]}
    assert SpaceExplorer(saved, "pca", proxies, ["oak"], view_state=chosen).view_state["proxies"] == ["learned"]


# --- selected, tags ---------------------------------------------------------------------------------
def test_the_selection_is_a_table(saved: SavedEmbeddings) -> None:
    table = pd.DataFrame({"size": np.arange(12.0), "soil": ["wet", None] * 6})
    space = SpaceExplorer(saved, "pca", columns=table)
    assert space.selected.empty
    assert list(space.selected.columns) == ["class", "size", "soil"]
    space.selection = ["image 4", "image 1"]
    found = space.selected
    assert found.index.tolist() == ["image 1", "image 4"]
    assert found["class"].tolist() == ["lily", "lily"]
    assert found["size"].tolist() == [1.0, 4.0]
    assert found["soil"].isna().tolist() == [True, False]
    assert space.table.loc["image 0", "soil"] == "wet"


def test_tags_are_a_column_that_comes_and_goes(saved: SavedEmbeddings) -> None:
    space = SpaceExplorer(saved, "pca", columns=pd.DataFrame({"size": np.arange(12.0)}))
    space.selection = ["image 2", "image 3"]
    space.tag("blurry")
    space.tag("fine", ["image 5"])
    assert space.tags == {"image 2": "blurry", "image 3": "blurry", "image 5": "fine"}
    assert space._columns[-1] == {"name": "tag", "kind": "category", "values": ["blurry", "fine"]}
    assert np.frombuffer(space._codes, "<i4").reshape(3, 12)[2].tolist() == [-1, -1, 0, 0, -1, 1, *[-1] * 6]
    assert space.selected["tag"].tolist() == ["blurry", "blurry"]
    space.view_state = {"colour": "tag", "solo": ["blurry", "fine"]}
    space._handle({"kind": "tag", "rows": [5], "tags": [""]}, [])
    assert space.view_state["solo"] == ["blurry"]
    assert Markup(space.still()).all("img")
    space.tags = {}
    assert (space.view_state["colour"], space.view_state["solo"]) == ("class", [])
    assert [column.name for column in space.columns] == ["class", "size"]
    with pytest.raises(DataError, match="1 of the ids to tag are not in this view, the first is 'nobody'"):
        space.tags = {"nobody": "x"}
    own = SpaceExplorer(saved, "pca", columns=pd.DataFrame({"tag": range(12)}), tags={"image 1": "x"})
    assert [column.name for column in own.columns] == ["class", "tag", "own tag"]


def test_tags_and_selections_are_kept_beside_the_images(saved: SavedEmbeddings) -> None:
    one, other = SpaceExplorer(saved, "pca"), SpaceExplorer(saved, "pca")  # two notebooks
    one.tag("blurry", ["image 1"])
    other.tag("fine", ["image 2"])
    assert other.tags == {"image 1": "blurry", "image 2": "fine"}  # what was said meanwhile comes along
    one.tag("", ["image 1"])
    one.keep_selection("odd", ["image 3", "image 1"])
    other.keep_selection("even", ["image 2"])
    again = SpaceExplorer(saved, "pca", tags={"image 5": "given"})
    assert again.tags == {"image 2": "fine", "image 5": "given"}
    assert [column.name for column in again.columns] == ["class", "tag"]
    assert again.selections == {"odd": ["image 1", "image 3"], "even": ["image 2"]}
    again.forget_selection("odd")
    with pytest.raises(DataError, match="no selection is kept as 'odd'; there are: even"):
        again.forget_selection("odd")
    with pytest.raises(DataError, match="1 of the ids are not in this view, the first is 'nobody'"):
        again.keep_selection("new", ["nobody"])
    saved.folder.joinpath("marks.jsonl").unlink()
    saved.folder.joinpath("marks.jsonl").mkdir()
    again.tag("lost", ["image 7"])
    assert again.status.startswith("these tags are not kept: cannot write ")
    assert again.tags["image 7"] == "lost"  # here it is there all the same
    assert "tags and selections are not kept: " in SpaceExplorer(saved, "pca").summary()


def test_arrays_without_a_folder_keep_marks_as_long_as_the_map_is_there() -> None:
    space = SpaceExplorer.of_arrays(np.eye(6), list("aabbcc"), method="pca")
    space.tag("odd", space.ids[:1])
    space.keep_selection("two", space.ids[:2])
    assert (space.tags, space.selections) == ({space.ids[0]: "odd"}, {"two": list(space.ids[:2])})
    with pytest.raises(DataError, match="kept under a name"):
        space.keep_selection(" ", space.ids[:2])


# --- where the map can be trusted ---------------------------------------------------------------------
def test_trust_is_a_pair_of_columns(tmp_path: Path) -> None:
    saved = saved_images(tmp_path, [row % 3 for row in range(40)], ["rose", "lily", "iris"])
    table = pd.DataFrame({"map continuity": range(40)})
    space = SpaceExplorer(saved, "pca", columns=table, tags={"image 1": "x"})
    space.view_state = {"truth": True}
    assert [column.name for column in space.columns] == [
        "class", "map continuity", "map trustworthiness", "map continuity here", "tag",
    ]  # fmt: skip
    expected = distortion(saved.embeddings, space.points)
    assert space.table["map trustworthiness"].tolist() == expected.trustworthiness.tolist()
    assert space.table["map continuity here"].tolist() == expected.continuity.tolist()
    assert space.status == "trustworthiness and continuity: by their 10 nearest"
    found = search(saved.embeddings, saved.labels, k=10).neighbor_positions
    assert np.array_equal(np.frombuffer(space._near_table, "<i4").reshape(40, 10), found)


def test_of_many_images_some_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vptsp_widgets.space.truth.MOST_WHOLE", 30)
    monkeypatch.setattr("vptsp_widgets.space.truth._ASKED", 12)
    saved = saved_images(tmp_path, [row % 3 for row in range(40)], ["rose", "lily", "iris"])
    space = SpaceExplorer(saved, "pca", view_state={"truth": True})
    values = space.table["map trustworthiness"]
    assert values.notna().sum() == 12
    expected = distortion(saved.embeddings, space.points).trustworthiness
    assert values.dropna().tolist() == expected[values.notna()].tolist()
    assert space.status == "trustworthiness and continuity of 12 of 40 images: by their 10 nearest"
    assert space._near_table == b""


def test_some_images_alone_have_a_map_of_their_own(tmp_path: Path) -> None:
    saved = saved_images(tmp_path, [row % 3 for row in range(40)], ["rose", "lily", "iris"])
    space = SpaceExplorer(saved, "pca", {"fused": np.eye(4)[:2]}, ["oak", "elm"])
    before = (space._points, space._glyphs, space._sample)
    space.view_state = {"zoom": 3, "truth": True}
    space.selection = space.ids[5:17]
    space.map_alone()
    expected = project(saved.embeddings[5:17], "pca", guests=np.eye(4, dtype=np.float32)[:2])
    assert space.points[5:17].tolist() == expected[:12].tolist()
    assert np.isnan(space.points[:5]).all()
    assert space.glyphs["fused"].tolist() == expected[12:].tolist()
    assert (space._alone, space.view_state["zoom"]) == (12, 1)
    assert space.summary().startswith("Map of plain tiles: 12 of 40 images shown")
    trust = space.table["map trustworthiness"]
    assert trust.dropna().tolist() == distortion(saved.embeddings[5:17], expected[:12]).trustworthiness.tolist()
    assert Markup(space.still()).all("img")
    space.map_all()
    assert (space._points, space._glyphs, space._sample) == before
    assert space._alone == 0
    with pytest.raises(DataError, match="2 images make no map of their own; select 3 or more"):
        space.map_alone(space.ids[:2])
    given = SpaceExplorer(saved, np.zeros((40, 2)), {"fused": np.zeros((2, 2))}, ["oak", "elm"])
    given.map_alone(given.ids[:3])  # proxies that were given as places have none on another map
    assert np.isnan(given.glyphs["fused"]).all()


# --- sample -----------------------------------------------------------------------------------------
@given(st.lists(st.integers(0, 6), min_size=1, max_size=80), st.integers(1, 80), st.integers(0, 3))
def test_a_sample_keeps_every_class_and_its_share(labels: list[int], most: int, seed: int) -> None:
    array = np.array(labels)
    rows = spread(array, most, seed)
    assert len(rows) == min(most, len(labels))
    assert (np.diff(rows) > 0).all()
    assert rows.tolist() == spread(array, most, seed).tolist()
    present, counts = np.unique(array, return_counts=True)
    if most >= len(present):
        kept = np.bincount(array[rows], minlength=7)[present]
        assert (kept >= 1).all()
        assert (np.abs(kept - counts * len(rows) / len(labels)) <= len(present)).all()


def test_a_sample_says_so(saved: SavedEmbeddings) -> None:
    space = SpaceExplorer(saved, "pca", most=6)
    assert len(rows_of(space._sample)) == 6
    assert "6 of 12 images shown" in space.summary()
    assert "6 of 12 images shown" in Markup(space.still()).text
    space.view_state = {"all": True}
    assert "12 images" in space.summary()
    assert "shown" not in space.summary()


# --- state, links, stills ---------------------------------------------------------------------------
def test_what_the_state_does_not_name_is_as_at_the_start(saved: SavedEmbeddings) -> None:
    space = SpaceExplorer(saved, "pca", view_state={"zoom": 3})
    assert space.view_state == VIEW_STATE | {"zoom": 3}


def test_a_run_brings_its_proxies_attributes_and_mistakes(tiny_run: Run, tmp_path: Path) -> None:
    space = SpaceExplorer.of_run(tiny_run, method="pca")
    assert space.run == str(tiny_run.path)
    assert space._proxies["kinds"] == ["learned", "semantic", "fused"]
    assert [column.name for column in space.columns][:3] == ["class", "nearest image", "similarity to nearest"]
    space.selection, space.view_state = space.ids[:3], {"colour": "nearest image", "zoom": 5}
    other = tmp_path / "other"
    shutil.copytree(tiny_run.path, other)
    index = json.loads((other / "embeddings" / "test" / "index.json").read_text())
    index["ids"] = [f"other {name}" for name in index["ids"]]
    (other / "embeddings" / "test" / "index.json").write_text(json.dumps(index))
    space.run = str(other)
    assert space.status == ""
    assert (space.selection, space.view_state) == ([], VIEW_STATE)
    assert space.ids[0].startswith("other ")
    space.selection = [space.ids[1]]
    assert rows_of(space._selected) == [1]
    space.run = str(tmp_path / "nothing")
    assert "is not a run directory" in space.status


def test_a_run_without_embeddings_says_what_makes_them(tiny_run: Run, tmp_path: Path) -> None:
    shutil.copytree(tiny_run.path, tmp_path / "run", ignore=shutil.ignore_patterns("embeddings"))
    with pytest.raises(RunError, match="vptsp evaluate"):
        SpaceExplorer.of_run(tmp_path / "run")


def test_links_to_another_map(saved: SavedEmbeddings) -> None:
    one, other = SpaceExplorer(saved, "pca"), SpaceExplorer(saved, np.zeros((12, 2)))
    link(one, other)
    one._selected = np.array([3, 4], "<i4").tobytes()
    other.focus = "image 9"
    assert rows_of(other._selected) == [3, 4]
    assert one._focused == 9


def test_the_still_is_kept_by_the_sanitiser_and_shows_the_selection(saved: SavedEmbeddings) -> None:
    table = pd.DataFrame({"size": np.arange(12.0)})
    space = SpaceExplorer(saved, "pca", {"learned": np.ones((1, 4)), "fused": np.eye(4)[:1]}, ["oak"], table)
    space.selection = ["image 3", "image 8"]
    for state in ({}, {"colour": "size"}, {"solo": ["rose"]}, {"x": 0.1, "y": 0.1, "zoom": 4, "labels": False}):
        space.view_state = state
        still = Markup(space.still())
        assert refused_by_sanitiser(space.still()) == []
        images = still.all("img")
        assert images[0]["src"].startswith("data:image/png;base64,")
        assert "12 images" in images[0]["alt"]
        assert [image["alt"] for image in images[1:]] == ["rose (image 3)", "iris (image 8)"]
        assert "2 selected" in still.text


def test_evil_names_are_text(tmp_path: Path) -> None:
    ids = [f"{name}/{row}" for row, name in enumerate(EVIL)]
    saved = saved_images(tmp_path, list(range(6)), EVIL, ids=ids)
    table = pd.DataFrame({EVIL[0]: EVIL})
    space = SpaceExplorer(saved, "pca", {"fused": np.eye(4)}, EVIL[:4], table, view_state={"colour": EVIL[0]})
    space.selection = ids
    still = space.still()
    assert refused_by_sanitiser(still) == []
    assert [image["src"][:5] for image in Markup(still).all("img")] == ["data:"] * 7
    assert EVIL[0] in Markup(still).text
    assert "\u202e" not in "".join([*space._columns[0]["values"], space._ids.decode(), still])
    assert space.selection == ids


def test_only_images_that_cannot_be_shown(tiny_run: Run, tmp_path: Path) -> None:
    shutil.copytree(tiny_run.path, tmp_path / "run")
    file = tmp_path / "run" / "embeddings" / "test" / "embeddings.safetensors"
    tensors = load_file(file)
    save_file({**tensors, "embeddings": np.full_like(tensors["embeddings"], np.nan)}, file)
    with pytest.raises(DataError, match="holds no images that could be shown; 20 left out: their embeddings hold NaN"):
        SpaceExplorer.of_run(tmp_path / "run")


def test_a_map_without_thumbnails_says_so(saved: SavedEmbeddings) -> None:
    (saved.folder / "tiles.json").unlink()
    space = SpaceExplorer(saved, "pca")
    space.selection = ["image 1"]
    assert "no thumbnails" in space.summary()
    assert refused_by_sanitiser(space.still()) == []


# --- colours ----------------------------------------------------------------------------------------
def _linear(colours: np.ndarray) -> np.ndarray:
    share = colours / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear.clip(0, 1) @ to_xyz.T / (0.9505, 1.0, 1.089)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


# Machado, Oliveira and Fernandes, 2009, severity 1: what readers without red or green cones see
_SIGHT = {
    "all": np.eye(3),
    "protanopia": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "deuteranopia": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
}


@pytest.mark.parametrize("sight", _SIGHT)
@pytest.mark.parametrize("dark", [False, True])
def test_the_first_seven_colours_are_apart_for_any_colour_vision(sight: str, dark: bool) -> None:
    seen = _lab(_linear(palette(7, dark)) @ _SIGHT[sight].T)
    distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + 1000 * np.eye(7)
    assert distance.min() >= 15


@pytest.mark.parametrize(("dark", "page"), [(False, (255, 255, 255)), (True, (22, 25, 29))])
def test_colours_stand_out_from_the_page(dark: bool, page: tuple[int, int, int]) -> None:
    weights = np.array([0.2126, 0.7152, 0.0722])
    behind = _linear(np.array([page])) @ weights
    points = _linear(palette(60, dark)) @ weights
    contrast = (np.maximum(points, behind) + 0.05) / (np.minimum(points, behind) + 0.05)
    assert contrast.min() >= 2.9


def test_categories_that_name_colours_have_them(saved: SavedEmbeddings) -> None:
    table = pd.DataFrame(
        {"petals": ["cream", "Magenta", "dark red", None] * 3, "soil": ["clay", "red", "wet", "dry"] * 3}
    )
    space = SpaceExplorer(saved, "pca", columns=table)
    _, petals, soil = space._columns
    # CSS Color Module Level 4, and https://xkcd.com/color/rgb for what it does not name
    assert dict(zip(petals["values"], petals["colours"], strict=True)) == {
        "Magenta": "#ff00ff", "cream": "#ffffc2", "dark red": "#8b0000",
    }  # fmt: skip
    assert "colours" not in soil  # clay is a colour, wet is none
    space.view_state = {"colour": "petals"}
    assert Markup(space.still()).all("img")
    assert colours_named(["0.1", "0.5"]) is None  # shades of grey to matplotlib, and numbers to everybody else
    assert colours_named(["r", "g", "b"]) is None
    assert colours_named(["red"]) is None


def test_more_classes_than_colours_are_grey(tmp_path: Path) -> None:
    for classes, grey in ((20, False), (21, True)):
        names = [f"class {number}" for number in range(classes)]
        saved = saved_images(tmp_path / str(classes), list(range(classes)), names)
        space = SpaceExplorer(saved, "pca")
        assert space._columns[0].get("grey", False) is grey
        assert Markup(space.still()).all("img")


def test_a_palette_does_not_change_with_its_length() -> None:
    assert palette(300, False)[:20].tolist() == palette(20, False).tolist()
