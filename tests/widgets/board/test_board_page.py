"""The board in a bare page: what a person sees, clicks and types, and what Python receives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pages import EVIL, Shown, low_contrast, require_clean_end
from playwright.sync_api import Page, expect
from sweepings import Sweeping, sweep_of_all_states
from vptsp_widgets.board import SweepBoard
from vptsp_widgets.front import page_block

pytestmark = pytest.mark.browser


@pytest.fixture
def sweep(tmp_path: Path) -> Sweeping:
    return sweep_of_all_states(tmp_path / "rates")


@pytest.fixture
def board(sweep: Sweeping) -> SweepBoard:
    return still_board(sweep)


def still_board(sweep: Sweeping) -> SweepBoard:
    """A board whose thread has ended: it looks when the test says so."""
    board = SweepBoard(sweep.folder)
    board.close()
    return board


def states(page: Page) -> list[str]:
    return page.locator("tr[data-row] .vptsp-badge").all_text_contents()


def column(page: Page, number: int) -> list[str]:
    return page.locator(f"tr[data-row] td:nth-child({number})").all_text_contents()


def test_a_look_at_the_sweep(page: Page, board: SweepBoard) -> None:
    page.set_content(page_block("board", board.state_for_page()))
    expect(page.locator(".vptsp-head .vptsp-badge").first).to_have_text("running")
    headings = page.locator("thead th").all_text_contents()
    assert headings == ["state", "lr", "seed", "progress", "val R@1", "test R@1", "time", "left", "tries", "files"]
    assert states(page) == ["done", "done", "running", "failed", "killed", "interrupted", "queued"]
    done, some, error = ["3 of 3 epochs"] * 2, "1 of 4 epochs", "ValueError: the loss is a <fish>"
    assert column(page, 4) == [*done, some, error, "killed by signal 9", some, "waiting"]
    assert column(page, 5)[:3] == ["★ 75.0 %", "60.0 %", "30.0 %"]
    expect(page.locator(".vptsp-facts")).to_contain_text("42 % of the work done")
    expect(page.locator(".vptsp-bests")).to_have_text("★ best so far by validation: R@1 75.0 % lr=0.001 seed=0")
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "43")
    chips = page.locator(".vptsp-chips button").all_text_contents()
    assert chips == ["1 running", "1 failed", "1 killed", "1 interrupted", "2 done", "1 queued"]


def test_devices_of_a_job_and_of_the_sweep(page: Page, sweep: Sweeping) -> None:
    record = sweep.jobs[2].path / "job.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"devices": 2}))
    sweep.put(2, "running", val=[0.3], epochs=4, gpu="0,1")
    page.set_content(page_block("board", still_board(sweep).state_for_page()))
    expect(page.locator(".vptsp-facts")).to_contain_text("2 devices at a time")
    page.locator("tr[data-row]").nth(2).click()
    expect(page.locator(".vptsp-detail")).to_contain_text("on2 devices (GPU 0,1)")


def test_headings_sort_and_come_back_to_the_plan(page: Page, board: SweepBoard) -> None:
    page.set_content(page_block("board", board.state_for_page()))
    heading = page.get_by_role("button", name="val R@1")
    heading.click()
    assert column(page, 5)[:3] == ["★ 75.0 %", "60.0 %", "30.0 %"]
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("val R@1")
    heading.focus()
    page.keyboard.press("Enter")
    assert column(page, 5) == ["10.0 %", "20.0 %", "30.0 %", "60.0 %", "★ 75.0 %", "–", "–"]  # nothing comes last
    page.keyboard.press("Enter")
    expect(page.locator("th[aria-sort=ascending], th[aria-sort=descending]")).to_have_count(0)
    page.get_by_role("button", name="lr", exact=True).click()  # as numbers: 1e-05 is less than 0.001
    assert column(page, 2) == ["1e-05"] * 3 + ["0.001"] * 4
    page.get_by_role("button", name="state").click()
    assert states(page)[:2] == ["running", "failed"]


def test_filters_by_state_and_words(page: Page, board: SweepBoard) -> None:
    page.set_content(page_block("board", board.state_for_page()))
    page.get_by_role("button", name="2 done").click()
    assert states(page) == ["done", "done"]
    expect(page.locator(".vptsp-count")).to_have_text("2 of 7 jobs shown")
    page.get_by_role("button", name="2 done").click()
    box = page.get_by_role("searchbox")
    box.fill("LR=0.001 fish")
    expect(page.locator(".vptsp-count")).to_have_text("1 of 7 jobs shown")
    assert states(page) == ["failed"]
    box.fill("nothing like it")
    expect(page.locator("tbody")).to_have_text("no job matches the filter")


def test_choosing_reaches_python_and_shows_the_whole_error(page: Page, board: SweepBoard) -> None:
    shown = Shown(page, "board", board)
    page.locator("tr[data-row='3']").click()
    assert board.job == "job-3"
    detail = page.get_by_role("region", name="the chosen job")
    expect(detail.locator("pre")).to_have_text("ValueError: the loss is a <fish>\nTraceback:\n  line 2")
    expect(detail).to_contain_text("presetdemo")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("lr=1e-05 seed=0 is chosen")
    assert board.job == "job-4"
    page.keyboard.press("Escape")
    expect(detail).to_be_hidden()
    assert board.job == ""
    page.get_by_role("button", name="lr=0.001 seed=0").click()  # the best
    expect(page.locator("tr[data-row='0']")).to_have_attribute("aria-current", "true")
    board.job = "job-2"
    shown.bring()
    expect(page.locator("tr[aria-current=true] .vptsp-badge")).to_have_text("running")


def test_rows_follow_the_sweep_and_keep_the_keyboard(page: Page, board: SweepBoard, sweep: Sweeping) -> None:
    shown = Shown(page, "board", board)
    page.locator("tr[data-row='2']").focus()
    sweep.put(2, "running", val=[0.3, 0.9], epochs=4)
    board.look()
    shown.bring()
    row = page.locator("tr[data-row='2']")
    expect(row).to_contain_text("2 of 4 epochs")
    expect(row).to_contain_text("★ 90.0 %")
    expect(row).to_be_focused()
    expect(page.locator(".vptsp-jobs .vptsp-star")).to_have_count(1)
    sweep.put(2, "done", val=[0.3, 0.9], epochs=2, test=0.7)
    board.look()
    shown.bring()
    expect(row).to_contain_text("70.0 %")
    expect(page.locator(".vptsp-hint")).to_contain_text("Nobody runs this sweep now; it goes on with vptsp sweep")
    expect(page.locator("thead")).not_to_contain_text("left")
    expect(page.get_by_role("button", name="Stop …")).to_be_disabled()


def test_stop_asks_first_and_can_be_withdrawn(page: Page, board: SweepBoard, sweep: Sweeping) -> None:
    shown = Shown(page, "board", board)
    stop = page.get_by_role("button", name="Stop …")
    stop.click()
    expect(page.get_by_role("group", name="confirm")).to_contain_text("1 running job will write a checkpoint")
    page.keyboard.press("Escape")
    expect(stop).to_be_focused()
    assert sweep.folder.wish() == ""
    stop.click()
    page.get_by_role("button", name="Stop the sweep").click()
    expect(page.get_by_role("status")).to_have_text("waiting for the kernel")
    _until(page, lambda: sweep.folder.wish() == "stop")
    shown.bring()
    expect(page.locator(".vptsp-head .vptsp-badge").first).to_have_text("stopping")
    page.get_by_role("button", name="Withdraw the stop").click()
    _until(page, lambda: sweep.folder.wish() == "")
    shown.bring()
    expect(page.get_by_role("status")).to_contain_text("the wish to stop is withdrawn")
    expect(stop).to_be_enabled()


def _until(page: Page, true: Any) -> None:
    for _ in range(200):
        if true():
            return
        page.wait_for_timeout(20)
    raise AssertionError("Python was not told")


def test_a_thousand_jobs(page: Page, tmp_path: Path) -> None:
    sweep = Sweeping(tmp_path / "many", [{"seed": seed} for seed in range(1000)])
    sweep.put(999, "running", epochs=4, val=[0.5])
    board = still_board(sweep)
    shown = Shown(page, "board", board)
    expect(page.locator(".vptsp-count")).to_have_text("200 of 1,000 jobs shown")
    expect(page.locator("tr[data-row]")).to_have_count(200)
    page.get_by_role("button", name="Show 200 more of 1,000").click()
    expect(page.locator("tr[data-row]")).to_have_count(400)
    page.get_by_role("button", name="1 running").click()
    assert column(page, 2) == ["999"]
    page.get_by_role("button", name="1 running").click()
    expect(page.locator("tr[data-row]")).to_have_count(200)
    board.job = "job-700"  # from Python: comes into view's reach
    shown.bring()
    expect(page.locator("tr[aria-current=true]")).to_contain_text("700")


def test_files_are_links_where_jupyterlab_has_them(page: Page, sweep: Sweeping) -> None:
    for name in ("notebook.ipynb", "log.txt", "report.html"):
        (sweep.jobs[0].path / name).write_text("")
    board = still_board(sweep)
    server = {"serverRoot": str(sweep.folder.path.parent), "baseUrl": "/base/"}
    block = page_block("board", board.state_for_page())
    config = f'<script id="jupyter-config-data" type="application/json">{json.dumps(server)}</script>'
    page.set_content(config + block.replace("live: false", "live: true", 1))
    notebook, log, report = page.locator("tr[data-row='0'] a").all()
    assert notebook.get_attribute("href") == "/base/lab/tree/rates/job-0/notebook.ipynb"
    assert json.loads(log.get_attribute("data-commandlinker-args") or "") == {"path": "rates/job-0/log.txt"}
    assert report.get_attribute("href") == "/base/files/rates/job-0/report.html"
    page.set_content(block)  # without a kernel nobody knows where they will be
    assert column(page, 10)[0] == "notebook log report"
    expect(page.locator("a")).to_have_count(0)


def test_names_and_errors_are_text(page: Page, tmp_path: Path) -> None:
    sweep = Sweeping(tmp_path / "s", [{EVIL: EVIL}, {EVIL: 1}], labels=[EVIL, "b"])
    sweep.put(0, "failed", error=f"{EVIL}\n{EVIL}")
    board = still_board(sweep)
    board.job = "job-0"
    page.set_content(f'<meta charset="utf-8">{page_block("board", board.state_for_page())}')
    assert column(page, 2) == [EVIL, "b"]
    expect(page.locator("pre")).to_contain_text(EVIL)
    assert page.locator("img").count() == 0


def test_without_a_kernel_there_is_nothing_to_stop(page: Page, board: SweepBoard) -> None:
    page.set_content(page_block("board", board.state_for_page()))
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    page.locator("tr[data-row='3']").click()
    expect(page.locator("pre")).to_be_visible()
    page.keyboard.press("?")
    expect(page.locator(".vptsp-help")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_in_both_themes(page: Page, board: SweepBoard, theme: str) -> None:
    board.job = "job-3"
    Shown(page, "board", board, theme)
    page.get_by_role("button", name="Stop …").click()
    page.get_by_role("button", name="keys").click()
    assert low_contrast(page, ".vptsp-board") == []


def test_unmounting_leaves_no_listener(page: Page, board: SweepBoard) -> None:
    require_clean_end(page, "board", board)
