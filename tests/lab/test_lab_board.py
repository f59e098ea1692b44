"""SweepBoard in JupyterLab: it follows a sweep's files, moves the monitor, opens what a run left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from sweepings import sweep_of_all_states

pytestmark = pytest.mark.browser

MAKE = """\
from vptsp_widgets.board import SweepBoard
from vptsp_widgets.linking import link
from vptsp_widgets.monitor import TrainingMonitor
board, monitor = SweepBoard(FOLDER), TrainingMonitor()
undo = link(board, monitor)"""


def test_a_sweep_is_followed_and_its_files_open(lab: Any, open_notebook: Callable[..., Any]) -> None:
    sweep = sweep_of_all_states(lab.root / "rates")
    (sweep.jobs[0].path / "log.txt").write_text("what the run printed")
    (sweep.jobs[0].path / "config.json").write_text(json.dumps({"method": "linear"}))
    folder = str(sweep.folder.path)
    notebook = open_notebook(lab, lab.write("board.ipynb", [MAKE.replace("FOLDER", repr(folder)), "board", "monitor"]))
    notebook.run(0)
    board, monitor = (notebook.run(cell).locator(".vptsp") for cell in (1, 2))
    rows = board.locator("tr[data-row]")
    expect(rows).to_have_count(7)
    expect(rows.nth(2)).to_contain_text("1 of 4")

    sweep.put(2, "running", val=[0.3, 0.8], epochs=4)  # the board looks at the files by itself
    expect(rows.nth(2)).to_contain_text("2 of 4")

    rows.nth(0).locator("td").first.click()
    expect(monitor.locator(".vptsp-runname")).to_have_text("job-0")
    notebook.until("[board.job, monitor.run]", ["job-0", str(Path(folder) / "job-0")])
    notebook.execute("board.job = 'job-4'")
    expect(board.locator("tr[aria-current='true']")).to_contain_text("killed")

    rows.nth(0).get_by_role("link", name="log").click()  # in a tab of JupyterLab, not of the browser
    expect(notebook.page.locator(".jp-FileEditor")).to_contain_text("what the run printed")
    notebook.page.get_by_role("tab", name="board.ipynb").click()
    expect(rows).to_have_count(7)
