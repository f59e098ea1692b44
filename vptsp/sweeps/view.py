"""How a sweep stands, as rows: for the terminal, for the SweepBoard, for anything that shows it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from vptsp.settings.tasks import TASKS
from vptsp.sweeps.folder import STATES, Job, SweepFolder
from vptsp.sweeps.plan import describe


@dataclass(frozen=True)
class Row:
    """One job. ``fraction`` is the share that is done, ``best`` the best validation metric so far, ``test`` the test
    metric of the selected epoch, both shares of 1; times are in seconds; what is unknown is none. ``gpu`` names the
    GPUs that it was given, if any, and ``devices`` is the number of its processes."""

    name: str
    title: str
    parameters: dict[str, Any]
    state: str
    error: str
    attempts: int
    fraction: float | None
    place: str
    metric: str
    best: float | None
    test: float | None
    seconds: float | None
    left: float | None
    memory_peak: int
    path: Path
    notebook: Path | None
    report: Path | None
    devices: int = 1
    gpu: str = ""


@dataclass(frozen=True)
class Overview:
    """All jobs of a sweep. ``counts`` has every state; ``left`` is the time in seconds until all are finished."""

    rows: list[Row]
    counts: dict[str, int]
    left: float | None


def overview(folder: SweepFolder, done: dict[str, Row] | None = None) -> Overview:
    """Read how every job stands. ``done`` keeps rows of finished jobs, so that they are not read again and again."""
    done = {} if done is None else done
    record = folder.record()
    jobs = [Job(folder.path / name) for name in record["jobs"]]
    rows = []
    for job in jobs:
        row = done.get(job.name) or _row(job, record["differing"])
        if row.state == "done":
            done[job.name] = row
        rows.append(row)
    counts = Counter(row.state for row in rows)
    return Overview(rows, {state: counts[state] for state in STATES}, _time_left(rows, record.get("workers")))


def _row(job: Job, names: Sequence[str]) -> Row:
    status, progress = job.status(), job.progress()
    state = status["state"]
    fraction, place = _place(state, status, progress)
    started = status.get("started")
    until = status.get("finished") or (time.time() if state == "running" else status.get("heartbeat"))
    seconds = until - started if started and until else None
    metric, best = _best(job)
    metrics = job.metrics() if state == "done" else {}
    known = [task.metric for task in TASKS.values() if task.metric in metrics]
    metric = metric or (known[0] if known else "")
    left = progress.get("seconds_left") if state == "running" and progress.get("state") == "training" else None
    title = describe(job.parameters, list(names))
    if job.labels:
        seed = describe(job.parameters, [name for name in names if name == "seed"])
        title = f"{', '.join(job.labels)} {seed}".strip()
    return Row(
        name=job.name,
        title=title or job.name,
        parameters=job.parameters,
        state=state,
        error=status["error"],
        attempts=status["attempts"],
        fraction=fraction,
        place=place,
        metric=metric,
        best=best,
        test=metrics.get(metric),
        seconds=seconds,
        left=left,
        memory_peak=status.get("memory_peak", 0),
        path=job.path,
        notebook=job.notebook(),
        report=job.report(),
        devices=job.devices,
        gpu=status.get("gpu") or "",
    )


def _place(state: str, status: dict[str, Any], progress: dict[str, Any]) -> tuple[float | None, str]:
    """The share that is done and where that is: steps while the run trains, else cells."""
    if state == "done":
        return 1.0, ""
    if progress.get("state") == "training" and progress.get("steps"):
        return progress["step"] / progress["steps"], f"epoch {progress['epoch']} of {progress['epochs']}"
    if status.get("cells"):
        cell, cells = status["cell"], status["cells"]
        # before training and after it; a cell says little about time
        return (1.0 if progress.get("state") == "done" else None), f"cell {cell} of {cells}"
    return None, ""


def _best(job: Job) -> tuple[str, float | None]:
    """Name and value of the best validation metric so far, of the model that is trained now."""
    lines = job.epochs_of_model()
    for task in TASKS.values():
        values = [line[f"val_{task.metric}"] for line in lines if line.get(f"val_{task.metric}") is not None]
        if values:
            return task.metric, max(values)
    return "", None


def _time_left(rows: list[Row], workers: int | None) -> float | None:
    """From the median of finished runs, or the pace of the running ones."""
    known = [row.seconds for row in rows if row.state == "done" and row.seconds]
    known = known or [row.seconds + row.left for row in rows if row.left is not None and row.seconds]
    if not known:
        return None
    usual = median(known)
    running = [row for row in rows if row.state == "running"]
    work = sum(
        row.devices * (row.left if row.left is not None else max(usual - (row.seconds or 0), 0)) for row in running
    )
    work += usual * sum(row.devices for row in rows if row.state == "queued")
    at_once = workers or sum(row.devices for row in running)  # Dask's workers come and go
    return work / max(1, at_once)
