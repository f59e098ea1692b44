"""The classroom page: its cover, its stories by keyboard and by finger, and the address that opens a board."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import in_model, low_contrast
from playwright.sync_api import Page, expect
from vptsp_widgets.classroom import classroom_page
from vptsp_widgets.sandbox.presets import presets

STORIES = list(presets())
SWIPE = """([by]) => {
  const root = document.querySelector(".vptsp-sb-story");
  const touch = (x) => new Touch({ identifier: 1, target: root, clientX: x, clientY: 100 });
  const fire = (name, x, touches) =>
    root.dispatchEvent(new TouchEvent(name, { bubbles: true, touches, changedTouches: [touch(x)] }));
  fire("touchstart", 400, [touch(400)]);
  fire("touchend", 400 + by, []);
}"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classroom_page(tmp_path_factory.mktemp("classroom") / "classroom.html")


def opened(page: Page, saved: Path, hash_: str = "") -> None:
    page.goto("about:blank")
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(saved.as_uri() + hash_)
    expect(page.locator(".vptsp-presenter" if hash_ else ".vptsp-classroom-cover")).to_be_visible()


def told(page: Page) -> str:
    return page.inner_text(".vptsp-presenter-step")


@pytest.mark.browser
def test_stories_are_told_by_keyboard_by_finger_and_from_the_cover(page: Page, saved: Path) -> None:
    opened(page, saved)
    buttons = page.locator(".vptsp-classroom-cover li button")
    assert buttons.all_inner_texts() == [f"{n}\n{presets()[name]['title']}" for n, name in enumerate(STORIES, start=1)]
    assert low_contrast(page, ".vptsp-classroom-cover") == []
    size = "(element) => parseFloat(getComputedStyle(element).fontSize)"
    assert buttons.first.evaluate(size) >= 18
    page.keyboard.press("3")
    assert told(page).startswith("3 of 7: ")
    assert page.url.endswith(f"#story={STORIES[2]}")
    page.keyboard.press("ArrowRight")
    assert told(page).startswith("4 of 7: ")
    page.evaluate(SWIPE, [-200])
    assert told(page).startswith("5 of 7: ")
    page.evaluate(SWIPE, [200])
    page.evaluate(SWIPE, [30])  # too short to be meant
    assert told(page).startswith("4 of 7: ")
    page.wait_for_url(f"**#story={STORIES[3]}")
    dark = page.locator(".vptsp-sandbox.vptsp-dark")
    page.keyboard.press("t")
    expect(dark).to_have_count(1)
    for part in (".vptsp-presenter", "fieldset[aria-label='gradient descent']"):
        assert low_contrast(page, part) == []
    page.keyboard.press("t")
    expect(dark).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator(".vptsp-classroom-cover")).to_be_visible()
    assert "#" not in page.url


@pytest.mark.browser
def test_an_address_opens_a_story_and_a_board_as_it_was_left(page: Page, saved: Path) -> None:
    opened(page, saved, "#story=outlier")
    assert told(page) == "4 of 7: an outlier"
    page.locator(".vptsp-sb-panel select").first.select_option("normalized_softmax")
    point = page.locator('.vptsp-sb-point[aria-label^="sample 1 of class A"]')
    point.focus()
    page.keyboard.press("Shift+ArrowLeft")
    page.wait_for_function("location.hash.includes('samples')")  # told a moment later
    left = in_model(page, "return model.get('_state')")
    address = page.url
    opened(page, saved, "#" + address.partition("#")[2])
    again = in_model(page, "return model.get('_state')")
    assert again["loss"] == "normalized_softmax"
    assert again["preset"] == "outlier"
    for one, other in zip(left["samples"], again["samples"], strict=True):
        assert one == pytest.approx(other, abs=2e-5)
    assert again["samples"] != presets()["outlier"]["state"]["samples"]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("#story=nothing", "there is no story nothing; there are random, semantic"),
        ("#story=outlier&board=%7B%22alph", "the address was cut off; copy all of it"),
        ("#story=outlier&board=%7B%22scale%22%3A1e9%7D", "scale is a number from 0.1 to 512"),
    ],
)
def test_a_wrong_address_is_told_what_is_wrong(page: Page, saved: Path, address: str, words: str) -> None:
    opened(page, saved, address)
    expect(page.locator(".vptsp-status")).to_contain_text(words)
