"""A notebook that JupyterLab does not trust shows the still forms and runs nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from views import make_views
from vptsp_widgets.why import WhyNeighbour

from vptsp.notebooks import run_notebook
from vptsp.runs.run import Run

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("forked_kernels")]

COMPLETE = "(images) => images.every((image) => image.complete && image.naturalWidth > 0 && image.alt)"


@pytest.mark.notebooks
def test_papermilled_views_are_pictures(lab: Any, open_notebook: Callable[..., Any], tiny_run: Run) -> None:
    source = lab.root / "source.ipynb"
    lab.write("source.ipynb", [make_views(tiny_run), "space", "gallery", "why"])
    notebook = nbformat.read(source, 4)
    notebook.cells[0].metadata.tags = ["parameters"]
    nbformat.write(notebook, source)
    run_notebook(str(source), lab.root / "milled.ipynb", {})
    opened = open_notebook(lab, "milled.ipynb", kernel=False)
    for cell in (1, 2, 3):
        images = opened.output(cell).locator("img")
        images.first.wait_for()
        assert images.evaluate_all(COMPLETE)
    assert opened.page.locator(".vptsp").count() == 0
    assert (lab.root / "milled.ipynb").stat().st_size < 2e6


def test_a_live_view_saved_with_the_notebook_falls_back_to_its_still(
    lab: Any, open_notebook: Callable[..., Any], tiny_run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("VPTSP_HEADLESS", raising=False)
    data, _ = WhyNeighbour.of_run(tiny_run)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    lab.write("saved.ipynb", ["why"])
    notebook = nbformat.read(lab.root / "saved.ipynb", 4)
    notebook.cells[0].outputs = [nbformat.v4.new_output("display_data", data=data)]
    nbformat.write(notebook, lab.root / "saved.ipynb")
    opened = open_notebook(lab, "saved.ipynb", kernel=False)
    images = opened.output(0).locator("img")
    images.first.wait_for()
    assert images.evaluate_all(COMPLETE)
    assert opened.output(0).locator("table").count() == 1
    assert opened.page.locator(".vptsp").count() == 0
