"""Pictures on the map: none covers another, each stands at its own point, and the kernel is asked for none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect
from vptsp_widgets import front
from vptsp_widgets.space import SpaceExplorer

from tests.widgets.space.test_space import saved_images, tile_colour
from tests.widgets.space.test_space_page import GRID, Map, over

pytestmark = pytest.mark.browser

SIDE = 50  # pixels of a picture with its rim


def with_room(points: np.ndarray, apart: float, most: int) -> list[int]:
    """The first of all, and every further one that is far enough from those before, without any grid."""
    kept: list[int] = []
    for row, place in enumerate(points):
        if len(kept) < most and all(np.abs(points[other] - place).max() >= apart for other in kept):
            kept.append(row)
    return kept


def test_placing_is_that_of_comparing_all_with_all(page: Page) -> None:
    rng = np.random.default_rng(0)
    cases: list[dict[str, Any]] = []
    for count in (0, 1, 2, 30, 200):
        for spread in (60, 400, 1500):
            points = rng.uniform(-spread / 4, spread, (count, 2)).astype(np.float32)
            points[count // 2 :] = points[: count - count // 2]  # some lie on each other
            cases.append({"points": points, "side": int(rng.integers(20, 60)), "gap": int(rng.integers(0, 40))})
    given = [{**case, "points": case["points"].astype(float).tolist()} for case in cases]
    found = page.evaluate(
        """async ([text, cases]) => {
          const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
          const { withRoom } = await import(url);
          URL.revokeObjectURL(url);
          return cases.map(({ points, side, gap }) => {
            const [xs, ys] = [0, 1].map((axis) => Float32Array.from(points, (point) => point[axis]));
            return withRoom(points.keys(), xs, ys, side, gap, 40);
          });
        }""",
        [front.module("space") + "export const { withRoom } = space__pictures;", given],
    )
    for case, rows in zip(cases, found, strict=True):
        assert rows == with_room(case["points"].astype(float), case["side"] + case["gap"], 40)


def pictured(view: Map, beside: tuple[int, int] = (-8, -8)) -> list[int]:
    """Rows whose own picture is what is drawn beside their points, where no ring or sign is."""
    places = np.round(view.screen() - (view.left, view.top)).astype(int)
    seen = view.page.evaluate(
        """(places) => { const c = document.querySelector('.vptsp-space-over'); const pen = c.getContext('2d');
          return places.map(([x, y]) => [...pen.getImageData(x, y, 1, 1).data]); }""",
        (places + beside).tolist(),
    )
    there = [
        row
        for row, colour in enumerate(seen)
        if colour[3] == 255 and np.abs(np.array(colour[:3]) - tile_colour(row)).max() < 12
    ]
    inside = ((places >= 0) & (places <= (view.width, view.height))).all(axis=1)
    return [row for row in there if inside[row]]


def bare(view: Map, **changes: Any) -> None:
    view.set("view_state", {**view.get("view_state"), "labels": False, "proxies": [], **changes})


@pytest.mark.parametrize("width", [520, 1920])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_zoomed_in_none_covers_another(page: Page, tmp_path: Path, width: int, theme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.normal(0, 1, (150, 2)), rng.uniform(-4, 4, (49, 2))])
    saved = saved_images(tmp_path, (np.arange(199) % 40).tolist(), [f"class {label}" for label in range(40)])
    view = Map(page, SpaceExplorer(saved, points), theme)
    bare(view)
    assert pictured(view) == []  # of the whole map, points
    bare(view, x=0.0, y=0.0, zoom=2.5)
    shown = pictured(view)
    side = SIDE if width > 1000 else 38
    assert len(shown) > 12
    places = view.screen()[shown]
    apart = np.abs(places[:, None] - places[None]).max(axis=-1) + 1000 * np.eye(len(shown))
    assert apart.min() >= side
    bare(view, x=0.0, y=0.0, zoom=2.5)
    assert pictured(view) == shown  # the same again
    bare(view, x=0.0, y=0.0, zoom=2.5, labels=True)
    left = view.screen() - (view.left, view.top)
    right = (view.width, view.height) - left
    inner = {row for row in shown if min(*left[row], *right[row]) > 40}  # off the words along both axes
    for across in range(-12, 13, 4):  # no name of a class is written over a picture, which may be of another one
        assert inner <= set(pictured(view, (across, 0)))
    for row in shown[:3]:  # all of a picture is its image
        page.mouse.move(*(view.screen()[row] + (side / 2 - 3, 3 - side / 2)))
        view.settle()
        assert f"image {row}" in view.text("card").split("\n")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_while_the_map_is_dragged_pictures_move_with_it(page: Page, tmp_path: Path) -> None:
    saved = saved_images(tmp_path, [row % 3 for row in range(40)], ["rose", "lily", "iris"])
    view = Map(page, SpaceExplorer(saved, GRID))
    bare(view, x=1.0, y=2.0, zoom=1.6)
    before, places = pictured(view), view.screen()
    start, by = np.array([view.left + 500, view.top + 40]), np.array([-250, 10])
    page.mouse.move(*start)
    page.mouse.down()
    moved = places + by - (view.left, view.top)
    seen = page.evaluate(  # in the frame of the move, long before the camera rests
        """([to, places]) => new Promise((done) => {
          const canvas = document.querySelector('.vptsp-space-over');
          canvas.dispatchEvent(new PointerEvent('pointermove', { clientX: to[0], clientY: to[1] }));
          requestAnimationFrame(() => {
            const pen = canvas.getContext('2d');
            done(places.map(([x, y]) => [...pen.getImageData(x, y, 1, 1).data]));
          });
        })""",
        [(start + by).tolist(), np.round(moved - 8).tolist()],
    )
    inside = ((moved > 30) & (moved < np.array([view.width, view.height]) - 30)).all(axis=1)
    during = [
        row
        for row in np.flatnonzero(inside).tolist()
        if seen[row][3] == 255 and np.abs(np.array(seen[row][:3]) - tile_colour(row)).max() < 12
    ]
    assert during == [row for row in before if inside[row]]
    page.mouse.up()
    view.settle()
    came = set(np.flatnonzero(inside).tolist()) - set(before)
    assert came  # from beyond the edge
    assert came <= set(pictured(view))  # once the camera rests


def test_of_each_class_the_image_nearest_to_its_mean(page: Page, tmp_path: Path) -> None:
    labels = np.array([3 if row % 8 > 5 and row < 24 else min(2, row % 8 // 2) for row in range(40)])
    vectors = np.random.default_rng(3).normal(size=(40, 4))
    saved = saved_images(tmp_path, labels.tolist(), ["rose", "lily", "iris", "moss"], vectors)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = []
    for label in range(4):
        own = np.flatnonzero(labels == label)
        expected.append(int(own[(unit[own] @ unit[own].mean(axis=0)).argmax()]))
    view = Map(page, SpaceExplorer(saved, GRID))
    bare(view)
    assert pictured(view) == []
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("r")
    view.settle()
    assert view.get("view_state")["examples"] is True
    places = view.screen()[expected]
    assert (np.abs(places[:, None] - places[None]).max(axis=-1) + 1000 * np.eye(4)).min() > SIDE + 4  # all have room
    assert pictured(view) == sorted(expected)
    view.set("view_state", {**view.get("view_state"), "filter": [{"column": "", "text": f"image {expected[0]}"}]})
    assert set(pictured(view)) <= {expected[0]}  # what is not shown stands for nobody
    page.get_by_label("One image of each class").uncheck()
    view.settle()
    assert pictured(view) == []


def test_pictures_are_switched_by_key_and_box(page: Page, tmp_path: Path) -> None:
    saved = saved_images(tmp_path, [row % 3 for row in range(40)], ["rose", "lily", "iris"])
    view = Map(page, SpaceExplorer(saved, GRID))
    bare(view, x=3.0, y=2.0, zoom=3.0)
    assert pictured(view)
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("p")
    view.settle()
    assert pictured(view) == []
    assert not page.get_by_label("Images when zoomed in").is_checked()
    page.get_by_label("Images when zoomed in").check()
    view.settle()
    assert pictured(view)


def test_right_and_wrong_have_signs_of_their_own(page: Page, tmp_path: Path) -> None:
    saved = saved_images(tmp_path, [row % 3 for row in range(40)], ["rose", "lily", "iris"])
    words = pd.Categorical(["right", "wrong", "not a query", "nothing to find"] * 10)
    view = Map(page, SpaceExplorer(saved, GRID, columns=pd.DataFrame({"nearest image": words})))
    bare(view, x=3.0, y=2.0, zoom=1.6)
    shown = pictured(view)
    assert {words[row] for row in shown} == set(words)
    for row in shown:
        middle = view.screen()[row] + (SIDE / 2 - 9, SIDE / 2 - 9)
        colours = [over(view, middle + by)[:3] for by in ((0, 0), (-3, -3), (2, -1))]
        if words[row] == "right":
            assert min(colours[1]) > 200  # paper: a tick has no stroke there
            assert colours[2][1] > colours[2][0] + 30  # and is green
        elif words[row] == "wrong":
            assert all(red > green + 60 for red, green, _ in colours[:2])  # a stroke of a red cross
        else:  # nobody knows: no sign
            assert np.abs(np.array(colours[0]) - tile_colour(row)).max() < 12


def test_without_thumbnails_it_says_why(page: Page, tmp_path: Path) -> None:
    space = SpaceExplorer.of_arrays(np.random.default_rng(0).normal(size=(12, 4)), method="pca")
    page.set_content(f"<body>{space.page_block()}</body>")
    page.wait_for_selector(".vptsp-space-over")
    assert not page.get_by_label("Images when zoomed in").is_visible()
    expect(page.locator(".vptsp-space-side")).to_contain_text("images=[...]", use_inner_text=True)
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("p")
    expect(page.get_by_role("status")).to_contain_text("there are no thumbnails")
