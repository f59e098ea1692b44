"""The views of one run, linked, in one notebook: what a person sees and what Python receives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator
from views import make_views

from vptsp.runs.run import Run

pytestmark = pytest.mark.browser


def test_linked_views(lab: Any, open_notebook: Callable[..., Any], tiny_run: Run, tmp_path: Path) -> None:
    cells = [make_views(tiny_run) + "undo = link(space, gallery, why)", "space", "gallery", "why"]
    notebook = open_notebook(lab, lab.write("views.ipynb", cells))
    notebook.run(0)
    space, gallery, why = (notebook.run(cell).locator(".vptsp") for cell in (1, 2, 3))
    why.wait_for()
    ids = notebook.value("list(space.ids)")

    # a lasso around the whole map selects every image of every view
    lasso(space.locator(".vptsp-space-over"))
    notebook.until("[space.selection, gallery.selection, why.selection]", [ids, ids, ids])

    # from Python to the eye
    notebook.execute(f"gallery.focus = {ids[3]!r}")
    why.locator(".vptsp-why-file").first.filter(has_text=ids[3]).wait_for()
    assert notebook.value("[space.focus, why.query]") == [ids[3], ids[3]]
    space.locator(".vptsp-space-looked", has_text=ids[3]).wait_for()
    gallery.locator(".vg-facts", has_text=ids[3]).wait_for()

    # from the hand to Python, across views
    before = notebook.value("[why.query, why.neighbour]")
    why.get_by_role("button", name="swap").click()
    notebook.until("[why.query, space.focus, gallery.focus]", [before[1]] * 3)

    # keys belong to the view that has the focus, not to the notebook: "d d" would delete its cell, "b" insert one
    cell_ids = "window.jupyterapp.shell.currentWidget.content.widgets.map((cell) => cell.model.id)"
    kept = notebook.page.evaluate(cell_ids)
    for view in (space, gallery, why):
        view.locator("button", has_text="?").last.focus()
        for key in ("d", "d", "b", "Escape"):
            notebook.page.keyboard.press(key)
        assert notebook.page.evaluate(cell_ids) == kept

    for theme in ("Dark", "Light"):
        notebook.theme(theme)
        for name, view in (("space", space), ("gallery", gallery), ("why", why)):
            view.scroll_into_view_if_needed()
            assert view.evaluate(IS_DARK) == (theme == "Dark"), name
            view.screenshot(path=tmp_path / f"{name}-{theme}.png")
    stage = space.locator(".vptsp-space-points")
    assert stage.evaluate(CORNER) > 600, "the map is dark in the light theme"

    notebook.execute("space.selection = space.ids[:2]\nundo()\nspace.selection = []")
    assert notebook.value("[space.selection, gallery.selection]") == [[], ids[:2]]


IS_DARK = "(root) => root.classList.contains('vptsp-dark')"
# red + green + blue of the paper in the corner of the map; nothing drawn means the page shows through
CORNER = """(canvas) => {
    const [red, green, blue, alpha] = canvas.getContext("2d").getImageData(canvas.width - 2, 1, 1, 1).data;
    return alpha ? red + green + blue : 765;
}"""


def lasso(stage: Locator) -> None:
    """Shift + drag along the edge of the map."""
    stage.scroll_into_view_if_needed()
    page, box = stage.page, stage.bounding_box()
    assert box is not None
    left, top, right, bottom = box["x"] + 3, box["y"] + 3, box["x"] + box["width"] - 3, box["y"] + box["height"] - 3
    page.keyboard.down("Shift")
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=8)
    page.mouse.up()
    page.keyboard.up("Shift")
