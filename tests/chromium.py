"""Debian's Chromium as fixtures, one for the whole session; nothing is downloaded."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


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
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("the browser tests need Chromium; install it with: apt-get install chromium")
    browser = playwright_driver.chromium.launch(executable_path=path, args=_ARGUMENTS)
    yield browser
    browser.close()
