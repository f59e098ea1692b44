"""The bar of filters: ranges, categories, text; with the lasso, in the selection, and by Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pages import low_contrast
from playwright.sync_api import Page
from vptsp_widgets.space import SpaceExplorer

from tests.widgets.space.test_space import saved_images
from tests.widgets.space.test_space_page import GRID
from tests.widgets.space.test_truth_page import Live
from vptsp.errors import DataError


@pytest.fixture
def space(tmp_path: Path) -> SpaceExplorer:
    saved = saved_images(tmp_path, [row % 4 for row in range(40)], ["rose", "lily", "iris", "moss rose"])
    table = pd.DataFrame({"size": [*np.arange(39.0), np.nan], "soil": ["wet", "dry", None, "<b>"] * 10})
    return SpaceExplorer(saved, GRID, columns=table)


@pytest.mark.browser
def test_a_filter_is_made_seen_joined_and_selected(page: Page, space: SpaceExplorer) -> None:
    view = Live(page, space)
    bar = page.get_by_role("group", name="Filter", exact=True)
    assert not bar.is_visible()  # a newcomer sees a map
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("f")
    page.get_by_label("Filter by", exact=True).select_option(label="size")
    view.settle()
    assert view.get("view_state")["filter"] == [{"column": "size", "low": 0, "high": 38}]
    assert "39 images pass" in bar.inner_text()  # what has no size passes no range
    low = page.get_by_label("size: at least")
    low.evaluate("(one) => { one.valueAsNumber = 100; one.dispatchEvent(new Event('input')); }")  # half of 200 steps
    low.focus()
    page.keyboard.press("ArrowRight")
    view.settle()
    assert space.view_state["filter"][0]["low"] == pytest.approx(38 * 101 / 200)
    assert "19.19 to 38" in bar.inner_text()
    page.get_by_label("Filter by", exact=True).select_option(label="class")
    page.get_by_label("class has in it").fill("ROSE")
    view.settle()
    expected = [row for row in range(20, 39) if row % 4 in (0, 3)]
    assert f"{len(expected)} images pass" in bar.inner_text()
    page.get_by_role("button", name=f"Select the {len(expected)} shown").click()
    view.settle()
    assert view.selected() == expected
    left, top, right, bottom = view.left, view.top, view.left + view.width - 2, view.top + view.height - 2
    view.lasso(np.array([[left, top], [right, top], [right, bottom], [left, bottom]]))
    assert view.selected() == expected  # the lasso takes what passes
    page.get_by_label("Filter by", exact=True).select_option(label="soil")
    page.get_by_role("checkbox", name="wet").uncheck()
    page.get_by_role("checkbox", name="<b>").uncheck()
    view.settle()
    assert space.view_state["filter"][-1] == {"column": "soil", "values": ["dry"], "text": ""}
    assert "no image passes: widen the filter, or take it away" in bar.inner_text()
    page.get_by_label("Filter by", exact=True).select_option(label="image id")
    page.get_by_label("image id has in it").fill("3")
    page.get_by_role("button", name="Take the filter by soil away").click()
    view.settle()
    assert [one["column"] for one in space.view_state["filter"]] == ["size", "class", ""]
    named = [row for row in expected if "3" in str(row)]
    assert f"{len(named)} images pass" in bar.inner_text()
    assert low_contrast(page, ".vptsp-space-filter") == []
    assert page.locator(".vptsp-space-filter b b").count() == 0
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("Escape")
    view.settle()
    assert space.view_state["filter"] == []
    for width in (1920, 620):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_filters_by_python_are_checked_and_go_with_their_column(space: SpaceExplorer) -> None:
    space.tag("odd", space.ids[:2])
    space.view_state = {"filter": [{"column": "tag", "text": "odd"}, {"column": "", "text": "1"}]}
    space.tags = {}
    assert space.view_state["filter"] == [{"column": "", "text": "1"}]
    with pytest.raises(
        DataError, match="there is no column 'weight' to filter by; there are class, size, soil, and ''"
    ):
        space.view_state = {"filter": [{"column": "weight"}]}
    with pytest.raises(DataError, match="a condition names a column, and low and high, values, or text"):
        space.view_state = {"filter": [{"column": "size", "above": 3}]}
    with pytest.raises(DataError, match="a condition names a column"):
        space.view_state = {"filter": ["size"]}
