"""The views that teach, beside each other in one notebook: moved by hand, and Python receives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator

from vptsp.runs.run import Run

pytestmark = pytest.mark.browser

_SETUP = """\
from vptsp_widgets.anatomy import ProxyAnatomy
from vptsp_widgets.confused import ConfusedPairs
from vptsp_widgets.linking import link
from vptsp_widgets.sandbox import ProxySandbox
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.timemachine import TimeMachine
run = {run!r}
sandbox = ProxySandbox(preset='semantic')
machine = TimeMachine.of_run(run)
anatomy = ProxyAnatomy.of_run(run)
confused = ConfusedPairs.of_run(run)
space = SpaceExplorer.of_run(run, method='pca')
undo = link(confused, space)
"""
_VIEWS = ("sandbox", "machine", "anatomy", "confused", "space")


def test_views_of_geometry(lab: Any, open_notebook: Callable[..., Any], tiny_run: Run) -> None:
    cells = [_SETUP.format(run=str(tiny_run.path)), *_VIEWS]
    notebook = open_notebook(lab, lab.write("geometry.ipynb", cells))
    notebook.run(0)
    views = {name: notebook.run(cell).locator(".vptsp") for cell, name in enumerate(_VIEWS, start=1)}

    # the sandbox: the mouse carries a sample to the other side of the circle
    sandbox = views["sandbox"]
    before = notebook.value("sandbox.state['samples'].tolist()")
    sample = sandbox.get_by_role("slider", name="sample 1 of class A")
    drag_through_the_middle(sample, sandbox.locator(".vptsp-sb-stage"))
    x, y = before[0]
    notebook.until(f"bool(sandbox.state['samples'][0] @ [{x}, {y}] < -0.99)", True)
    assert notebook.value("sandbox.state['samples'][1:].tolist()") == before[1:]
    # its alpha by keyboard, what Python sets by eye
    slider = sandbox.get_by_role("slider", name="alpha")
    slider.press("End")
    notebook.until("sandbox.state['alpha']", 1.0)
    notebook.execute("sandbox.preset = 'orthant'")
    sandbox.get_by_label("sphere: arrow keys turn it").wait_for()
    sandbox.locator(".vptsp-status", has_text="set by the kernel").wait_for()

    # the time machine: scrub to the start by keyboard, then play to the end
    machine = views["machine"]
    epochs = notebook.value("list(machine.epochs)")
    machine.get_by_role("slider", name="Epoch").press("Home")
    notebook.until("machine.epoch", epochs[0])
    machine.get_by_role("button", name="Play").click()
    notebook.until("machine.epoch", epochs[-1], seconds=30)
    machine.get_by_role("button", name="Play").wait_for()  # it stopped by itself
    notebook.execute(f"machine.epoch = {epochs[0]}")
    machine.locator(".vt-label", has_text=str(epochs[0])).wait_for()

    # the anatomy: alpha by keyboard, with the number that Python computes
    anatomy = views["anatomy"]
    slider = anatomy.get_by_role("slider")
    for key, alpha in (("Home", 0.0), ("ArrowRight", 0.01), ("End", 1.0)):
        slider.press(key)
        notebook.until("anatomy.alpha", alpha)
        accuracy = notebook.value("anatomy.score().accuracy")
        anatomy.locator("[data-key='accuracy'] b", has_text=f"{100 * accuracy:.1f}").wait_for()

    # a pair of classes by keyboard selects their images, here and on the linked map
    confused = views["confused"]
    confused.get_by_role("option").first.focus()
    notebook.page.keyboard.press("ArrowDown")
    notebook.until("confused.pair", 1)
    chosen = set(notebook.value("confused._lists['images'][1]['classes']"))
    labels, ids = notebook.value("[confused.saved.labels.tolist(), list(confused.ids)]")
    both = [name for name, label in zip(ids, labels, strict=True) if label in chosen]
    assert 0 < len(both) < len(ids)
    notebook.until("[confused.selection, space.selection]", [both, both])
    notebook.execute(f"space.focus = {both[0]!r}")
    confused.locator(".vc-thumb[aria-current='true']").first.wait_for()

    for theme in ("Dark", "Light"):
        notebook.theme(theme)
        for name in _VIEWS[:-1]:  # the map has a test of its own
            assert views[name].evaluate(IS_DARK) == (theme == "Dark"), name
    assert notebook.value("[view.status for view in (sandbox, machine, anatomy, confused, space)]") == [""] * 5


IS_DARK = "(root) => root.classList.contains('vptsp-dark')"


def drag_through_the_middle(point: Locator, stage: Locator) -> None:
    """With the mouse from where a point lies to the mirrored place beyond the middle of its stage."""
    point.scroll_into_view_if_needed()
    start, whole = point.bounding_box(), stage.bounding_box()
    assert start is not None
    assert whole is not None
    x, y = start["x"] + start["width"] / 2, start["y"] + start["height"] / 2
    mouse = point.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(2 * whole["x"] + whole["width"] - x, 2 * whole["y"] + whole["height"] - y, steps=6)
    mouse.up()
