"""Views beside each other, as JupyterLab's boxes of widgets place them."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page
from vptsp_widgets.front import page_block
from vptsp_widgets.gallery import RetrievalGallery
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.workbench.view import _ROOM

from tests.galleries import saved_set

pytestmark = pytest.mark.browser

# of the style sheet of @jupyter-widgets/controls
BOX = ".widget-box { display: flex; overflow: auto } .widget-hbox { flex-direction: row }"


def test_views_share_a_row(page: Page, tmp_path: Path) -> None:
    saved = saved_set(tmp_path / "saved")
    views = [("space", SpaceExplorer(saved, "pca")), ("gallery", RetrievalGallery(saved))]
    blocks = [page_block(name, view.state_for_page(), label=name) for name, view in views]
    blocks = [block.replace("<div id=", '<div class="jupyter-widgets" id=', 1) for block in blocks]
    page.set_content(f'<style>{BOX}</style><div class="widget-box widget-hbox">{"".join(blocks)}</div>')
    shown = page.locator(".jupyter-widgets > .vptsp")
    shown.nth(1).wait_for()
    for width in (700, 1200):
        page.set_viewport_size({"width": width, "height": 900})
        boxes = [shown.nth(place).bounding_box() for place in (0, 1)]
        widths = [box["width"] for box in boxes if box]
        assert min(widths) > 0.45 * width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    # in a workbench they stand below each other where there is no room beside
    page.evaluate(
        """(room) => {
            document.querySelector(".widget-box").style.flexFlow = "row wrap";
            for (const view of document.querySelectorAll(".jupyter-widgets")) view.style.flex = room;
        }""",
        _ROOM,
    )
    for width, beside in ((700, False), (1200, True)):
        page.set_viewport_size({"width": width, "height": 900})
        one, other = (shown.nth(place).bounding_box() for place in (0, 1))
        assert one
        assert other
        assert (one["y"] == other["y"]) is beside
        assert one["width"] > 0.45 * width
