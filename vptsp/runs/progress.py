"""What training tells whoever watches: a small event after every step and epoch, and the plain watchers."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from tqdm import tqdm

from vptsp.errors import UsageError
from vptsp.runs.pace import Pace
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.settings.methods import METHODS
from vptsp.settings.tasks import TASKS


@dataclass(frozen=True)
class Event:
    """One moment of a run. ``step`` and ``epoch`` count finished ones; ``values`` are the latest numbers.

    At the start these are the ``run``'s directory, how many ``images`` of how many ``classes`` it trains on, and the
    ``augmentation`` that was fitted to them, if it was; where it has pruned prompts and begins again, how many are
    ``left`` of how many ``prompts``. ``seconds_left`` are those until the last step; None where nobody can tell yet, as
    while the head trains alone, which takes less time than what follows.
    """

    kind: Literal["start", "step", "epoch", "pruned", "done", "stopped"]
    epoch: int
    epochs: int
    step: int
    steps: int
    values: dict[str, Any] = field(default_factory=dict)
    seconds_left: float | None = None


Observer = Callable[[Event], None]


def headless() -> bool:
    """Whether nobody watches this process live: the notebook runner sets ``VPTSP_HEADLESS=1``."""
    return os.environ.get("VPTSP_HEADLESS", "") not in ("", "0")


def default_observer() -> Observer:
    """A bar where text can be redrawn (terminals, JupyterLab), else a line per epoch."""
    return ProgressBar() if not headless() and (in_notebook() or sys.stdout.isatty()) else print_epochs


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel; that ipykernel is imported does not say so."""
    shell = sys.modules.get("IPython")
    return shell is not None and getattr(shell.get_ipython(), "kernel", None) is not None


def print_epochs(event: Event) -> None:
    """One line per epoch: for logs, pipes and papermill, where redrawn bars pile up as lines."""
    if event.kind == "start" and event.values:
        print(_beginning(event), flush=True)
    elif event.kind == "epoch":
        numbers = "  ".join(filter(None, (_said(name, value) for name, value in event.values.items())))
        print(f"epoch {event.epoch}/{event.epochs}  {numbers}", flush=True)
    elif event.kind == "pruned":
        print(pruned_sentence(event), flush=True)
    elif event.kind == "stopped":
        print(f"stopped after step {event.step} of {event.steps}", flush=True)


def reading(config: Config) -> str:
    """What to say before seconds of silence: torch is imported, images are read, the untrained model is scored."""
    fits = METHODS[config.method].trains and config.fits_augmentation
    told = ", looking at how far images may be cut" if fits else ""
    return f"{METHODS[config.method].title} on {config.dataset}: reading images and model{told}"


def _beginning(event: Event) -> str:
    """Where a run is and what it trains on, in one line."""
    told = event.values
    what = f"{told['run']}: {told['images']:,} training images of {told['classes']:,} classes"
    if not event.steps:
        return f"{what}; nothing to train, they are embedded"
    again = f", of which {event.step:,} are done" if event.step else ""
    epochs = f"{event.epochs} epochs" if event.epochs > 1 else "one epoch"
    seen = f"\naugmentation: {told['augmentation']}" if "augmentation" in told else ""
    return f"{what}, {epochs} of {event.steps // event.epochs:,} steps{again}{seen}"


def pruned_sentence(event: Event) -> str:
    """Why the loss is as at the start again."""
    left, prompts = event.values["left"], event.values["prompts"]
    return f"pruned: {left} of {prompts} visual prompts are left, and everything trains anew with them"


# what matters first, as a narrow terminal cuts off the end
_BAR = "{percentage:3.0f}% {bar:16} {n_fmt}/{total_fmt} steps{postfix}"


class ProgressBar:
    """One tqdm bar over all steps: the time left, the latest loss and validation recall."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None
        self.said = ""

    def __call__(self, event: Event) -> None:
        if self.bar is None:
            if event.kind == "start" and event.values:
                print(_beginning(event), flush=True)
            # plain tqdm redraws with a carriage return, which JupyterLab renders like a terminal does;
            # its widget form leaves dead models in the notebook file
            self.bar = tqdm(total=event.steps, initial=event.step, mininterval=0.3, file=sys.stdout, bar_format=_BAR)
        if event.kind == "pruned":
            self.bar.write(pruned_sentence(event), file=sys.stdout)
        elif event.values and event.kind != "start":
            self.said = ", ".join(filter(None, (_said(name, value) for name, value in event.values.items())))
        left = "" if event.seconds_left is None else f"{tqdm.format_interval(event.seconds_left)} left"
        self.bar.set_postfix_str(", ".join(filter(None, (left, self.said))), refresh=False)
        self.bar.update(event.step - self.bar.n)
        if event.kind in ("done", "stopped"):
            self.bar.close()


def _said(name: str, value: Any) -> str:
    """A number as people read it: validation in percent, as the test's is; "" for what is not for them."""
    if not isinstance(value, (int, float)):
        return ""
    for task in TASKS.values():
        if name == f"val_{task.metric}":
            return f"validation {task.title} {100 * value:.1f} %"
    said = {
        "loss": f"loss {value:.4g}",
        "images_per_second": f"{value:.4g} images/s",
        "back_to": f"worse on held-out classes: back to epoch {value}, and on in smaller steps",
    }
    return said.get(name, "features of an earlier run" if name == "kept_features" else "")


class Ticker:
    """Tells the observer everything and ``progress.json`` about once a second; one that is ``silent`` tells nobody."""

    def __init__(self, run: Run, observer: Observer, epochs: int, per_epoch: int, silent: bool = False) -> None:
        self.run, self.observer, self.epochs, self.steps = run, observer, epochs, epochs * per_epoch
        self.silent = silent
        if silent:
            self.observer = lambda event: None
        self.written = 0.0
        self.pace = Pace()
        self.last: dict[str, Any] = {"epoch": 0, "step": 0}

    def step(self, epoch: int, step: int, values: dict[str, Any], head_alone: bool = False) -> None:
        """A step is done; ``head_alone``: nothing in the transformer trained in it, so it took less than others."""
        self._tell("step", epoch, step, values, head_alone)
        self.last |= values
        if time.monotonic() - self.written > 1:
            self._write("training")

    def tell(
        self, kind: Any, epoch: int, step: int, values: dict[str, Any] | None = None, head_alone: bool = False
    ) -> None:
        """What happens between steps; ``head_alone`` says of the next ones what :meth:`step` says of one."""
        self._tell(kind, epoch, step, values or {}, head_alone)
        self._write("done" if kind == "done" else "training")

    def _tell(self, kind: Any, epoch: int, step: int, values: dict[str, Any], head_alone: bool) -> None:
        self.pace.note(time.monotonic(), step, head_alone)
        left = self.pace.left(self.steps)
        self.observer(Event(kind, epoch, self.epochs, step, self.steps, values, left))
        self.last = {"epoch": epoch, "step": step, "seconds_left": left}

    def _write(self, state: str, **more: Any) -> None:
        self.written = time.monotonic()
        if self.silent:
            return
        self.run.write_progress(state=state, epochs=self.epochs, steps=self.steps, **self.last, **more)

    @contextlib.contextmanager
    def closing_with_state(self) -> Iterator[None]:
        """Leave the truth in ``progress.json`` however the run ends (short of SIGKILL)."""
        try:
            yield
        except BaseException as error:
            self.observer(Event("stopped", self.last["epoch"], self.epochs, self.last["step"], self.steps))
            state = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
            with contextlib.suppress(UsageError):  # the disk that failed the run may fail this too
                self._write(state, message=str(error) or type(error).__name__)
            raise
