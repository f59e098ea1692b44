"""The front end of WhyNeighbour in a page without a kernel, and with a stub in its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pages import in_model
from playwright.sync_api import Page
from vptsp_widgets.front import page_block
from vptsp_widgets.why import WhyNeighbour

from vptsp.runs.run import Run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def view(tiny_run: Run) -> WhyNeighbour:
    return WhyNeighbour.of_run(tiny_run)


def show(page: Page, view: WhyNeighbour, live: bool = False) -> None:
    block = page_block("why", view.state_for_page(), label="why")
    if live:  # a kernel that only writes down what it is told
        block = block.replace("live: false,", "live: true,").replace(
            "extra?.(message", "(window.told ??= []).push(message), extra?.(message"
        )
        block = block.replace("  return model;", "  model.fire = fire;\n  return model;")
    page.set_content(f'<!doctype html><meta charset="utf-8"><body>{block}</body>')
    page.wait_for_selector(".vptsp-why")


def readout(page: Page) -> str:
    return page.inner_text(".vptsp-why-readout")


def test_the_grid_tells_every_effect_and_a_cell_shows_its_block(page: Page, view: WhyNeighbour) -> None:
    show(page, view)
    cells = page.locator(".vptsp-why-cell")
    assert cells.count() == view.effects.size
    strongest = float(abs(view.effects).max())
    for place, value in enumerate(view.effects.flat):
        label = cells.nth(place).get_attribute("aria-label")
        assert label is not None
        said = float(label.split(": ")[1].replace("−", "-"))
        assert said == pytest.approx(float(value), abs=strongest / 50)
    cells.nth(1).hover()
    assert readout(page).startswith("block 1, prompt 2: ")
    cells.nth(1).click()
    assert in_model(page, "return model.get('block')") == 0
    assert page.inner_text(".vptsp-why-bar.vptsp-why-marked i >> nth=0") == "2"
    assert "block 1" in page.inner_text(".vptsp-why-legend")


def test_a_small_effect_is_no_strong_colour(page: Page, view: WhyNeighbour) -> None:
    show(page, view)
    shares = {0.0026: "13%", 0.021: "100%", 0.2: "10%"}  # of 0.02, or of the largest effect where that is larger
    for value, share in shares.items():
        others = view.effects.size - 1
        effects = [0.02 if value == 0.2 else value, *[-0.2 if value == 0.2 else 0.0] * others]
        in_model(page, f"model.set('_effects', new DataView(new Float32Array({effects}).buffer))")
        colour = page.locator(".vptsp-why-cell").first.evaluate("(cell) => cell.style.background")
        assert f"{share}, " in colour or f"{share} " in colour, colour
        small = "no single prompt decides" in page.inner_text(".vptsp-why-effects")
        assert small is (value < 0.02)


def test_attention_changes_with_head_and_block(page: Page, view: WhyNeighbour) -> None:
    show(page, view)
    pictures = "return [...document.querySelectorAll('.vptsp-why-picture')].map((c) => c.toDataURL()).join()"
    page.wait_for_timeout(100)
    before = in_model(page, pictures)
    page.select_option(".vptsp-bar select", index=2)  # the second head, after the mean
    assert in_model(page, "return model.get('head')") == 1
    assert in_model(page, pictures) != before
    found = view.attention
    share = page.inner_text(".vptsp-why-split >> nth=0")
    block = in_model(page, "return model.get('block')")
    assert f"patches {100 * found.patches[0, block, 1].sum():.0f} %" in share
    first = page.locator(".vptsp-why-bar").first.get_attribute("aria-label")
    assert first is not None
    assert float(first.split()[2]) == pytest.approx(100 * float(found.prompts[0, block, 1, 0]), abs=0.6)


def test_everything_is_reached_by_keyboard(page: Page, view: WhyNeighbour) -> None:
    show(page, view)
    page.locator(".vptsp-why-picture").first.focus()
    page.keyboard.press("ArrowRight")
    assert readout(page).startswith("query, patch in row 1, column 1: ")
    page.keyboard.press("ArrowRight")
    assert "column 2" in readout(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")  # from the query over the neighbour into the grid
    assert readout(page).startswith("block 1, prompt 1: ")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert readout(page).startswith("block 2, prompt 2: ")
    page.keyboard.press("Enter")
    assert in_model(page, "return model.get('block')") == 1
    page.keyboard.press("Escape")
    assert page.locator(".vptsp-why-marked").count() == 0
    page.keyboard.press("?")
    assert page.locator(".vptsp-help").is_visible()


def test_without_a_kernel_nothing_is_offered_that_needs_one(page: Page, view: WhyNeighbour) -> None:
    show(page, view)
    assert page.locator("select").count() == 1  # the head
    assert page.locator("button:has-text('swap')").count() == 0


def test_a_wish_is_under_way_at_once_and_old_answers_are_dropped(page: Page, view: WhyNeighbour) -> None:
    show(page, view, live=True)
    page.click("button:has-text('swap')")
    assert page.inner_text(".vptsp-status") == "waiting for the kernel …"
    wanted = in_model(page, "return model.get('_wanted')")
    assert (wanted["query"], wanted["neighbour"]) == (view._pair["neighbour"], view._pair["query"]["row"])
    page.click("button:has-text('random mistake')")
    answer = "model.set('_pair', {...model.get('_pair'), number: %d, similarity: 0.125})"
    shown = page.inner_text(".vptsp-why-similarity")
    in_model(page, answer % wanted["number"])
    assert page.inner_text(".vptsp-why-similarity") == shown
    assert page.get_attribute(".vptsp-why", "aria-busy") == "true"
    in_model(page, answer % (wanted["number"] + 1))
    assert "0.125" in page.inner_text(".vptsp-why-similarity")
    assert page.inner_text(".vptsp-status") == ""


def test_a_wish_that_fails_is_no_longer_waited_for(page: Page, view: WhyNeighbour) -> None:
    show(page, view, live=True)
    page.click("button:has-text('swap')")
    number = in_model(page, "return model.get('_wanted').number")
    for late, busy in ((number - 1, "true"), (number, None)):
        in_model(page, f"model.fire('msg:custom', {{kind: 'failed', number: {late}, text: 'out of memory'}})")
        assert page.get_attribute(".vptsp-why", "aria-busy") == busy
    assert page.inner_text(".vptsp-status") == "out of memory"


def test_effects_are_asked_for_once_and_fill_in_block_by_block(page: Page, view: WhyNeighbour) -> None:
    show(page, view, live=True)
    assert in_model(page, "return (window.told ?? []).length") == 0  # they are there
    in_model(page, "model.set('_effects', null); model.set('_pair', {...model.get('_pair'), stamp: 99})")
    assert in_model(page, "return window.told") == [{"kind": "effects"}]
    assert page.locator(".vptsp-why-pending").count() == view.effects.size
    in_model(page, "model.set('_effects', new DataView(new Float32Array([0.5, -0.25, 0]).buffer))")
    assert page.locator(".vptsp-why-pending").count() == view.effects.size - 3
    assert page.locator(".vptsp-why-cell").nth(1).get_attribute("aria-label") == "block 1, prompt 2: −0.250"
    assert in_model(page, "return window.told.length") == 1


def test_names_are_text(page: Page, view: WhyNeighbour) -> None:
    show(page, view, live=True)
    name = "<img src=x onerror=alert(1)>"
    script = "const pair = structuredClone(model.get('_pair')); pair.query.class = pair.query.id = NAME;"
    script += "pair.candidates.forEach((one) => (one.class = NAME)); model.set('_pair', pair)"
    in_model(page, script.replace("NAME", json.dumps(name)))
    assert page.inner_text(".vptsp-why-name >> nth=0") == name
    assert page.locator(".vptsp-why img").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 700])
def test_nothing_is_wider_than_the_page(page: Page, view: WhyNeighbour, theme: Any, width: int) -> None:
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    show(page, view)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".vptsp-dark").count() == (theme == "dark")
