"""Where a run is: the numbers that the loop counts, as ``checkpoint/last/state.json`` stores them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from vptsp.errors import RunError
from vptsp.runs.checkpoints import (
    begin_saving,
    finish_saving,
    load_training,
    rows_saved,
    save_rows,
    save_training,
)
from vptsp.runs.run import Run
from vptsp.training.session import Session

_LATER = ("scaler", "foothold", "inside")  # which checkpoints of earlier versions do not have


@dataclass
class TrainingState:
    """Place and sums of a run; a new one has done nothing. Field names are the keys of the stored file."""

    epoch: int = 0  # finished epochs
    batch: int = 0  # finished batches of the epoch under way
    loss_sum: float = 0.0  # of these batches
    gradient_norm: float | None = 0.0  # of the last step; none if fp16 left it out because it overflowed
    best: dict[str, Any] | None = None  # epoch and validation metric of the selected checkpoint
    lines: list[dict[str, Any]] = field(default_factory=list)  # records of the finished epochs: metrics.jsonl
    foothold: dict[str, Any] | None = None  # epoch and validation metric of what training would go back to
    inside: float = 1.0  # share of their rates at which prompts and weights in the transformer train
    scaler: dict[str, Any] = field(default_factory=dict)  # of the loss scale, at the last checkpoint

    @classmethod
    def resumed(cls, run: Run, session: Session) -> TrainingState:
        """The state of the last checkpoint, put into the session's parts as well; a new one if there is none."""
        average = None if session.average is None else session.average.restore
        stored = load_training(run, session.model, session.optimizers, average)
        if stored is None:
            return cls()
        state = cls.from_json(stored, str(run.path))
        session.precision.restore(state.scaler)
        return state

    @classmethod
    def from_json(cls, stored: dict[str, Any], source: str) -> TrainingState:
        """Read what :meth:`to_json` gave; other keys of the file are the checkpoint's own.

        Raises :class:`RunError` where a number is missing, with ``source`` for the place.
        """
        names = [each.name for each in fields(cls)]
        missing = [name for name in names if name not in stored and name not in _LATER]
        if missing:
            raise RunError(
                f"the checkpoint of {source} holds no {', '.join(missing)}, so it is not known where it stopped; "
                f"start again in another run directory: vptsp train --preset {source}/config.json --run-dir NEW"
            )
        return cls(**{name: stored[name] for name in names if name in stored})

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def count_step(self, loss: float, gradient_norm: float | None) -> None:
        """One batch more is done."""
        self.batch += 1
        self.loss_sum += loss
        self.gradient_norm = gradient_norm

    def count_epoch(self, line: dict[str, Any]) -> None:
        """The epoch under way is done, and ``line`` is its record."""
        self.lines.append(line)
        self.epoch, self.batch, self.loss_sum = self.epoch + 1, 0, 0.0

    def save(self, run: Run, session: Session) -> None:
        """Replace the training checkpoint by the session as it is; all processes store the class prompts they own."""
        self.scaler = session.precision.state()
        world, model = session.world, session.model
        average = {} if session.average is None else session.average.state()
        more = {f"average.{name}": value for name, value in average.items()}
        if world.alone or model.rows is None:
            world.first(lambda: save_training(run, model, session.optimizers, self.to_json(), more))
            return
        staging = world.first(lambda: begin_saving(run))
        rows = world.all_well(lambda: save_rows(staging, model))
        world.first(lambda: finish_saving(run, model, session.optimizers, self.to_json(), rows | more))
        rows_saved(model)
