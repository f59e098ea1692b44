"""What came out of a run, typed, from whatever summary a run has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import vptsp.runs
from vptsp.errors import RunError
from vptsp.files import write_json
from vptsp.runs import Run, RunResult
from vptsp.settings.config import Config


def test_a_result_says_what_the_summary_says(tiny_run: Run) -> None:
    summary, result = tiny_run.summary(), tiny_run.result()
    test = summary["test"]
    assert {**result.metrics, **result.sizes} == test[result.selected]
    assert set(result.sizes) == {"num_queries", "num_gallery", "num_lone_queries"}
    assert result.last_metrics == {name: value for name, value in test["last"].items() if name not in result.sizes}
    for name in (
        "selected",
        "task",
        "method",
        "dataset",
        "bitfit",
        "epochs",
        "counts",
        "classes",
        "images",
        "precision",
        "device",
    ):
        assert getattr(result, name) == summary[name]
    assert (result.epoch, result.validation) == (summary["best_val"]["epoch"], summary["best_val"]["val_recall_at_1"])
    assert result.validation_metric == "val_recall_at_1"
    assert result.skipped == ()


def test_without_validation_the_last_epoch_counts(tiny_run: Run) -> None:
    summary = tiny_run.summary() | {"selected": "last", "best_val": None}
    result = RunResult.of(summary)
    assert (result.epoch, result.validation, result.validation_metric) == (2, None, "")
    assert result.metrics == result.last_metrics


def test_advice_counts_the_epochs_that_could_have_been_selected(tiny_run: Run) -> None:
    start = {"selected": "best_val", "best_val": {"epoch": 0, "val_recall_at_1": 0.5}, "epochs": 12}
    summary = tiny_run.summary() | start
    assert "none of 12 epochs was better" in RunResult.of(summary).advice
    for pruned, said in ((5, "none of 7 epochs after the pruning was better"), (11, "its one epoch after the pruning")):
        result = RunResult.of(summary | {"pruned": {"after_epoch": pruned}})
        assert result.pruned_after == pruned
        assert said in result.advice


def test_an_unfinished_run_has_no_result(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", Config())
    with pytest.raises(RunError, match=r"summary\.json does not exist; the run's state is 'unknown'. Finish it with"):
        run.result()


@pytest.mark.parametrize(
    "summary",
    [
        {},
        [],
        {"selected": "last"},
        {"selected": "last", "test": {}},
        {"selected": "last", "test": {"last": 3}},
        {"selected": "last", "test": {"last": {}}, "counts": "many"},
    ],
)
def test_what_is_no_summary_is_a_sentence(tmp_path: Path, summary: Any) -> None:
    run = Run.create(tmp_path / "run", Config())
    write_json(run.path / "summary.json", summary)
    with pytest.raises(RunError, match=r"summary\.json holds no test metrics of a selected epoch; finish the run"):
        run.result()


def test_a_summary_of_somebody_elses_notebook_may_hold_little() -> None:
    result = RunResult.of({"selected": "mine", "test": {"mine": {"recall_at_1": 0.5, "num_queries": 8}}})
    assert (result.metrics, result.sizes) == ({"recall_at_1": 0.5}, {"num_queries": 8})
    assert (result.epoch, result.counts, result.last_metrics) == (None, {}, {})


def test_a_run_is_taken_open_or_by_its_path(tiny_run: Run, tmp_path: Path) -> None:
    assert Run.of(tiny_run) is tiny_run
    assert Run.of(str(tiny_run.path)).path == Run.of(tiny_run.path).path == tiny_run.path
    with pytest.raises(RunError, match="is not a run directory"):
        Run.of(tmp_path)


def test_the_room_gives_its_names_and_lists_runs_without_torch() -> None:
    assert all(getattr(vptsp.runs, name) for name in vptsp.runs.__all__)
    assert set(dir(vptsp.runs)) == set(vptsp.runs.__all__)
    script = (
        "import sys\nfrom vptsp.runs import Run, RunResult, list_runs\nlist_runs()\n"
        "print(sorted({'torch', 'numpy', 'pandas', 'PIL'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
