"""One Chromium as fixtures for the whole session; nothing is downloaded here: ``make test`` did it before."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator

import browsers
import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright


@pytest.fixture(scope="session")
def playwright_driver() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver
        # A process forked since then holds the driver's pipe open, and the driver would wait for it for ever.
        for child in multiprocessing.active_children():
            child.terminate()
            child.join()


@pytest.fixture(scope="session")
def browser(playwright_driver: Playwright) -> Iterator[Browser]:
    """Fails, saying what to do, where Chromium is not installed."""
    path = browsers.find()
    if path is None:
        pytest.fail("the browser tests need Chromium; make test installs it, or run python tests/browsers.py")
    environment = os.environ | browsers.font_settings()
    browser = playwright_driver.chromium.launch(executable_path=path, args=list(browsers.ARGUMENTS), env=environment)
    yield browser
    browser.close()
