"""The map in a browser, with a real mouse: what is seen, what reaches Python's side, what is left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.path import Path as Polygon
from pages import Shown, settled
from playwright.sync_api import Page, expect
from vptsp_widgets import front
from vptsp_widgets.space import SpaceExplorer

from tests.widgets.space.test_space import EVIL, saved_images, tile_colour

pytestmark = pytest.mark.browser


class Map:
    """A map on a page without a kernel, its mouse, and the traits that a kernel would receive."""

    def __init__(self, page: Page, space: SpaceExplorer, theme: str = "light") -> None:
        self.page, self.space = page, space
        block = front.page_block("space", space.state_for_page(), [space.saved.folder / "page_0.jpg"], "the map")
        page.set_content(f'<!doctype html><html data-theme="{theme}"><meta charset="utf-8"><body>{block}</body></html>')
        page.wait_for_selector(".vptsp-space-over")
        self.settle()
        box = page.locator(".vptsp-space-over").bounding_box()
        assert box is not None
        self.left, self.top, self.width, self.height = box["x"], box["y"], box["width"], box["height"]

    def settle(self) -> None:
        """Until two frames are drawn and what is debounced is saved."""
        self.page.evaluate("() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 220))")

    def get(self, name: str) -> Any:
        return self.page.evaluate("(name) => window.vptspModels[0].get(name)", name)

    def set(self, name: str, value: Any) -> None:
        self.page.evaluate("([name, value]) => window.vptspModels[0].set(name, value)", [name, value])
        self.settle()

    def selected(self) -> list[int]:
        script = "() => { const v = window.vptspModels[0].get('_selected'); return [...new Int32Array(v.buffer)]; }"
        return self.page.evaluate(script)

    def screen(self) -> np.ndarray:
        """Where the images (N, 2) are on the page, by the map's documented camera, in CSS pixels."""
        state, points = self.get("view_state"), self.space.points
        everything = np.concatenate([points, *self.space.glyphs.values()])
        low, high = np.nanmin(everything, axis=0), np.nanmax(everything, axis=0)
        scale = 0.92 * min(self.width / (high[0] - low[0]), self.height / (high[1] - low[1])) * state["zoom"]
        centre = np.array([state["x"], state["y"]]) if state["x"] is not None else (low + high) / 2
        offset = (points - centre) * scale * (1, -1)
        return offset + np.array([self.left + self.width / 2, self.top + self.height / 2])

    def lasso(self, corners: np.ndarray, key: str | None = "Shift") -> None:
        mouse, keys = self.page.mouse, [key] if key else []
        mouse.move(*corners[0])
        for name in keys:
            self.page.keyboard.down(name)
        mouse.down()
        for corner in [*corners[1:], corners[0]]:
            mouse.move(*corner, steps=4)
        mouse.up()
        for name in keys:
            self.page.keyboard.up(name)
        self.settle()

    def pixel(self, x: float, y: float) -> list[int]:
        """The colour of the points' canvas at a place of the page."""
        return self.page.evaluate(
            "([x, y]) => { const c = document.querySelector('.vptsp-space-points');"
            "const b = c.getBoundingClientRect();"
            "return [...c.getContext('2d').getImageData(Math.round(x - b.left), Math.round(y - b.top), 1, 1).data]"
            ".slice(0, 3); }",
            [x, y],
        )

    def text(self, part: str) -> str:
        """What a part says once it is up to date: a selection is shown on the map first."""
        settled(self.page)
        return self.page.locator(f".vptsp-space-{part}").inner_text()


GRID = np.stack(np.meshgrid(np.arange(8.0), np.arange(5.0)), axis=-1).reshape(-1, 2)  # 40 images, 8 in a row


@pytest.fixture
def grid(page: Page, tmp_path: Path) -> Map:
    """40 images on a grid, of 4 classes by column, the last one small, with proxies of two training classes."""
    labels = [3 if row % 8 > 5 and row < 24 else min(2, row % 8 // 2) for row in range(40)]
    saved = saved_images(tmp_path, labels, ["rose", "lily", "iris", "moss rose"])
    table = pd.DataFrame({"size": np.arange(40.0), "soil": ["wet", "dry"] * 20})
    across = {"learned": 1.5, "fused": 3.5, "semantic": 6.5}
    proxies = {kind: np.array([[x, 4.5], [x, 0.5]]) for kind, x in across.items()}
    return Map(page, SpaceExplorer(saved, GRID, proxies, ["oak", "elm"], table))


def test_hover_shows_the_picture_and_names_of_that_image(grid: Map) -> None:
    for row in (0, 13, 39):
        grid.page.mouse.move(*(grid.screen()[row] + (3, -2)))
        grid.settle()
        assert grid.text("card").split("\n") == [grid.space.saved.names[row], f"image {row}"]
        middle = grid.page.evaluate(
            "() => { const c = document.querySelector('.vptsp-space-card canvas');"
            "return [...c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data]; }"
        )
        assert np.abs(np.array(middle[:3]) - tile_colour(row)).max() < 12  # JPEG
    grid.page.mouse.move(*((grid.screen()[0] + grid.screen()[9]) / 2))
    grid.settle()
    assert not grid.page.locator(".vptsp-space-card").is_visible()


def test_hover_over_a_proxy_names_it(grid: Map) -> None:
    middle = (grid.screen()[3] + grid.screen()[12]) / 2  # x 3.5, y 0.5
    grid.page.mouse.move(*middle)
    grid.settle()
    assert grid.text("card").split("\n") == ["elm", "fused q of this class"]


def test_a_click_selects_and_focuses_and_modifiers_add_and_remove(grid: Map) -> None:
    places = grid.screen()
    grid.page.mouse.click(*places[10])
    assert (grid.selected(), grid.get("_focused")) == ([10], 10)
    for row, key, expected in ((20, "Control", [10, 20]), (11, "Meta", [10, 11, 20]), (10, "Alt", [11, 20])):
        grid.page.keyboard.down(key)
        grid.page.mouse.click(*places[row])
        grid.page.keyboard.up(key)
        assert grid.selected() == expected
    assert "2 images selected" in grid.text("chosen")
    assert "image 10" in grid.text("looked")


def test_the_lasso_takes_exactly_the_images_inside(page: Page, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    space = SpaceExplorer(saved_images(tmp_path, [0] * 900, ["rose"]), rng.normal(size=(900, 2)))
    view = Map(page, space)
    middle = np.array([view.left + view.width / 2, view.top + view.height / 2])
    star = [np.array([np.cos(turn), np.sin(turn)]) for turn in np.linspace(0, 2 * np.pi, 11)[:10]]
    corners = np.array([middle + (230 if place % 2 else 75) * arm for place, arm in enumerate(star)]).round()
    places = view.screen()
    inside = Polygon(corners).contains_points(places)
    wider, tighter = (Polygon(corners).contains_points(places, radius=far) for far in (1.0, -1.0))
    clear = wider == tighter  # not within a pixel of the line
    assert inside.sum() > 100
    view.lasso(corners)
    taken = np.isin(np.arange(900), view.selected())
    assert np.flatnonzero(taken & clear).tolist() == np.flatnonzero(inside & clear).tolist()
    some = view.selected()
    box = middle + np.array([[0, -60], [60, -60], [60, 60], [0, 60]])
    within = set(np.flatnonzero(Polygon(box).contains_points(places)))
    page.keyboard.press("l")  # the lasso without a key held
    for key, expected in (("Alt", set(some) - within), ("Control", set(some) | within)):
        view.lasso(box, key)
        assert len(set(view.selected()) ^ expected) <= 3  # images on the line


def test_a_selection_of_the_model_is_drawn_and_listed(grid: Map) -> None:
    before = grid.pixel(*grid.screen()[7])
    grid.page.evaluate("() => window.vptspModels[0].set('_selected', new DataView(Int32Array.of(5, 6).buffer))")
    grid.settle()
    assert "2 images selected" in grid.text("chosen")
    strip = grid.page.locator(".vptsp-space-strip canvas")
    assert strip.evaluate_all("all => all.map(c => c.dataset.row)") == ["5", "6"]
    assert grid.pixel(*grid.screen()[7]) != before  # the others are dimmed
    grid.page.locator(".vptsp-space-strip button").nth(1).click()
    assert grid.get("_focused") == 6


def test_a_selection_is_copied_saved_tagged_and_undone(page: Page, tmp_path: Path) -> None:
    ids = ["plain", 'with "quotes", and more', "l" * 200, "line\nbreak"]
    saved = saved_images(tmp_path, [0, 0, 1, 1], ["rose", "lily, white"], ids=ids)
    table = pd.DataFrame({"size": [0.1, 2.0, np.nan, 1e9]})
    space = SpaceExplorer(saved, GRID[:4], columns=table)
    shown = Shown(page, "space", space)

    def settle() -> None:
        page.wait_for_timeout(250)
        shown.bring()
        page.wait_for_timeout(100)

    def press(name: str) -> None:
        page.get_by_role("button", name=name, exact=True).click()
        settle()

    space.selection = ids[:3]
    settle()
    press("Copy ids")
    expect(page.get_by_role("status")).to_contain_text("ids of 3 images copied")
    page.evaluate("() => { const t = document.createElement('textarea'); document.body.append(t); t.focus(); }")
    page.keyboard.press("Control+v")
    assert page.locator("body > textarea").input_value().split("\n") == ids[:3]
    with page.expect_download() as download:
        press("CSV")
    read = pd.read_csv(download.value.path(), index_col="id")
    expected = space.selected.astype({"class": str})
    pd.testing.assert_frame_equal(read, expected, check_dtype=False, check_index_type=False, check_column_type=False)
    assert download.value.suggested_filename == "plain-tiles-selection.csv"

    page.get_by_label("Tag of the selected images").fill("odd")
    press("Tag")
    assert space.tags == dict.fromkeys(ids[:3], "odd")
    assert "tag" in page.get_by_label("Colour by").inner_text().split("\n")
    page.get_by_label("Colour by").select_option("tag")
    settle()
    expect(page.locator(".vptsp-space-legend")).to_contain_text("odd\n3\nmissing\n1", use_inner_text=True)
    press("Undo")
    assert (space.tags, space.view_state["colour"]) == ({}, "class")
    for key, number in (("Control+z", 0), ("Control+Shift+z", 3)):
        page.locator(".vptsp-space-over").focus()
        page.keyboard.press(key)
        settle()
        script = "() => vptspModels[0].get('_selected').byteLength / 4"
        assert page.evaluate(script) == number


def test_colour_by_a_column_and_solo_of_its_categories(grid: Map) -> None:
    light = np.frombuffer(grid.space._colours, np.uint8)[: len(grid.space._colours) // 2].reshape(-1, 3).astype(int)
    places = grid.screen()
    assert np.abs(np.array(grid.pixel(*places[2])) - light[256 + 1]).max() < 40  # lily, a little transparent
    grid.page.get_by_label("Colour by").select_option("size")
    grid.settle()
    assert grid.text("ticks").split() == ["≤", "0.39", "19.5", "≥", "38.61"]
    assert np.abs(np.array(grid.pixel(*places[39])) - light[255]).max() < 40
    grid.page.get_by_label("Colour by").select_option("soil")
    grid.page.get_by_role("button", name="dry").click()
    grid.settle()
    assert grid.get("view_state")["solo"] == ["dry"]
    expect(grid.page.get_by_role("status")).to_have_text("only dry")
    assert min(grid.pixel(*grid.screen()[18])) > 190  # wet ones are faint
    grid.page.get_by_role("button", name="Show everything").click()  # the map flew to them
    grid.settle()
    grid.lasso(np.array([places[32] + (-20, -20), places[39] + (20, -20), places[7] + (20, 20), places[0] + (-20, 20)]))
    assert grid.selected() == list(range(1, 40, 2))
    grid.page.get_by_role("button", name="dry").click()
    grid.settle()
    state = grid.get("view_state")
    assert (state["solo"], state["zoom"], state["x"]) == ([], 1, None)
    expect(grid.page.get_by_role("status")).to_have_text("")
    grid.page.get_by_label("Colour by").select_option("class")
    grid.page.locator(".vptsp-space-entry", has_text="moss rose").click()
    grid.settle()
    own = grid.screen()[[row for row, name in enumerate(grid.space.saved.names) if name == "moss rose"]]
    middle = (own.min(0) + own.max(0)) / 2 - (grid.left, grid.top)
    assert np.abs(middle - (grid.width / 2, grid.height / 2)).max() < 1
    assert grid.get("view_state")["zoom"] > 1
    grid.page.keyboard.press("Escape")
    grid.settle()
    assert grid.get("view_state")["zoom"] == 1
    expect(grid.page.get_by_role("status")).to_have_text("")


def test_a_colour_that_is_named_is_seen_on_either_page(page: Page, tmp_path: Path) -> None:
    saved = saved_images(tmp_path, [0] * 40, ["rose"])
    table = pd.DataFrame({"petals": ["white", "magenta", "black", "cream"] * 10})
    space = SpaceExplorer(saved, GRID, columns=table, view_state={"colour": "petals", "labels": False})
    for theme, hidden in (("light", 0), ("dark", 2)):
        view = Map(page, space, theme)
        places = view.screen()
        assert np.abs(np.array(view.pixel(*places[1])) - (255, 0, 255)).max() < 40
        assert np.abs(np.array(view.pixel(*places[3])) - (255, 255, 194)).max() < 25
        paper = view.pixel(view.left + 3, view.top + 3)
        across = [view.pixel(x, places[hidden][1]) for x in range(int(places[hidden][0]) - 9, int(places[hidden][0]))]
        assert max(np.abs(np.array(colour) - paper).max() for colour in across) > 45  # a rim


def test_of_many_classes_those_looked_at_have_colours(page: Page, tmp_path: Path) -> None:
    names = [f"class {number:02d}" for number in range(40)]
    space = SpaceExplorer(saved_images(tmp_path, list(range(40)), names), GRID, view_state={"labels": False})
    view = Map(page, space)
    places = view.screen()

    def coloured() -> list[int]:
        """Classes whose dot is not grey."""
        dots = [view.pixel(*place) for place in places]
        return [number for number, dot in enumerate(dots) if max(dot) - min(dot) > 30]

    assert coloured() == []
    assert "40 are grey until looked at" in view.text("legend")
    page.get_by_role("button", name="class 07").hover()
    view.settle()
    assert coloured() == [7]
    page.mouse.move(5, 5)
    page.evaluate("() => window.vptspModels[0].set('_selected', new DataView(Int32Array.of(3, 5).buffer))")
    view.settle()
    assert coloured() == [3, 5]
    assert "38 are grey until looked at" in view.text("legend")
    filled = page.locator(".vptsp-space-entry:not(.vptsp-space-rest)")
    assert [text.split("\n")[0] for text in filled.all_inner_texts()] == ["class 03", "class 05"]


def test_find_a_class_and_zoom_to_it(grid: Map) -> None:
    field = grid.page.get_by_label("Find a class")
    field.fill("ROSE")
    assert grid.page.locator(".vptsp-space-matches li").all_inner_texts() == ["rose\n10 images", "moss rose\n6 images"]
    field.press("ArrowDown")
    field.press("Enter")
    grid.settle()
    state = grid.get("view_state")
    assert (state["find"], state["x"], state["y"]) == ("moss rose", 6.5, 1.0)
    assert state["zoom"] > 1
    rows = np.flatnonzero(np.array(grid.space.saved.names) == "moss rose")
    offset = grid.screen()[rows] - (grid.left, grid.top)
    assert ((offset > 0) & (offset < (grid.width, grid.height))).all()
    grid.page.keyboard.press("Escape")
    grid.settle()
    assert grid.get("view_state")["find"] == ""
    field.fill("oa")
    grid.page.get_by_role("option", name="oak").click()
    grid.settle()
    assert grid.get("view_state")["y"] == 4.5


def test_pan_zoom_and_reset(grid: Map) -> None:
    middle = grid.left + 300, grid.top + 200
    before = grid.screen()
    grid.page.mouse.move(*middle)
    grid.page.mouse.down()
    grid.page.mouse.move(middle[0] + 60, middle[1] - 25, steps=3)
    grid.page.mouse.up()
    grid.settle()
    assert np.abs(grid.screen() - before - (60, -25)).max() < 0.01
    assert grid.selected() == []
    under = grid.screen()[18]
    grid.page.mouse.move(*under)
    grid.page.mouse.wheel(0, -200)
    grid.settle()
    assert grid.get("view_state")["zoom"] > 1.3
    assert np.abs(grid.screen()[18] - under).max() < 0.5  # what the wheel is over stays there
    grid.page.mouse.dblclick(*middle)
    grid.settle()
    state = grid.get("view_state")
    assert (state["x"], state["y"], state["zoom"]) == (None, None, 1)


def test_the_wheel_scrolls_the_page_until_the_map_is_in_use(grid: Map) -> None:
    grid.page.evaluate("() => { document.body.style.minHeight = '3000px'; }")
    grid.page.mouse.move(grid.left + 300, grid.top + 200)
    grid.page.mouse.wheel(0, 60)
    grid.page.wait_for_function("() => window.scrollY > 30")
    assert grid.get("view_state")["zoom"] == 1
    expect(grid.page.get_by_role("status")).to_contain_text("click the map")
    grid.page.keyboard.down("Control")
    grid.page.mouse.wheel(0, -200)
    grid.page.keyboard.up("Control")
    grid.settle()
    once = grid.get("view_state")["zoom"]
    assert once > 1.3
    scrolled = grid.page.evaluate("window.scrollY")
    grid.page.mouse.click(grid.left + 5, grid.top + 200)
    grid.page.mouse.wheel(0, -200)
    grid.settle()
    assert grid.get("view_state")["zoom"] > 1.3 * once
    assert grid.page.evaluate("window.scrollY") == scrolled


def test_no_button_of_the_toolbar_stands_alone_on_a_line(grid: Map) -> None:
    tools = grid.page.locator(".vptsp-space > .vptsp-bar :is(button, select, input)")
    middle = "(all) => all.map((e) => e.getBoundingClientRect()).map((box) => (box.top + box.bottom) / 2)"
    for width in range(620, 1220, 20):
        grid.page.set_viewport_size({"width": width, "height": 900})
        places = np.array(tools.evaluate_all(middle))
        assert (abs(places - places[-1]) < 8).sum() > 1, width
        assert grid.page.evaluate("document.documentElement.scrollWidth") <= width


def test_keys_move_select_clear_and_explain(grid: Map) -> None:
    press = grid.page.keyboard.press
    grid.page.locator(".vptsp-space-over").focus()
    grid.set("_focused", 18)
    for key, row in (("ArrowRight", 19), ("ArrowUp", 27), ("ArrowLeft", 26), ("ArrowDown", 18)):
        press(key)
        assert grid.get("_focused") == row
    press("Enter")
    assert grid.selected() == [18]
    expect(grid.page.get_by_role("status")).to_contain_text("1 image selected")
    press("Escape")
    assert (grid.selected(), grid.get("_focused")) == ([], 18)
    press("Escape")
    assert grid.get("_focused") == -1
    help_table = grid.page.locator(".vptsp-help")
    press("?")
    assert help_table.is_visible()
    press("Escape")
    assert not help_table.is_visible()
    press("+")
    press("/")
    assert grid.page.evaluate("() => document.activeElement.type") == "search"


def test_state_given_by_python_is_shown(grid: Map) -> None:
    grid.set("view_state", {**grid.get("view_state"), "colour": "soil", "solo": ["wet"], "x": 2, "y": 1, "zoom": 4})
    assert grid.page.get_by_label("Colour by").input_value() == "soil"
    assert grid.page.get_by_role("button", name="wet").get_attribute("aria-pressed") == "true"
    grid.page.mouse.move(*grid.screen()[10])
    grid.settle()
    assert "image 10" in grid.text("card")


def test_proxies_are_drawn_and_can_be_hidden(grid: Map) -> None:
    shown = """() => {
      const c = document.querySelector('.vptsp-space-over');
      return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.reduce((sum, v) => sum + (v > 0), 0);
    }"""
    assert grid.get("view_state")["proxies"] == ["fused"]  # at first sight, so that points are not buried
    for name in ("learned O", "semantic G"):
        grid.page.get_by_label(name, exact=True).check()
    grid.page.get_by_label("Class names").uncheck()
    grid.settle()
    counts = []
    for name in ("O and G → q", "learned O", "semantic G", "fused q"):
        counts.append(grid.page.evaluate(shown))
        grid.page.get_by_label(name, exact=True).uncheck()
        grid.settle()
    counts.append(grid.page.evaluate(shown))
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == 5
    assert grid.get("view_state")["proxies"] == []


def over(view: Map, place: Any) -> list[int]:
    """The colour and opacity of what is drawn over the points at a place of the page."""
    return view.page.evaluate(
        "([x, y]) => { const c = document.querySelector('.vptsp-space-over');"
        "return [...c.getContext('2d').getImageData(x, y, 1, 1).data]; }",
        [round(float(value)) for value in np.array(place) - (view.left, view.top)],
    )


def test_lines_lead_to_what_an_image_finds(page: Page, tmp_path: Path) -> None:
    turn = np.radians([0, 20, 45, 100, 110])
    vectors = np.stack([np.cos(turn), np.sin(turn), 0 * turn, 0 * turn], axis=1)
    saved = saved_images(tmp_path, [0, 0, 1, 1, 1], ["rose", "lily"], vectors)
    space = SpaceExplorer(saved, np.array([[0.0, 0], [4, 0], [0, 4], [4, 4], [2, 3]]), view_state={"labels": False})
    view = Map(page, space)
    view.set("_focused", 0)  # a page without a kernel holds what every image finds
    assert "Lines to the 4 nearest: ✓ 1 right, ✗ 3 wrong" in view.text("looked")
    places = view.screen()
    ring = places + np.array([7, 0])  # of 7 pixels, around each of them
    green, red = over(view, ring[1]), over(view, ring[2])
    assert green[1] > green[0] + 40
    assert red[0] > red[1] + 40
    for row, dashed in ((1, False), (2, True)):  # apart without colours, too
        along = [over(view, places[0] + share * (places[row] - places[0])) for share in np.linspace(0.2, 0.8, 60)]
        assert any(min(colour[:3]) > 230 for colour in along) is dashed
    page.get_by_label("Lines to the 4 nearest").uncheck()
    view.settle()
    assert over(view, ring[1])[3] == over(view, ring[2])[3] == 0
    assert view.get("view_state")["neighbours"] is False


def test_proxies_of_a_class_looked_at_are_whole_and_others_step_back(grid: Map) -> None:
    state = grid.get("view_state") | {"labels": False}
    grid.set("view_state", state)
    grid_to_page = grid.screen()[0] - (grid.screen()[1] - grid.screen()[0]) * (GRID[0, 0])
    step, rise = grid.screen()[1] - grid.screen()[0], grid.screen()[8] - grid.screen()[0]

    def seen(x: float, y: float) -> int:
        """How opaque the sign of a proxy at a place of the map is."""
        return max(over(grid, grid_to_page + x * step + y * rise + (0, by))[3] for by in (-4, 0, 4))

    assert [seen(x, 4.5) for x in (1.5, 6.5)] == [0, 0]  # learned and semantic
    assert seen(3.5, 4.5) > 200
    grid.set("view_state", state | {"find": "oak"})  # (x, 4.5)
    assert min(seen(x, 4.5) for x in (1.5, 3.5, 6.5)) > 200
    assert [seen(x, 0.5) for x in (1.5, 6.5)] == [0, 0]
    assert 0 < seen(3.5, 0.5) < 90
    for changes in ({"colour": "soil", "solo": ["wet"]}, {"solo": ["rose"]}):
        grid.set("view_state", state | changes)
        assert 0 < seen(3.5, 0.5) < 90
    grid.set("view_state", state)
    grid.page.evaluate("() => window.vptspModels[0].set('_selected', new DataView(Int32Array.of(5, 6).buffer))")
    grid.settle()
    assert 0 < seen(3.5, 0.5) < 90


def test_a_sample_says_so_and_can_be_left(page: Page, tmp_path: Path) -> None:
    saved = saved_images(tmp_path, [row % 3 for row in range(40)], ["rose", "lily", "iris"])
    view = Map(page, SpaceExplorer(saved, GRID, most=15))
    assert view.text("counts").split("\n")[0].strip().startswith("15 of 40 images shown, sampled evenly by class")
    page.get_by_role("button", name="Show all").click()
    view.settle()
    assert view.text("counts").startswith("40 images")
    assert view.get("view_state")["all"] is True


def test_pictures_take_the_place_of_dots_when_few_are_in_view(grid: Map) -> None:
    grid.set("view_state", {**grid.get("view_state"), "x": 3, "y": 2, "zoom": 3, "labels": False, "proxies": []})
    x, y = grid.screen()[19] - (grid.left, grid.top)
    seen = grid.page.evaluate(
        "([x, y]) => { const c = document.querySelector('.vptsp-space-over');"
        "return [...c.getContext('2d').getImageData(x + 8, y + 8, 1, 1).data]; }",
        [round(x), round(y)],
    )
    assert np.abs(np.array(seen[:3]) - tile_colour(19)).max() < 12


def test_evil_names_stay_text(page: Page, tmp_path: Path) -> None:
    ids = [f"{name}/{row}" for row, name in enumerate(EVIL)]
    saved = saved_images(tmp_path, list(range(6)), EVIL, ids=ids)
    space = SpaceExplorer(saved, GRID[:6] * 3, {"fused": GRID[:1]}, EVIL[:1], pd.DataFrame({EVIL[1]: EVIL}))
    view = Map(page, space)
    for row in range(6):
        page.mouse.click(*view.screen()[row])
        view.settle()
    page.get_by_label("Find a class").fill("<img")
    assert page.locator(".vptsp-space-matches li").count() == 1
    page.locator(".vptsp-space-matches li").click()
    view.page.get_by_label("Colour by").select_option(index=1)
    view.settle()
    assert page.locator(".vptsp img").count() == 0
    assert page.locator(".vptsp script").count() == 0
    assert EVIL[0] in view.text("legend")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_readable_in_both_themes(page: Page, tmp_path: Path, theme: str) -> None:
    saved = saved_images(tmp_path, [row % 4 for row in range(40)], ["rose", "lily", "iris", "moss"])
    view = Map(page, SpaceExplorer(saved, GRID, {"fused": GRID[:2]}, ["oak", "elm"], most=20), theme)
    page.mouse.click(*view.screen()[rows_in(view)[0]])
    view.settle()
    colours = page.evaluate(
        """() => [...document.querySelectorAll('.vptsp, .vptsp *')].filter((e) => e.offsetParent
            && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())).map((e) => {
          let behind = e;
          while (/rgba\\(.*, 0\\)/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
          return [e.textContent, getComputedStyle(e).color, getComputedStyle(behind).backgroundColor]; })"""
    )
    assert len(colours) > 15
    low = [(text, ink, paper) for text, ink, paper in colours if contrast(ink, paper) < 4.5]
    assert low == []
    paper = f"rgb{tuple(view.pixel(view.left + 30, view.top + 300))}"
    assert (contrast(paper, "rgb(0, 0, 0)") < 2) == (theme == "dark")


def rows_in(view: Map) -> list[int]:
    return np.frombuffer(view.space._sample, "<i4").tolist()


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_a_closed_map_leaves_nothing_behind(page: Page, tmp_path: Path) -> None:
    """In a widget: a stub of anywidget's model counts who listens, and the page counts blob URLs and listeners."""
    space = SpaceExplorer(saved_images(tmp_path, [0] * 40, ["rose"]), GRID)
    state = {name: list(value) if isinstance(value, bytes) else value for name, value in space.state_for_page().items()}
    tile_page = list((space.saved.folder / "page_0.jpg").read_bytes())
    page.set_content('<!doctype html><body><div id="place"></div></body>')
    left = page.evaluate(
        """async ([text, state, tiles]) => {
          for (const [name, value] of Object.entries(state)) {
            if (Array.isArray(value) && name.startsWith('_') && value.every(Number.isInteger) && value.length) {
              state[name] = new DataView(Uint8Array.from(value).buffer);
            }
          }
          let heard = 0, outside = 0, urls = 0;
          const listeners = new Map();
          const fire = (name, ...parts) => listeners.get(name).forEach((act) => act(...parts));
          const model = {
            get: (name) => state[name], set: (name, value) => { state[name] = value; }, save_changes() {},
            on(name, act) { heard++; listeners.set(name, [...(listeners.get(name) ?? []), act]); },
            off(name, act) { heard--; listeners.set(name, listeners.get(name).filter((one) => one !== act)); },
            send({ page }) {
              setTimeout(() => fire('msg:custom', { kind: 'page', page }, [Uint8Array.from(tiles)]));
            },
          };
          for (const place of [window, document, document.body, matchMedia('(a)').constructor.prototype]) {
            const [add, remove] = [place.addEventListener, place.removeEventListener];
            place.addEventListener = function (...rest) { outside++; return add.apply(this, rest); };
            place.removeEventListener = function (...rest) { outside--; return remove.apply(this, rest); };
          }
          const [create, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
          URL.createObjectURL = (blob) => { urls++; return create(blob); };
          URL.revokeObjectURL = (url) => { urls--; return revoke(url); };
          const { default: view } = await import(create(new Blob([text], { type: 'text/javascript' })));
          const el = document.getElementById('place');
          const most = [];
          for (let round = 0; round < 3; round++) {
            const end = view.render({ model, el });
            const canvas = el.querySelector('.vptsp-space-over');
            const box = canvas.getBoundingClientRect();
            for (const x of [0.3, 0.5]) {
              const at = { clientX: box.left + box.width * x, clientY: box.top + box.height / 2 };
              canvas.dispatchEvent(new PointerEvent('pointermove', at));
            }
            canvas.dispatchEvent(new WheelEvent('wheel', { deltaY: -50, clientX: 300, clientY: 300 }));
            el.querySelector('.vptsp-space-zoom button').click();
            state._selected = new DataView(Int32Array.of(1, 2).buffer);
            fire('change:_selected');
            for (let wait = 0; wait < 100 && !urls; wait++) await new Promise((next) => setTimeout(next, 50));
            most.push([heard > 4, urls]);
            end();
          }
          await new Promise((next) => setTimeout(next, 300));
          return { heard, outside, urls, most, children: el.childElementCount };
        }""",
        [front.module("space"), json.loads(json.dumps(state)), tile_page],
    )
    assert left == {"heard": 0, "outside": 0, "urls": 0, "children": 0, "most": [[True, 1]] * 3}


NAMES = """() => { const plain = CanvasRenderingContext2D.prototype.fillText; window.written = new Set();
  CanvasRenderingContext2D.prototype.fillText = function (text, ...where) {
    window.written.add(text); return plain.call(this, text, ...where); }; }"""


def test_names_are_of_what_is_picked_out_and_the_one_looked_at_comes_first(page: Page, tmp_path: Path) -> None:
    labels = np.arange(40) % 20
    points = np.random.default_rng(0).normal(0, 1, (40, 2))  # too close for all names
    saved = saved_images(tmp_path, labels.tolist(), [f"kind {label}" for label in range(20)])
    view = Map(page, SpaceExplorer(saved, points))
    page.evaluate(NAMES)

    def names() -> set[str]:
        view.set("view_state", {**view.get("view_state"), "labels": False, "proxies": []})
        page.evaluate("window.written.clear()")
        view.set("view_state", {**view.get("view_state"), "labels": True, "proxies": []})
        return {name for name in page.evaluate("[...window.written]") if name.startswith("kind")}

    everyone = names()
    assert 0 < len(everyone) < 20
    unnamed = min(set(range(20)) - {int(name.split()[1]) for name in everyone})
    view.set("_focused", unnamed)
    assert f"kind {unnamed}" in names()
    assert len(names()) > 1
    view.set("_focused", -1)
    two = sorted({unnamed, (unnamed + 1) % 20})
    rows = np.array([*two, *(row + 20 for row in two)], dtype="<i4")
    page.evaluate(
        "(rows) => window.vptspModels[0].set('_selected', new DataView(new Int32Array(rows).buffer))", rows.tolist()
    )
    view.settle()
    assert f"kind {two[0]}" in names() <= {f"kind {label}" for label in two}
