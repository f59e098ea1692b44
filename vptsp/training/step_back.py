"""Going back where adapting the transformer harms what held-out classes find, and going on more slowly.

How large a step the features bear depends on the data: with many images of few classes the rates of the defaults adapt
them well, with few images of many they destroy in an epoch what the backbone knew. Nobody knows before; the classes
held out of train do after an epoch. So the best epoch so far is a foothold: an epoch that falls below it by more than
chance is undone, and prompts and weights in the transformer train on from there at a fraction of their rates, with what
the optimisers remembered: begun anew they would take their largest steps. What that is worth on which data is measured
in ``docs/defaults.md``.
"""

from __future__ import annotations

import math
from typing import Any

from vptsp.runs.checkpoints import drop_foothold, load_foothold, save_foothold
from vptsp.runs.run import Run
from vptsp.training.schedule import head_alone
from vptsp.training.session import Session
from vptsp.training.state import TrainingState


def look_back(run: Run, session: Session, state: TrainingState, line: dict[str, Any]) -> None:
    """After an epoch whose record is ``line``: a new foothold, or back to the old one, which the line then says.

    Nothing of it where no held-out classes judged the epoch, where nothing in the transformer trains, and where class
    prompts live in a bank, of which a copy may not fit anywhere.
    """
    config, model, world = session.config, session.model, session.world
    value = line.get(f"val_{config.selection_metric}")
    if not config.steps_back or value is None or not model.trains_inside or model.rows is not None:
        return
    held, epoch = state.foothold, line["epoch"]
    if held is None or value >= held["value"]:
        state.foothold = {"epoch": epoch, "value": value}
        with session.as_judged():  # of averaged weights, if those are what it is the value of
            world.first(lambda: save_foothold(run, model, session.optimizers))
    elif epoch < config.epochs and not head_alone(config, epoch - 1):
        assert session.splits.val is not None, "it has judged the epoch"
        if held["value"] - value > by_chance(held["value"], value, len(session.splits.val)):
            world.all_well(lambda: load_foothold(run, model, session.optimizers))
            if session.average is not None:
                session.average.begin()
            state.inside *= config.step_back
            line["back_to"] = held["epoch"]


def by_chance(one: float, other: float, images: int) -> float:
    """What two shares of so many images differ by without a reason: two standard errors of their difference.

    For means of values between 0 and 1, as MAP@R is one, it is an upper bound, which a share reaches.
    """
    return 2 * math.sqrt((one * (1 - one) + other * (1 - other)) / images)


def forget_foothold(run: Run, session: Session, state: TrainingState) -> None:
    """There is nothing to go back to any more: the run is over, or has pruned."""
    state.foothold = None
    session.world.first(lambda: drop_foothold(run))
