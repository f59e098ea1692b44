"""Tags and selections kept with a run: two writers, torn lines, and the table that they make of the data."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vptsp.data import load_data
from vptsp.errors import DataError, DataWarning, RunError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.marks import Marked, Marks, gone
from vptsp.runs.relabelled import class_named, write_relabelled
from vptsp.runs.run import Run
from vptsp.settings.config import Config, make_config

_WRITER = """
import sys
from pathlib import Path
from vptsp.runs.marks import Marks
marks, who = Marks(Path(sys.argv[1])), sys.argv[2]
for number in range(40):
    marks.tag({f"{who} {number}": who, "both": f"{who} {number}"})
marks.keep(who, [f"{who} {number}" for number in range(40)])
"""


def test_two_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "marks" / "test.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path), who]) for who in ("one", "other")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    found = Marks(path).read()
    expected = {f"{who} {number}": who for who in ("one", "other") for number in range(40)}
    assert {name: tag for name, tag in found.tags.items() if name != "both"} == expected
    assert found.tags["both"] in ("one 39", "other 39")  # the later word
    assert {name: len(ids) for name, ids in found.selections.items()} == {"one": 40, "other": 40}
    assert path.read_text().count('"both"') == 80  # what was said before is still there


def test_later_words_hold_and_empty_ones_take_away(tmp_path: Path) -> None:
    marks = Marks(tmp_path / "marks.jsonl")
    assert marks.read() == Marked()
    marks.tag({"a": "blurry", "b": "فراشة \u202e <b>"})
    assert marks.tag({"a": "", "c": "fine"}).tags == {"b": "فراشة \u202e <b>", "c": "fine"}
    marks.keep("odd ones", ["a", "b"])
    marks.keep(" others ", ["c"])
    assert marks.keep("odd ones", ["b"]).selections == {"others": ("c",), "odd ones": ("b",)}
    assert marks.keep("others", []).selections == {"odd ones": ("b",)}
    assert marks.tag({}).tags == marks.read().tags
    with pytest.raises(DataError, match="a selection is kept under a name, and none was given"):
        marks.keep("  ", ["a"])


def test_a_torn_line_costs_itself_only(tmp_path: Path) -> None:
    marks = Marks(tmp_path / "marks.jsonl")
    marks.tag({"a": "blurry"})
    with marks.path.open("ab") as file:
        file.write(b'{"time": 1, "tags": {"b": "fi')  # the power goes
    for odd in ("[]", '{"tags": [1]}', '{"selection": "x", "ids": [1]}', "\x00\x00"):
        with marks.path.open("a") as file:
            file.write(f"\n{odd}")
    assert marks.tag({"c": "fine"}).tags == {"a": "blurry", "c": "fine"}
    assert Marks(marks.path).read().selections == {}


def test_what_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write .*file/marks.jsonl: .*; choose a place"):
        Marks(tmp_path / "file" / "marks.jsonl").tag({"a": "b"})
    with pytest.raises(RunError, match="cannot be read"):
        Marks(tmp_path).read()


def test_a_run_keeps_its_own_and_arrays_without_a_folder_keep_none(tiny_run: Run, tmp_path: Path) -> None:
    of_run = Marks.of(SavedEmbeddings.of_run(tiny_run))
    assert of_run is not None
    assert of_run.path == tiny_run.path / "marks" / "test.jsonl"
    own = SavedEmbeddings.write(tmp_path / "own", np.eye(4))
    beside = Marks.of(own)
    assert beside is not None
    assert beside.path == tmp_path / "own" / "marks.jsonl"
    assert Marks.of(SavedEmbeddings.of_arrays(np.eye(4))) is None


def test_images_of_a_selection_that_are_gone_are_counted() -> None:
    assert gone("odd", ["a", "b"], ["b", "a", "c"]) == ""
    assert gone("odd", ["a", "b", "x"], ["b"]) == "2 of the 3 images of 'odd' are not here, the first is 'a'"


# --- as a table ---------------------------------------------------------------------------------------
def _run(folder: Path, config: Config) -> Run:
    return Run.create(folder, config)


def test_tags_make_a_table_that_training_reads(tiny: Callable[..., Config], tmp_path: Path) -> None:
    run = _run(tmp_path / "run", tiny(val_fraction=0.2))
    splits = load_data(run.config)
    wrong, twice, odd = splits.train.ids[0], splits.train.ids[7], splits.test.ids[2]
    other = splits.train.class_names[-1]
    Marks(run.path / "marks" / "train.jsonl").tag({wrong: f"class: {other}", twice: "duplicate", "gone": "fine"})
    Marks(run.path / "marks" / "test.jsonl").tag({odd: "odd light"})
    with pytest.warns(DataWarning, match="1 of 4 tagged images are not in the data any more"):
        table = write_relabelled(run, tmp_path / "flowers.csv", drop=["duplicate"])
    rows = {row["path"]: row for row in csv.DictReader(table.open())}
    total = len(splits.train) + len(splits.test) + (len(splits.val) if splits.val else 0)
    assert len(rows) == total - 1
    again = load_data(make_config({**run.config.model_dump(mode="json"), "dataset": "table", "data_root": table}))
    assert splits.val is not None
    assert again.val is not None
    assert sorted(again.val.class_names) == sorted(splits.val.class_names)

    def named(images: object) -> dict[str, str]:
        """The class of each image, by its file's place among the classes."""
        paths = ["/".join(Path(path).parts[-2:]) for path in images.ids]  # type: ignore[attr-defined]
        return dict(zip(paths, (images.class_names[label] for label in images.labels), strict=True))  # type: ignore[attr-defined]

    expected = named(splits.train) | {"/".join(Path(wrong).parts[-2:]): other}
    del expected["/".join(Path(twice).parts[-2:])]
    assert named(again.train) == expected
    assert named(again.test) == named(splits.test)
    assert [row["tag"] for row in rows.values() if row["tag"]] == [f"class: {other}", "odd light"]
    for file, said in (("flowers.csv", "is there already"), ("flowers.parquet", "ends in .csv")):
        with pytest.raises(DataError, match=said):
            write_relabelled(run, tmp_path / file)
    with pytest.raises(
        DataError, match=r"has the tag 'blurry' to drop; tags given: class: \w+, duplicate, fine, odd l"
    ):
        write_relabelled(run, tmp_path / "other.csv", drop=["blurry"])


def test_images_that_are_no_files_are_written(tiny: Callable[..., Config], tmp_path: Path) -> None:
    drawn = {"dataset": "blossoms", "data_root": None, "val_fraction": 0.0, "batch_size": 4}
    drawn |= {"blossoms_classes": 4, "blossoms_images": 3}
    run = _run(tmp_path / "run", make_config({**tiny().model_dump(mode="json"), **drawn}))
    before = load_data(run.config)
    Marks(run.path / "marks" / "test.jsonl").tag({before.test.ids[0]: "Class:  oak "})
    table = write_relabelled(run, tmp_path / "flowers.csv")
    again = load_data(make_config({**run.config.model_dump(mode="json"), "dataset": "table", "data_root": table}))
    assert len(again.test) == len(before.test)
    assert again.test.class_names[again.test.labels[0]] == "oak"
    assert np.array_equal(np.asarray(again.test.load(3)), np.asarray(before.test.load(3).convert("RGB")))


def test_only_tags_that_name_a_class_do() -> None:
    assert [class_named(tag) for tag in ("class: rose", "CLASS:rose", "classy", "rose", "")] == [
        "rose",
        "rose",
        "",
        "",
        "",
    ]
