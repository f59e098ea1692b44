"""A map in three dimensions in the page: it is turned by hand, and what is seen is what is hovered and lassoed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from scipy.spatial.transform import Rotation
from vptsp_widgets.front import page_block
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.space.turning import sight

from tests.widgets.space.test_solid import CUBE, TURN, cube_of
from tests.widgets.space.test_space_page import GRID, Map
from tests.widgets.space.test_views_page import grid_of

pytestmark = pytest.mark.browser


class Solid(Map):
    """A map in space; where its images are on the page comes from scipy's rotation and the documented camera."""

    def screen(self) -> np.ndarray:
        state = self.get("view_state")
        turn = Rotation.from_quat(state["turn"] or [0, 0, 0, 1])
        middle = (self.space.points.min(axis=0) + self.space.points.max(axis=0)) / 2
        radius = np.linalg.norm(self.space.points - middle, axis=1).max()
        scale = 0.92 * min(self.width, self.height) / (2 * radius) * state["zoom"]
        seen = turn.apply(self.space.points - middle)[:, :2]
        centre = np.zeros(2) if state["x"] is None else np.array([state["x"], state["y"]]) - middle[:2]
        return (seen - centre) * scale * (1, -1) + np.array([self.left + self.width / 2, self.top + self.height / 2])

    def drag(self, dx: float, dy: float) -> None:
        mouse, (x, y) = self.page.mouse, (self.left + self.width / 2 + 40, self.top + self.height / 2 - 60)
        mouse.move(x, y)
        mouse.down()
        mouse.move(x + dx, y + dy, steps=5)
        mouse.up()
        self.settle()

    def angle(self) -> float:
        """By how many degrees it is turned."""
        return float(np.degrees(Rotation.from_quat(self.get("view_state")["turn"] or [0, 0, 0, 1]).magnitude()))


@pytest.fixture
def cube(page: Page, tmp_path: Path) -> Solid:
    return Solid(page, cube_of(tmp_path))


def test_a_drag_turns_and_what_is_seen_is_meant(cube: Solid) -> None:
    half = min(cube.width, cube.height)
    cube.drag(half / 4, 0)
    turn = Rotation.from_quat(cube.get("view_state")["turn"])
    assert np.allclose(turn.as_rotvec(degrees=True), [0, 45, 0], atol=0.5)  # what is in front goes right
    cube.drag(0, half / 9)
    assert np.allclose(
        (Rotation.from_quat(cube.get("view_state")["turn"]) * turn.inv()).as_rotvec(degrees=True), [20, 0, 0], atol=0.5
    )
    assert cube.get("view_state")["x"] is None  # it did not move
    for row in (0, 13, 26):
        cube.page.mouse.move(*cube.screen()[row])
        cube.settle()
        assert cube.text("card").split("\n")[1] == f"image {row}"
    seen = cube.screen()
    cut = np.median(seen[:, 0]) + 0.5  # a lasso around all that is left of it
    box = np.array(
        [
            [cube.left + 4, cube.top + 4],
            [cut, cube.top + 4],
            [cut, cube.top + cube.height - 4],
            [cube.left + 4, cube.top + cube.height - 4],
        ]
    )
    cube.lasso(box)
    assert cube.selected() == np.flatnonzero(seen[:, 0] < cut).tolist()


def test_what_is_in_front_is_meant_where_two_are_at_one_place(page: Page, tmp_path: Path) -> None:
    view = Solid(page, cube_of(tmp_path))
    x, y = view.screen()[4]
    page.mouse.move(x, y)
    view.settle()
    same = np.flatnonzero((CUBE[:, :2] == CUBE[4, :2]).all(axis=1))
    assert view.text("card").split("\n")[1] == f"image {same[np.argmax(CUBE[same, 2])]}"


def test_keys_buttons_undo_and_the_way_back(cube: Solid) -> None:
    page = cube.page
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    cube.settle()
    turned = cube.get("view_state")["turn"]
    expected = Rotation.from_euler("x", 15, degrees=True) * Rotation.from_euler("y", 30, degrees=True)
    assert np.allclose(Rotation.from_quat(turned).as_matrix(), expected.as_matrix(), atol=1e-9)
    page.keyboard.press("Home")
    cube.settle()
    assert cube.get("view_state")["turn"] == []
    page.keyboard.press("Control+z")
    cube.settle()
    assert cube.get("view_state")["turn"] == turned
    page.keyboard.press("Control+z")  # all turns in a row are one step
    cube.settle()
    assert cube.angle() == 0
    page.keyboard.press("Control+Shift+z")
    cube.settle()
    assert cube.get("view_state")["turn"] == turned
    page.keyboard.press("Shift+ArrowUp")
    cube.settle()
    assert cube.angle() == pytest.approx(30)
    page.get_by_role("button", name="Turn it back to how it was at first").click()
    cube.settle()
    assert cube.angle() == 0

    toggle = page.get_by_role("button", name="A drag turns the map")
    expect(toggle).to_have_attribute("aria-pressed", "true")
    page.keyboard.down("Alt")
    cube.drag(40, 0)
    page.keyboard.up("Alt")
    assert cube.angle() == 0
    assert cube.get("view_state")["x"] is not None  # it moved
    page.keyboard.press("t")
    expect(toggle).to_have_attribute("aria-pressed", "false")
    before = cube.get("view_state")["x"]
    cube.drag(40, 0)
    assert (cube.angle(), cube.get("view_state")["x"] == before) == (0, False)
    page.keyboard.press("Shift+ArrowLeft")
    cube.settle()
    assert cube.angle() == pytest.approx(15)


def test_what_is_near_lies_on_top_and_is_stronger(page: Page, tmp_path: Path) -> None:
    space = cube_of(tmp_path, view_state={"labels": False})
    view = Solid(page, space)
    front, back = np.flatnonzero((CUBE[:, :2] == [0, 0]).all(axis=1))[[2, 0]]
    place = view.screen()[front]
    near = view.pixel(*place)
    view.set("view_state", {**view.get("view_state"), "turn": [0, 1, 0, 0]})  # seen from behind
    place = view.screen()[back]
    far = view.pixel(*place)
    assert space.saved.labels[front] != space.saved.labels[back]
    assert near != far


def test_names_of_axes_and_classes_turn_too(page: Page, tmp_path: Path) -> None:
    view = Solid(page, cube_of(tmp_path))

    def corner() -> list[int]:
        return page.evaluate(
            "() => { const c = document.querySelector('.vptsp-space-over');"
            "return [...c.getContext('2d').getImageData(0, c.height - 140, 260, 140).data]; }"
        )

    before = corner()
    assert any(before)
    view.set("view_state", {**view.get("view_state"), "turn": TURN})
    assert corner() != before
    centres = page.evaluate("() => window.vptspModels[0].get('_axes')")
    assert centres == ["coordinate 1", "coordinate 2", "coordinate 3"]
    seen = sight(CUBE, {}, TURN)
    scale = 0.92 * min(view.width, view.height) / seen.extent[0]
    expected = (seen.points - seen.middle) * scale * (1, -1)
    assert np.allclose(view.screen() - expected, view.screen()[0] - expected[0], atol=1e-6)  # still and page agree


def test_a_plane_cannot_be_turned(page: Page, tmp_path: Path) -> None:
    view = Map(page, grid_of(tmp_path))
    expect(page.get_by_role("button", name="A drag turns the map")).to_be_hidden()
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("Shift+ArrowRight")  # as an arrow
    page.keyboard.press("t")
    view.settle()
    assert view.get("view_state")["turn"] == []
    expect(page.get_by_role("status")).to_have_text("only a map in three dimensions can be turned")
    assert view.get("_focused") >= 0


def test_a_large_map_is_drawn_whole_again_after_a_turn(page: Page, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(220_000, 3)).astype("f4")
    space = SpaceExplorer.of_arrays(np.ones((220_000, 1), "f4"), method=points, most=220_000)
    block = page_block("space", space.state_for_page())
    page.set_content(f'<meta charset="utf-8"><body>{block}</body>')
    page.wait_for_selector(".vptsp-space-over")
    box = page.locator(".vptsp-space-over").bounding_box()
    assert box is not None
    ink = (
        "() => new Promise((done) => setTimeout(() => { const c = document.querySelector('.vptsp-space-points');"
        "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "let n = 0; for (let i = 0; i < d.length; i += 4) n += d[i] < 200; done(n); }, 1500))"
    )
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    whole = page.evaluate(ink)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y, steps=2)
    assert page.evaluate(ink) < 0.95 * whole
    page.mouse.up()
    assert page.evaluate(ink) > 0.95 * whole


def test_the_grid_is_where_it_was(page: Page, tmp_path: Path) -> None:
    """A plane given as a space without depth is seen as the plane, a little smaller: the ball around it has room."""
    flat = np.concatenate([GRID, np.zeros((40, 1))], axis=1)
    space = SpaceExplorer(grid_of(tmp_path).saved, flat)
    view = Solid(page, space)
    page.mouse.move(*view.screen()[13])
    view.settle()
    assert view.text("card").split("\n")[1] == "image 13"
