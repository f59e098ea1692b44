"""The front end of SimilarityHistogram in a page: its numbers are Python's, and its threshold follows the hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import EVIL, Shown, in_model, low_contrast, require_clean_end
from playwright.sync_api import Locator, Page, expect
from vptsp_widgets.front import linker
from vptsp_widgets.front.linker import variable
from vptsp_widgets.verification import SimilarityHistogram
from vptsp_widgets.verification.words import percent, said

from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run

pytestmark = pytest.mark.browser

FRONT = Path(__file__).parents[3] / "widgets" / "vptsp_widgets"
LABELS = np.repeat(np.arange(10), 8)
CENTRES = np.random.default_rng(1).standard_normal((10, 8))
VECTORS = CENTRES[LABELS] + 0.7 * np.random.default_rng(0).standard_normal((80, 8))


@pytest.fixture
def view() -> SimilarityHistogram:
    return SimilarityHistogram.of_arrays(VECTORS, [f"class {label}" for label in LABELS])


def opened(page: Page, view: SimilarityHistogram, folder: Path) -> Locator:
    """The view as it is saved, and its line."""
    page.goto(view.save_html(folder / "page.html").as_uri())
    page.wait_for_selector(".vv-outline")
    return page.get_by_role("slider", name="threshold")


def edge(page: Page) -> int:
    return round((in_model(page, "return model.get('threshold')") + 1) * 2000)


def modules(*paths: str) -> str:
    return linker.link(paths, lambda path: (FRONT / path).read_text(encoding="utf-8"))


def test_every_number_is_that_of_python(page: Page, view: SimilarityHistogram) -> None:
    found, paths = view.verification, ("verification/front/measured.js", "verification/front/words.js")
    edges = [*range(0, found.bins + 1, 7), found.bins]
    script = f"""([genuine, impostors, edges]) => {{ {modules(*paths)}
        const found = new {variable(paths[0])}.Measured(Float64Array.from(genuine), Float64Array.from(impostors));
        return edges.map((edge) => {{
          const at = found.at(edge);
          return [at.threshold, at.tar, at.far, at.frr, at.precision, at.accuracy, found.edge(at.threshold),
                  {variable(paths[1])}.said(at)];
        }}); }}"""
    there = page.evaluate(script, [found.genuine.tolist(), found.impostors.tolist(), edges])
    for place, numbers in zip(edges, there, strict=True):
        at = found.at_edge(place)
        assert numbers[4] == (None if at.precision is None else pytest.approx(at.precision, rel=1e-12))
        expected = [at.threshold, at.true_accept_rate, at.false_accept_rate, at.false_reject_rate]
        assert [*numbers[:4], numbers[5], numbers[6]] == pytest.approx([*expected, at.accuracy, place], rel=1e-12)
        assert numbers[7] == said(at.true_accept_rate, at.false_accept_rate)


def test_the_line_is_moved_by_keys_the_mouse_and_buttons(page: Page, view: SimilarityHistogram, tmp_path: Path) -> None:
    line = opened(page, view, tmp_path)
    first = view.verification.edge(view.threshold)
    line.focus()
    for key, moved in [("ArrowRight", 10), ("Shift+ArrowLeft", 9), ("PageUp", 109), ("ArrowDown", 99)]:
        page.keyboard.press(key)
        assert edge(page) == first + moved
    at = view.verification.at_edge(first + 99)
    assert line.get_attribute("aria-valuetext") == f"{at.threshold:.3f}: " + said(
        at.true_accept_rate, at.false_accept_rate
    )
    expect(page.locator(".vv-sentence")).to_have_text(
        f"At {at.threshold:.3f}, the threshold {said(at.true_accept_rate, at.false_accept_rate)}."
    )
    page.keyboard.press("Home")
    low = edge(page)
    assert view.verification.at_edge(low).true_accept_rate == 1
    assert float(line.get_attribute("aria-valuemin") or "nan") == pytest.approx(low / 2000 - 1)

    box = page.locator(".vv-plot").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
    page.mouse.down()
    there = edge(page)
    assert there > low
    page.mouse.move(box["x"] + box["width"] / 2 + 80, box["y"] + 300)  # outside, still held
    assert edge(page) > there
    page.mouse.up()
    here = edge(page)
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    assert edge(page) == here

    page.get_by_role("button", name="1 % false accepts").click()
    strict = view.verification.at_false_accept_rate(0.01)
    assert strict is not None
    assert edge(page) == view.verification.edge(strict.threshold)
    page.get_by_role("button", name="equal error").click()
    assert edge(page) == first
    expect(page.locator(".vv-equal-text")).to_have_text(
        f"equal error {percent(view.verification.equal_error.rate)} at {view.verification.equal_error.threshold:.3f}"
    )


def test_mistakes_are_those_of_the_threshold_without_a_kernel(
    page: Page, view: SimilarityHistogram, tmp_path: Path
) -> None:
    view.order = "nearest"  # a page cannot look for others than those it has
    opened(page, view, tmp_path)
    view.order = "worst"
    expect(page.locator("select")).to_be_hidden()
    for threshold in (0.3, 0.7):
        view.threshold = threshold
        in_model(page, f"model.set('threshold', {view.threshold})")
        rows = page.locator(".vv-thumb").evaluate_all("(all) => all.map((each) => Number(each.dataset.row))")
        expected = [
            [view.ids.index(line["first"]), view.ids.index(line["second"])] for _, line in view.mistakes.iterrows()
        ]
        assert rows == [row for pair in expected for row in pair]
    texts = page.locator(".vv-side h4").all_inner_texts()
    at = view.at
    assert texts == [
        f"Other classes, accepted: {at.accepted_impostors:,} pairs",
        f"Same class, rejected: {at.genuine - at.accepted_genuine:,} pairs",
    ]


def test_python_hears_of_the_threshold_when_it_rests_and_finds_the_nearest_pairs(
    page: Page, view: SimilarityHistogram
) -> None:
    shown = Shown(page, "verification", view)
    heard: list[float] = []
    view.observe(lambda change: heard.append(change["new"]), "threshold")
    page.select_option("select", "nearest")
    shown.bring()
    expect(page.locator(".vv-mistakes")).to_have_attribute("aria-busy", "false")
    page.get_by_role("slider").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".vv-mistakes")).to_have_attribute("aria-busy", "true")
    page.wait_for_timeout(350)
    assert len(heard) == 1  # and not of every step
    assert view._near["edge"] == view.verification.edge(view.threshold) == edge(page)
    shown.bring()
    expect(page.locator(".vv-mistakes")).to_have_attribute("aria-busy", "false")
    cosines = [float(text) for text in page.locator(".vv-pair small").all_inner_texts()]
    assert cosines == pytest.approx(view.mistakes["cosine"].tolist(), abs=5e-4)

    one, other = (view.ids.index(view.mistakes.iloc[0][name]) for name in ("first", "second"))
    page.locator(".vv-thumb").nth(1).click()
    assert view.focus == view.ids[other]
    assert set(view.selection) == {view.ids[one], view.ids[other]}
    expect(page.locator('.vv-thumb[aria-current="true"]')).to_have_attribute("data-row", str(other))
    page.get_by_label("counts in powers of ten").check()
    assert view.log
    view.threshold = 0.25
    shown.bring()
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "0.2500")


def test_of_too_few_pairs_there_is_no_button_for_a_small_share(page: Page, tmp_path: Path) -> None:
    few = SimilarityHistogram.of_arrays(VECTORS[:16:2], [f"class {label}" for label in LABELS[:16:2]])
    opened(page, few, tmp_path)
    expect(page.get_by_role("button", name="1 % false accepts")).to_be_disabled()
    expect(page.get_by_text("too few pairs").first).to_be_visible()


def test_training_images_do_not_move_a_page_of_test_images(page: Page, tiny_run: Run, tmp_path: Path) -> None:
    opened(page, SimilarityHistogram.of_run(tiny_run, "train"), tmp_path)
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    page.locator(".vv-thumb").first.click()
    assert in_model(page, "return [model.get('_focused'), model.get('_selected').byteLength]") == [-1, 0]
    page.wait_for_function("!document.querySelector('canvas.vptsp-waiting')")


def test_presented_it_goes_from_threshold_to_threshold(page: Page, view: SimilarityHistogram, tmp_path: Path) -> None:
    opened(page, view, tmp_path)
    page.click("button[aria-label=present]")
    expect(page.locator(".vptsp-presenter-step")).to_have_text("1 of 3: equal error")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".vptsp-presenter-step")).to_have_text("2 of 3: 1 % false accepts")
    expect(page.locator(".vv-numbers")).to_be_hidden()
    box = page.locator(".vv-figure").bounding_box()
    assert box
    assert box["height"] > 400
    page.keyboard.press("Escape")


def test_names_are_text(page: Page, view: SimilarityHistogram) -> None:
    Shown(page, "verification", view)
    script = "model.set('_class_names', model.get('_class_names').map(() => NAME));"
    script += "model.set('_about', {...model.get('_about'), name: NAME})"
    in_model(page, script.replace("NAME", json.dumps(EVIL)))
    assert page.inner_text(".vv-title") == f"Similarities of pairs of {EVIL}"
    assert page.locator(".vv img").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 420])
def test_nothing_is_wider_than_the_page_or_too_faint(
    page: Page, view: SimilarityHistogram, theme: Any, width: int, tmp_path: Path
) -> None:
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, view, tmp_path)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".vptsp-dark").count() == (theme == "dark")
    assert [text for text in low_contrast(page, ".vv") if not text.startswith("text 0.")] == []  # on its own ground
    page.get_by_role("slider").focus()
    page.keyboard.press("?")
    assert page.locator(".vptsp-help").is_visible()


def test_it_ends_without_a_trace(page: Page, view: SimilarityHistogram) -> None:
    require_clean_end(page, "verification", view)


def test_embeddings_with_queries_and_a_gallery_are_paired_across(tmp_path: Path) -> None:
    saved = SavedEmbeddings.of_arrays(VECTORS, [f"class {label}" for label in LABELS])
    saved.is_query = np.arange(80) % 8 == 0
    saved.is_gallery = ~saved.is_query
    at = SimilarityHistogram(saved).at
    assert (at.genuine, at.impostors) == (10 * 7, 10 * 63)
