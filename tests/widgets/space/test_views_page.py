"""Views that are kept, in the page: kept by a name, opened by a click or Enter, undone as one step, also on a page."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pages import low_contrast
from playwright.sync_api import Page, expect
from vptsp_widgets.front import page_block
from vptsp_widgets.space import SpaceExplorer

from tests.widgets.space.test_space import saved_images
from tests.widgets.space.test_space_page import GRID, Map
from tests.widgets.space.test_truth_page import Live

pytestmark = pytest.mark.browser
RIM = {"x": 6.5, "y": 1.0, "zoom": 2.5, "colour": "size", "filter": [{"column": "size", "low": 5.0}], "labels": False}


def grid_of(folder: Path) -> SpaceExplorer:
    saved = saved_images(folder, [min(2, row % 8 // 2) for row in range(40)], ["rose", "lily", "iris"])
    return SpaceExplorer(saved, GRID, columns=pd.DataFrame({"size": [row % 8 + 0.5 for row in range(40)]}))


def open_panel(view: Live) -> None:
    view.page.locator(".vptsp-space-over").focus()
    view.page.keyboard.press("k")
    view.settle()


def test_keep_open_undo_and_forget(page: Page, tmp_path: Path) -> None:
    space = grid_of(tmp_path)
    view = Live(page, space)
    status = page.get_by_role("status")
    space.view_state, space.focus = RIM, "image 0"  # which lies outside of what is looked at
    view.settle()
    space.view_state, space.selection = RIM, ["image 7", "image 15"]
    view.settle()
    open_panel(view)
    field = page.get_by_label("Name to keep this view under")
    expect(field).to_be_focused()
    page.keyboard.press("Enter")
    expect(status).to_have_text("type a name to keep this view under")
    page.keyboard.type("rim")
    page.keyboard.press("Enter")
    view.settle()
    expect(status).to_have_text("the view rim kept; space.kept_view('rim') puts its picture into a notebook")
    card = page.get_by_role("button", name="Open rim, 2 selected · 1 filter · by size")
    assert card.locator("img").evaluate("(image) => image.naturalWidth") == 240
    kept = space.view_state

    space.view_state, space.selection, space.focus = {}, ["image 3"], "image 3"
    view.settle()
    before = space.view_state
    card.focus()
    page.keyboard.press("Enter")
    view.settle()
    assert (space.view_state, space.selection, space.focus) == (kept, ["image 7", "image 15"], "image 0")
    assert view.get("view_state") == kept  # the focus outside has not moved the camera
    assert view.selected() == [7, 15]
    expect(status).to_have_text("rim opened")
    expect(card).to_have_attribute("aria-current", "true")
    expect(card).to_be_focused()
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("Control+z")
    expect(status).to_have_text("undone: the view rim opened")
    view.settle()
    assert (space.view_state, space.selection, space.focus) == (before, ["image 3"], "image 3")
    page.keyboard.press("Control+Shift+z")
    Map.settle(view)  # before Python's word comes back
    assert (space.view_state, space.selection, space.focus) == (kept, ["image 7", "image 15"], "image 0")
    page.keyboard.press("Control+z")
    view.settle()
    assert view.selected() == [3]
    page.keyboard.press("Control+z")  # what was done before that comes next: the selection of image 3
    view.settle()
    assert view.selected() == [7, 15]
    space.open_view("rim")  # in a cell: one step as well
    view.settle()
    page.keyboard.press("Control+z")
    view.settle()
    assert (view.selected(), space.view_state) == ([7, 15], before)

    page.get_by_role("button", name="Forget rim").click()
    view.settle()
    assert space.views == []
    expect(card).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    view.settle()
    assert space.views == ["rim"]
    card.click()
    view.settle()
    assert space.view_state == kept
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("Escape")
    expect(field).to_be_hidden()


def test_a_name_again_replaces_and_undo_brings_back(page: Page, tmp_path: Path) -> None:
    space = grid_of(tmp_path)
    space.selection = ["image 1"]
    space.keep_view("it")
    space.selection = ["image 2", "image 3"]
    view = Live(page, space)
    open_panel(view)
    page.keyboard.type("it")
    page.keyboard.press("Enter")
    view.settle()
    expect(page.get_by_role("status")).to_contain_text("the view it kept, instead of the one before")
    expect(page.get_by_role("button", name="Open it, 2 selected")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    view.settle()
    expect(page.get_by_role("button", name="Open it, 1 selected")).to_be_visible()
    grid_of(tmp_path).keep_view("of another notebook")
    page.keyboard.press("Escape")
    open_panel(view)  # looks anew
    expect(page.get_by_role("button", name="Open of another notebook")).to_be_visible()


def test_what_is_gone_is_said_in_the_view(page: Page, tmp_path: Path) -> None:
    space = grid_of(tmp_path)
    space.tag("odd", ["image 1"])
    space.view_state = {"colour": "tag"}
    space.keep_view("tags")
    space.view_state = {}
    space.tag("", ["image 1"])
    view = Live(page, space)
    open_panel(view)
    page.get_by_role("button", name="Open tags").click()
    view.settle()
    told = "the view 'tags' has parts that are not here: column 'tag'; the rest is shown"
    expect(page.get_by_role("status")).to_have_text(told)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_page_without_a_kernel(page: Page, tmp_path: Path, theme: str) -> None:
    space = grid_of(tmp_path)
    space.view_state, space.selection = RIM, ["image 7", "image 15"]
    kept = space.view_state
    space.keep_view("rim")
    space.view_state, space.selection = {}, []
    view = Map(page, space, theme)
    page.get_by_role("button", name="Open a view that was kept (K)").click()
    expect(page.get_by_label("Name to keep this view under")).to_be_hidden()
    page.get_by_role("button", name="Open rim").click()
    view.settle()
    assert (view.get("view_state"), view.selected()) == (kept, [7, 15])
    assert low_contrast(page, ".vptsp-space-views") == []
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("Control+z")
    view.settle()
    assert (view.get("view_state"), view.selected()) == (space.view_state, [])


def test_a_page_without_views_has_no_button_for_them(page: Page, tmp_path: Path) -> None:
    Map(page, grid_of(tmp_path))
    expect(page.get_by_role("button", name="Open a view that was kept (K)")).to_be_hidden()


@pytest.mark.parametrize("width", [380, 1100])
def test_the_panel_has_room(page: Page, tmp_path: Path, width: int) -> None:
    space = grid_of(tmp_path)
    for name in ("a name that is far too long for a card of this size", "other", "third", "fourth"):
        space.keep_view(name)
    page.set_viewport_size({"width": width, "height": 800})
    page.set_content(page_block("space", space.state_for_page()))
    page.get_by_role("button", name="Open a view that was kept (K)").click()
    boxes = [card.bounding_box() for card in page.locator(".vptsp-space-cards li").all()]
    assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for button in page.locator(".vptsp-space-forget, .vptsp-space-card-open").all():
        box = button.bounding_box()
        assert box is None or min(box["width"], box["height"]) >= 24  # a finger's
