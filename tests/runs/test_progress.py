"""What a terminal says of a training as it goes on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from vptsp.reports import demo
from vptsp.runs import progress
from vptsp.runs.progress import Event, Observer, ProgressBar, Ticker, print_epochs, reading
from vptsp.runs.run import Run
from vptsp.settings.config import make_config


def test_the_bar_says_how_much_time_is_left_before_a_narrow_terminal_cuts_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    bar = ProgressBar()
    values = {"loss": 1.25, "val_recall_at_1": 0.5, "images_per_second": 10.0}
    for step in range(4):
        bar(Event("step", 0, 2, step, 100, values))
        assert bar.bar is not None
        assert "left" not in str(bar.bar.postfix), "nobody knows yet"
    bar(Event("step", 0, 2, 4, 100, values, 192.0))
    bar.bar.refresh()
    bar(Event("stopped", 0, 2, 4, 100))
    last = capsys.readouterr().out.split("\r")[-2]
    assert re.search(r"^ *4% .* 4/100 steps, 03:12 left, loss 1\.25", last)


class Watched:
    """Who is told what happens in a run, at a time that a test moves."""

    def __init__(self, tiny_run: Run, path: Path, monkeypatch: pytest.MonkeyPatch, per_epoch: int, epochs: int) -> None:
        self.now, self.lefts = 100.0, list[float | None]()
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)
        self.run = Run.create(path, tiny_run.config)
        self.ticker = Ticker(self.run, lambda event: self.lefts.append(event.seconds_left), epochs, per_epoch)


def test_no_time_is_promised_by_the_steps_of_the_head_alone(
    tiny_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two epochs of the head of two fast steps each, then slow ones, and validation of three seconds after each."""
    watched = Watched(tiny_run, tmp_path / "run", monkeypatch, per_epoch=2, epochs=4)
    watched.ticker.tell("start", 0, 0, head_alone=True)
    for step in range(1, 9):
        alone = step <= 4
        watched.now += 1 if alone else 4
        watched.ticker.step((step - 1) // 2, step, {"loss": 1.25}, alone)
        assert watched.run.progress()["seconds_left"] == watched.lefts[-1]
        if step % 2 == 0:
            watched.now += 3
            watched.ticker.tell("epoch", step // 2, step, {"loss": 1.25}, head_alone=step < 4)
            assert watched.run.progress()["seconds_left"] == watched.lefts[-1]
    fast, slow = watched.lefts[:7], watched.lefts[7:]
    assert fast == [None] * 7
    assert slow == [None, 2 * 4.0, 2 * 5.5, pytest.approx(15 / 3), 0, 0]


@pytest.mark.parametrize("observer", [print_epochs, ProgressBar()])
def test_the_start_says_where_the_run_is_and_what_it_trains_on(
    observer: Observer, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"run": "runs/mine-1", "images": 1200, "classes": 60}
    observer(Event("start", 0, 8, 0, 80, told))
    assert "runs/mine-1: 1,200 training images of 60 classes, 8 epochs of 10 steps\n" in capsys.readouterr().out
    print_epochs(Event("start", 0, 1, 4, 80, told))
    print_epochs(Event("start", 0, 0, 0, 0, told))
    again, nothing = capsys.readouterr().out.splitlines()
    assert again.endswith("one epoch of 80 steps, of which 4 are done")
    assert nothing.endswith("60 classes; nothing to train, they are embedded")


@pytest.mark.parametrize("observer", [print_epochs, ProgressBar()])
def test_that_prompts_were_pruned_is_said_once(observer: Observer, capsys: pytest.CaptureFixture[str]) -> None:
    """The loss is then as high as at the start."""
    observer(Event("start", 0, 4, 0, 8))
    observer(Event("pruned", 2, 4, 4, 8, {"left": 19, "prompts": 40}))
    observer(Event("done", 4, 4, 8, 8))
    said = "pruned: 19 of 40 visual prompts are left, and everything trains anew with them"
    assert capsys.readouterr().out.count(said) == 1


def test_the_demo_says_how_much_time_is_left() -> None:
    state: dict[str, Any] = {"state": "training", "step": 30, "steps": 130, "epoch": 1, "epochs": 8, "loss": 3.25}
    assert demo._left(state) == demo._left(state | {"seconds_left": None}) == ""
    known = state | {"seconds_left": 99.7}
    line = f"{'2/3 linear probe':<17}{demo._bar(known, demo._left(known))}"
    assert line.endswith("epoch 2 of 8  1:40 left to train  loss 3.250")  # the one under way
    assert len(line) < 80
    assert demo._left(known | {"step": 130}) == ""
    trained = state | {"step": 130, "epoch": 8}
    assert demo._bar(trained).endswith("] 8 epochs done, embedding images to score them")
    assert demo._bar(trained | {"state": "done"}).endswith("] 8 epochs, scored")
    assert demo._bar(trained | {"steps": 0}) == "nothing to train, embedding images"


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({}, ["crop_min", "mirror"]),
        ({"crop_min": 0.3}, ["mirror"]),
        ({"augment": "crop"}, ["mirror"]),
        ({"augment": "resize"}, []),
        ({"crop_min": 0.3, "mirror": False}, []),
        ({"augment_fit": "none"}, []),
        ({"task": "recognition", "method": "linear"}, []),
    ],
)
def test_a_run_says_before_it_that_it_asks_its_images(settings: dict[str, Any], asked: list[str]) -> None:
    config = make_config(settings)
    assert config.fits_augmentation == asked
    assert reading(config).endswith(", looking at how far images may be cut") == bool(asked)
    assert reading(make_config({"method": "frozen"})) == "frozen on blossoms: reading images and model"
