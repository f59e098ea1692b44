"""The front end of ProxyAnatomy in a page without a kernel: it computes what Python computes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from anatomies import some_anatomy
from pages import in_model
from playwright.sync_api import Page
from vptsp_widgets.anatomy import ProxyAnatomy
from vptsp_widgets.front import page_block

from vptsp.runs.run import Run

pytestmark = pytest.mark.browser
# where on the map another class than the given one has a sign
FIND_SIGN = """(not) => {
  const canvas = document.querySelector(".va-plot");
  const [area, tip] = [canvas.getBoundingClientRect(), canvas.nextElementSibling];
  for (let x = 10; x < area.width; x += 6) for (let y = 10; y < area.height; y += 6) {
    canvas.dispatchEvent(new MouseEvent("mousemove", { clientX: area.left + x, clientY: area.top + y }));
    const name = tip.querySelector("b")?.textContent;
    if (!tip.hidden && tip.textContent.includes("AP@R") && name !== not) return { x, y, name };
  }
  return null;
}"""
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def view(tiny_run: Run) -> ProxyAnatomy:
    return ProxyAnatomy.of_run(tiny_run)


def show(page: Page, view: ProxyAnatomy, live: bool = False) -> None:
    pages = [view._thumbnails.page_path(0)] if view._thumbnails else []
    block = page_block("anatomy", view.state_for_page(), pages, label="anatomy")
    if live:  # a kernel that only keeps what it is told
        block = block.replace("live: false,", "live: true,")
    page.set_content(f'<!doctype html><meta charset="utf-8"><body>{block}</body>')
    page.wait_for_selector(".va-tile")


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def tile(page: Page, key: str) -> str:
    return page.inner_text(f'.va-tile[data-key="{key}"] b')


def expect_scores(page: Page, view: ProxyAnatomy, alpha: float) -> None:
    page.wait_for_function(f"document.querySelector('.va-alpha').textContent === 'α = {alpha:.2f}'")
    expected = view.parts.score(alpha)
    shown = [tile(page, key) for key in ("accuracy", "recall", "map")]
    assert shown == [percent(value) for value in (expected.accuracy, expected.recall_at_1, expected.map_at_r)]


def test_the_slider_moves_by_keyboard_and_says_what_python_says(page: Page, view: ProxyAnatomy) -> None:
    show(page, view)
    expect_scores(page, view, 0.5)
    page.focus(".va-slider")
    for key, alpha in (("Home", 0.0), ("ArrowRight", 0.01), ("PageUp", 0.11), ("End", 1.0), ("ArrowLeft", 0.99)):
        page.keyboard.press(key)
        expect_scores(page, view, alpha)
    page.click("text=as trained")
    expect_scores(page, view, 0.5)


def test_ties_and_classes_without_images_are_as_in_python(page: Page) -> None:
    whole = some_anatomy(classes=7, images=24)
    doubled = np.concatenate([np.arange(24), np.arange(24)])  # every image twice: ties everywhere
    kept = whole.labels[doubled] != 5
    tied = replace(
        whole,
        embeddings=whole.embeddings[doubled][kept],
        labels=whole.labels[doubled][kept],
        ids=tuple(f"image {row}" for row in range(int(kept.sum()))),
    )
    view = ProxyAnatomy(tied)
    show(page, view)
    for alpha in (0.5, 0.0, 0.37, 1.0):
        in_model(page, f"model.set('alpha', {alpha})")
        expect_scores(page, view, alpha)


def test_the_table_tells_gains_and_chooses_a_class(page: Page, view: ProxyAnatomy) -> None:
    show(page, view)
    rows = page.locator(".va-table tbody tr")
    table = view.parts.classes(0.5)
    assert rows.count() == len(table)
    shown = {row.locator("td").first.inner_text(): row.locator(".va-value").inner_text() for row in rows.all()}
    for name, gain in table["gain"].items():
        assert float(shown[str(name)].replace("−", "-")) == pytest.approx(100 * gain, abs=0.051)
    rows.nth(3).click()
    name = rows.nth(3).locator("td").first.inner_text()
    assert page.locator('.va-table [aria-selected="true"] td').first.inner_text() == name
    page.wait_for_function(f"document.querySelector('.va-card h4 bdi').textContent === '{name}'")
    page.keyboard.press("ArrowDown")
    assert in_model(page, "return model.get('_class')") == view.parts.row_of(
        rows.nth(4).locator("td").first.inner_text()
    )
    page.keyboard.press("Home")
    assert rows.first.get_attribute("aria-selected") == "true"
    page.click(".va-table th >> text=class")
    assert rows.first.locator("td").first.inner_text() == min(view.parts.class_names)


def test_strips_show_the_images_nearest_to_each_part(page: Page, view: ProxyAnatomy) -> None:
    show(page, view)
    page.wait_for_selector(".va-strip")
    label = view.parts.row_of(view.focus_class)
    for place, alpha in enumerate((1.0, 0.0, 0.5)):
        cosines = view.parts.fused(alpha)[label] @ view.parts.embeddings.T
        best = cosines.max()
        first = page.locator(".va-strip").nth(place).locator(".va-thumb").first.get_attribute("aria-label")
        assert first is not None
        assert float(first.split("cosine ")[1].replace("−", "-")) == pytest.approx(best, abs=6e-4)
    page.wait_for_function("!document.querySelector('.va-strip canvas.vptsp-waiting')")


def test_curves_set_alpha_and_the_map_chooses_a_class(page: Page, view: ProxyAnatomy) -> None:
    show(page, view, live=True)
    canvas = page.locator(".va-drag")
    box = canvas.bounding_box()
    assert box is not None
    left, right = box["x"] + 44, box["x"] + box["width"] - 96  # the axes
    page.mouse.move(left + 0.25 * (right - left), box["y"] + 150)
    page.mouse.down()
    expect_scores(page, view, 0.25)
    page.mouse.move(left + 2 * (right - left), box["y"] + 150)
    page.mouse.up()
    expect_scores(page, view, 1.0)
    before = in_model(page, "return model.get('_class')")
    found = page.evaluate(FIND_SIGN, view.parts.class_names[before])
    assert found is not None
    page.locator(".va-stage").first.scroll_into_view_if_needed()
    page.locator(".va-plot").first.click(position={"x": found["x"], "y": found["y"]})
    chosen = in_model(page, "return model.get('_class')")
    assert view.parts.class_names[chosen] == found["name"]
    selected = "return [...new Int32Array(model.get('_selected').buffer)]"
    assert in_model(page, selected) == np.flatnonzero(view.parts.labels == chosen).tolist()


@pytest.mark.parametrize("live", [True, False])
def test_a_thumbnail_focuses_its_image_where_there_is_a_kernel(page: Page, view: ProxyAnatomy, live: bool) -> None:
    show(page, view, live)
    page.locator(".va-thumb").first.focus()
    page.keyboard.press("Enter")
    focused = in_model(page, "return model.get('_focused')")
    assert (focused >= 0) == live  # in a page, other blocks may show other images


def test_without_semantic_proxies_there_is_nothing_to_slide(page: Page) -> None:
    view = ProxyAnatomy(replace(some_anatomy(), semantic=None, alpha=1.0))
    show(page, view)
    assert not page.locator(".va-slider").is_visible()
    assert page.locator(".va-drag").count() == 1
    assert not page.locator(".va-drag").is_visible()
    assert "no semantic proxies" in page.inner_text(".va-notes")
    assert tile(page, "accuracy") == percent(view.parts.score(1.0).accuracy)


def test_names_are_text_and_another_run_replaces_everything(page: Page) -> None:
    view = ProxyAnatomy(some_anatomy())
    show(page, view, live=True)
    names = [f"{EVIL}{label}" for label in range(6)]
    in_model(
        page, f"model.set('_class_names', {names}); model.set('_facts', {{...model.get('_facts'), name: '{EVIL}'}})"
    )
    assert page.inner_text(".va-title") == f"Proxies of {EVIL}"
    assert page.locator(".va img").count() == 0
    assert page.locator(".va-table td").first.inner_text().startswith("<img")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 700])
def test_nothing_is_wider_than_the_page(page: Page, view: ProxyAnatomy, theme: Any, width: int) -> None:
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    show(page, view)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".vptsp-dark").count() == (theme == "dark")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "keys"
    page.keyboard.press("?")
    assert page.locator(".vptsp-help").is_visible()
