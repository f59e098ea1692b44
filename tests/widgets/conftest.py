"""Pages in Debian's Chromium, and what went wrong on them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of 1200 x 900 pixels. Console errors and requests that leave it fail the test at its end."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request", lambda request: wrong.append(request.url) if request.url.startswith(("http:", "https:")) else None
    )
    yield page
    context.close()
    assert wrong == []
