"""Views while the kernel is busy: what the browser can do goes on, what it cannot is said to be under way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from views import make_views

from vptsp.runs.run import Run

pytestmark = pytest.mark.browser

BUSY = """
import time
from pathlib import Path
end = time.monotonic() + 120
while time.monotonic() < end and not Path(ENOUGH).exists():
    sum(range(1000))
"""


# Over subshells, as JupyterLab comes, messages of widgets pass a busy kernel; else they wait for its main thread.
@pytest.mark.parametrize("comms", ["perCommTarget", pytest.param("disabled", marks=pytest.mark.slow)])
def test_views_stay_alive_while_a_cell_runs(
    lab: Any, open_notebook: Callable[..., Any], tiny_run: Run, tmp_path: Path, comms: str
) -> None:
    enough = tmp_path / "enough"  # ends the cell, however slow the machine is
    cells = [make_views(tiny_run), "display(space, gallery, why)", BUSY.replace("ENOUGH", repr(str(enough)))]
    notebook = open_notebook(lab, lab.write("busy.ipynb", cells))
    page = notebook.page
    set_comms(page, comms)
    notebook.run(0)
    outputs = notebook.run(1)
    view, stage = outputs.locator(".vptsp-why"), outputs.locator(".vptsp-space-over")
    view.wait_for()
    expected = notebook.value("[why.query, why.neighbour]")

    notebook.run(2, wait=False)
    page.wait_for_function("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'")
    box = stage.bounding_box()
    assert box is not None
    stage.scroll_into_view_if_needed()
    hover_any_point(notebook, stage)
    view.locator(".vptsp-why-cell").nth(2).click()
    assert view.locator(".vptsp-why-marked").count() == 2
    assert "block 1" in view.locator(".vptsp-why-legend").inner_text()
    view.get_by_role("button", name="swap").click()
    first = view.locator(".vptsp-why-file").first
    status = view.locator(".vptsp-status")
    if comms == "perCommTarget":  # though the views last spoke from a cell
        first.filter(has_text=expected[1]).wait_for()
        assert is_busy(notebook)
        enough.touch()
    else:
        assert status.inner_text() == "waiting for the kernel …"
        assert view.get_attribute("aria-busy") == "true"
        assert is_busy(notebook)
        enough.touch()
        notebook.wait()
        first.filter(has_text=expected[1]).wait_for()
    assert status.inner_text() == ""
    notebook.until("[why.query, why.neighbour]", expected[::-1])
    page.keyboard.press("Escape")
    set_comms(page, "perCommTarget")


def set_comms(page: Any, comms: str) -> None:
    """What JupyterLab's setting ``commsOverSubshells`` does when it changes."""
    page.evaluate("(comms) => { window.jupyterapp.serviceManager.kernels.commsOverSubshells = comms; }", comms)


def is_busy(notebook: Any) -> bool:
    """Whether the last cell still runs: a star stands in its prompt."""
    return "*" in notebook.page.locator(".jp-CodeCell .jp-InputPrompt").nth(2).inner_text()


def hover_any_point(notebook: Any, stage: Any) -> None:
    """Sweep over the map until a card with an image appears."""
    box = stage.bounding_box()
    card = notebook.page.locator(".vptsp-space-card")
    for row in range(1, 20):
        for column in range(1, 20):
            notebook.page.mouse.move(box["x"] + box["width"] * column / 20, box["y"] + box["height"] * row / 20)
            if card.is_visible():
                return
    pytest.fail("no card appeared while the kernel was busy")
