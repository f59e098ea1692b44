"""Training: from settings to a finished run directory, stopped and resumed to the same bits.

>>> from vptsp.training import train
>>> train(config, observer=print)  # doctest: +SKIP

Read it in this order:

- :mod:`~vptsp.training.loop`: the whole of it, from top to bottom: a run, its epochs, one epoch, the end of an epoch;
- :mod:`~vptsp.training.session`: what a run needs, built and checked before anything is written, and a step's three
  moves: backward, clip, step;
- :mod:`~vptsp.training.start_from_data`: one pass over the images that sets head and proxies before the first step;
- :mod:`~vptsp.training.guide`, :mod:`~vptsp.training.pruning`: what DA-VPT and E2VPT do between epochs;
- :mod:`~vptsp.training.state`: what the loop counts, as a checkpoint stores it;
- :mod:`~vptsp.training.objective`, :mod:`~vptsp.training.optimizers`, :mod:`~vptsp.training.schedule`,
  :mod:`~vptsp.training.precision`: what is minimised, by which rules, at which learning rates, in which precision;
- :mod:`~vptsp.training.whole_batch`: the forward pass of one process among several (:mod:`vptsp.devices`);
  :mod:`~vptsp.training.cluster_job`: a run as a job of SLURM;
- :mod:`~vptsp.training.gradient_cache`: a step in several passes, for batches that memory cannot hold;
- :mod:`~vptsp.training.shared_features`: what a frozen backbone says of augmented images, kept for runs of other heads;
- :mod:`~vptsp.training.guards`: what ends a run early; :mod:`~vptsp.training.write_snapshots` and
  :mod:`~vptsp.training.trackers`: what is told of it on the way;
- :mod:`~vptsp.training.baselines`: the frozen backbone and the linear probe, which every result is read beside.

An observer is called with an ``Event`` after every step and epoch; both types come from :mod:`vptsp.runs.progress`.
Names are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vptsp.runs.progress import Event as Event
    from vptsp.runs.progress import Observer as Observer
    from vptsp.training.baselines import compared as compared
    from vptsp.training.baselines import train_baselines as train_baselines
    from vptsp.training.guards import TrainingStopped as TrainingStopped
    from vptsp.training.loop import train as train
    from vptsp.training.objective import make_objective as make_objective
    from vptsp.training.optimizers import make_optimizers as make_optimizers
    from vptsp.training.session import Session as Session

_HOMES = {
    "train": "training.loop",
    "Session": "training.session",
    "TrainingStopped": "training.guards",
    "Event": "runs.progress",
    "Observer": "runs.progress",
    "make_objective": "training.objective",
    "make_optimizers": "training.optimizers",
    "train_baselines": "training.baselines",
    "compared": "training.baselines",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vptsp.training' has no attribute {name!r}")
    return getattr(import_module(f"vptsp.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
