"""A training run watched from the cell that trains: one output, redrawn at most twice a second.

>>> from vptsp_widgets.live import LiveTraining
>>> vptsp.train(config, observer=LiveTraining("VPTSP-G"))  # doctest: +SKIP

Plain HTML with inline styles: no widget state, nothing left behind in the notebook but its last picture.
"""

from __future__ import annotations

import html
import time
from itertools import pairwise

from IPython.display import HTML, DisplayHandle, display

from vptsp.figures.signs_and_colours import BLUE, ORANGE, RIGHT
from vptsp.runs.progress import Event, headless, print_epochs, pruned_sentence
from vptsp.settings.tasks import TASKS

BARS = 60  # of the loss sparkline
_LEAST_SECONDS = 0.5  # between two redraws
_STATES = {"done": ("done", RIGHT.both), "stopped": ("stopped", "#b45309")}


class LiveTraining:
    """An observer for :func:`vptsp.train`: progress, loss, validation recall, speed and time left.

    Headless, it prints a line per epoch and shows the picture once, at the end.
    """

    def __init__(self, title: str = "training") -> None:
        self.title = title
        self.handle: DisplayHandle | None = None
        self.drawn = float("-inf")
        self.began = time.monotonic()
        self.losses: list[float] = []
        self.scores: list[float] = []  # of validation, and what they are
        self.judged = "R@1"
        self.speed = 0.0
        self.pruned = ""

    def __call__(self, event: Event) -> None:
        if event.kind == "start":
            self.began = time.monotonic()
        self._remember(event)
        if headless():
            print_epochs(event)
        last = event.kind in _STATES
        if not last and (headless() or time.monotonic() - self.drawn < _LEAST_SECONDS):
            return
        picture = HTML(self.html(event))
        if self.handle is None:
            self.handle = display(picture, display_id=True)
        else:
            self.handle.update(picture)
        self.drawn = time.monotonic()

    def _remember(self, event: Event) -> None:
        if event.kind == "step" and "loss" in event.values:
            self.losses.append(float(event.values["loss"]))
            self.speed = float(event.values.get("images_per_second", self.speed))
        if event.kind == "pruned":
            self.pruned = pruned_sentence(event)
        for task in TASKS.values() if event.kind == "epoch" else ():
            if event.values.get(f"val_{task.metric}") is not None:
                self.judged = task.title
                self.scores.append(float(event.values[f"val_{task.metric}"]))

    # --- the picture --------------------------------------------------------------------------
    def html(self, event: Event) -> str:
        """The block for one moment, in HTML that JupyterLab keeps in notebooks it does not trust."""
        word, colour = _STATES.get(event.kind, ("training", "#2563eb"))
        share = event.step / event.steps if event.steps else float(event.kind == "done")
        facts = [f"epoch {min(event.epoch + (event.kind == 'step'), event.epochs)} of {event.epochs}"]
        facts += [f"step {event.step:,} of {event.steps:,}"]
        if not event.steps:
            facts = ["nothing to train, embedding images" if event.kind == "start" else "nothing was trained"]
        facts += [f"{self.speed:,.0f} images/s"] if self.speed else []
        facts += [self.pruned] if self.pruned else []
        facts += [self._clock(event)]
        panels = _panel("loss", self.losses, "{:.3f}", ORANGE) + _panel(
            f"validation {self.judged}", [100 * value for value in self.scores], "{:.1f} %", BLUE, low=0.0
        )
        return (
            '<div style="font-family:system-ui,sans-serif;font-size:13px;max-width:640px;padding:12px 14px;'
            'border:1px solid rgba(128,128,128,.35);border-radius:10px">'
            f'<div><span style="font-weight:600;font-size:14px">{html.escape(self.title)}</span> '
            f'<span style="background:{colour};color:#fff;border-radius:4px;padding:1px 7px">{word}</span>'
            f'<span style="float:right;font-variant-numeric:tabular-nums">{100 * share:.0f} %</span></div>'
            '<div style="background:rgba(128,128,128,.25);border-radius:4px;height:8px;margin:9px 0;overflow:hidden">'
            f'<div style="background:{colour};width:{100 * share:.1f}%;height:8px"></div></div>'
            f'<div style="opacity:.8;font-variant-numeric:tabular-nums">{" · ".join(facts)}</div>{panels}</div>'
        )

    def _clock(self, event: Event) -> str:
        taken, left = _duration(time.monotonic() - self.began), event.seconds_left
        if event.kind in _STATES:
            return f"took {taken}"
        return f"{taken} so far" if left is None else f"{_duration(left)} left"


def _panel(title: str, values: list[float], form: str, colour: str, low: float | None = None) -> str:
    """The latest value of a curve and its history as thin bars."""
    if not values:
        return ""
    shown = _thinned(values)
    floor = min(shown) if low is None else low
    span = (max(shown) - floor) or 1.0
    bars = "".join(
        f'<div style="flex:1;max-width:14px;background:{colour};height:{3 + 33 * (value - floor) / span:.0f}px"></div>'
        for value in shown
    )
    latest = form.format(values[-1])
    return (
        '<div style="display:inline-block;width:47%;margin:10px 2% 0 0;vertical-align:top">'
        f'<div><span style="opacity:.8">{title}</span> '
        f'<span style="font-weight:600;font-variant-numeric:tabular-nums">{latest}</span></div>'
        f'<div style="display:flex;align-items:flex-end;gap:1px;height:36px;margin-top:4px" '
        f'title="{title}: first {form.format(values[0])}, latest {latest}">{bars}</div></div>'
    )


def _thinned(values: list[float]) -> list[float]:
    """At most ``BARS`` means of equally long pieces."""
    pieces = min(BARS, len(values))
    edges = [round(i * len(values) / pieces) for i in range(pieces + 1)]
    return [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"
