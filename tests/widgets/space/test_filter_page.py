"""The bar of filters: ranges, categories, text; with the lasso, in the selection, and by Python."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pages import low_contrast
from playwright.sync_api import Page, expect
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.space.data import column
from vptsp_widgets.space.filtering import passing

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
    expect(bar).to_contain_text("39 images pass", use_inner_text=True)  # what has no size passes no range
    low = page.get_by_label("size: at least")
    low.evaluate("(one) => { one.valueAsNumber = 100; one.dispatchEvent(new Event('input')); }")  # half of 200 steps
    low.focus()
    page.keyboard.press("ArrowRight")
    view.settle()
    assert space.view_state["filter"][0]["low"] == pytest.approx(38 * 101 / 200)
    expect(bar).to_contain_text("19.19 to 38", use_inner_text=True)
    page.get_by_label("Filter by", exact=True).select_option(label="class")
    page.get_by_label("class has in it").fill("ROSE")
    view.settle()
    expected = [row for row in range(20, 39) if row % 4 in (0, 3)]
    expect(bar).to_contain_text(f"{len(expected)} images pass", use_inner_text=True)
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
    expect(bar).to_contain_text("no image passes: widen the filter, or take it away", use_inner_text=True)
    page.get_by_label("Filter by", exact=True).select_option(label="image id")
    page.get_by_label("image id has in it").fill("3")
    page.get_by_role("button", name="Take the filter by soil away").click()
    view.settle()
    assert [one["column"] for one in space.view_state["filter"]] == ["size", "class", ""]
    named = [row for row in expected if "3" in str(row)]
    expect(bar).to_contain_text(f"{len(named)} images pass", use_inner_text=True)
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


# --- dates --------------------------------------------------------------------------------------------
DAYS = ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01", None]
TIMES = pd.date_range("2015-01-01 09:30", periods=39, freq="97D").to_series(index=range(39)).reindex(range(40))


@pytest.fixture
def dated(tmp_path: Path) -> SpaceExplorer:
    saved = saved_images(tmp_path, [row % 4 for row in range(40)], ["rose", "lily", "iris", "moss rose"])
    return SpaceExplorer(saved, GRID, columns=pd.DataFrame({"taken": DAYS * 8, "seen": TIMES.to_numpy()}))


@pytest.mark.browser
def test_dates_have_a_range_and_stand_as_dates(page: Page, dated: SpaceExplorer) -> None:
    view = Live(page, dated)
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("f")
    bar = page.get_by_role("group", name="Filter", exact=True)
    page.get_by_label("Filter by", exact=True).select_option(label="taken")
    view.settle()
    assert dated.view_state["filter"] == [{"column": "taken", "low": "2024-02-27", "high": "2024-03-01"}]
    expect(bar).to_contain_text("32 images pass", use_inner_text=True)
    expect(bar).to_contain_text("2024-02-27 to 2024-03-01", use_inner_text=True)
    low, high = page.get_by_label("taken: at least"), page.get_by_label("taken: at most")
    step = "(one, to) => { one.valueAsNumber = to; one.dispatchEvent(new Event('input')); }"
    low.evaluate(step, 67)  # a third of 200 steps is a day
    high.evaluate(step, 134)
    view.settle()
    assert dated.view_state["filter"] == [{"column": "taken", "low": "2024-02-28", "high": "2024-02-29"}]
    assert low.get_attribute("aria-valuetext") == "2024-02-28"
    expect(bar).to_contain_text("16 images pass", use_inner_text=True)
    page.get_by_label("Filter by", exact=True).select_option(label="seen")
    view.settle()
    first, last = TIMES.iloc[0], TIMES.iloc[38]
    expect(bar).to_contain_text(f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}", use_inner_text=True)
    expect(bar).to_contain_text("16 images pass", use_inner_text=True)  # all of these have been seen
    page.get_by_label("Colour by", exact=True).select_option(label="taken")
    view.settle()
    legend = page.locator(".vptsp-space-legend")
    expect(legend).to_contain_text("2024-02-27", use_inner_text=True)
    expect(legend).to_contain_text("2024-03-01", use_inner_text=True)
    assert low_contrast(page, ".vptsp-space-filter") == []
    for width in (1920, 620):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dates_by_python_are_what_pandas_has(dated: SpaceExplorer) -> None:
    dated.view_state = {"filter": [{"column": "seen", "low": TIMES.iloc[3], "high": TIMES.iloc[30].date()}]}
    assert dated.view_state["filter"] == [{"column": "seen", "low": "2015-10-19T09:30:00", "high": "2022-12-20"}]
    rows = passing(dated.columns, dated.ids, dated.view_state["filter"])
    assert np.flatnonzero(rows).tolist() == list(range(3, 31))  # a day that is the end is all of it
    assert dated.table["seen"].tolist()[:39] == TIMES.tolist()[:39]
    assert dated.table["taken"].isna().sum() == 8
    for wrong in ("tomorrow", 3, None):
        with pytest.raises(DataError, match="for 'seen'; it must be a date such as 2024-05-01"):
            dated.view_state = {"filter": [{"column": "seen", "low": wrong}]}


@pytest.mark.parametrize(
    ("values", "first"),
    [
        (pd.to_datetime(["2024-05-02", "2024-05-01"]), "2024-05-01"),
        (pd.to_datetime(["2024-05-02 23:30", "2024-05-01 23:30"]).tz_localize("Asia/Tokyo"), "2024-05-01 23:30"),
        ([date(2024, 5, 2), date(2024, 5, 1)], "2024-05-01"),
        (pd.period_range("2024-05", periods=2, freq="M"), "2024-05-01"),
        (["2024-05-02T10:00Z", "2024-05-01T10:00:30+02:00"], "2024-05-01 10:00:30"),
    ],
)
def test_what_is_a_date(values: Any, first: str) -> None:
    found = column(pd.Series(values, name="taken"))
    assert found.values is None
    assert found.dates is not None
    assert found.dates.min() == np.datetime64(first)
    assert found.codes.min() == 0


@pytest.mark.parametrize("values", [["2024", "2025"], ["2024-05-01", "soon"], ["1-2-3"], [None, None], ["2024-13-45"]])
def test_what_is_none(values: list[Any]) -> None:
    assert column(pd.Series(values, name="taken", dtype=object)).dates is None
