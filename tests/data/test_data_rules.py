"""What cells, names and endings mean, the same for every reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vptsp.data import file_endings, load_data
from vptsp.data.rules import cell_text, clean_path, flag, in_order, label_column, label_text, read_text
from vptsp.data.tables import read_table
from vptsp.errors import ConfigError, DataError

Settings = Callable[..., SimpleNamespace]


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("a/b.png", "a/b.png"),
        (" ./a//b.png ", "a/b.png"),
        ("a\\b.png", "a/b.png"),
        ("a/b\\c.png", "a/b\\c.png"),  # a name that holds the sign, as Linux allows
        ("C:\\x\\b.png", "C:/x/b.png"),
        ("/data/x/b.png", "x/b.png"),
        ("/elsewhere/b.png", "/elsewhere/b.png"),
        ("~/b.png", "/home/me/b.png"),
        ("../b.png", "../b.png"),
        ("", ""),
        (".", "."),
    ],
)
def test_a_place_has_one_way_of_writing_it(written: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert clean_path(written, Path("/data")) == path
    assert clean_path(clean_path(written, Path("/data")), Path("/data")) == path


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (3.0, "3"),
        (2.5, "2.5"),
        (np.int64(7), "7"),
        (np.float32(7), "7"),
        (True, "True"),
        (" cafe\u0301 ", "caf\u00e9"),
        ("None", "None"),
        ("007", "007"),
        (b"rose", "rose"),
        *((missing, "") for missing in (None, float("nan"), np.nan, pd.NA, pd.NaT, "", "  ")),
    ],
)
def test_a_label_is_one_text(value: Any, text: str) -> None:
    assert label_text(value) == text


@pytest.mark.parametrize("value", [[1, 2], (1,), {"a": 1}, np.array([1, 2])])
def test_several_labels_are_refused(value: Any) -> None:
    with pytest.raises(DataError, match="an image has one class"):
        label_text(value)


def test_words_for_yes_and_no() -> None:
    assert [flag(word) for word in ("1", "TRUE", " yes", "1.0", "0", "False", "n", "", "2")] == (
        [True] * 4 + [False] * 3 + [None] * 2
    )
    assert cell_text(True) == "True"


@given(st.lists(st.integers(-50, 500), min_size=1))
def test_numbers_are_ordered_by_value(numbers: list[int]) -> None:
    assert [int(name) for name in in_order(map(str, numbers))] == sorted(set(numbers))


def test_other_names_are_ordered_by_text() -> None:
    assert in_order(["b", "10", "9", "b"]) == ["10", "9", "b"]


@pytest.mark.parametrize(
    ("columns", "asked", "classes", "chosen"),
    [
        (["x", "label"], None, [], "label"),
        (["coarse_label", "fine_label"], None, ["coarse_label", "fine_label"], "fine_label"),
        (["x", "kind"], "kind", [], "kind"),
        (["x", "label"], "x", [], "x"),
        (["x", "species"], None, ["species"], "species"),
    ],
)
def test_which_column_is_the_label(columns: list[str], asked: str | None, classes: list[str], chosen: str) -> None:
    assert label_column("t", columns, asked, classes) == chosen


def test_a_column_that_is_not_there_or_not_clear() -> None:
    with pytest.raises(ConfigError, match="label_column='y' is no column of t; it has x"):
        label_column("t", ["x"], "y")
    with pytest.raises(DataError, match=r"t has no column 'label', only x; say with label_column=NAME"):
        label_column("t", ["x"], None)
    with pytest.raises(DataError, match=r"several columns of classes: x, y; say with label_column=NAME"):
        label_column("t", ["x", "y"], None, ["x", "y"])


# --- tables -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_tables_of_spreadsheets(tmp_path: Path, encoding: str, separator: str) -> None:
    file = tmp_path / "t.csv"
    lines = ["path,label,split", "é.png,a,train", "", ' "x,y" ,b,test', "z.png"]
    file.write_bytes("\r\n".join(lines).replace(",", separator).encode(encoding))
    table = read_table("data_root", file, {"path", "label"})
    assert table.path.tolist() == ["é.png", f"x{separator}y", "z.png"]
    assert table.label.tolist() == ["a", "b", ""]
    assert table.index.tolist() == [2, 4, 5]  # lines of the file
    assert table.attrs["columns"] == ["path", "label", "split"]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_columns_are_known_in_capitals_too(form: str, tmp_path: Path) -> None:
    table = pd.DataFrame({"Path": ["a.png"], " LABEL ": ["x"], "Other": ["y"]})
    file = tmp_path / f"t.{form}"
    table.to_csv(file, index=False, sep=";") if form == "csv" else table.to_parquet(file)
    found = read_table("data_root", file, {"path", "label"})
    assert found.to_dict("list") == {"path": ["a.png"], "label": ["x"]}
    assert found.attrs["columns"] == ["path", "label", "Other"]
    pd.DataFrame({"Path": ["a.png"], "path": ["b.png"]}).to_csv(tmp_path / "twice.csv", index=False)
    with pytest.raises(DataError, match="path"):
        read_table("data_root", tmp_path / "twice.csv", {"path", "label"})


def test_what_is_no_table_of_text(tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_bytes("path,label\né.png,a\n".encode("cp1252"))
    with pytest.raises(
        DataError, match=r"w.csv is not text in UTF-8 \(invalid .* at byte 11\); save it again as UTF-8"
    ):
        read_table("data_root", tmp_path / "w.csv", {"path"})
    (tmp_path / "l.csv").write_text("path,label\na,b.png,x\n")
    with pytest.raises(DataError, match=r"row 2: 3 cells, but 2 columns; put text that holds ',' into quotes"):
        read_table("data_root", tmp_path / "l.csv", {"path"})
    (tmp_path / "d.csv").write_text("path,path\na,b\n")
    with pytest.raises(DataError, match="the column 'path' is there twice"):
        read_table("data_root", tmp_path / "d.csv", {"path"})
    for name in ("p.csv", "p.parquet"):
        (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
        with pytest.raises(DataError, match="is a Git LFS pointer and not the file itself; fetch it with git lfs pull"):
            read_table("data_root", tmp_path / name, {"path"})
    with pytest.raises(DataError, match="cannot be read"):
        read_text(tmp_path / "absent")


def test_pandas_nullable_columns_and_types(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    table = pd.DataFrame({"path": ["a", None, "c"], "unused": [[1], [2], [3]]})
    table["label"] = pd.array([1, None, 3], dtype="Int64")
    table["is_query"] = pd.array([True, None, False], dtype="boolean")
    table["kind"] = pd.Categorical(["x", None, "y"])
    table.to_parquet(file)
    read = read_table("data_root", file, {"path", "label", "is_query", "kind"})
    assert read.path.tolist() == ["a", "", "c"]
    assert read.label.tolist() == ["1", "", "3"]
    assert read.is_query.tolist() == ["True", "", "False"]
    assert read.kind.tolist() == ["x", "", "y"]


def test_one_image_has_one_row_however_it_is_written(settings: Settings, image_folder: Path) -> None:
    file = image_folder / "t.csv"
    rows = [f"{p},{p.split('/')[1]},{p.split('/')[0]}" for p in sorted(map(str, relative(image_folder)))]
    for again in (
        "./train/ant/g_1.png",
        "train\\ant\\g_1.png",
        "train/../train/ant/g_1.png",
        str(image_folder / "train/ant/g_1.png"),
    ):
        file.write_text("\n".join(["path,class,split", *rows, f"{again},ant,train"]))
        with pytest.raises(DataError, match=r"row 14: .* is listed twice, first in row 8"):
            load_data(settings(dataset="table", data_root=file))
    file.write_text("\n".join(["path,class,split", *rows]))
    assert load_data(settings(dataset="table", data_root=file)).train.class_names == ("ant", "bee")


def relative(folder: Path) -> list[Path]:
    return [file.relative_to(folder) for file in folder.rglob("*.png")]


# --- endings and pixels ---------------------------------------------------------------------------------
def test_whatever_pillow_reads_is_read_or_there_is_a_reason() -> None:
    Image.init()
    left = {
        ending
        for ending, form in Image.registered_extensions().items()
        if form in Image.OPEN and not file_endings.is_image(ending)
    }
    others = {".bufr", ".grib", ".h5", ".hdf", ".gbr", ".ftc", ".ftu", ".iim", ".blp", ".pcd", ".pxr", ".emf", ".wmf"}
    assert left <= others | {".mpg", ".mpeg", ".mic", ".fli", ".flc", ".vtf", ".dcx", ".cur"}, left - others
    assert not file_endings.READ & file_endings.UNREAD.keys()
    assert file_endings.is_read(".JPG")
    assert not file_endings.is_read(".txt")


@pytest.mark.parametrize(("heif", "avif"), [(True, True), (False, False)])
def test_endings_that_depend_on_packages(heif: bool, avif: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_endings, "reads_heif", lambda: heif)
    monkeypatch.setattr(file_endings, "reads_avif", lambda: avif)
    assert (file_endings.is_read(".HEIC"), file_endings.is_read(".avif")) == (heif, avif)
    assert "pip install pillow-heif" in file_endings.why_not(".heic")
    assert file_endings.is_image(".heic")
