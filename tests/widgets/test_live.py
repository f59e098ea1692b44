from __future__ import annotations

import re

import pytest
from markup import Markup, refused_by_sanitiser
from vptsp_widgets import live
from vptsp_widgets.live import BARS, LiveTraining

from vptsp.runs.progress import Event


class Screen:
    """Stands in for the notebook: counts outputs and keeps what they show."""

    def __init__(self) -> None:
        self.outputs: list[list[str]] = []

    def display(self, picture: live.HTML, display_id: bool) -> Screen:
        assert display_id
        self.outputs.append([picture.data])
        return self

    def update(self, picture: live.HTML) -> None:
        self.outputs[-1].append(picture.data)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    monkeypatch.setattr(live, "display", screen.display)
    monkeypatch.delenv("VPTSP_HEADLESS", raising=False)
    return screen


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(live, "time", clock)
    return clock


def run(observer: LiveTraining, clock: Clock, steps: int = 100, seconds: float = 0.1) -> None:
    observer(Event("start", 0, 2, 0, steps))
    for step in range(1, steps + 1):
        clock.now += seconds
        values = {"loss": 10 / step, "images_per_second": 320.0}
        observer(Event("step", 2 * (step - 1) // steps, 2, step, steps, values))
        if step in (steps // 2, steps):
            epoch = 2 * step // steps
            observer(Event("epoch", epoch, 2, step, steps, {"loss": 1.0, "val_recall_at_1": 0.4 * epoch}))
    observer(Event("done", 2, 2, steps, steps))


def test_one_output_redrawn_at_most_twice_a_second(screen: Screen, clock: Clock) -> None:
    run(LiveTraining("VPTSP-G"), clock)  # ten seconds
    (pictures,) = screen.outputs
    assert 15 <= len(pictures) <= 22
    assert not [refused for picture in pictures for refused in refused_by_sanitiser(picture)]


def test_picture_tells_where_the_run_is(screen: Screen, clock: Clock) -> None:
    observer = LiveTraining("VPTSP-G <b>")
    observer(Event("start", 0, 2, 0, 100))
    clock.now = 10.0
    observer(Event("step", 0, 2, 25, 100, {"loss": 0.4, "images_per_second": 320.0}, 30.0))
    text = Markup(screen.outputs[0][-1]).text
    for part in ("VPTSP-G <b>", "training", "25 %", "epoch 1 of 2", "step 25 of 100", "320 images/s", "30 s left"):
        assert part in text
    assert "width:25.0%" in screen.outputs[0][-1]


def test_where_no_time_left_is_known_it_says_how_long_it_took(screen: Screen, clock: Clock) -> None:
    observer = LiveTraining()
    observer(Event("start", 1, 2, 50, 100))
    clock.now = 10.0
    observer(Event("step", 1, 2, 75, 100, {"loss": 0.4}))
    assert "10 s so far" in Markup(screen.outputs[0][-1]).text


def test_last_picture_has_final_numbers_and_short_history(screen: Screen, clock: Clock) -> None:
    run(LiveTraining(), clock)
    last = screen.outputs[0][-1]
    text = Markup(last).text
    for part in ("done", "100 %", "took 10 s", "loss 0.100", "validation R@1 80.0 %"):
        assert part in text
    assert len(re.findall("background:#f97316", last)) == BARS
    assert len(re.findall("background:#3b82f6;height", last)) == 2


def test_headless_prints_epochs_and_shows_one_picture(
    screen: Screen, clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VPTSP_HEADLESS", "1")
    run(LiveTraining(), clock)
    assert [len(pictures) for pictures in screen.outputs] == [1]
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()] == ["epoch 1/2", "epoch 2/2"]


@pytest.mark.parametrize(("kind", "word"), [("done", "nothing was trained"), ("stopped", "stopped")])
def test_runs_without_steps_and_stopped_runs(screen: Screen, clock: Clock, kind: str, word: str) -> None:
    observer = LiveTraining()
    observer(Event("start", 0, 0, 0, 0))
    observer(Event(kind, 0, 0, 0, 0))  # type: ignore[arg-type]
    assert word in Markup(screen.outputs[0][-1]).text
