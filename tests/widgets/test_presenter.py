"""A saved page, and presenter mode in it: the sandbox stands for all views, which share both."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from vptsp_widgets.front import style
from vptsp_widgets.moved import ROOMS
from vptsp_widgets.sandbox import ProxySandbox
from vptsp_widgets.sandbox.presets import presets

from vptsp.errors import UsageError

WALL = {"width": 1920, "height": 1080}
STORIES = list(presets())


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "sandbox.html"
    assert ProxySandbox("semantic").save_html(path) == path
    return path


def opened(page: Page, saved: Path) -> None:
    page.set_viewport_size(WALL)
    page.goto(saved.as_uri())
    expect(page.locator(".vptsp-sb-stage .vptsp-sb-point").first).to_be_visible()


def step(page: Page) -> str:
    return page.inner_text(".vptsp-presenter-step")


def press(page: Page, name: str) -> None:
    page.locator(".vptsp-presenter button", has_text=name).click()


def test_a_name_that_is_no_page_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    for name in ("sandbox.pdf", "."):
        with pytest.raises(UsageError, match=r"is not the name of a page; give a file that ends in .html"):
            ProxySandbox().save_html(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.browser
def test_presented_the_letters_are_twice_as_large_and_the_circle_fills_the_screen(page: Page, saved: Path) -> None:
    opened(page, saved)
    assert page.title().startswith("ProxySandbox: ")
    height = "(name) => { const box = document.querySelector(name).getBoundingClientRect(); return box.height; }"
    before = page.evaluate(height, ".vptsp-sb-go")
    page.add_style_tag(content=style("space"))  # in a notebook the styles of other views come later
    page.click("button[aria-label=present]")
    bar = page.locator("[role=toolbar][aria-label=presenter]")
    expect(bar).to_be_visible()
    assert page.evaluate(height, ".vptsp-sb-go") == pytest.approx(2 * before, rel=0.02)
    assert page.evaluate(height, ".vptsp-sb-stage") > 0.85 * WALL["height"]
    wide = bar.bounding_box()
    assert wide
    assert wide["width"] > 0.95 * WALL["width"]
    expect(page.locator(".vptsp-sb-formula")).to_be_hidden()  # folded
    press(page, "Controls")
    expect(page.locator(".vptsp-sb-formula")).to_be_visible()
    assert page.evaluate("document.querySelector('.vptsp-sandbox').scrollWidth * 2") <= WALL["width"]

    # where the pointer is, the view knows: in its own pixels, which are not the window's here
    point = page.locator('.vptsp-sb-point[aria-label^="sample 1 of class A"]')
    box = point.locator(".vptsp-sb-glyph").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".vptsp-sb-readout")).to_contain_text("sample 1 of class A at 68°")

    press(page, "Leave")
    expect(bar).to_have_count(0)
    assert page.evaluate(height, ".vptsp-sb-go") == pytest.approx(before)
    assert page.evaluate("document.fullscreenElement") is None
    expect(page.locator("button[aria-label=present]")).to_be_focused()


@pytest.mark.browser
def test_stories_go_on_by_buttons_arrows_and_a_remote_control(page: Page, saved: Path) -> None:
    opened(page, saved)
    page.locator("button[aria-label=present]").focus()
    page.keyboard.press("Enter")
    assert step(page) == "2 of 7: a semantic proxy starts near"
    press(page, "Next")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageDown")
    assert page.inner_text(".vptsp-sb-story") == presets()[STORIES[4]]["caption"]
    press(page, "Back")
    assert step(page) == f"4 of 7: {presets()[STORIES[3]]['title']}"
    for _ in STORIES:
        page.keyboard.press("PageDown")
    assert step(page).startswith("7 of 7: ")  # and stays there
    expect(page.locator(".vptsp-presenter button", has_text="Next")).to_have_attribute("aria-disabled", "true")
    # arrows move a point that has the focus, and Escape leaves from anywhere
    point = page.locator('.vptsp-sb-point[aria-label^="sample 1 of class A"]')
    point.focus()
    was = point.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    assert point.get_attribute("aria-valuetext") != was
    assert step(page).startswith("7 of 7: ")
    page.keyboard.press("Escape")
    expect(page.locator(".vptsp-presenter")).to_have_count(0)


@pytest.mark.parametrize("room", [*ROOMS, "verification"])
def test_every_view_can_be_presented(room: str) -> None:
    from vptsp_widgets.front import module

    assert "presenter(" in module(room).split(f"// --- {room}/front/view.js")[1]
