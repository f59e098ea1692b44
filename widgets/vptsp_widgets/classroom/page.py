"""The sandbox for a lecture hall: one file, its seven stories step by step, the address saying what stands there."""

from __future__ import annotations

from pathlib import Path

from vptsp_widgets.front import page_block, style_of
from vptsp_widgets.sandbox.view import ProxySandbox
from vptsp_widgets.saved_page import write_page

_TITLE = "The geometry of proxies: seven stories"


def classroom_page(path: str | Path) -> Path:
    """Write the page and return its path. It needs no kernel, no network and no run.

    ``PAGE#story=outlier`` opens a story, and the address that its *Link* button copies whatever was made of one.
    Raises UsageError for a path that is no name of a page.
    """
    view = ProxySandbox()
    try:
        block = page_block("sandbox", view.state_for_page(), label=_TITLE, around="classroom/front/view.js:inClassroom")
        return write_page(path, _TITLE, [f"<style>{style_of('classroom')}</style>", block])
    finally:
        view.close()
