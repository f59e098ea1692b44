"""Views of the map that are kept: what comes back, what is said of what is gone, and the picture in a notebook."""

from __future__ import annotations

import base64
import io
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from vptsp_widgets.space import SpaceExplorer, keeping
from vptsp_widgets.space.data import columns_of
from vptsp_widgets.space.filtering import passing
from vptsp_widgets.space.kept_views import Here, opened

from tests.markup import Markup, outside_references, refused_by_sanitiser
from tests.widgets.space.test_space import EVIL, saved_images
from vptsp.errors import DataError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.kept_views import KeptView, KeptViews
from vptsp.runs.run import Run

NAMES = ["rose", "lily", "iris"]
STATE = {"x": 0.2, "y": -0.1, "zoom": 3.0, "colour": "size", "filter": [{"column": "size", "low": 2.0}]}


def map_of(folder: Path, count: int = 12) -> SpaceExplorer:
    saved = saved_images(folder, [row % 3 for row in range(count)], NAMES)
    return SpaceExplorer(saved, "pca", columns=pd.DataFrame({"size": np.arange(float(count))}))


def test_what_is_kept_comes_back_in_another_notebook(tmp_path: Path) -> None:
    space = map_of(tmp_path)
    space.view_state, space.selection, space.focus = STATE, ["image 7", "image 2"], "image 4"
    whole = space.view_state
    space.keep_view(" rim ")
    space.view_state, space.selection, space.focus = {}, [], ""
    space.keep_view("all")
    assert space.views == ["rim", "all"]
    other = map_of(tmp_path)
    assert other.views == ["rim", "all"]
    other.open_view("rim")
    assert (other.view_state, other.selection, other.focus) == (whole, ["image 2", "image 7"], "image 4")
    assert other.status == ""
    other.forget_view("rim")
    assert other.views == space.views == ["all"]
    with pytest.raises(DataError, match="no view is kept as 'rim'; there are: all"):
        space.open_view("rim")
    with pytest.raises(DataError, match="a view is kept under a name"):
        space.keep_view(" ")


def test_arrays_without_a_folder_keep_views_as_long_as_the_map_is_there() -> None:
    space = SpaceExplorer.of_arrays(np.random.default_rng(0).normal(size=(12, 4)), method="pca")
    space.selection = space.ids[:3]
    still = space.keep_view("three")
    space.selection = []
    space.open_view("three")
    assert space.selection == list(space.ids[:3])
    assert still.code == "space.open_view('three')"


def test_a_run_opens_on_the_map_on_which_it_was_kept(tiny_run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "run"))  # views are kept with it
    space = SpaceExplorer.of_run(run, method="pca")
    space.view_state = {"zoom": 2.0, "x": 0.1, "y": 0.1, "truth": True, "colour": "class"}
    space.view_state = {**space.view_state, "colour": "map continuity"}
    space.selection = space.ids[:2]
    still = space.keep_view("it's near")
    assert still.code == f"""SpaceExplorer.of_run({str(run.path)!r}, view="it's near")"""
    again = eval(still.code, {"SpaceExplorer": SpaceExplorer})
    assert again.method == "pca"
    assert (again.view_state, again.selection, again.status) == (space.view_state, space.selection, "")
    assert SpaceExplorer.of_run(run, view="it's near", selection=[]).selection == []
    umap = SpaceExplorer.of_run(run)
    umap.made = {**umap.made, "method": "umap"}  # so few images have no other map than one by PCA
    umap.open_view("it's near")
    assert (umap.view_state["zoom"], umap.view_state["x"]) == (1.0, None)
    assert umap.status == (
        'the view "it\'s near" has parts that are not here: its place, which is on a map by PCA that was another; '
        "the rest is shown"
    )
    with pytest.raises(DataError, match="no view is kept as 'far'; there are: it's near"):
        SpaceExplorer.of_run(run, view="far")


def test_what_is_gone_is_said_and_the_rest_is_shown(tmp_path: Path) -> None:
    space = map_of(tmp_path)
    space.tag("odd", ["image 3"])
    space.view_state = {"colour": "tag", "solo": ["odd"], "filter": [*STATE["filter"], {"column": "tag", "text": "o"}]}
    space.selection, space.focus = ["image 3", "image 10", "image 11"], "image 11"
    space.keep_view("tagged")
    space.view_state = {}
    space.tag("", ["image 3"])
    space.open_view("tagged")
    assert space.view_state["colour"] == "class"
    assert space.view_state["filter"] == STATE["filter"]
    assert space.status == "the view 'tagged' has parts that are not here: column 'tag'; the rest is shown"
    fewer = map_of(tmp_path, 10)
    fewer.open_view("tagged")
    assert fewer.selection == ["image 3"]
    assert fewer.focus == ""
    assert (
        "2 of the 3 images selected, the first is 'image 10', the image in focus, 'image 11'; the rest" in fewer.status
    )


def test_alone_and_whole_maps_are_not_taken_for_each_other(tmp_path: Path) -> None:
    space = map_of(tmp_path)
    space.map_alone(space.ids[:6])
    space.view_state = {**space.view_state, "zoom": 2.0, "x": 0.0, "y": 0.0}
    space.keep_view("six")
    space.open_view("six")
    assert (space.view_state["zoom"], space.status) == (2.0, "")
    space.map_all()
    space.open_view("six")
    assert space.view_state["zoom"] == 1.0
    assert "on a map of 6 images alone, by PCA, that was another" in space.status


def test_the_still_is_what_a_notebook_keeps(tmp_path: Path) -> None:
    space = map_of(tmp_path)
    space.selection = ["image 5"]
    still = space.keep_view('<img src=x onerror="boom()">')
    text = still._repr_html_()
    assert refused_by_sanitiser(text) == []
    assert "onerror" not in re.sub(r"&lt;.*?&gt;", "", text)
    picture = re.search(r"data:image/png;base64,([^\"]+)", text)
    assert picture is not None
    with Image.open(io.BytesIO(base64.b64decode(picture[1]))) as image:
        assert image.size == (1296, 921)
    assert "1 selected" in text
    assert "space.open_view(&#x27;" in text
    entry = space._kept_views[0]
    assert (entry["said"], entry["shown"]) == ("1 selected · by class", '<img src=x onerror="boom()">')
    with Image.open(io.BytesIO(base64.b64decode(entry["picture"].split(",")[1]))) as small:
        assert small.width == 240
    space.selection = []
    assert "1 selected" in space.kept_view('<img src=x onerror="boom()">')._repr_html_()  # as it was then
    view = KeptViews.of(space.saved).named('<img src=x onerror="boom()">')
    (tmp_path / "views" / f"{view.key}.png").unlink()
    assert "The file of its picture is gone." in space.kept_view(view.name)._repr_html_()


def test_evil_names_are_kept_as_they_are(tmp_path: Path) -> None:
    space = map_of(tmp_path)
    for name in filter(str.strip, EVIL):
        code = space.keep_view(name).code
        assert eval(code.removeprefix("space.open_view")) == name.strip()
    assert map_of(tmp_path).views == [name.strip() for name in EVIL if name.strip()]


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.lists(st.text(max_size=2))
)


@given(
    st.dictionaries(st.sampled_from([*STATE, "solo", "find", "proxies", "all", "later"]), _VALUES), st.lists(st.text())
)
def test_whatever_the_file_holds_something_is_shown(state: dict[str, object], span: list[str]) -> None:
    columns = columns_of(SavedEmbeddings.of_arrays(np.eye(4)), None)
    found = opened(KeptView("odd", state, ("x",), "y", {}, span), Here(columns, [], [], {"a": 0}, {}, []))  # type: ignore[arg-type]
    assert found.state["colour"] == "class"
    assert (found.selection, found.focus) == ([], "")
    assert "1 of the 1 images selected" in found.note


def test_the_filter_without_a_browser_is_that_of_the_map(tmp_path: Path) -> None:
    table = pd.DataFrame({"size": [0.0, 1, 2, np.nan], "soil": ["wet", "Dry", None, "wet"]})
    columns = columns_of(saved_images(tmp_path, [0, 0, 1, 1], ["rose", "lily"]), table)
    ids = ["a", "b", "Cab", "d"]
    for conditions, passes in (
        ([], [1, 1, 1, 1]),
        ([{"column": "size", "low": 1}], [0, 1, 1, 0]),
        ([{"column": "size", "high": 1.0}], [1, 1, 0, 0]),
        ([{"column": "soil", "text": " DR "}], [0, 1, 0, 0]),
        ([{"column": "soil", "values": ["wet"]}], [1, 0, 0, 1]),
        ([{"column": "", "text": "a"}], [1, 0, 1, 0]),
        ([{"column": "gone", "text": "a"}], [1, 1, 1, 1]),
        ([{"column": "class", "values": ["lily"]}, {"column": "size", "low": 0}], [0, 0, 1, 0]),
    ):
        assert passing(columns, ids, conditions).astype(int).tolist() == passes, conditions


def test_the_picture_shows_what_the_camera_does_and_the_filter_leaves(tmp_path: Path) -> None:
    points = np.stack(np.meshgrid(np.arange(4.0), np.arange(3.0)), axis=-1).reshape(-1, 2)
    saved = saved_images(tmp_path, [0] * 12, ["rose"])
    space = SpaceExplorer(saved, points, columns=pd.DataFrame({"size": np.arange(12.0)}))

    def inked() -> int:
        """Pixels that are strongly coloured: those of whole points."""
        picture = re.search(r"base64,([^\"]+)", space.still())
        assert picture is not None
        with Image.open(io.BytesIO(base64.b64decode(picture[1]))) as image:
            pixels = np.asarray(image.convert("RGB"), dtype=int)
        return int((np.ptp(pixels, axis=2) > 90).sum())

    space.view_state = {"labels": False}
    whole = inked()
    space.view_state = {"labels": False, "filter": [{"column": "size", "low": 6}]}
    assert 0.4 < inked() / whole < 0.6  # half of the points
    assert "6 pass the filter" in space.still()
    space.view_state = {"labels": False, "filter": [{"column": "size", "low": 99}]}
    assert inked() < whole / 8  # the sign in the legend is left
    space.view_state = {"labels": False, "x": 0.0, "y": 0.0, "zoom": 8.0}
    assert 0.05 < inked() / whole < 0.25  # one of twelve, and its sign in the legend


def test_a_page_of_a_view_stands_beside_its_picture(
    tiny_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "my runs" / "one"))
    (tmp_path / "books").mkdir()
    monkeypatch.chdir(tmp_path / "books")  # where the notebook is
    space = SpaceExplorer.of_run(run, method="pca")
    space.view_state, space.selection = {"zoom": 2.0, "density": "shown"}, space.ids[:3]
    still = space.keep_view("half #1")
    text = still._repr_html_()
    (href,) = [link["href"] for link in Markup(text).all("a")]
    page = (tmp_path / "books" / unquote(href)).resolve()
    assert href.startswith("../my%20runs/one/")
    assert page.parent == run.path.resolve() / "views" / "test"
    assert refused_by_sanitiser(text) == []
    assert outside_references(page.read_text(encoding="utf-8")) == []
    space.view_state, space.selection = {}, []
    assert Markup(space.kept_view("half #1", page=False)._repr_html_()).all("a") == []
    monkeypatch.setattr(keeping, "MOST_ON_PAGE", len(space.ids) - 1)
    assert space.kept_view("half #1").page == ""
    assert space.kept_view("half #1", page=True).page == unquote(href)


def test_embeddings_without_a_folder_have_no_page() -> None:
    space = SpaceExplorer.of_arrays(np.random.default_rng(0).normal(size=(12, 4)), method="pca")
    assert space.keep_view("all").page == ""
    with pytest.raises(DataError, match="has no folder for a page; save_html writes one where you say"):
        space.kept_view("all", page=True)
