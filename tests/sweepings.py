"""A sweep's folder as its supervisors would leave it, without running anything."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vptsp.files import write_json
from vptsp.sweeps import Job, SweepFolder
from vptsp.sweeps.folder import here
from vptsp.sweeps.plan import differing


class Sweeping:
    """A sweep's folder made by hand: its plan, and jobs in whatever state."""

    def __init__(self, path: Path, parameters: list[dict[str, Any]], labels: list[str] | None = None) -> None:
        self.folder, self.jobs = SweepFolder(path), [Job(path / f"job-{number}") for number in range(len(parameters))]
        for number, (job, given) in enumerate(zip(self.jobs, parameters, strict=True)):
            record = {"name": job.name, "labels": labels[number : number + 1] if labels else [], "parameters": given}
            job.path.mkdir(parents=True)
            (job.path / "job.json").write_text(json.dumps(record | {"key": f"key{number}"}))
        plan = {"jobs": [job.name for job in self.jobs], "differing": differing(parameters)}
        write_json(path / "sweep.json", plan | {"workers": 2, "started": 1e9})

    def put(
        self,
        number: int,
        state: str,
        val: Sequence[float] = (),
        test: float | None = None,
        epochs: int = 0,
        **more: Any,
    ) -> Path:
        """Let a job be in ``state`` after ``len(val)`` of ``epochs`` epochs; it began 100 seconds ago."""
        job, now = self.jobs[number], time.time()
        status = {"state": state, "attempts": int(state != "queued"), "error": "", **here(), "started": now - 100}
        finished = {} if state in ("running", "queued") else {"finished": now}
        job.write_status(**status | finished | {"heartbeat": now, "memory_peak": 2**30} | more)
        if epochs:
            kind = {"running": "training", "queued": "training"}.get(state, state)
            steps: dict[str, Any] = {"step": 10 * len(val), "steps": 10 * epochs}
            if kind == "training" and val:
                steps["seconds_left"] = 100 * (epochs - len(val)) / len(val)
            write_json(job.path / "progress.json", {"state": kind, "epoch": len(val), "epochs": epochs, **steps})
        lines = [json.dumps({"epoch": epoch, "val_recall_at_1": value}) for epoch, value in enumerate(val, 1)]
        (job.path / "metrics.jsonl").write_text("".join(f"{line}\n" for line in lines))
        if test is not None:
            write_json(job.path / "summary.json", {"selected": "best", "test": {"best": {"recall_at_1": test}}})
        return job.path


def sweep_of_all_states(path: Path) -> Sweeping:
    """Seven jobs: two done, one each running, failed, killed, interrupted, queued."""
    rates = [{"preset": "demo", "lr": rate, "seed": seed} for rate in (1e-3, 1e-5) for seed in range(4)][:7]
    sweep = Sweeping(path, rates)
    sweep.put(0, "done", val=[0.5, 0.75, 0.7], test=0.6, epochs=3)
    sweep.put(1, "done", val=[0.4, 0.5, 0.6], test=0.9, epochs=3)
    sweep.put(2, "running", val=[0.3], epochs=4)
    sweep.put(3, "failed", epochs=3, error="ValueError: the loss is a <fish>\nTraceback:\n  line 2")
    sweep.put(4, "killed", val=[0.2], epochs=2, error="killed by signal 9", attempts=3)
    sweep.put(5, "interrupted", val=[0.1], epochs=4)
    return sweep
