"""Random folders, tables and query lists, as people make them, against readers that are written another way.

Every image is loaded or named as passed over, labels equal those of the other reader, and what is refused is refused in
one of the catalogue's sentences.
"""

from __future__ import annotations

import os
import tempfile
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from PIL import Image
from sentences import sentences

from vptsp.data.image_set import ImageSet, Parts
from vptsp.data.load_splits import load_data, read_parts
from vptsp.errors import UsageError
from vptsp.settings.config import Config, make_config

PICTURE = b"P6 2 1 255\n\x10\x20\x30\x40\x50\x60"  # Pillow goes by the content, whatever the ending
IMAGES = (".png", ".JPG", ".jpeg", ".jfif", ".jpe", ".tif", ".webp", ".tga", ".jp2", ".heic", ".avif", ".svg", ".cr2")
OTHERS = ("", ".txt", ".json", ".db")
CLASSES = ("a", "b", "caf\u00e9", "cafe\u0301", "x y", "10", "9", "07", "None", "ü.1", "~", "#1", "b ")
BESIDE = ("", "train", "test", "val", "valid", "extra", "__MACOSX", ".thumbs")
DEEPER = ("", "more", "more/still", ".hidden")
names = st.sampled_from(("0", "1", "2", "img 3", ".h", "é", "e\u0301", "a.b", "1,5", "q_1"))


@dataclass(frozen=True)
class File:
    """A file of a random folder: part, class and folders below, name."""

    part: str
    label: str
    deeper: str
    name: str

    @property
    def path(self) -> str:
        return "/".join(filter(None, (self.part, self.label, self.deeper, self.name)))


@st.composite
def folders(draw: st.DrawFn) -> tuple[str, list[File]]:
    """``photos`` or ``folder``, and files of which most are where that wants them."""
    kind = draw(st.sampled_from(("photos", "folder")))
    endings = st.sampled_from(IMAGES + OTHERS) if draw(st.booleans()) else st.sampled_from(IMAGES[:4])
    file = st.builds(lambda stem, ending: stem + ending, names, endings)
    tidy = {"photos": ("",), "folder": ("train", "test", "val")}[kind]
    parts = st.sampled_from(tidy) if draw(st.booleans()) else st.sampled_from(tidy + BESIDE)
    labels = st.sampled_from((*CLASSES, "")) if draw(st.booleans()) else st.sampled_from(CLASSES)
    deeper = st.sampled_from(DEEPER) if draw(st.booleans()) else st.just("")
    if draw(st.booleans()):  # a folder as it should be, with what lies around in it
        parts, deeper = st.sampled_from(tidy), st.sampled_from(("", "", *DEEPER))
        where = {"photos": [("", f"{label}{n}") for label in "wx" for n in range(1, 12, 5)]}
        where["folder"] = [(part, f"{part}{n}") for part in tidy for n in range(2)]
        good = [File(part, label, "", "9.png") for part, label in where[kind]]
        around = st.builds(lambda at, below, name: File(*at, below, name), st.sampled_from(where[kind]), deeper, file)
    else:
        good, around = [], st.builds(File, parts, labels, deeper, file)
    files = {found.path: found for found in [*draw(st.lists(around, max_size=25)), *good]}
    return kind, list(files.values())


def meant(path: str) -> bool:
    """Whether a person would say that the file is an image."""
    return path.lower().endswith(tuple(ending.lower() for ending in IMAGES))


def tried(function: Callable[[Any], Any], config: Config) -> tuple[Any, UsageError | None]:
    """What a function returns or how it refuses."""
    try:
        answer = function(config)
    except UsageError as error:
        event("refused")
        return None, error
    event("read")
    return answer, None


def told_in_one_of_our_sentences(error: UsageError) -> None:
    assert any(pattern.fullmatch(str(error)) for pattern in patterns()), str(error)


@cache
def patterns() -> list[Any]:
    return [sentence.pattern() for sentence in sentences()]


@contextmanager
def written(files: dict[str, bytes]) -> Iterator[Path]:
    """A folder of these files."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place).resolve() / "mine"
        root.mkdir()
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        yield root


def loaded(parts: Parts) -> dict[str, tuple[str, str]]:
    """Part and class of each image by the path of its file."""
    found: dict[str, tuple[str, str]] = {}
    for part, images in (("train", parts.train), ("val", parts.val), ("test", parts.test)):
        if images is not None:
            for row in range(len(images)):
                path = file_of(images, row)
                assert path not in found, f"{path} is loaded twice"
                found[path] = (part, images.class_names[images.labels[row]])
    return found


def file_of(images: ImageSet, row: int) -> str:
    """The path of an image's file, whatever loaders are around it."""
    load: Any = images.load
    while not hasattr(load, "paths"):
        load, row = (load.load, int(load.positions[row])) if hasattr(load, "positions") else load.of(row)
    return str(load.paths[row])


def check_folder(example: tuple[str, list[File]]) -> None:
    kind, files = example
    with written({file.path: PICTURE for file in files}) as root, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = make_config(dataset_of(kind, root))
        parts, refused = tried(read_parts, config)
        if refused is not None:
            return told_in_one_of_our_sentences(refused)
        found = {str(Path(path).relative_to(root)): what for path, what in loaded(parts).items()}
        passed = {path for path, _ in parts.passed_over}
        for path in (os.path.join(place, name) for place, _, names in os.walk(root) for name in names):
            below = os.path.relpath(path, root)
            named = any(below == one or below.startswith(f"{one}/") for one in passed)
            assert (below in found) != named or not meant(below), below
            if not meant(below):
                assert below not in found
        for below, (part, label) in found.items():
            *above, folder, _ = below.split("/")
            assert label == unicodedata.normalize("NFC", folder).strip()
            assert kind == "photos" or part == {"valid": "val"}.get(above[0], above[0])
        _, refused = tried(load_data, config)
        if refused is not None:
            told_in_one_of_our_sentences(refused)


def dataset_of(kind: str, root: Path, **more: Any) -> dict[str, Any]:
    return {"dataset": kind, "data_root": root, "val_fraction": 0.3, **more}


# --- tables -------------------------------------------------------------------------------------------
WRITTEN: dict[str, Callable[[str, Path], str]] = {
    "plain": lambda path, root: path,
    "dot": lambda path, root: f"./{path}",
    "double": lambda path, root: path.replace("/", "//"),
    "windows": lambda path, root: path.replace("/", "\\"),
    "whole": lambda path, root: str(root / path),
    "up": lambda path, root: f"pictures/../{path}",
    "padded": lambda path, root: f" {path} ",
}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-8", "cp1252")
cells = st.one_of(
    st.sampled_from(("a", "b", "caf\u00e9", "cafe\u0301", " a ", "None", "nan", "x;y", "", None)), st.integers(0, 12)
)


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows of a table: which picture, how its path is written, its label and split."""
    wrong = draw(st.integers(0, 3)) == 0
    whole = cells.filter(lambda label: label not in ("", None))
    plain = st.integers(0, 12) if draw(st.booleans()) else st.sampled_from("abcd")
    label = cells if wrong else whole if draw(st.booleans()) else plain
    split = st.sampled_from(("train", "test", "val", "Test ", *(("", "dev", None) if wrong else ())))
    way = st.sampled_from(tuple(WRITTEN)) if draw(st.booleans()) else st.just("plain")
    row = st.fixed_dictionaries({"number": st.integers(0, 9), "way": way, "label": label, "split": split})
    unique = None if wrong else (lambda row: row["number"])
    some = draw(st.lists(row, max_size=12, unique_by=unique))
    both = [{"number": 10 + n, "way": "plain", "label": "b", "split": ("train", "test")[n]} for n in range(2)]
    return some if wrong else some + both


def as_read(value: Any) -> str:
    """A label as a person reads it in a cell."""
    return "" if value is None else unicodedata.normalize("NFC", str(value).strip())


def check_table(rows: list[dict[str, Any]], form: str, encoding: str, separator: str, column: str) -> None:
    with written({f"pictures/é{n}.png": PICTURE for n in range(8)}) as root, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        paths = [WRITTEN[row["way"]](f"pictures/é{row['number']}.png", root) for row in rows]
        columns = {"path": paths, column: [row["label"] for row in rows], "split": [row["split"] for row in rows]}
        file = root / f"table.{form}"
        readable = write_table(file, columns, encoding, separator)
        settings = {} if column in ("label", "class") else {"label_column": column}
        config = make_config(dataset_of("table", file, **settings))
        numbers = [row["number"] for row in rows]
        wanted = {
            f"{root}/pictures/é{row['number']}.png": (str(row["split"]).strip().lower(), as_read(row["label"]))
            for row in rows
        }
        fine = readable and len(set(numbers)) == len(numbers)
        fine &= all(label and split in ("train", "val", "test") for split, label in wanted.values())
        fine &= {"train", "test"} <= {split for split, _ in wanted.values()}
        parts, refused = tried(read_parts, config)
        assert (refused is None) == fine, refused or "a table was read that has something wrong"
        if refused is not None:
            return told_in_one_of_our_sentences(refused)
        assert {os.path.realpath(path): what for path, what in loaded(parts).items()} == wanted
        for images in parts.each():
            assert list(images.class_names) == by_value(images.class_names)
        _, refused = tried(load_data, config)
        if refused is not None:
            told_in_one_of_our_sentences(refused)


def by_value(labels: Any) -> list[str]:
    """The order of a person: numbers by value where all are numbers, and else by their text."""
    return sorted(set(labels), key=int if all(label.isdigit() for label in labels) else str)


def write_table(file: Path, columns: dict[str, list[Any]], encoding: str, separator: str) -> bool:
    """Write it as CSV or Parquet; whether a reader can know what it says."""
    if file.suffix == ".parquet":
        kinds = {type(value) for value in list(columns.values())[1]} - {type(None)}
        table = pd.DataFrame(columns)
        label = table.columns[1]
        if len(kinds) == 1:
            table[label] = pd.array(columns[label], dtype="Int64" if kinds == {int} else "string")
        else:
            table[label] = [None if value is None else str(value) for value in columns[label]]
        table.to_parquet(file)
        return True
    text = pd.DataFrame(columns, dtype=object).to_csv(index=False, sep=separator)
    file.write_bytes(text.encode(encoding, "replace"))
    return text.encode(encoding, "replace").decode("utf-8", "ignore") == text or encoding != "cp1252"


forms = st.sampled_from(("csv", "csv", "parquet"))
label_columns = st.sampled_from(("label", "class", "species"))
separators = st.sampled_from(",;\t|")


# --- query lists --------------------------------------------------------------------------------------
@st.composite
def lists(draw: st.DrawFn) -> list[tuple[str, str, str, str]]:
    """Rows of a query list: image, how it is named, and two roles; most are as they should be."""
    wrong = draw(st.booleans())
    real = [f"{part}/{n}.png" for part in ("train/a", "train/b", "test/c", "test/d") for n in range(2)]
    image = st.sampled_from([*real, "test/z/9.png", "train/z/9.png"] if wrong else real)
    role = st.sampled_from(("0", "1", "true", "No", "1.0", *(("maybe", "") if wrong else ())))
    way = st.sampled_from(("id", "below", "dot", "windows"))
    some = draw(st.lists(st.tuples(image, way, role, role), max_size=20, unique_by=None if wrong else lambda r: r[0]))
    there = {row[0] for row in some}
    rest = [(f"test/{c}/{n}.png", "id", "1", "1") for c in "cd" for n in range(2) if f"test/{c}/{n}.png" not in there]
    return some + ([] if wrong and draw(st.booleans()) else rest)


TRUTH = {"0": False, "1": True, "true": True, "no": False, "1.0": True}


def check_list(rows: list[tuple[str, str, str, str]]) -> None:
    train = [f"train/{c}/{n}.png" for c in "ab" for n in range(2)]
    test = [f"test/{c}/{n}.png" for c in "cd" for n in range(2)]
    with written(dict.fromkeys(train + test, PICTURE)) as root, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ways = {"id": str, "below": lambda i: i[i.index("/") + 1 :], "dot": "./{}".format, "windows": to_windows}
        lines = [f"{ways[way](image)},{query},{gallery}" for image, way, query, gallery in rows]
        (root / "queries.csv").write_text("\n".join(["path,is_query,is_gallery", *lines]) + "\n")
        config = make_config(dataset_of("folder", root, val_fraction=0.0, query_csv=root / "queries.csv"))
        roles = {image: (TRUTH.get(q.lower()), TRUTH.get(g.lower())) for image, _, q, g in rows if image in test}
        images = [image for image, *_ in rows]
        unknown = [i for i, way, *_ in rows if i not in train + test and (way == "below" or not i.startswith("train/"))]
        fine = not unknown and len(set(images)) == len(images) and set(roles) == set(test)
        fine &= not any(None in pair for pair in roles.values())
        fine &= all(any(pair[place] for pair in roles.values()) for place in (0, 1))
        splits, refused = tried(load_data, config)
        assert (refused is None) == fine, refused or "a list was read that has something wrong"
        if refused is not None:
            return told_in_one_of_our_sentences(refused)
        found = splits.test
        assert found.is_query is not None
        assert found.is_gallery is not None
        pairs = zip(found.is_query.tolist(), found.is_gallery.tolist(), strict=True)
        assert dict(zip(found.ids, pairs, strict=True)) == roles


def to_windows(path: str) -> str:
    return path.replace("/", "\\")


# --- a few of each at every change, many now and then ---------------------------------------------------
FEW, MANY = settings(max_examples=100), settings(max_examples=2000)
table_parts = (tables(), forms, st.sampled_from(ENCODINGS), separators, label_columns)


@FEW
@given(folders())
def test_folders(example: tuple[str, list[File]]) -> None:
    check_folder(example)


@FEW
@given(*table_parts)
def test_tables(rows: list[dict[str, Any]], form: str, encoding: str, separator: str, column: str) -> None:
    check_table(rows, form, encoding, separator, column)


@FEW
@given(lists())
def test_query_lists(rows: list[tuple[str, str, str, str]]) -> None:
    check_list(rows)


@pytest.mark.slow
@MANY
@given(folders())
def test_many_folders(example: tuple[str, list[File]]) -> None:
    check_folder(example)


@pytest.mark.slow
@MANY
@given(*table_parts)
def test_many_tables(rows: list[dict[str, Any]], form: str, encoding: str, separator: str, column: str) -> None:
    check_table(rows, form, encoding, separator, column)


@pytest.mark.slow
@MANY
@given(lists())
def test_many_query_lists(rows: list[tuple[str, str, str, str]]) -> None:
    check_list(rows)


def test_the_picture_of_these_tests_is_one(tmp_path: Path) -> None:
    (tmp_path / "a.jfif").write_bytes(PICTURE)
    with Image.open(tmp_path / "a.jfif") as image:
        assert image.getpixel((1, 0)) == (0x40, 0x50, 0x60)
