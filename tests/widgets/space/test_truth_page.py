"""Where the map can be trusted, in the page: lines to true neighbours when pointing, trust as colour and number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pages import Shown
from playwright.sync_api import Page, expect
from vptsp_widgets.space import SpaceExplorer

from tests.widgets.space.test_measures_page import flowers
from tests.widgets.space.test_space_page import Map

pytestmark = pytest.mark.browser


class Live(Map):
    """The same map with a kernel behind it."""

    def __init__(self, page: Page, space: SpaceExplorer) -> None:
        self.shown = Shown(page, "space", space)
        self.page, self.space = page, space
        self.settle()
        box = page.locator(".vptsp-space-over").bounding_box()
        assert box is not None
        self.left, self.top, self.width, self.height = box["x"], box["y"], box["width"], box["height"]

    def settle(self) -> None:
        super().settle()
        self.shown.bring()
        super().settle()


def inked(view: Map) -> int:
    """Pixels drawn over the points."""
    return view.page.evaluate(
        "() => { const c = document.querySelector('.vptsp-space-over');"
        "return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.reduce((n, v) => n + (v > 0), 0); }"
    )


def test_true_neighbours_and_trust(page: Page, tmp_path: Path) -> None:
    space = flowers(tmp_path)
    space.method = "pca"  # UMAP would compile for seconds
    view = Live(page, space)
    place = view.screen()[20]
    page.mouse.move(*place)
    view.settle()
    before = inked(view)
    page.get_by_label("True neighbours when pointing").focus()
    page.keyboard.press("Space")
    view.settle()
    assert space.view_state["truth"] is True
    page.mouse.move(*place)
    view.settle()
    assert inked(view) > before + 2000  # ten lines
    told = view.text("card").split("\n")
    trust = space.table["map trustworthiness"]
    assert f"map trustworthiness: {float(f'{trust.iloc[20]:.4g}'):g}" in told
    assert any(line.startswith("map continuity: ") for line in told)
    page.get_by_role("button", name="Colour by trust").click()
    view.settle()
    assert space.view_state["colour"] == "map trustworthiness"
    assert "Colour: map trustworthiness" in view.text("legend")

    space.selection = space.ids[:12]
    view.settle()
    page.get_by_role("button", name="Map alone").click()
    view.settle()
    assert "a map of 12 images alone, of 40" in view.text("counts")
    expect(page.get_by_role("status")).to_have_text("12 images projected alone")
    assert view.selected() == list(range(12))  # they stay selected
    page.mouse.click(*view.screen()[3])
    view.settle()
    assert space.focus == "image 3"
    assert np.isnan(space.points[20:]).all()
    page.get_by_role("button", name="Undo").click()  # what was done before is not forgotten
    view.settle()
    assert view.selected() == list(range(12))
    page.get_by_role("button", name="Back to all images").click()
    view.settle()
    assert view.text("counts").startswith("40 images")
