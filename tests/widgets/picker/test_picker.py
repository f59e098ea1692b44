"""The table of runs, on the Python side."""

from __future__ import annotations

import gc
import json
import os
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
from markup import Markup, refused_by_sanitiser
from vptsp_widgets.linking import link
from vptsp_widgets.monitor import TrainingMonitor
from vptsp_widgets.picker import RunPicker

from vptsp.errors import DataError, RunError
from vptsp.files import read_json, write_json
from vptsp.runs.run import Run
from vptsp.settings.config import Config

Tiny = Callable[..., Config]
EVIL = '<img src=x onerror="alert(1)"> 🌸\nورد'


@pytest.fixture
def folder(tiny: Tiny, tiny_run: Run, tmp_path: Path) -> Path:
    """A finished, a failed, a stopped, a killed, a new and an unreadable run, the finished one newest."""
    runs = tmp_path / "runs"
    Run.create(runs / "new", tiny(seed=1))
    for seed, state in enumerate(("failed", "stopped", "training"), 2):
        run = Run.create(runs / state, tiny(seed=seed, method="linear"))
        run.write_progress(state=state, message=f"{state} <b>by</b> hand")
    (runs / "broken").mkdir()
    (runs / "broken/config.json").write_text("{")
    shutil.copytree(tiny_run.path, runs / "done")
    for age, name in enumerate(("done", "training", "stopped", "failed", "new", "broken")):
        os.utime(runs / name / "config.json", (1e9 - age, 1e9 - age))
    (runs / "notes").mkdir()  # no run
    return runs


def test_every_run_is_a_row_newest_first(folder: Path, tiny_run: Run) -> None:
    picker = RunPicker(folder)
    rows = {row["name"]: row for row in picker._rows}
    assert list(rows) == ["done", "training", "stopped", "failed", "new", "broken"]
    states = {name: row["state"] for name, row in rows.items()}
    assert states["training"] == "killed"  # no process holds it
    assert (states["new"], states["broken"], states["failed"]) == ("not begun", "unreadable", "failed")
    summary = tiny_run.summary()
    test = summary["test"][summary["selected"]]
    done = rows["done"]
    assert (done["recall"], done["map"]) == (test["recall_at_1"], test["map_at_r"])
    assert (done["trained"], done["method"], done["dataset"]) == (summary["counts"]["trained"], "VPTSP-G", "folder")
    assert rows["failed"]["note"] == "failed <b>by</b> hand"
    assert all(rows[name]["recall"] is None for name in rows if name != "done")
    picker.close()


def test_runs_of_another_task_say_what_their_numbers_are(folder: Path) -> None:
    summary = read_json(folder / "done" / "summary.json", "")
    metrics = {"top1": 0.5, "mean_class_accuracy": 0.25}
    write_json(
        folder / "done" / "summary.json", summary | {"task": "recognition", "test": {summary["selected"]: metrics}}
    )
    picker = RunPicker(folder)
    done = picker._rows[0]
    assert (done["recall"], done["map"], done["metrics"]) == (0.5, 0.25, ["top-1", "mean class accuracy"])
    assert "50.0 % top-1" in Markup(picker.still()).text
    picker.close()


def test_settings_that_differ_are_told_from_those_that_do_not(folder: Path) -> None:
    picker = RunPicker(folder)
    told = picker._settings
    assert {"method", "seed"} <= set(told["names"])
    seeds = [values[told["names"].index("seed")] for values in told["values"]]
    assert seeds == ["0", "4", "3", "2", "1", None]
    same = dict(told["same"])
    assert same["embedding_size"] == "16"
    assert not same.keys() & set(told["names"])
    picker.close()


def test_choosing_and_marking_from_either_side(folder: Path) -> None:
    picker = RunPicker(folder)
    picker._chosen = 2
    assert picker.run == str(folder / "stopped")
    picker._marked = [3, 0]
    assert picker.runs == [str(folder / "done"), str(folder / "failed")]
    picker.run = str(folder / "new")
    picker.runs = [str(folder / "broken"), str(folder / "training"), str(folder / "broken")]
    assert picker._chosen == 4
    assert picker._marked == [1, 5]
    picker._chosen = -1
    assert picker.run == ""
    with pytest.raises(RunError, match=r"nothere is not a run directory .*; runs near it: "):
        picker.run = str(folder / "nothere")
    with pytest.raises(DataError, match=r"elsewhere' is not a run in .*; refresh\(\) reads it again"):
        picker.runs = ["elsewhere"]
    picker._chosen = 99  # what a front end sends by mistake is shown, not lost
    assert picker.status.startswith("IndexError")
    picker.close()


def test_refresh_keeps_what_was_chosen_and_marked(folder: Path, tiny: Tiny) -> None:
    picker = RunPicker(folder)
    picker.run = str(folder / "stopped")
    picker.runs = [str(folder / "done"), str(folder / "failed")]
    Run.create(folder / "newest", tiny())
    shutil.rmtree(folder / "failed")
    picker._handle({"kind": "refresh"}, [])
    assert picker._rows[0]["name"] == "newest"
    assert picker._rows[picker._chosen]["name"] == "stopped"
    assert picker.runs == [str(folder / "done")]
    assert [picker._rows[row]["name"] for row in picker._marked] == ["done"]
    picker.close()


def test_linked_views_follow_the_choice(folder: Path, tmp_path: Path, tiny: Tiny) -> None:
    picker, monitor = RunPicker(folder), TrainingMonitor()
    link(picker, monitor)
    picker._chosen = 0
    assert monitor.run == str(folder / "done")
    elsewhere = Run.create(tmp_path / "elsewhere", tiny())
    monitor.run = str(elsewhere.path)
    assert picker.run == str(elsewhere.path)
    assert picker._chosen == -1
    picker._chosen = 5  # the monitor has words for runs that cannot be read, too
    assert monitor.run == str(folder / "broken")
    monitor.close()
    picker.close()


def test_a_folder_without_runs_says_how_to_make_one(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "<nowhere>"):
        picker = RunPicker(folder)
        assert "vptsp train makes one" in Markup(picker.still()).text
        assert folder.name in Markup(picker.still()).text
        assert picker.summary().startswith("RunPicker of 0 runs")
        picker.close()


def test_another_folder_is_read_at_once(folder: Path, tmp_path: Path) -> None:
    picker = RunPicker(tmp_path)
    picker.folder = str(folder)
    assert len(picker._rows) == 6
    picker.close()


def test_still_is_a_table_that_untrusted_notebooks_keep(folder: Path) -> None:
    shutil.copytree(folder / "done", folder / EVIL.replace("/", ""))
    write_json(folder / EVIL.replace("/", "") / "config.json", {"dataset": EVIL, "method": EVIL})
    picker = RunPicker(folder)
    picker.run = str(folder / "done")
    picker.runs = [str(folder / "done"), str(folder / "failed")]
    page = picker.still()
    assert not refused_by_sanitiser(page)
    markup = Markup(page)
    assert not markup.all("img")
    assert '<img src=x onerror="alert(1)">' in markup.text
    for text in ("unreadable", "VPTSP-G", "7 of 7 runs", "settings in which they differ", "seed"):
        assert text in markup.text
    assert picker.summary() == f"RunPicker of 7 runs in {folder}, 2 marked"
    json.dumps(picker.state_for_page(), default=repr)
    picker.close()


def test_names_that_are_no_text_are_shown_as_far_as_they_are(tiny: Tiny, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    Run.create(tmp_path / name, tiny())
    picker = RunPicker(tmp_path)
    assert picker._rows[0]["name"].encode().startswith(b"caf")
    picker._chosen = 0
    assert picker.run == str(tmp_path / name)
    picker.close()


def test_a_closed_picker_is_gone(folder: Path) -> None:
    picker = RunPicker(folder)
    gone = weakref.ref(picker)
    picker.close()
    del picker
    gc.collect()
    assert gone() is None
