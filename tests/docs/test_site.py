"""The built site in Chromium: nothing leaves the machine, nothing is broken, everybody can read it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).parents[2] / "docs/site"))

pytestmark = [pytest.mark.docs, pytest.mark.browser]
FIRST_PAGE = 1_000_000  # bytes, with all that it loads
WIDTHS = (1024, 1440, 1920)
SHOWN = (
    "index.html",
    "start.html",
    "live.html",
    "search.html",
    "tutorials/index.html",
    "tutorials/01_train.html",
    "tutorials/04_proxy_geometry.html",
    "how-to/own-photos.html",
    "explanation/proxies.html",
    "reference/settings.html",
    "reference/commands.html",
    "reference/api/vptsp.core.losses.html",
    "course/solutions.html",
    *(f"live/{kind}.html" for kind in ("presenter", "sandbox", "map", "gallery", "timemachine")),
)


class Watched:
    """A page, what went wrong on it, and how many bytes of files it loaded."""

    def __init__(self, page: Page) -> None:
        self.page, self.wrong, self.files = page, list[str](), list[str]()
        page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self.take(request.url))

    def take(self, url: str) -> None:
        if url.startswith(("http:", "https:", "ws:")):
            self.wrong.append(f"asks for {url}")
        elif url.startswith("file:"):
            self.files.append(url)

    def open(self, path: Path) -> None:
        self.wrong.clear()
        self.files.clear()
        self.page.goto(path.as_uri())
        self.page.wait_for_load_state("load")

    @property
    def bytes(self) -> int:
        from urllib.parse import unquote, urlsplit

        return sum(os.path.getsize(unquote(urlsplit(url).path)) for url in set(self.files))


@pytest.fixture(scope="module", params=["light", "dark"])
def watched(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Watched]:
    context = browser.new_context(color_scheme=request.param)
    yield Watched(context.new_page())
    context.close()


def test_no_link_leads_nowhere_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    import broken

    assert len(list(site.rglob("*.html"))) > 80
    assert broken.links(site) == []


@pytest.mark.parametrize("name", SHOWN)
def test_a_page_works_at_every_width_in_both_themes(site: Path, watched: Watched, name: str) -> None:
    watched.open(site / name)
    for width in WIDTHS:
        watched.page.set_viewport_size({"width": width, "height": 900})
        spilled = watched.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert spilled <= 0, f"{spilled} pixels too wide at {width}"
    assert watched.wrong == []
    # not preloaded: a file may not read style sheets beside it, and the rules asked for need none
    found = Axe().run(watched.page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"], "preload": False})
    serious = [rule for rule in found.response["violations"] if rule["impact"] in ("serious", "critical")]
    assert [f"{rule['id']}: {rule['nodes'][0]['html'][:160]} ({len(rule['nodes'])})" for rule in serious] == []


def test_the_first_page_is_light(site: Path, watched: Watched) -> None:
    watched.open(site / "index.html")
    assert watched.bytes < FIRST_PAGE


def test_the_search_finds_a_setting_and_a_function(site: Path, watched: Watched) -> None:
    for word, page in (("positive_mean", "settings"), ("proxy_anchor", "losses")):
        watched.open(site / "search.html")
        watched.page.goto((site / "search.html").as_uri() + f"?q={word}")
        watched.page.wait_for_selector("#search-results li")
        links = watched.page.eval_on_selector_all("#search-results a", "(all) => all.map((one) => one.href)")
        assert any(page in link for link in links), links
    assert watched.wrong == []


def test_the_theme_can_be_turned(site: Path, watched: Watched) -> None:
    watched.open(site / "index.html")
    ground = "getComputedStyle(document.body).backgroundColor"
    seen = {watched.page.evaluate(ground)}
    for _ in range(3):
        watched.page.locator(".theme-toggle").last.click()
        seen.add(watched.page.evaluate(ground))
    assert len(seen) == 2
