"""The map's questions in JupyterLab: a selection measured, kept for the next notebook, trusted, filtered."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_lab_views import lasso

from vptsp.runs.run import Run

pytestmark = pytest.mark.browser


def test_a_selection_is_measured_kept_and_found_again(
    lab: Any, open_notebook: Callable[..., Any], tiny_run: Run, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run.path, run)
    make = f"space = SpaceExplorer.of_run({str(run)!r}, method='pca')\nspace"
    cells = [f"from vptsp_widgets.space import SpaceExplorer\n{make}", make.replace("space", "again")]
    notebook = open_notebook(lab, lab.write("explorer.ipynb", cells))
    space = notebook.run(0).locator(".vptsp-space")
    space.wait_for()
    lasso(space.locator(".vptsp-space-over"))
    ids = notebook.value("list(space.ids)")
    notebook.until("space.selection", ids)
    space.locator(".vptsp-space-measures summary").click()
    line = space.locator(".vptsp-space-measures tbody tr", has_text="Recall@1")
    expected = notebook.value("f\"{space.measured().loc['recall_at_1', 'here']:.3f}\"")
    line.locator("td").first.filter(has_text=expected).wait_for()

    space.get_by_label("Tag of the selected images").fill("seen")
    space.get_by_label("Tag of the selected images").press("Enter")
    notebook.until("len(space.tags)", len(ids))
    space.locator(".vptsp-space-kept summary").click()
    space.get_by_label("Name to keep the selection under").fill("everything")
    space.get_by_label("Name to keep the selection under").press("Enter")
    notebook.until("list(space.selections)", ["everything"])
    space.get_by_label("True neighbours when pointing").click()
    notebook.until("'map trustworthiness' in space.table", True)
    notebook.execute("space.view_state = {**space.view_state, 'filter': [{'column': '', 'text': 'class_10'}]}")
    some = notebook.value("len([name for name in space.ids if 'class_10' in name])")
    space.get_by_role("button", name=f"Select the {some} shown").click()
    notebook.until("len(space.selection)", some)
    space.get_by_role("button", name="Map alone").click()
    space.locator(".vptsp-space-counts", has_text=f"a map of {some} images alone").wait_for()

    again = notebook.run(1).locator(".vptsp-space")  # as another notebook would find it
    again.wait_for()
    assert notebook.value("[len(again.tags), list(again.selections)]") == [len(ids), ["everything"]]
    again.locator(".vptsp-space-kept summary").click()
    again.get_by_role("button", name="Select everything").click()
    notebook.until("again.selection", ids)


def test_proxies_are_handles_of_a_kernel(lab: Any, open_notebook: Callable[..., Any], tiny_run: Run) -> None:
    make = f"space = SpaceExplorer.of_run({str(tiny_run.path)!r}, 'train', method='pca')\nspace"
    notebook = open_notebook(
        lab, lab.write("handles.ipynb", [f"from vptsp_widgets.space import SpaceExplorer\n{make}"])
    )
    space = notebook.run(0).locator(".vptsp-space")
    space.wait_for()
    space.locator(".vptsp-space-over").focus()
    notebook.page.keyboard.press("h")
    panel = space.locator(".vptsp-space-handles")
    panel.get_by_text("0 of 40 images").wait_for()
    notebook.page.keyboard.press("Home")
    notebook.until("space._handled['alpha']", 0)
    changed = notebook.value("int((space.predicted_proxies['before'] != space.predicted_proxies['now']).sum())")
    panel.get_by_text(f"{changed} of 40 images").wait_for()
    notebook.until("len(space._way_alphas)", 11)
    panel.get_by_role("button", name="Colour by it").click()
    notebook.until("space.view_state['colour']", "predicted proxy")
    notebook.execute("space.focus = space.ids[0]")
    own = notebook.value("space.forces().query('effect == \"pull\"').index[0]")
    panel.locator(".vptsp-space-forces tr", has_text="pull").filter(has_text=own).wait_for()
    notebook.execute("space.move_proxy(space.forces().index[0], to=space.ids[:3])")
    panel.get_by_text("the mean direction of the 3 images").wait_for()
    panel.get_by_role("button", name="Reset").click()
    notebook.until("[space._handled['alpha'], len(space._handled['moved'])]", [None, 0])


def test_a_link_opens_a_kept_view_as_a_page(
    lab: Any, open_notebook: Callable[..., Any], tiny_run: Run, tmp_path: Path
) -> None:
    """By a click it is the picture until it is trusted, by a middle click it is live in a tab of the browser."""
    shutil.copytree(tiny_run.path, lab.root / "my runs" / "one")
    (lab.root / "books").mkdir()
    make = (
        "from vptsp_widgets.space import SpaceExplorer\n"
        "space = SpaceExplorer.of_run('../my runs/one', method='pca')\n"
        "space.selection, space.focus = space.ids[:3], space.ids[1]\n"
        "space.view_state = {'zoom': 2.0, 'colour': 'nearest image', 'density': 'shown'}\n"
        "kept = space.keep_view('half #1')\n"
        "space.view_state, space.selection = {}, []\n"
        "kept"
    )
    notebook = open_notebook(lab, lab.write("books/kept.ipynb", [make]))
    link = notebook.run(0).get_by_role("link", name="Open it")
    page = notebook.page
    state = notebook.value("[space.ids[:3], dict(space._store.named('half #1').state)]")
    with page.context.expect_page() as opened:
        link.click(button="middle")
    live = opened.value
    live.locator(".vptsp-space-chosen", has_text="3 images selected").wait_for()
    assert live.evaluate("vptspModels[0].get('view_state')") == state[1]
    assert live.get_by_label("Density", exact=True).input_value() == "shown"
    live.close()

    link.click()
    frame = page.frame_locator("iframe")
    picture = frame.locator("img").first
    picture.wait_for()
    assert picture.evaluate("(image) => image.naturalWidth") > 1000
    assert frame.locator("noscript p").last.is_visible()  # which says what to press
    page.get_by_role("button", name="Trust HTML").click()
    frame.locator(".vptsp-space-chosen", has_text="3 images selected").wait_for()
