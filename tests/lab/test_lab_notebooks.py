"""Searching with a file, and notebooks 02 and 03 live: opened as a person opens them, on a run, Run All."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from playwright.sync_api import Locator, expect
from views import make_views

from vptsp.notebooks import copy_notebooks
from vptsp.runs.run import Run

pytestmark = pytest.mark.browser

PANEL = "window.jupyterapp.shell.currentWidget"


def opened(lab: Any, open_notebook: Callable[..., Any], name: str, **parameters: str) -> tuple[Any, dict[str, int]]:
    """A copy of a bundled notebook with its parameters set; and the place of each cell by its id."""
    with tempfile.TemporaryDirectory() as folder:
        content = nbformat.read(*copy_notebooks([name], Path(folder)), 4)
    (cell,) = [cell for cell in content.cells if "parameters" in cell.metadata.get("tags", [])]
    cell.source = "\n".join([cell.source, *(f"{key} = {value!r}" for key, value in parameters.items())])
    nbformat.write(content, lab.root / f"{name}.ipynb")
    notebook = open_notebook(lab, f"{name}.ipynb")
    assert not notebook.page.evaluate(f"{PANEL}.context.model.dirty"), "who only opens it is not asked to save"
    return notebook, {cell.id: place for place, cell in enumerate(content.cells)}


def run_all(notebook: Any) -> None:
    """Run All from the menu of commands; fails with the traceback of a cell that does."""
    notebook.page.evaluate("window.ran = window.jupyterapp.commands.execute('notebook:run-all-cells')")
    notebook.wait()
    outputs = notebook.page.evaluate(
        f"""{PANEL}.content.widgets.filter((cell) => cell.model.type === "code")
            .flatMap((cell) => cell.model.outputs.toJSON())"""
    )
    assert [line for output in outputs for line in output.get("traceback", [])] == []


def brought(notebook: Any, cell: int, which: str = ".vptsp") -> Locator:
    """The view that a cell shows, scrolled to; of several, the one that ``which`` selects."""
    notebook.page.evaluate(f"(cell) => {PANEL}.content.scrollToItem(cell, 'start')", cell)
    view = notebook.output(cell).locator(which)
    view.scroll_into_view_if_needed()
    return view


def hover(notebook: Any, space: Locator) -> tuple[str, Locator]:
    """Puts the mouse on the image of the map that lies farthest from all others, in the middle; its id and the card.

    Zoomed in: in the whole map the images of a hardly trained run may lie within a few pixels, beneath proxies.
    """
    known = notebook.value("[list(space.ids), space.points.tolist(), [g.tolist() for g in space.glyphs.values()]]")
    points = np.array(known[1])
    everything = np.concatenate([points, *known[2]])
    distances = np.linalg.norm(points[:, None] - everything, axis=2)
    row = int(np.sort(distances, axis=1)[:, 1].argmax())  # the first is that to itself
    x, y = points[row].tolist()
    notebook.value(f"space.set_trait('view_state', space.view_state | {{'x': {x}, 'y': {y}, 'zoom': 20}})")
    space.page.wait_for_timeout(300)  # the picture moves there
    box = space.locator(".vptsp-space-over").bounding_box()
    assert box is not None
    notebook.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    return known[0][row], space.locator(".vptsp-space-card")


def image_of(notebook: Any, tile: Locator) -> str:
    """The id of the image that a tile of the gallery shows."""
    row = tile.get_attribute("data-row")
    name: str = notebook.value(f"gallery.ids[{row}]")
    return name


# Texts whose contrast to what lies behind them is below 4.5 (WCAG 2.1, 1.4.3), colours blended as the page does.
FAINT = """(root) => {
    const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const light = (colours) => {
        for (pen.fillStyle of ["white", ...colours]) pen.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
            .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
    };
    const behind = (e) => e ? [...behind(e.parentElement), getComputedStyle(e).backgroundColor] : [];
    return [...root.querySelectorAll("*")]
        .filter((e) => e.checkVisibility() && !e.disabled && e.closest("select") === (e.matches("select") ? e : null))
        .filter((e) => e.matches("select") || [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
        .filter((e) => {
            const [paper, ink] = [light(behind(e)), light([...behind(e), getComputedStyle(e).color])];
            return Math.max(paper, ink) / Math.min(paper, ink) < 4.5;
        })
        .map((e) => `${e.tagName} ${e.className} ${e.textContent}`);
}"""


def in_both_themes(notebook: Any, folder: Path, **views: int) -> None:
    """Follows the theme, can be read in it, and is photographed into ``folder``."""
    for theme in ("Dark", "Light"):
        notebook.theme(theme)
        for name, cell in views.items():
            view = brought(notebook, cell)
            assert view.evaluate("(root) => root.classList.contains('vptsp-dark')") == (theme == "Dark"), name
            assert view.evaluate(FAINT) == [], (name, theme)
            view.screenshot(path=folder / f"{name}-{theme}.png")


@pytest.mark.notebooks
def test_explore_embeddings(lab: Any, open_notebook: Callable[..., Any], tiny_run: Run, tmp_path: Path) -> None:
    notebook, cells = opened(lab, open_notebook, "02_explore_embeddings", run=str(tiny_run.path), projection="pca")
    run_all(notebook)
    gallery, why, space = (brought(notebook, cells["bench"], f".{name}") for name in ("vg", "vptsp-why", "vptsp-space"))
    expect(space).to_contain_text("20 images")
    expect(why.locator(".vptsp-why-cell").first).to_be_visible()  # in its place, once the model is loaded
    expect(why.locator(".vptsp-why-pending")).to_have_count(0)
    before = notebook.value("[space.focus, gallery.focus, bench.why.query]")
    assert len(set(before)) == 1  # three views, joined by link
    name, card = hover(notebook, space)
    expect(card).to_be_visible()
    expect(card).to_contain_text(name)
    expect(card.get_by_role("img")).not_to_have_class("vptsp-waiting")
    assert name != before[0]
    assert notebook.value("space.focus") == before[0]  # looking chooses nothing

    notebook.page.mouse.down()
    notebook.page.mouse.up()
    notebook.until("[space.focus, gallery.focus, bench.why.query, *space.selection]", [name] * 4)
    panel = gallery.locator(".vg-panel")
    expect(panel).to_contain_text(name)
    # the map and what the gallery answered are seen at once
    notebook.output(cells["bench"]).last.evaluate("(output) => output.scrollIntoView({ block: 'start' })")
    for part in (space.locator(".vptsp-space-stage"), panel, gallery.locator("button.vg-tile").first):
        expect(part).to_be_in_viewport(ratio=1)
    expect(gallery.locator("button.vg-tile")).to_have_count(12)
    expect(why.locator(".vptsp-why-file").first).to_have_text(name)
    for theme in ("Dark", "Light"):
        notebook.theme(theme)
        for view in (space, gallery, why):
            assert view.evaluate("(root) => root.classList.contains('vptsp-dark')") == (theme == "Dark")
            assert view.evaluate(FAINT) == [], theme
            view.screenshot(path=tmp_path / f"{view.get_attribute('class')}-{theme}.png")


@pytest.mark.notebooks
def test_retrieval_gallery(lab: Any, open_notebook: Callable[..., Any], tiny_run: Run, tmp_path: Path) -> None:
    notebook, cells = opened(lab, open_notebook, "03_retrieval_gallery", run=str(tiny_run.path))
    run_all(notebook)
    gallery = brought(notebook, cells["gallery"])
    tiles = gallery.locator("button.vg-tile")
    expect(tiles).to_have_count(19)
    expect(gallery.locator(".vg-title")).to_have_text("Nearest gallery images")
    asked = notebook.value("gallery.focus")
    expect(gallery.locator(".vg-panel")).to_contain_text(asked)

    chosen = image_of(notebook, tiles.nth(2))
    tiles.nth(2).click()
    expect(gallery.locator(".vg-panel")).to_contain_text(chosen)
    notebook.until("[gallery.focus, why.query]", [chosen, chosen])
    table = notebook.run(cells["results"])
    expect(table.locator("tbody tr")).to_have_count(10)
    gallery = brought(notebook, cells["gallery"])
    expect(table.locator("tbody tr").first).to_contain_text(image_of(notebook, tiles.first))

    similarities = brought(notebook, cells["similarities"])
    before = notebook.value("similarities.threshold")
    similarities.get_by_role("slider").focus()
    for _ in range(4):
        notebook.page.keyboard.press("Shift+ArrowLeft")
    notebook.until("round(similarities.threshold, 4)", round(before - 0.002, 4))
    similarities.locator("select").select_option("nearest")
    notebook.until("similarities._near.get('edge')", round((before - 0.002 + 1) * 2000))
    expect(similarities.locator(".vv-mistakes")).to_have_attribute("aria-busy", "false")
    chosen = image_of(notebook, similarities.locator(".vv-thumb").last)
    similarities.locator(".vv-thumb").last.click()
    notebook.until("[gallery.focus, len(gallery.selection)]", [chosen, 2])
    in_both_themes(notebook, tmp_path, gallery=cells["gallery"], similarities=cells["similarities"], why=cells["why"])


def test_search_with_a_file_and_for_a_class(
    lab: Any, open_notebook: Callable[..., Any], tiny_run: Run, image_folder: Path
) -> None:
    notebook = open_notebook(lab, lab.write("files.ipynb", [make_views(tiny_run), "gallery"]))
    notebook.run(0)
    gallery = notebook.run(1).locator(".vptsp")
    tiles = gallery.locator("button.vg-tile")
    known = notebook.value("gallery.ids[7]")
    (file,) = [path for path in image_folder.rglob("*.png") if path.as_posix().endswith(f"/{known}")]
    gallery.locator("input[type=file]").set_input_files(
        {"name": "<b>mine</b>.png", "mimeType": "image/png", "buffer": file.read_bytes()}
    )
    panel = gallery.locator(".vg-panel")
    expect(panel.locator("h3")).to_have_text("<b>mine</b>.png")
    expect(panel.get_by_role("img")).to_be_visible()
    expect(tiles).to_have_count(20)
    expect(tiles.first).to_have_attribute("data-row", "7")  # the same picture is its own nearest
    results = notebook.value("[gallery.results.id[0], gallery.focus, bool(gallery.results.right.isna().all())]")
    assert results == [known, "", True]  # right or wrong: nobody knows the class of a file

    gallery.locator("input[type=file]").set_input_files(
        {"name": "broken.png", "mimeType": "image/png", "buffer": b"not an image"}
    )
    expect(gallery.get_by_role("status")).to_contain_text("broken.png is not an image that can be read")

    gallery.get_by_role("combobox", name="find a class or an image").click()
    notebook.page.keyboard.type("class_12")
    notebook.page.keyboard.press("Enter")
    expect(panel.locator("h3")).to_have_text("class_12")
    expect(gallery.locator(".vg-place")).to_have_text("1 of 5")
    expect(tiles).to_have_count(19)
    notebook.until("gallery.saved.class_names[gallery.saved.labels[gallery._row[gallery.focus]]]", "class_12")
    notebook.page.keyboard.press("Tab")  # out of the text box, where letters are text
    notebook.page.keyboard.press("n")
    expect(gallery.locator(".vg-place")).to_have_text("2 of 5")
