"""What ends a run early: numbers that are not finite, and people who ask it to stop."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from vptsp.errors import TrainingError
from vptsp.settings.config import Config


class TrainingStopped(KeyboardInterrupt):
    """The run was asked to stop (Ctrl-C, SIGTERM or a ``STOP`` file), saved itself, and can be resumed."""


def not_finite(
    loss: float, gradient_norm: float, config: Config, place: str, class_names: Sequence[str]
) -> TrainingError:
    """The error of a step whose loss or gradient is not finite: its place, the batch's classes and what to try."""
    what, value = ("gradient norm", gradient_norm) if math.isfinite(loss) else ("loss", loss)
    tries = [f"a smaller lr (now {config.lr:g}) or lr_proxy (now {config.lr_proxy:g})"]
    tries += [] if config.grad_clip else ["grad_clip=1"]
    tries += [] if config.precision == "fp32" else ["precision=fp32"]
    return TrainingError(
        f"the {what} is {value} at {place}, with classes {', '.join(class_names[:8])}"
        f"{', ...' if len(class_names) > 8 else ''}; nothing of this step was kept. "
        f"Try {', '.join(tries)}; look at these classes' images if it persists"
    )


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """The first Ctrl-C or SIGTERM asks for a stop after the current step; a second one interrupts at once."""
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested  # signals reach the main thread only; STOP files still work
        return

    def ask(number: int, frame: Any) -> None:
        if requested.is_set():
            raise KeyboardInterrupt("interrupted at once; vptsp train --resume RUN goes on from the last checkpoint")
        requested.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
