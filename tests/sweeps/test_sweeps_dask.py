"""The same sweep on a Dask cluster of real processes, one of which is killed in the middle of a run."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from toys import kernels, orphans, toy

from vptsp.sweeps import Sweep, SweepFolder, overview, read_ledger, run_sweep


@pytest.mark.slow
def test_a_worker_that_dies_loses_no_run(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    held, killed = tmp_path / "sweep", []

    def kill_a_worker(folder: SweepFolder) -> None:
        """The second run waits in its middle until the worker that supervises it is gone."""
        job = folder.jobs()[1]
        if not killed:
            (job.path / "hold").touch()
            status = job.status()
            if status["state"] == "running" and (job.path / "kernels.txt").exists():
                assert status["supervisor"] != os.getpid()
                os.kill(status["supervisor"], signal.SIGKILL)
                killed.append(status["supervisor"])
                (job.path / "hold").unlink()

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
        client.get_executor(pure=False) as executor,
    ):
        sweep = Sweep(str(toy(tmp_path)), grid={"x": [1, 2, 3, 4, 5]}, parameters={"steps": 50})
        folder = run_sweep(sweep, held, executor=executor, threads=1, watch=kill_a_worker)
        view = overview(folder)

    assert len(killed) == 1
    assert view.counts["done"] == 5
    assert {row.parameters["x"]: row.test for row in view.rows} == {x: x / 100 for x in range(1, 6)}
    assert view.rows[1].attempts == 2
    assert len({job.status()["supervisor"] for job in folder.jobs()}) >= 2
    assert len(read_ledger(held / "ledger.jsonl")) == 5
    assert len(kernels(held)) == sum(row.attempts for row in view.rows) == 6
    assert orphans(held) == []
