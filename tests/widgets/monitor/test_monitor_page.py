"""The monitor in a bare page, above a run that another process really trains."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import processes
import pytest
from pages import Shown, low_contrast, require_clean_end
from playwright.sync_api import Page, expect
from vptsp_widgets.front import page_block
from vptsp_widgets.monitor import TrainingMonitor, watching

from vptsp.runs.run import Run
from vptsp.settings.config import Config

pytestmark = pytest.mark.browser
Tiny = Callable[..., Config]


def until(shown: Shown, state: str, seconds: float = 120) -> None:
    """Bring the page what the monitor sees until it sees ``state``."""
    deadline = time.monotonic() + seconds
    while shown.view._now["state"] != state and time.monotonic() < deadline:
        time.sleep(0.05)
        shown.bring()
    shown.bring()
    expect(shown.page.locator(".vptsp-badge")).to_have_text(state)


class Forked:
    """Stands in for Popen: the same command in a process of its own that has imported everything already."""

    def __init__(self, command: Sequence[str], stdout: IO[bytes], **_: Any) -> None:
        assert command[-3:-1] == ["train", "--resume"]
        self.process = processes.start(command[-3:], Path(stdout.name))
        self.pid = self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.process.exitcode


def test_a_run_is_followed_stopped_and_resumed(
    page: Page, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "subprocess", SimpleNamespace(Popen=Forked, DEVNULL=subprocess.DEVNULL))
    run = Run.create(tmp_path / "run", tiny(method="linear", epochs=12))
    training = processes.start(["train", "--resume", str(run.path)], tmp_path / "log", _Slowly(0.05))
    monitor = TrainingMonitor(run)
    shown = Shown(page, "monitor", monitor)
    try:
        until(shown, "training")
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("button", name="Stop")).to_be_disabled()
        page.wait_for_timeout(50)  # the message is on its way to Python
        shown.bring()
        expect(page.get_by_role("status")).to_contain_text("the run stops after its current step")
        until(shown, "stopped")
        training.join(60)
        assert training.exitcode == 130
        step = run.progress()["step"]
        assert 0 < step < run.progress()["steps"]
        expect(page.locator(".vptsp-facts")).to_contain_text(f"step {step} of")
        expect(page.locator(".vptsp-trouble")).to_contain_text("stopped in epoch")

        page.get_by_role("button", name="Resume").click()
        page.wait_for_timeout(50)
        shown.bring()
        expect(page.locator(".vptsp-badge")).to_have_text("starting")
        resumed = watching._children[run.path.resolve()]
        until(shown, "done")
        assert run.progress()["pid"] == resumed.pid
        assert len(run.metrics()) == 12
        assert "run: " in (run.path / "log.txt").read_text()
        expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")
        for button in ("Stop", "Resume"):
            expect(page.get_by_role("button", name=button)).to_be_disabled()
        assert page.locator(".vptsp-orange .vptsp-dot").count() == 12
        assert page.locator(".vptsp-pairs tbody tr").count() > 0
    finally:
        training.kill()
        monitor.close()
        for child in watching._children.values():
            child.process.kill()  # type: ignore[attr-defined]


class _Slowly:
    """Keeps a process that trains from being done before anybody can stop it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> None:
        from vptsp.training import loop as training

        training.default_observer = lambda: lambda event: time.sleep(self.seconds)


@pytest.fixture
def monitor(tiny_run: Run) -> TrainingMonitor:
    monitor = TrainingMonitor(tiny_run)
    monitor.close()  # its thread; what it has read stays
    return monitor


def state_with(monitor: TrainingMonitor, **now: Any) -> dict[str, Any]:
    state = monitor.state_for_page()
    return state | {"_now": state["_now"] | now}


def test_curves_are_read_with_keys_and_pointer(page: Page, monitor: TrainingMonitor, tiny_run: Run) -> None:
    page.set_content(page_block("monitor", monitor.state_for_page()))
    first, last = (f"{line['loss']:.3f}" for line in tiny_run.metrics())
    readout = page.locator(".vptsp-readout").first
    expect(readout).to_have_text(f"{last} after epoch 2")
    plot = page.locator(".vptsp-orange")
    assert f"{first} after epoch 1, {last} after epoch 2" in (plot.get_attribute("aria-label") or "")
    plot.focus()
    page.keyboard.press("ArrowLeft")
    expect(readout).to_have_text(f"{first} at epoch 1")
    page.keyboard.press("Escape")
    expect(readout).to_have_text(f"{last} after epoch 2")
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)  # epochs 0 to 2 span the plot
    expect(readout).to_have_text(f"{first} at epoch 1")


def test_axes_have_numbers_and_names(page: Page, monitor: TrainingMonitor) -> None:
    page.set_content(page_block("monitor", monitor.state_for_page()))
    for plot, unit in ((".vptsp-orange", "loss"), (".vptsp-blue", "percent")):
        texts = page.locator(f"{plot} text").all_text_contents()
        assert {unit, "epoch", "0", "1", "2"} <= set(texts)
        assert len([text for text in texts if text.replace(".", "").replace("-", "").isdigit()]) >= 6


def test_without_a_kernel_there_are_no_buttons_that_need_one(page: Page, monitor: TrainingMonitor) -> None:
    page.set_content(page_block("monitor", monitor.state_for_page()))
    expect(page.locator(".vptsp-badge")).to_have_text("done")
    buttons = page.get_by_role("button").evaluate_all("(all) => all.map((button) => button.ariaLabel)")
    assert sorted(buttons) == ["keys and buttons", "present"]
    page.get_by_role("button", name="keys").click()
    expect(page.locator(".vptsp-help")).to_be_visible()


def test_names_and_reasons_are_text(page: Page, monitor: TrainingMonitor) -> None:
    evil = '<img src=x onerror="alert(1)"> ورد'
    state = state_with(monitor, state="failed", name=evil, message=f"loss is nan in {evil}")
    state["_confused"] = {
        "epoch": 1,
        "groups": [{"title": evil, "header": ["a", "b"], "rows": [[evil, evil]], "note": evil}],
    }
    page.set_content(page_block("monitor", state))
    expect(page.locator(".vptsp-runname")).to_have_text(evil)
    expect(page.locator(".vptsp-trouble")).to_contain_text(evil)
    expect(page.locator(".vptsp-pairs td").first).to_have_text(evil)
    assert page.locator("img").count() == 0


def test_training_says_how_fast_and_how_long(page: Page, monitor: TrainingMonitor) -> None:
    now = {"state": "training", "epochs": 4, "steps": 4000, "step": 2600, "speed": 1234.4, "left": 754.0, "quiet": 95.0}
    page.set_content(page_block("monitor", state_with(monitor, **now)))
    facts = page.locator(".vptsp-facts span").all_text_contents()
    done = ["epoch 3 of 4", "step 2,600 of 4,000"]
    assert facts == [*done, "1,234 images/s", "about 12:34 min left", "no news for 1:35 min"]
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "65")


def test_other_confusions_can_be_chosen(page: Page, monitor: TrainingMonitor) -> None:
    page.set_content(page_block("monitor", monitor.state_for_page()))
    page.get_by_label("what is compared").select_option("proxies")
    expect(page.locator(".vptsp-pairs thead")).to_contain_text("cosine of proxies")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_in_both_themes(page: Page, monitor: TrainingMonitor, theme: str) -> None:
    state = state_with(monitor, state="failed", message="out of luck")
    page.set_content(f'<!doctype html><html data-theme="{theme}">{page_block("monitor", state)}</html>')
    assert low_contrast(page, ".vptsp-monitor") == []


def test_unmounting_leaves_no_listener(page: Page, monitor: TrainingMonitor) -> None:
    require_clean_end(page, "monitor", monitor)
