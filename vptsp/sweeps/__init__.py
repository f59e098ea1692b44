"""Batches of notebook runs that survive the night.

>>> from vptsp.sweeps import Sweep, run_sweep
>>> sweep = Sweep("01_train", parameters={"preset": "demo"}, grid={"lr": [1e-3, 1e-2]}, seeds=3)
>>> run_sweep(sweep, "runs/sweeps/rates", workers=2)  # doctest: +SKIP

A sweep (:mod:`.spec`) becomes a plan of checked runs (:mod:`.plan`), each a directory of its own in the sweep's
folder (:mod:`.folder`). A runner (:mod:`.runner`) hands them to any ``concurrent.futures`` executor, where a
supervisor (:mod:`.supervisor`) starts each run as a process (:mod:`.worker`) and alone writes its status.

Read ``plan.py`` first, then ``supervisor.py``. ::

    spec            what a sweep varies: grids, lists, random search, seeds
    random_search   random draws that are the same on every machine
    plan            from a sweep to its runs, all checked before the first is started
    folder          the sweep's folder and its jobs, readable at any time
    halving         a search for rates, in stages that are sweeps each
    tuned           the search done, and what decides: held-out data
    runner          what is done is skipped, what was cut off goes on
    places          where runs compute: a run takes as many places as it has devices
    slurm           runs as jobs of a SLURM cluster
    supervisor      one run as a process of its own, watched
    worker          that process
    process_ends    what it means that a process ended as it did
    ledger          a line of JSON per finished run
    view, terminal  how a sweep stands: as rows, and on the terminal
    variants        a few variants of one configuration, trained here and now
    yaml12          YAML without its surprises
    presets/        the sweeps of the papers' tables and figures

Names are loaded when first used: a run's own process must not wait for what it does not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vptsp.sweeps.folder import STATES as STATES
    from vptsp.sweeps.folder import Job as Job
    from vptsp.sweeps.folder import SweepFolder as SweepFolder
    from vptsp.sweeps.folder import load as load
    from vptsp.sweeps.halving import Search as Search
    from vptsp.sweeps.halving import make_search as make_search
    from vptsp.sweeps.ledger import merge_ledgers as merge_ledgers
    from vptsp.sweeps.ledger import read_ledger as read_ledger
    from vptsp.sweeps.ledger import write_ledger as write_ledger
    from vptsp.sweeps.plan import Plan as Plan
    from vptsp.sweeps.plan import make_plan as make_plan
    from vptsp.sweeps.runner import run_sweep as run_sweep
    from vptsp.sweeps.spec import Sweep as Sweep
    from vptsp.sweeps.spec import read_sweep as read_sweep
    from vptsp.sweeps.tuned import Tuned as Tuned
    from vptsp.sweeps.tuned import tune as tune
    from vptsp.sweeps.variants import TrainedVariant as TrainedVariant
    from vptsp.sweeps.variants import Variant as Variant
    from vptsp.sweeps.variants import train_variants as train_variants
    from vptsp.sweeps.view import Overview as Overview
    from vptsp.sweeps.view import overview as overview

_HOMES = {
    "Sweep": "spec",
    "read_sweep": "spec",
    "Plan": "plan",
    "make_plan": "plan",
    "run_sweep": "runner",
    "make_search": "halving",
    "Search": "halving",
    "tune": "tuned",
    "Tuned": "tuned",
    "load": "folder",
    "SweepFolder": "folder",
    "Job": "folder",
    "STATES": "folder",
    "Variant": "variants",
    "TrainedVariant": "variants",
    "train_variants": "variants",
    "Overview": "view",
    "overview": "view",
    "read_ledger": "ledger",
    "write_ledger": "ledger",
    "merge_ledgers": "ledger",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vptsp.sweeps' has no attribute {name!r}")
    return getattr(import_module(f"vptsp.sweeps.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
