"""Runs of a sweep as jobs of a SLURM cluster, each with the devices it asks for, by submitit.

The sweep's own process only queues them and watches: it may run on a login node. A job that is preempted or out of time
lets its run write a checkpoint and goes back into the queue, where it goes on.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vptsp.errors import RunError
from vptsp.sweeps.folder import Job, SweepFolder
from vptsp.sweeps.supervisor import Place, execute
from vptsp.training.cluster_job import Queued, Turn, enqueue, require_submitit

if TYPE_CHECKING:
    import submitit

_POLL_SECONDS = 1.0


class SweepJob(Queued):
    """What the cluster runs: one run of a sweep, or what is left of it."""

    def __init__(self, path: str, place: Place) -> None:
        self.path, self.place = path, place

    def __call__(self) -> str:
        turn = Turn(lambda: None)
        state = execute(self.path, self.place, lambda: turn.over)
        if turn.over and state != "done" and not SweepFolder(Path(self.path).parent).wish():
            Job(self.path).write_status(**Job(self.path).status() | {"state": "queued"})
            turn.queue_again()
        return state


class SlurmExecutor(concurrent.futures.Executor):
    """Takes what :func:`vptsp.sweeps.run_sweep` submits to an executor; a run that is cancelled leaves the queue.

    ``options`` are those of :func:`vptsp.training.cluster_job.submit`. Raises :class:`ConfigError` without submitit, at
    once, and where the cluster does not take a job, when it is submitted.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        require_submitit()
        self.options = dict(options)
        self._queued: dict[concurrent.futures.Future[str], submitit.Job[str]] = {}
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="queue", daemon=True)
        self._watcher.start()

    def submit(  # type: ignore[override]
        self, work: Callable[..., str], /, path: str, place: Place | None = None
    ) -> concurrent.futures.Future[str]:
        """Queue the run in the directory ``path``."""
        job = Job(path)
        gpus = 0 if job.parameters.get("device") == "cpu" else job.devices
        work = SweepJob(path, place or Place())
        queued = enqueue(work, job.path.parent / ".slurm", job.name, self.options, gpus=gpus)
        future: concurrent.futures.Future[str] = concurrent.futures.Future()
        self._queued[future] = queued
        return future

    def _watch(self) -> None:
        while not self._closed.wait(_POLL_SECONDS):
            for future, job in list(self._queued.items()):
                if future.cancelled():
                    job.cancel()
                elif not job.done() or not future.set_running_or_notify_cancel():
                    continue
                elif error := job.exception():
                    future.set_exception(
                        RunError(f"the job {job.job_id} of the cluster ended: {str(error).strip()[-500:]}")
                    )
                else:
                    future.set_result(job.result())
                del self._queued[future]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Watch no longer; jobs that are in the queue still leave it."""
        self._closed.set()
        self._watcher.join()
        for job in self._queued.values():
            job.cancel()
