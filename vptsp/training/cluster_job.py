"""A run as a job of a SLURM cluster, by submitit: started there, stopped when its time is up, and begun again.

submitit writes the script, asks sbatch and passes signals on; a job of several devices is a task for each, by srun.
Some time before the end of its allocation, and when it is preempted, a job gets a signal. It then saves itself after
the step under way, and goes back into the queue; there it goes on from that checkpoint.
"""

from __future__ import annotations

import importlib.util
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vptsp.devices.surroundings import is_first
from vptsp.errors import ConfigError
from vptsp.project import placed
from vptsp.runs.run import Run
from vptsp.settings.config import Config

if TYPE_CHECKING:
    from submitit import Job

_SHARED = ("name", "nodes", "tasks_per_node", "gpus_per_node", "cpus_per_task", "mem_gb", "timeout_min")
_TIMES = 1000  # that a job may come to the end of its time and be queued again


# --- what any job of a cluster does -------------------------------------------------------------------
class Queued(ABC):
    """Work that is called on the cluster; a job that was preempted is queued again as the same, which goes on."""

    @abstractmethod
    def __call__(self) -> str: ...

    def checkpoint(self) -> Any:
        """What submitit asks for then."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


class Turn:
    """A job's time on a machine, at the end of which it is told so: ``ask`` is called then, and ``over`` is true."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self.over, self._ask, self._queue = False, ask, signal.getsignal(_signal())
        signal.signal(_signal(), self._told)

    def _told(self, number: int, frame: Any) -> None:
        self.over = True
        self._ask()

    def queue_again(self) -> None:
        """submitit's own answer to the signal: back into the queue, and out. Does not return."""
        signal.signal(_signal(), self._queue)
        os.kill(os.getpid(), _signal())
        signal.pause()


def require_submitit() -> None:
    """Raises :class:`ConfigError` where it is not installed."""
    if importlib.util.find_spec("submitit") is None:
        raise ConfigError(
            "a job of a cluster needs submitit, which is not installed; pip install 'vptsp-workbench[slurm]'"
        )


def enqueue(
    work: Queued, logs: Path, name: str, options: Mapping[str, Any], *, gpus: int, nodes: int = 1, tasks: int = 1
) -> Job[str]:
    """Put ``work`` into the queue, for so many machines with so many ``tasks`` and ``gpus`` each.

    Raises :class:`ConfigError` where the cluster does not take it.
    """
    import submitit

    given = dict(options)
    cluster = given.pop("cluster", "slurm")
    local = cluster == "local"
    layout: dict[str, Any] = {"name": name, "timeout_min": 24 * 60.0}
    if not local:
        layout |= {"nodes": nodes, "tasks_per_node": tasks, **({"gpus_per_node": gpus} if gpus else {})}
    layout |= {name if local or name in _SHARED else f"slurm_{name}": value for name, value in given.items()}
    try:
        executor = submitit.AutoExecutor(logs, cluster, **{f"{cluster}_max_num_timeout": _TIMES})
        executor.update_parameters(**layout)
        return executor.submit(work)
    except (RuntimeError, NameError, ValueError, TypeError) as error:
        raise ConfigError(
            f"the cluster does not take this job ({str(error).splitlines()[0]}); see the options of submitit and "
            "sbatch, or run it on this machine with cluster=local"
        ) from None


def _signal() -> signal.Signals:
    """What submitit tells a job by that it is preempted or out of time."""
    return signal.Signals[f"SIG{os.environ.get('SUBMITIT_PREEMPT_SIGNAL', 'USR2')}"]


# --- training ---------------------------------------------------------------------------------------------
class TrainJob(Queued):
    """What the cluster runs: train, or go on where an earlier turn of this job was stopped."""

    def __init__(self, config: Config, run_dir: Path) -> None:
        self.config, self.run_dir = config, run_dir

    def __call__(self) -> str:
        from vptsp.runs.progress import print_epochs
        from vptsp.training.guards import TrainingStopped
        from vptsp.training.loop import train

        def stop() -> None:
            if is_first() and (self.run_dir / "config.json").exists():
                (self.run_dir / "STOP").touch()

        turn = Turn(stop)
        begun = Run(self.run_dir).has_begun()
        try:
            run = train(None if begun else self.config, self.run_dir, resume=begun, observer=print_epochs)
        except TrainingStopped:
            if not turn.over:
                raise
            turn.queue_again()
            raise
        return str(run.path)


def submit(config: Config, run_dir: str | Path, options: Mapping[str, Any] | None = None) -> Job[str]:
    """Put a training into the queue, and return at once; the job's logs are in ``<run_dir>/.slurm``.

    ``options`` are submitit's (``timeout_min``, ``mem_gb``, ``cpus_per_task``) or sbatch's own (``partition``,
    ``account``, ``qos``); ``cluster=local`` runs the job on this machine. Machines and tasks are those of the settings
    ``num_nodes`` and ``devices``. Raises :class:`ConfigError` without submitit, without SLURM, and for options that
    neither knows.
    """
    folder = placed(run_dir).resolve()
    require_submitit()
    if not Run(folder).has_begun():
        Run(folder).require_free()
    gpus = 0 if config.device == "cpu" else config.devices
    job, logs = TrainJob(config, folder), folder / ".slurm"
    return enqueue(job, logs, folder.name, options or {}, gpus=gpus, nodes=config.num_nodes, tasks=config.devices)
