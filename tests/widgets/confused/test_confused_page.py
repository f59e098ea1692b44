"""The front end of ConfusedPairs in a page without a kernel, and with a stub in its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pages import in_model
from playwright.sync_api import Page, expect
from trainings import silent
from vptsp_widgets.confused import ConfusedPairs
from vptsp_widgets.front import page_block

from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.settings.earlier import BEFORE
from vptsp.training.loop import train

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def unseen(tiny: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> ConfusedPairs:
    """Of a run that confuses many: its head started at random and was hardly trained."""
    config = tiny(method="vptsp_g", **BEFORE)
    return ConfusedPairs.of_run(train(config, tmp_path_factory.mktemp("confused") / "run", observer=silent))


@pytest.fixture(scope="module")
def trained(tiny_run: Run) -> ConfusedPairs:
    return ConfusedPairs.of_run(tiny_run, "train")


def show(page: Page, view: ConfusedPairs, live: bool = False) -> None:
    assert view._thumbnails is not None
    block = page_block("confused", view.state_for_page(), [view._thumbnails.page_path(0)], label="confused")
    if live:  # a kernel that only keeps what it is told
        block = block.replace("live: false,", "live: true,")
    page.set_content(f'<!doctype html><meta charset="utf-8"><body>{block}</body>')
    page.wait_for_selector(".vc-item")


def names_of(view: ConfusedPairs, order: str, place: int) -> list[str]:
    return [view.saved.class_names[label] for label in view._lists[order][place]["classes"]]


def test_a_pair_is_chosen_with_the_mouse_and_by_keyboard(page: Page, unseen: ConfusedPairs) -> None:
    show(page, unseen)
    items = page.locator(".vc-item")
    assert items.count() == len(unseen.pairs)
    items.nth(2).click()
    assert page.locator("h3 bdi").all_inner_texts() == names_of(unseen, "images", 2)
    pair = unseen._lists["images"][2]
    assert f"{pair['mistakes']} of them are mistaken" in page.inner_text(".vc-shown")
    assert page.locator(".vc-link").count() == len(pair["links"])
    assert page.locator(".vc-side").first.locator(".vc-thumb").count() == len(pair["galleries"][0])
    both = np.flatnonzero(np.isin(unseen.saved.labels, pair["classes"])).tolist()
    assert in_model(page, "return [...new Int32Array(model.get('_selected').buffer)]") == both
    page.keyboard.press("ArrowUp")
    assert page.locator("h3 bdi").all_inner_texts() == names_of(unseen, "images", 1)
    page.keyboard.press("End")
    assert items.last.get_attribute("aria-selected") == "true"
    page.wait_for_function("!document.querySelector('canvas.vptsp-waiting')")


def test_the_order_changes_the_list(page: Page, trained: ConfusedPairs, unseen: ConfusedPairs) -> None:
    show(page, trained)
    page.locator(".vc-item").nth(1).click()
    page.select_option("select", "proxies")
    assert page.locator("h3 bdi").all_inner_texts() == names_of(trained, "proxies", 0)
    cosine = trained._lists["proxies"][0]["proxies"]
    expect(page.locator(".vc-item").first).to_contain_text(f"cosine {cosine:.3f}", use_inner_text=True)
    show(page, unseen)
    assert not page.locator("select").is_visible()  # test classes have no proxies


def test_an_image_is_focused_here_and_from_outside(page: Page, trained: ConfusedPairs) -> None:
    show(page, trained, live=True)
    row, _ = trained._lists["images"][0]["galleries"][1][0]
    page.locator(".vc-side").nth(1).locator(".vc-thumb").first.focus()
    page.keyboard.press("Enter")
    assert in_model(page, "return model.get('_focused')") == row
    other, _ = trained._lists["images"][0]["galleries"][0][0]
    in_model(page, f"model.set('_focused', {other})")
    marked = page.locator('.vc-thumb[aria-current="true"]')
    assert {mark.get_attribute("data-row") for mark in marked.all()} == {str(other)}


def test_a_page_of_test_images_is_not_moved_by_training_images(page: Page, trained: ConfusedPairs) -> None:
    show(page, trained)
    page.locator(".vc-item").nth(1).click()
    page.locator(".vc-thumb").first.click()
    assert in_model(page, "return model.get('_selected').byteLength") == 0
    assert in_model(page, "return model.get('_focused')") == -1


def state_of(page: Page) -> list[Any]:
    """Pair, selected rows, row focused, row beside it."""
    script = "return [model.get('pair'), [...new Int32Array(model.get('_selected').buffer)], model.get('_focused'),"
    return in_model(page, script + " model.get('_against')]")


@pytest.mark.parametrize("keys", [False, True], ids=["mouse", "keyboard"])
def test_from_a_pair_to_a_shared_hard_negative_and_back(page: Page, unseen: ConfusedPairs, keys: bool) -> None:
    place, pair = next((at, one) for at, one in enumerate(unseen._lists["images"]) if one["shared"] and at)
    hub, number, _, of = pair["shared"][0]
    show(page, unseen)
    item = page.locator(".vc-item").nth(place)
    if keys:
        page.locator(".vc-item").first.focus()
        for _ in range(place):
            page.keyboard.press("ArrowDown")
    else:
        item.click()
    both = np.flatnonzero(np.isin(unseen.saved.labels, pair["classes"])).tolist()
    assert state_of(page) == [place, both, -1, -1]
    group = page.locator(".vc-hub").first
    expect(group).to_contain_text(f"hard negative of {number} of", use_inner_text=True)
    assert [int(thumb.get_attribute("data-row") or -1) for thumb in group.locator(".vc-thumb").all()] == [
        hub,
        *(row for row, _ in of),
    ]
    scrolled = page.locator(".vc-list").evaluate("(list) => list.scrollTop")
    thumb = group.locator(".vc-thumb").nth(1)
    if keys:
        thumb.focus()
        page.keyboard.press("Enter")
    else:
        thumb.click()
    assert state_of(page) == [place, both, of[0][0], hub]
    assert {mark.get_attribute("data-row") for mark in page.locator(".vc-thumb.vc-is-against").all()} == {str(hub)}
    expect(page.get_by_role("status")).to_contain_text("takes a kernel")

    in_model(page, "model.set('_selected', new DataView(new ArrayBuffer(0)))")  # elsewhere, meanwhile
    back = page.get_by_role("button", name="Back")
    page.keyboard.press("Backspace") if keys else back.click()
    assert state_of(page) == [place, both, -1, -1]
    if keys:
        assert thumb.evaluate("(thumb) => thumb === document.activeElement")
    page.keyboard.press("Backspace") if keys else back.click()
    assert state_of(page) == [0, [], -1, -1]  # all pairs that arrows passed by are one step
    assert page.locator(".vc-list").evaluate("(list) => list.scrollTop") <= scrolled
    assert back.get_attribute("aria-disabled") == "true"
    page.keyboard.press("Backspace")
    assert state_of(page) == [0, [], -1, -1]


def test_the_first_pair_can_be_chosen_too(page: Page, unseen: ConfusedPairs) -> None:
    show(page, unseen)
    page.locator(".vc-item").first.click()
    both = np.flatnonzero(np.isin(unseen.saved.labels, unseen._lists["images"][0]["classes"])).tolist()
    assert state_of(page) == [0, both, -1, -1]


def test_names_are_text(page: Page, unseen: ConfusedPairs) -> None:
    show(page, unseen, live=True)
    name = "<img src=x onerror=alert(1)>"
    script = "model.set('_class_names', model.get('_class_names').map(() => NAME));"
    script += "model.set('_about', {...model.get('_about'), name: NAME})"
    in_model(page, script.replace("NAME", json.dumps(name)))
    assert page.locator("h3 bdi").all_inner_texts() == [name, name]
    assert page.inner_text(".vc-title") == f"Confused classes of {name}"
    assert page.locator(".vc img").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 700])
def test_nothing_is_wider_than_the_page(page: Page, trained: ConfusedPairs, theme: Any, width: int) -> None:
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    show(page, trained)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".vptsp-dark").count() == (theme == "dark")
    page.locator(".vc-item").first.focus()
    page.keyboard.press("?")
    assert page.locator(".vptsp-help").is_visible()
