"""WhyNeighbour in JupyterLab."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator

from vptsp.runs.run import Run

pytestmark = pytest.mark.browser

MAKE = "from vptsp_widgets.why import WhyNeighbour\nwhy = WhyNeighbour.of_run(RUN)\nwhy"


def test_it_shows_syncs_both_ways_and_follows_the_theme(
    lab: Any, open_notebook: Callable[..., Any], tiny_run: Run, tmp_path: Path
) -> None:
    name = lab.write("why.ipynb", [MAKE.replace("RUN", repr(str(tiny_run.path)))])
    notebook = open_notebook(lab, name)
    view: Locator = notebook.run(0).locator(".vptsp-why")
    view.wait_for()
    expected = notebook.value("[why.query, why.neighbour, f'{why.similarity:.3f}', why.effects.size]")
    assert view.locator(".vptsp-why-file").all_inner_texts() == expected[:2]
    assert expected[2] in view.locator(".vptsp-why-similarity").inner_text()
    assert view.locator(".vptsp-why-cell").count() == expected[3]
    assert view.locator(".vptsp-why-pending").count() == 0

    view.get_by_role("button", name="swap").click()  # the person asks, Python answers
    notebook.until("[why.query, why.neighbour]", [expected[1], expected[0]])
    view.locator(".vptsp-why-cell").nth(0).click()
    notebook.until("why.block", 0)

    other = notebook.value("next(name for name in why.ids if name not in (why.query, why.neighbour))")
    notebook.execute(f"why.focus = {other!r}")  # Python says, the person sees
    file = view.locator(".vptsp-why-file").first
    file.filter(has_text=other).wait_for()
    notebook.execute("why.head = 0")
    view.locator(".vptsp-why-legend", has_text="head 1").wait_for()
    notebook.page.wait_for_function("!document.querySelector('.vptsp-why-pending')")

    for theme in ("Light", "Dark"):
        notebook.theme(theme)
        assert view.evaluate("(root) => root.classList.contains('vptsp-dark')") == (theme == "Dark")
        view.screenshot(path=tmp_path / f"why-{theme}.png")
        assert os.path.getsize(tmp_path / f"why-{theme}.png") > 10_000
    notebook.theme("Light")
