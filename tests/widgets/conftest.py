"""Pages in Chromium, and what went wrong on them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

_SIZE = ViewportSize(width=1200, height=900)


@pytest.fixture(scope="session")
def kept_pages(browser: Browser) -> Iterator[list[Page]]:
    """At most one page, for the next test: a new window costs half a second of processor time, a document a tenth."""
    kept: list[Page] = []
    yield kept
    for page in kept:
        page.context.close()


@pytest.fixture
def page(request: pytest.FixtureRequest, browser: Browser, kept_pages: list[Page]) -> Iterator[Page]:
    """An empty page of 1200 x 900 pixels. Console errors and requests that leave it fail the test at its end.

    Its window is closed after a test that says by the marker ``last_in_window`` that it changes what cannot be changed
    back, such as the clock.
    """
    page = kept_pages.pop() if kept_pages else browser.new_context(viewport=_SIZE).new_page()
    wrong: list[str] = []
    watching = {
        "console": lambda message: wrong.append(message.text) if message.type == "error" else None,
        "pageerror": lambda error: wrong.append(str(error)),
        "request": lambda request: wrong.append(request.url) if request.url.startswith(("http:", "https:")) else None,
    }
    for event, watch in watching.items():
        page.on(event, watch)  # type: ignore[call-overload]
    yield page
    for event, watch in watching.items():
        page.remove_listener(event, watch)
    if request.node.get_closest_marker("last_in_window"):
        page.context.close()
    else:
        page.set_viewport_size(_SIZE)
        page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        for key in ("Shift", "Control", "Alt", "Meta"):  # held down by a test that failed
            page.keyboard.up(key)
        page.mouse.move(0, 0)
        page.goto("about:blank")  # the last: Chromium loses a drag's pointer in a document that was touched before
        kept_pages.append(page)
    assert wrong == []
