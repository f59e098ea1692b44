"""Proxies as handles of the map, from Python: what is asked, answered and refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.space.handle_answers import around, way_along_alpha

from tests.widgets.space.test_space import saved_images
from vptsp.analysis.projection import project
from vptsp.analysis.proxy_handles import Probes, ProxyHandles, nearest_proxies
from vptsp.errors import DataError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.settings.config import Config

NAMES = ["rose", "lily", "iris"]


def flowers(folder: Path, config: Config | None = None, known: bool = True, semantic: bool = True) -> SpaceExplorer:
    """45 images around three directions, whose semantic proxies are better than the learned ones."""
    rng = np.random.default_rng(4)
    labels = np.arange(45) % 3
    vectors = (np.eye(3, 6)[labels] + rng.normal(0, 0.25, (45, 6))).astype(np.float32)
    saved = saved_images(folder, labels.tolist(), NAMES if known else ["oak", "elm", "ash"], vectors)
    learned = (np.eye(3, 6)[[1, 0, 2]] + rng.normal(0, 0.3, (3, 6))).astype(np.float32)
    mean = (np.eye(3, 6) + rng.normal(0, 0.1, (3, 6))).astype(np.float32)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    probes = Probes(vectors[:9], labels[:9].astype(np.int64))
    handles = ProxyHandles(tuple(NAMES), learned, mean if semantic else None, 0.4, config, None, probes)
    kinds = {"learned": learned, "semantic": mean, "fused": 0.4 * learned + 0.6 * mean}
    proxies = kinds if semantic else {"learned": learned}
    return SpaceExplorer(saved, "pca", proxies, NAMES, handles=handles)


def test_handles_from_python(tmp_path: Path, tiny: Callable[..., Config]) -> None:
    space = flowers(tmp_path, tiny())
    table = space.handle()
    assert table["images"].tolist() == [15, 15, 15]
    assert (table["right"] == table["right_before"]).all()
    assert space.handle(1.0)["nearest"].sum() == 45
    frame = space.predicted_proxies
    assert (frame["before"] != frame["now"]).sum() == space._handled["changed"] > 0
    moved = space.move_proxy("rose", to=space.ids[:3])
    assert moved.loc["rose", "nearest"] == (space.predicted_proxies["now"] == "rose").sum()
    place = space._handled["moved"][0]
    np.testing.assert_allclose([place["x"], place["y"]], space.points[:3].mean(axis=0), atol=1e-5)
    space.map_alone(space.ids[:20])  # what was moved stays with its images
    place = space._handled["moved"][0]
    np.testing.assert_allclose([place["x"], place["y"]], space.points[:3].mean(axis=0), atol=1e-5)
    space.map_all()
    assert space.move_proxy("rose")["nearest"].tolist() == space.handle(1.0)["nearest"].tolist()
    assert space.reset_handles()["nearest"].tolist() == table["nearest"].tolist()
    for act, sentence in (
        (lambda: space.handle(1.5), "is no share"),
        (lambda: space.move_proxy("oak", to=space.ids[:1]), "'oak' has no proxy"),
        (lambda: space.move_proxy("rose", to=["nobody"]), "the first is 'nobody'"),
        (lambda: space.move_proxy("rose", to=[]), "none were given"),
        (space.forces, "no image is focused"),
        (lambda: around(np.full((3, 2), np.nan), (0, 0)), "no image is near"),
        (
            lambda: SpaceExplorer(space.saved, "pca", handles=space._require_handles().handles),
            "handles are the proxies of 3 classes, but the map shows those of 0",
        ),
        (SpaceExplorer(space.saved, "pca").handle, "has no proxies of a run beside it"),
    ):
        with pytest.raises(DataError, match=sentence):
            act()


def test_a_run_brings_its_proxies_as_handles(tiny_run: Run) -> None:
    space = SpaceExplorer.of_run(tiny_run, "train", method="pca")
    table = space.handle(0.0)
    saved = SavedEmbeddings.of_run(tiny_run, "train")
    now = nearest_proxies(saved.embeddings, space._vectors["semantic"])
    assert table["nearest"].tolist() == np.bincount(now, minlength=len(table)).tolist()
    right = [table.index[row] == saved.class_names[label] for row, label in zip(now, saved.labels, strict=True)]
    assert table["right"].sum() == sum(right)
    assert space._handled["accuracy"][1] == pytest.approx(np.mean(right))
    assert "pull" in set(space.forces(space.ids[0])["effect"])
    unseen = SpaceExplorer.of_run(tiny_run, method="pca")
    assert unseen.handle()["images"].sum() == 0
    assert set(unseen.forces(unseen.ids[0])["effect"]) == {"push"}
    unseen.move_proxy(table.index[0], to=unseen.ids[:2])
    assert unseen._handled["moved"]
    unseen.run = str(tiny_run.path)  # the same run: nothing is read again
    assert unseen._handled["moved"]
    unseen._take(unseen._content_of(**SpaceExplorer._parts_of(tiny_run, "train")))
    assert (unseen._handled, unseen._changed, unseen.status) == ({}, b"", "")
    assert "predicted proxy" not in unseen.table


def test_the_way_along_alpha_begins_and_ends_on_the_map_and_is_no_longer_than_there_is_room(tmp_path: Path) -> None:
    space = flowers(tmp_path)
    images, handles = space.saved.embeddings, space._require_handles().handles
    alphas, places = way_along_alpha(images, handles, space.glyphs, "pca", 0, None)
    assert alphas == [pytest.approx(step / 10) for step in range(11)]
    for alpha, kind in ((0, "semantic"), (4, "fused"), (10, "learned")):
        assert np.array_equal(places[alpha], space.glyphs[kind])
    for turn in (1, 7):
        found = project(images, "pca", guests=handles.among_images(alphas[turn]))[len(images) :]
        np.testing.assert_allclose(places[turn], found, atol=1e-5)
    many = np.tile(handles.learned, (4000, 1))
    large = ProxyHandles(tuple(map(str, range(12_000))), many, many, 0.4)
    glyphs = {kind: np.zeros((12_000, 2)) for kind in space.glyphs}
    assert way_along_alpha(images, large, glyphs, "pca", 0, None)[0] == [0, 0.4, 1]


def test_handles_are_a_part_of_the_state(tmp_path: Path) -> None:
    space = flowers(tmp_path)
    space.handle(0.3)
    table = space.move_proxy("rose", to=space.ids[:3])
    state = space.view_state
    assert (state["handles"]["alpha"], state["handles"]["moved"][0]["images"]) == (0.3, list(space.ids[:3]))
    space.view_state = {}
    assert space.handle()["right"].tolist() == space.handle()["right_before"].tolist()
    assert space._handled["moved"] == []
    space.view_state = {**state, "colour": "predicted proxy"}
    assert space.handle().equals(table)
    other = SpaceExplorer(
        space.saved, "pca", space._vectors, NAMES, handles=space._require_handles().handles, view_state=state
    )
    assert other.handle().equals(table)
    assert other.view_state == state
    space.view_state = {"handles": {"moved": [{"proxy": "lily", "x": 0.5, "y": -0.2}]}}  # a place alone
    assert space._asked.moved[1] == around(space.points, (0.5, -0.2))
    space.handle(0.4)  # the run's own
    assert space.view_state["handles"]["alpha"] is None
    space.reset_handles()
    assert space.view_state["handles"] == {}


@pytest.mark.parametrize(
    ("handles", "sentence"),
    [
        (3, "view_state handles is '3'; it must hold alpha and moved"),
        ({"alpha": 1.5}, "alpha '1.5'; it must be a share from 0 to 1"),
        ({"moved": [{"proxy": "rose"}]}, "must be a list that names for each a proxy"),
        ({"moved": [{"proxy": "rose", "images": ["image 1"], "weights": [0]}]}, "as many weights above 0"),
        ({"moved": [{"proxy": "oak", "x": 0, "y": 0}]}, "'oak' has no proxy here; there are: rose, lily, iris"),
        ({"moved": [{"proxy": "rose", "images": ["nobody"]}]}, "the first is 'nobody'"),
    ],
)
def test_a_state_of_handles_that_cannot_be_is_refused(tmp_path: Path, handles: object, sentence: str) -> None:
    space = flowers(tmp_path)
    with pytest.raises(DataError, match=sentence):
        space.view_state = {"handles": handles}
    assert space.view_state["handles"] == {}


def test_a_kept_view_brings_handles_back_as_far_as_they_are_here(tmp_path: Path) -> None:
    space = flowers(tmp_path)
    space.handle(0.3)
    table = space.move_proxy("rose", to=space.ids[:3])
    space.view_state = {**space.view_state, "colour": "predicted proxy", "solo": ["rose"]}
    state = space.view_state
    space.keep_view("moved")
    space.reset_handles()
    space.view_state = {}
    space.open_view("moved")
    assert (space.view_state, space.status) == (state, "")
    assert space.handle().equals(table)
    space.view_state = {}
    answer = space.state_for_page()["_view_answers"]["moved"]
    assert answer["handled"]["alpha"] == 0.3
    assert len(answer["changed"]) == answer["handled"]["changed"] > 0
    without = SpaceExplorer(space.saved, "pca")
    without.open_view("moved")
    assert "its proxies as handles" in without.status
    space.map_alone(space.ids[3:30])  # where none of the proxy's images has a place
    space.open_view("moved")
    assert space._handled["moved"][0]["x"] is None
    assert space.handle().equals(table)
