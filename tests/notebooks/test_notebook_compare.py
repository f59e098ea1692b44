"""Notebook 09 headless, on the folder of a sweep of which one run failed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from markup import Markup, refused_by_sanitiser
from papermill.exceptions import PapermillExecutionError

from vptsp.analysis.comparison import Comparison
from vptsp.notebooks import run_notebook
from vptsp.settings.config import Config, make_config
from vptsp.sweeps import Job, Sweep, SweepFolder, run_sweep
from vptsp.training.loop import train

pytestmark = [pytest.mark.notebooks, pytest.mark.usefixtures("forked_kernels")]

PLOTLY = "application/vnd.plotly.v1+json"


class InThisProcess(Executor):
    """Trains a sweep's jobs one after the other, without a kernel for each; the third one fails."""

    def __init__(self) -> None:
        self.jobs = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        job, future = Job(args[0]), Future[Any]()
        self.jobs += 1
        times = {"host": "here", "started": 1.0, "heartbeat": 2.0, "finished": 2.0, "memory_peak": 10**8}
        if self.jobs == 3:
            job.write_status(state="failed", attempts=1, error="ValueError: the loss is a <fish>", **times)
        else:
            settings = {name: value for name, value in job.parameters.items() if name in Config.model_fields}
            train(make_config(settings), job.path, observer=lambda event: None)
            job.write_status(state="done", attempts=1, error="", **times)
        future.set_result(job.status()["state"])
        return future


@pytest.fixture(scope="module")
def sweep(tiny: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> SweepFolder:
    """Two named methods, two seeds; the second seed of the linear probe failed."""
    settings = tiny(epochs=1).model_dump(mode="json", exclude_unset=True)
    rows = {"linear probe": {"method": "linear"}, "VPT": {"method": "vpt_deep"}}
    whole = Sweep("01_train", parameters=settings, list=rows, seeds=2)
    return run_sweep(whole, tmp_path_factory.mktemp("swept") / "a night's runs", executor=InThisProcess())


def test_every_run_of_a_sweep_is_in_the_tables_and_the_files(sweep: SweepFolder, tmp_path: Path) -> None:
    assert [job.status()["state"] for job in sweep.jobs()] == ["done", "done", "failed", "done"]
    given = {"runs": str(sweep.path), "reference": "VPT", "export_to": str(tmp_path / "tables")}
    executed = run_notebook("09_compare_runs", tmp_path / "out.ipynb", given)
    assert executed.stat().st_size < 2_000_000
    outputs = [out for cell in nbformat.read(executed, 4).cells for out in cell.get("outputs", [])]
    assert not [out for out in outputs if out.output_type == "error" or out.get("name") == "stderr"]
    shown = [out.data for out in outputs if out.output_type == "display_data"]
    assert not [refused for data in shown for refused in refused_by_sanitiser(data["text/html"])]
    assert sum(PLOTLY in data for data in shown) == 2  # parallel coordinates, learning curves
    results, differences = [Markup(data["text/html"]).text for data in shown if PLOTLY not in data]
    for text in ("linear probe", "★ VPT", "1 done, 1 failed", "2 done", "the loss is a <fish>", "4 runs of 2"):
        assert text in results
    assert "R@1 minus that of VPT" in differences
    (lines,) = [data[PLOTLY]["data"][0] for data in shown if json.dumps(data.get(PLOTLY)).count("parcoords")]
    assert [len(dimension["values"]) for dimension in lines["dimensions"]] == [3] * len(lines["dimensions"])
    files = {path.suffix: path for path in (tmp_path / "tables").iterdir()}
    assert files.keys() == {".csv", ".parquet", ".md", ".tex"}
    tests = [job.metrics().get("recall_at_1") for job in sweep.jobs()]
    for table in (pd.read_csv(files[".csv"]), pd.read_parquet(files[".parquet"])):
        by_name = table.set_index("experiment")
        assert by_name["states"].to_dict() == {"linear probe": "1 done, 1 failed", "VPT": "2 done"}
        means = {"linear probe": tests[0], "VPT": (tests[1] + tests[3]) / 2}
        assert by_name["recall_at_1"].to_dict() == pytest.approx(means)
        assert by_name["seeds"].to_dict() == {"linear probe": 1, "VPT": 2}


def test_a_ledger_says_the_same_of_finished_runs(sweep: SweepFolder, tmp_path: Path) -> None:
    shutil.copy(sweep.path / "ledger.jsonl", tmp_path / "carried home.jsonl")
    ledger = Comparison.of([tmp_path / "carried home.jsonl"])
    whole, told = (one.table().set_index("experiment") for one in (Comparison.of([sweep.path]), ledger))
    assert told["states"].to_dict() == {"linear probe": "1 done", "VPT": "2 done"}
    for column in ("recall_at_1", "map_at_r", "map_at_r_sd", "trained", "seeds", "method"):
        assert told[column].dropna().to_dict() == whole[column].dropna().to_dict()
    (row,) = ledger.differences("VPT").to_dict("records")
    assert "is not a run directory" in row["note"]  # its embeddings are not in the ledger


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    with pytest.raises(PapermillExecutionError, match="nowhere is no run, no sweep and holds neither"):
        run_notebook("09_compare_runs", tmp_path / "out.ipynb", {"runs": "nowhere"})
