"""The table of runs in a bare page: what a person sees, clicks and types, and what Python receives."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pages import EVIL, Shown, low_contrast
from playwright.sync_api import Page, expect
from vptsp_widgets.front import page_block
from vptsp_widgets.picker import RunPicker

from vptsp.files import write_json
from vptsp.runs.run import Run
from vptsp.settings.config import Config

pytestmark = pytest.mark.browser
Tiny = Callable[..., Config]


@pytest.fixture
def folder(tiny: Tiny, tiny_run: Run, tmp_path: Path) -> Path:
    """A finished run and four without results, one of them with a name full of markup."""
    runs = tmp_path / "runs"
    for number, name in enumerate(("alpha", "beta", EVIL, "failed")):
        Run.create(runs / name, tiny(seed=number, method="linear" if number else "vptsp_m"))
    Run(runs / "failed").write_progress(state="failed", message="out of luck")
    shutil.copytree(tiny_run.path, runs / "done")
    write_json(runs / "done" / "config.json", tiny(seed=9).model_dump(mode="json"))
    return runs


@pytest.fixture
def shown(page: Page, folder: Path) -> Shown:
    picker = RunPicker(folder)
    return Shown(page, "picker", picker)


def names(page: Page) -> list[str]:
    return page.locator(".vptsp-runs tbody td.vptsp-name").all_text_contents()


def test_filter_wants_every_word_in_some_column(shown: Shown, page: Page) -> None:
    expect(page.locator(".vptsp-count")).to_have_text("5 of 5 runs")
    filter_box = page.get_by_role("searchbox")
    filter_box.fill("LINEAR begun")
    expect(page.locator(".vptsp-count")).to_have_text("2 of 5 runs")
    assert set(names(page)) == {"beta", EVIL}
    filter_box.fill("linear nothing")
    expect(page.locator(".vptsp-count")).to_have_text("0 of 5 runs")
    expect(page.locator(".vptsp-runs tbody")).to_have_text("no run matches the filter")
    filter_box.fill("")
    expect(page.locator(".vptsp-count")).to_have_text("5 of 5 runs")


def test_when_is_one_line_where_there_is_room(shown: Shown, page: Page) -> None:
    def lines() -> int:
        parts = page.locator(".vptsp-runs tbody tr").first.locator(".vptsp-when span")
        return len({round(box["y"]) for part in parts.all() if (box := part.bounding_box())})

    page.set_viewport_size({"width": 800, "height": 600})
    assert lines() == 1
    page.set_viewport_size({"width": 560, "height": 600})
    assert lines() == 2


def test_headings_sort_and_empty_cells_stay_last(shown: Shown, page: Page) -> None:
    page.get_by_role("button", name="R@1").click()
    assert names(page)[0] == "done"
    page.get_by_role("button", name="R@1").click()
    assert names(page)[0] == "done"
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("R@1")
    page.get_by_role("button", name="run", exact=True).focus()
    page.keyboard.press("Enter")
    assert names(page)[1:] == ["alpha", "beta", "done", "failed"]
    page.keyboard.press("Enter")
    assert names(page)[:4] == ["failed", "done", "beta", "alpha"]


def test_choosing_with_mouse_and_keyboard_reaches_python(shown: Shown, page: Page, folder: Path) -> None:
    picker = shown.view
    page.locator("tr", has_text="beta").click()
    expect(page.locator("tr[aria-current=true]")).to_contain_text("beta")
    assert picker.run == str(folder / "beta")
    page.get_by_role("button", name="run", exact=True).click()
    page.locator("tr", has_text="beta").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("alpha is chosen")
    assert picker.run == str(folder / "alpha")
    page.keyboard.press("Escape")
    expect(page.locator("tr[aria-current=true]")).to_have_count(0)
    assert picker.run == ""
    picker.run = str(folder / "done")
    shown.bring()
    expect(page.locator("tr[aria-current=true]")).to_contain_text("done")


def test_marked_runs_are_compared_differing_settings_first(shown: Shown, page: Page, folder: Path) -> None:
    compare = page.get_by_role("button", name="Compare")
    expect(compare).to_be_disabled()
    page.get_by_label("mark alpha").click()
    page.locator("tr", has_text="beta").focus()
    page.keyboard.press(" ")
    expect(compare).to_have_text("Compare 2 marked")
    assert set(shown.view.runs) == {str(folder / "alpha"), str(folder / "beta")}
    compare.click()
    table = page.locator(".vptsp-compared").first
    rows = [row.split("\t") for row in table.locator("tbody tr").evaluate_all("rows => rows.map(row => row.innerText)")]
    assert rows[0] == ["settings that differ"]
    settings = {row[0]: set(row[1:]) for row in rows[1 : rows.index(["results"])]}
    assert settings["seed"] == {"0", "1"}
    assert settings["method"] == {"vptsp_m", "linear"}
    assert "embedding_size" not in settings
    expect(page.locator("details")).to_contain_text("settings are the same")
    page.locator("summary").click()
    expect(page.locator("details tr", has_text="embedding_size")).to_contain_text("16")
    page.keyboard.press("Escape")
    expect(page.locator(".vptsp-comparison")).to_be_hidden()
    page.get_by_role("button", name="Unmark all").click()
    expect(compare).to_be_disabled()
    assert shown.view.runs == []


def test_names_are_text_and_failures_have_their_reason(shown: Shown, page: Page) -> None:
    assert EVIL in names(page)
    assert page.locator("img").count() == 0
    expect(page.locator("tr", has_text="out of luck")).to_have_count(0)
    assert page.locator("tr", has=page.get_by_text("failed", exact=True)).first.get_attribute("title") == "out of luck"


def test_refresh_shows_new_runs(shown: Shown, page: Page, folder: Path, tiny: Tiny) -> None:
    Run.create(folder / "gamma", tiny())
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("status")).to_have_text("waiting for the kernel")
    expect(page.get_by_role("button", name="Refresh")).to_be_disabled()
    shown.bring()
    expect(page.get_by_role("status")).to_have_text("6 runs found")
    expect(page.get_by_role("button", name="Refresh")).to_be_enabled()
    assert "gamma" in names(page)


def test_help_and_an_empty_folder(page: Page, tmp_path: Path) -> None:
    Shown(page, "picker", RunPicker(tmp_path))
    expect(page.locator(".vptsp-none")).to_contain_text("vptsp train makes one")
    expect(page.get_by_role("searchbox")).to_be_hidden()
    page.get_by_role("button", name="keys").focus()
    expect(page.locator(".vptsp-help")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.locator(".vptsp-help")).to_be_visible()


def test_a_page_without_a_kernel_compares_too(page: Page, folder: Path) -> None:
    picker = RunPicker(folder)
    page.set_content(page_block("picker", picker.state_for_page()))
    expect(page.get_by_role("button", name="Refresh")).to_have_count(0)
    page.get_by_label("mark alpha").click()
    page.get_by_label("mark beta").click()
    page.get_by_role("button", name="Compare 2 marked").click()
    expect(page.locator(".vptsp-compared").first).to_contain_text("seed")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_in_both_themes(page: Page, folder: Path, theme: str) -> None:
    Shown(page, "picker", RunPicker(folder), theme)
    assert low_contrast(page, ".vptsp-picker") == []


# Text of elements whose contrast to the first background behind them is below 4.5 (WCAG 2.1, 1.4.3).
