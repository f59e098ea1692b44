"""Run a sweep: what is done is skipped, what was cut off goes on, and nothing outlives this process."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import filelock

from vptsp.errors import ConfigError, RunError, explained
from vptsp.files import write_bytes, write_json
from vptsp.project import placed
from vptsp.sweeps.folder import Job, SweepFolder, load
from vptsp.sweeps.ledger import write_ledger
from vptsp.sweeps.places import Room, places_for
from vptsp.sweeps.plan import Plan, Planned, differing, make_plan
from vptsp.sweeps.spec import Sweep, sweep_from
from vptsp.sweeps.supervisor import Place, execute

_POLL_SECONDS = 0.5
Watcher = Callable[[SweepFolder], None]


@dataclass(frozen=True)
class Chosen:
    """A plan laid over a folder: which jobs there are, which of them will run, and sentences about it."""

    jobs: list[tuple[Planned, str, bool]]  # with its state so far, and whether it is to run
    notes: list[str]

    @property
    def to_run(self) -> list[Planned]:
        return [job for job, _, runs in self.jobs if runs]


def run_sweep(
    sweep: Sweep | Plan | str | Path,
    folder: str | Path | None = None,
    *,
    workers: int | None = None,
    threads: int | None = None,
    gpus: Sequence[str | int] = (),
    executor: concurrent.futures.Executor | None = None,
    retry_failed: bool = False,
    any_code: bool = False,
    yes: bool = False,
    watch: Watcher | None = None,
) -> SweepFolder:
    """Run every job of a sweep that is not done and return the folder. A folder's path runs its own sweep again.

    ``workers`` devices compute at once (default: one per GPU, else one per two cores), each with ``threads`` threads
    (default: the cores divided among them); a run of ``devices=N`` takes N of them. ``executor`` is any
    ``concurrent.futures`` executor whose workers see the same files; then all of that is its business, unless
    ``threads`` is given. ``any_code`` counts what other
    code has done. ``watch`` is called about twice a second. A run that fails is a state, not an exception.

    The first Ctrl-C or SIGTERM lets running jobs write a checkpoint; the second kills them.
    Raises :class:`~vptsp.errors.UsageError`, before anything starts, for what cannot be run.
    """
    plan = sweep if isinstance(sweep, Plan) else make_plan(as_sweep(sweep), yes)
    path = placed(folder or plan.sweep.folder or "")
    if path == Path():
        raise ConfigError("a sweep needs a folder; pass one, for example runs/sweeps/first")
    places = places_for(plan, workers, threads, gpus) if executor is None else []
    with _held(path) as held:
        chosen = choose(plan, path, retry_failed, any_code)
        _write(held, plan, chosen, len(places) if executor is None else None)
        held.ask("")
        jobs = [Job(path.resolve() / job.name) for job in chosen.to_run]
        try:
            if executor is not None:
                _run_all(held, jobs, executor, lambda job: execute_args(job, Place(threads=threads)), watch)
            else:
                with _Slots(places) as slots:
                    _run_all(held, jobs, slots.executor, lambda job: (slots.execute, str(job.path), job.devices), watch)
        finally:
            held.ask("")
    return held


def as_sweep(given: Sweep | str | Path) -> Sweep:
    """A sweep as it is, or the one in a folder."""
    if isinstance(given, Sweep):
        return given
    folder = load(given)
    return replace(sweep_from(folder.record()["sweep"], str(given)), folder=str(given))


def choose(plan: Plan, path: Path, retry_failed: bool = False, any_code: bool = False) -> Chosen:
    """Which jobs of a plan are to run in the folder ``path``, which need not exist."""
    present = SweepFolder(path).all_jobs()
    by_key = {job.key: job for job in present}
    by_meaning = {job.record["meaning_key"]: job for job in sorted(present, key=_is_done)}
    skipped = ("done",) if retry_failed else ("done", "failed")
    jobs, elsewhere, failed = [], 0, 0
    for planned in plan.jobs:
        old = by_key.get(planned.key)
        other = by_meaning.get(planned.meaning_key)
        if old is None and other is not None:
            if any_code:
                old = other
            elsewhere += _is_done(other)
        state = old.status()["state"] if old else "queued"
        if old:
            planned = replace(planned, name=old.name, key=old.key)
        failed += state == "failed" and not retry_failed
        jobs.append((planned, state, state not in skipped))
    notes = list(plan.notes)
    if elsewhere and not any_code:
        notes.append(f"{elsewhere} runs are done with other code and run again; --any-code would keep them")
    if failed:
        notes.append(f"{failed} runs failed before and are left as they are; --retry-failed runs them again")
    beside = len({job.name for job in present} - {planned.name for planned, _, _ in jobs})
    if beside:
        notes.append(f"{beside} runs of earlier plans stay in {path} and are not part of this one")
    return Chosen(jobs, notes)


def _is_done(job: Job) -> bool:
    return job.status()["state"] == "done"


def execute_args(job: Job, place: Place) -> tuple[Any, ...]:
    """What an executor gets for a job."""
    return execute, str(job.path), place


class _Slots:
    """Threads that supervise one run each, at places of its own."""

    def __init__(self, places: list[Place]) -> None:
        self._room = Room(places)
        self.executor = concurrent.futures.ThreadPoolExecutor(len(places), "run")

    def execute(self, path: str, devices: int) -> str:
        with self._room.taken(devices) as place:
            return execute(path, place)

    def __enter__(self) -> _Slots:
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[SweepFolder]:
    """The sweep's folder, made and locked against other sweeps."""
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file; choose a folder for the sweep")
    if path.is_dir() and not (path / "sweep.json").exists() and any(path.glob("[!.]*")):
        raise RunError(f"{path} holds other things than a sweep; choose a new folder")
    lock = filelock.FileLock(path / ".sweep.lock")
    with explained(path):
        path.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise RunError(f"another sweep is running in {path}; wait for it, or choose another folder") from None
    try:
        yield SweepFolder(path)
    finally:
        lock.release()


def _write(folder: SweepFolder, plan: Plan, chosen: Chosen, workers: int | None) -> None:
    import nbformat  # here, as a sweep that is refused or only listed needs none

    source, stored = plan.signature.source, f"{plan.signature.content[:16]}.ipynb"
    text = nbformat.writes(nbformat.read(source, as_version=4))
    write_bytes(folder.path / ".notebooks" / stored, text.encode())
    for planned, state, runs in chosen.jobs:
        job = Job(folder.path / planned.name)
        if not (job.path / "job.json").exists():
            record = {
                "name": planned.name,
                "labels": planned.labels,
                "notebook": stored,
                "source": str(source),
                "parameters": planned.parameters,
                "run_dir": "run_dir" in plan.signature.parameters,
                "key": planned.key,
                "meaning_key": planned.meaning_key,
                "code": plan.code,
                "cwd": str(Path.cwd()),
                "devices": planned.devices,
            }
            write_json(job.path / "job.json", record)
        status = job.status()
        if state == "done":
            write_ledger(job)  # is there already, unless the machine went down in between
        elif runs:
            kept = {name: status[name] for name in ("attempts", "memory_peak") if name in status}
            job.write_status(state="queued", error="", **kept)
    record = {
        "sweep": plan.sweep.as_dict(),
        "jobs": [planned.name for planned, _, _ in chosen.jobs],
        "differing": differing([planned.parameters for planned, _, _ in chosen.jobs]),
        "code": plan.code,
        "workers": workers,
        "started": time.time(),
    }
    write_json(folder.path / "sweep.json", record)


def _run_all(
    folder: SweepFolder,
    jobs: list[Job],
    executor: concurrent.futures.Executor,
    call: Callable[[Job], tuple[Any, ...]],
    watch: Watcher | None,
) -> None:
    """Submit every job and wait for the last; a wish to stop cancels those that have not started."""
    from vptsp.training.guards import stop_requests

    with stop_requests() as asked:
        futures = {executor.submit(*call(job)): job for job in jobs}
        waiting = set(futures)
        try:
            while waiting:
                try:
                    waiting = _step(folder, futures, waiting, asked, watch)
                except KeyboardInterrupt:  # the second one
                    folder.ask("kill")
        except BaseException:  # of the watcher, for example: the runs must not go on without this loop
            folder.ask("kill")
            raise
        if watch:
            watch(folder)


def _step(
    folder: SweepFolder,
    futures: Mapping[concurrent.futures.Future[str], Job],
    waiting: set[concurrent.futures.Future[str]],
    asked: threading.Event,
    watch: Watcher | None,
) -> set[concurrent.futures.Future[str]]:
    ended, rest = concurrent.futures.wait(waiting, _POLL_SECONDS, return_when=concurrent.futures.FIRST_COMPLETED)
    for future in ended:
        _settle(futures[future], future.exception())
    if asked.is_set() and not folder.wish():
        folder.ask("stop")
    if folder.wish():
        # an executor on other machines would also cancel its hold on what runs; that ends by itself
        dropped = {future for future in rest if futures[future].status()["state"] != "running" and future.cancel()}
        for future in dropped:
            _settle(futures[future], None)
        rest -= dropped
    if watch:
        watch(folder)
    return set(rest)


def _settle(job: Job, error: BaseException | None) -> None:
    """Enter a finished job in the ledger, and note what became of one whose supervisor did not live to note it."""
    status = job.status()
    if status["state"] == "done":
        write_ledger(job)
    elif error is not None and status["state"] in ("running", "queued", "killed"):
        lost = f"its supervisor ended ({type(error).__name__}: {error}); start the sweep again"
        job.write_status(**status | {"state": "killed", "error": lost})
