"""Where runs compute on this machine: places, of which a run takes as many as it has devices.

A place is one worker's: its number, its threads and its GPU, if there are any. A run of one device takes one place; a
run of N devices takes N at once, with N different GPUs, and runs that wait are served in their order, so that a large
one is not passed by small ones for ever.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from vptsp.errors import ConfigError
from vptsp.sweeps.plan import Plan
from vptsp.sweeps.supervisor import Place


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def places_for(plan: Plan, workers: int | None, threads: int | None, gpus: Sequence[str | int]) -> list[Place]:
    """:func:`local_places` for the runs of a plan. Raises :class:`ConfigError` where one of them finds no room.

    Without ``gpus`` runs are spread over those that are visible, if there are several: each would take the first. Not
    so where a run names its own (``device=cuda:1``), and for notebooks that take no settings, whose work is unknown.
    """
    for job in plan.jobs:
        if job.nodes > 1:
            raise ConfigError(
                f"num_nodes={job.nodes}: a sweep starts the processes of a run on one machine; use num_nodes=1, or "
                "start this run by itself with torchrun, srun or vptsp train --slurm"
            )
    most = max((job.devices for job in plan.jobs), default=1)
    if most > 1 and not gpus and any(job.on_gpu for job in plan.jobs if job.devices > 1):
        gpus = _visible_gpus()
    elif not gpus and plan.signature.resolves and _has_drivers():
        spread = any(job.on_gpu for job in plan.jobs) and not any(job.names_gpu for job in plan.jobs)
        if spread and len(found := _visible_gpus()) > 1:
            gpus = found
    return local_places(workers, threads, gpus, most)


def local_places(workers: int | None, threads: int | None, gpus: Sequence[str | int], most: int = 1) -> list[Place]:
    """One place per worker on this machine, where a run has at most ``most`` devices.

    By default one for each GPU, else for every two cores, and as many as the largest run needs. Raises
    :class:`ConfigError` for numbers that are too small for that run.
    """
    for name, value in (("workers", workers), ("threads", threads)):
        if value is not None and value < 1:
            raise ConfigError(f"{name}={value} is too few; legal: 1 or more")
    if workers is not None and workers < most:
        raise ConfigError(
            f"workers={workers} is too few for a run of devices={most}, which takes the places of {most} workers; use "
            f"workers={most} or more, or fewer devices"
        )
    workers = workers or len(gpus) or max(1, cores() // 2, most)
    threads = threads or max(1, cores() // workers)
    places = [Place(index, threads, str(gpus[index % len(gpus)]) if gpus else None) for index in range(workers)]
    if gpus and most > len({place.gpu for place in places}):
        raise ConfigError(
            f"devices={most} are more than the GPUs that {workers} workers take of {', '.join(map(str, gpus))}; use as "
            "many as there are, or device=cpu"
        )
    return places


def gpus_in_words(places: Sequence[Place], asked: Sequence[str | int]) -> str:
    """Which GPUs runs were spread over without being ``asked`` to, in a line; "" where they were asked, or are not."""
    used = list(dict.fromkeys(place.gpu for place in places if place.gpu is not None))
    return "" if asked or not used else f"runs are spread over GPUs {', '.join(used)}; --gpus chooses among them"


def _has_drivers() -> bool:
    """Whether there may be GPUs, without importing torch, which takes seconds."""
    return any(Path(name).exists() for name in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))


def _visible_gpus() -> list[str]:
    """GPUs by the names that CUDA_VISIBLE_DEVICES takes; empty where there are none."""
    import torch

    given = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in given.split(",") if name.strip()]
    count = torch.cuda.device_count()
    return names[:count] if len(names) >= count else [str(index) for index in range(count)]


class Room:
    """The places of a sweep, free or taken."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._free = list(places)
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    @contextmanager
    def taken(self, devices: int) -> Iterator[Place]:
        """Waits for room for so many devices, and for whoever asked before; then has it."""
        found = self._take(devices)
        try:
            yield joined(found)
        finally:
            with self._changed:
                self._free = sorted([*self._free, *found], key=lambda place: place.worker or 0)
                self._changed.notify_all()

    def _take(self, devices: int) -> list[Place]:
        turn = object()
        with self._changed:
            self._waiting.append(turn)
            while True:
                if self._waiting[0] is turn and (found := self._fitting(devices)):
                    self._waiting.popleft()
                    self._free = [place for place in self._free if place not in found]
                    self._changed.notify_all()
                    return found
                self._changed.wait()

    def _fitting(self, devices: int) -> list[Place]:
        """So many free places, no GPU twice; none where there are not."""
        found: list[Place] = []
        for place in self._free:
            if place.gpu is None or place.gpu not in {other.gpu for other in found}:
                found.append(place)
            if len(found) == devices:
                return found
        return []


def joined(places: Sequence[Place]) -> Place:
    """Several places as one, of all their GPUs."""
    gpus = [place.gpu for place in places if place.gpu is not None]
    return replace(places[0], gpu=",".join(gpus) if gpus else None)
