"""RunPicker and TrainingMonitor in JupyterLab, joined by ``link`` and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from vptsp.runs.run import Run

pytestmark = pytest.mark.browser

MAKE = """\
from vptsp_widgets.linking import link
from vptsp_widgets.monitor import TrainingMonitor
from vptsp_widgets.picker import RunPicker
picker, monitor = RunPicker(FOLDER), TrainingMonitor()
undo = link(picker, monitor)"""


def test_the_monitor_shows_the_run_that_is_picked(
    lab: Any, open_notebook: Callable[..., Any], tiny_run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "finished"
    paths = {name: str(shutil.copytree(tiny_run.path, folder / name)) for name in ("apple", "pear")}
    for seconds, path in enumerate(paths.values(), start=1_000_000_000):
        os.utime(Path(path) / "config.json", (seconds, seconds))
    cells = [MAKE.replace("FOLDER", repr(str(folder))), "picker", "monitor"]
    notebook = open_notebook(lab, lab.write("runs.ipynb", cells))
    notebook.run(0)
    picker, monitor = (notebook.run(cell).locator(".vptsp") for cell in (1, 2))
    names = picker.locator("tr[data-row] .vptsp-name")
    expect(names).to_have_text(["pear", "apple"])
    expect(monitor.get_by_text("No run is watched")).to_be_visible()

    names.filter(has_text="apple").click()
    expect(monitor.locator(".vptsp-runname")).to_have_text("apple")
    expect(monitor.locator(".vptsp-badge")).to_have_text("done")
    notebook.until("[picker.run, monitor.run]", [paths["apple"]] * 2)

    search = picker.get_by_role("searchbox")
    search.click()
    notebook.page.keyboard.type("pea done")
    expect(names).to_have_text(["pear"])
    expect(picker.locator(".vptsp-count")).to_have_text("1 of 2 runs")
    assert notebook.value("picker.run") == paths["apple"]  # hidden by the filter, and still chosen
    search.fill("no such run")
    expect(picker.get_by_text("no run matches the filter")).to_be_visible()
    search.fill("")
    expect(names).to_have_count(2)

    picker.locator("tr[tabindex='0']").focus()  # the same from the keyboard
    notebook.page.keyboard.press("Home")
    notebook.page.keyboard.press("Enter")
    expect(monitor.locator(".vptsp-runname")).to_have_text("pear")
    notebook.until("picker.run", paths["pear"])

    notebook.execute(f"monitor.run = {paths['apple']!r}")  # and from Python, the other way
    expect(picker.locator("tr[aria-current='true'] .vptsp-name")).to_have_text("apple")

    for box in picker.get_by_role("checkbox").all():
        box.click()
    notebook.until("sorted(picker.runs)", sorted(paths.values()))
    picker.get_by_role("button", name="Compare 2 marked").click()
    expect(picker.locator(".vptsp-comparison")).to_contain_text("no setting differs")
