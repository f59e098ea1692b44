"""Lines of density in the page: what they enclose, the key and the list, what they are of, and why there are none."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pages import low_contrast
from playwright.sync_api import Page, expect
from vptsp_widgets.front import linker, page_block
from vptsp_widgets.space import SpaceExplorer

from tests.analysis.test_density import heaps
from tests.widgets.space.test_solid import cube_of
from tests.widgets.space.test_space import saved_images
from tests.widgets.space.test_space_page import Map
from tests.widgets.space.test_truth_page import Live, inked
from vptsp.analysis.density import SHARES, density, finest_width

pytestmark = pytest.mark.browser
FILES = resources.files("vptsp_widgets")
COUNT = 240


def heaped(folder: Path, **options: object) -> SpaceExplorer:
    """240 images in a few heaps; the last 8 are the fourth class."""
    labels = [3 if row >= COUNT - 8 else row % 3 for row in range(COUNT)]
    saved = saved_images(folder, labels, ["rose", "lily", "iris", "moss"])
    table = pd.DataFrame({"size": np.arange(float(COUNT))})
    return SpaceExplorer(saved, heaps(COUNT, seed=5), columns=table, **options)  # type: ignore[arg-type]


def in_modules(page: Page, entry: str, script: str, *given: object) -> object:
    """What a script returns that has the functions of the modules that ``entry`` needs."""
    text = linker.link([entry], lambda path: (FILES / path).read_text(encoding="utf-8"))
    return page.evaluate(f"(given) => {{ {text}\n{script} }}", list(given))


@pytest.mark.parametrize(("count", "number"), [(12, 1), (300, 3), (5000, 12)])
def test_the_page_computes_what_python_does(page: Page, count: int, number: int) -> None:
    points = heaps(count, seed=count, heaps=number).astype("f4")
    expected = density(points)
    script = (
        "const xy = Float32Array.from(given[0]), { density, finestWidth } = space__density;"
        "const { values, ...made } = density(xy, given[1], finestWidth(xy)); return { ...made, values: [...values] };"
    )
    found = in_modules(page, "space/front/density.js", script, points.ravel().tolist(), list(SHARES))
    assert isinstance(found, dict)
    assert found["width"] == pytest.approx(expected.width, rel=1e-6)
    assert np.allclose(found["levels"], expected.levels, rtol=1e-6)
    assert np.allclose(np.reshape(found["values"], (-1, found["across"])), expected.values, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_its_lines_enclose_the_share_that_is_said(page: Page, seed: int) -> None:
    points = heaps(700, seed=seed, heaps=1 + 3 * seed)
    script = (
        "const made = space__density.density(given[0], given[1], space__density.finestWidth(given[0]));"
        "return made.levels.map((level) => { const path = new Path2D();"
        "for (const loop of space__contour_lines.linesOf(made, level)) {"
        "  loop.forEach((x, at) => { if (at % 2) return;"
        "    const place = [1000 * x, 1000 * loop[at + 1]]; at ? path.lineTo(...place) : path.moveTo(...place); });"
        "  path.closePath(); }"
        "const pen = document.createElement('canvas').getContext('2d'); let inside = 0;"
        "for (let at = 0; at < given[0].length; at += 2)"
        "  inside += pen.isPointInPath(path, 1000 * given[0][at], 1000 * given[0][at + 1], 'evenodd');"
        "return 2 * inside / given[0].length; });"
    )
    entry = "space/front/contours.js"
    found = in_modules(page, entry, script, points.ravel().tolist(), list(SHARES))
    assert np.allclose(found, SHARES, atol=0.01)  # type: ignore[arg-type]


def test_key_list_undo_and_python(page: Page, tmp_path: Path) -> None:
    space = heaped(tmp_path)
    view = Live(page, space)
    status, chosen = page.get_by_role("status"), page.get_by_label("Density", exact=True)
    plain = inked(view)
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("d")
    view.settle()
    assert space.view_state["density"] == "shown"
    expect(status).to_have_text("density of 240 images shown: lines enclose 25, 50, 75 and 90 %")
    assert inked(view) > plain + 2000
    assert "of 240 images shown" in view.text("density")
    page.keyboard.press("d")
    view.settle()
    assert space.view_state["density"] == "categories"
    expect(status).to_have_text("density of 3 categories: lines enclose 50 and 90 %")
    assert "1 with fewer than 10 images have no lines" in view.text("density")
    page.keyboard.press("d")
    view.settle()
    expect(status).to_have_text("0 images are selected; a density takes 10 or more.")
    space.selection = [f"image {row}" for row in range(100)]
    view.settle()
    assert "of 100 selected" in view.text("density")
    assert "of 140 others" in view.text("density")
    chosen.select_option("")
    view.settle()
    assert space.view_state["density"] == ""
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("Control+z")
    view.settle()
    assert space.view_state["density"] == "selection"
    assert chosen.input_value() == "selection"
    space.view_state = {**space.view_state, "density": "shown"}
    view.settle()
    assert chosen.input_value() == "shown"


def test_filter_solo_and_class_found_change_what_it_is_of(page: Page, tmp_path: Path) -> None:
    space = heaped(tmp_path, density="shown")
    view = Live(page, space)
    for changes, said in (
        ({"solo": ["rose"]}, "of 78 images shown"),
        ({"find": "lily"}, "of 77 images shown"),
        ({"filter": [{"column": "size", "high": 49.0}]}, "of 50 images shown"),
        ({"solo": ["moss"]}, "8 images are shown; a density takes 10 or more."),
        ({"colour": "size", "density": "categories"}, "is a number and has no categories; colour by what has some."),
    ):
        space.view_state = {"density": "shown", **changes}
        view.settle()
        assert said in view.text("density")
    by_python = density(space.points[:50], finest=finest_width(space.points))
    space.view_state = {"density": "shown", "filter": [{"column": "size", "high": 49.0}]}
    view.settle()
    title = page.locator(".vptsp-space-density > div").get_attribute("title")
    assert title == f"images shown: 50 images, smoothed over {by_python.width:.4g} units of the map"


def test_a_map_in_space_says_why_not(page: Page, tmp_path: Path) -> None:
    view = Live(page, cube_of(tmp_path))
    before = inked(view)
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("d")
    view.settle()
    sentence = "Density is drawn on maps in two dimensions; of this one each turn shows another side."
    expect(page.get_by_role("status")).to_have_text(sentence)
    assert sentence in view.text("density")
    expect(page.get_by_label("Density", exact=True)).to_be_disabled()
    assert (view.space.view_state["density"], inked(view)) == ("", before)


def test_kept_views_and_saved_pages_have_it(page: Page, tmp_path: Path) -> None:
    space = heaped(tmp_path, density="shown")
    space.keep_view("heaps")
    space.view_state = {}
    view = Map(page, space)
    without = inked(view)
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("k")
    page.get_by_role("button", name=re.compile("Open heaps")).click()
    view.settle()
    assert view.get("view_state")["density"] == "shown"
    assert inked(view) > without + 2000
    page.set_content(page_block("space", heaped(tmp_path, density="categories").state_for_page()))
    expect(page.get_by_label("Density", exact=True)).to_have_value("categories")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["shown", "categories", "selection"])
def test_what_is_said_is_readable(page: Page, tmp_path: Path, theme: str, kind: str) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    space = heaped(tmp_path, density=kind)
    space.selection = [f"image {row}" for row in range(100)]
    Map(page, space, theme)
    assert low_contrast(page, ".vptsp-space") == []
    assert page.locator(".vptsp-space-density").evaluate("(e) => e.scrollWidth <= e.clientWidth")
