from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vptsp.data.folder import split_folders
from vptsp.data.image_set import ImageSet
from vptsp.data.splits import hold_out_classes, queries_by_csv, queries_by_pattern
from vptsp.errors import ConfigError, DataError


def classes_of(count: int) -> ImageSet:
    labels = np.repeat(np.arange(count), 2)
    names = [f"c{c}" for c in range(count)]
    return ImageSet("s/train", [f"train/{n}" for n in range(2 * count)], labels, names, load=lambda p: p)  # type: ignore


@given(count=st.integers(4, 60), fraction=st.floats(0.01, 0.5), seed=st.integers(0, 2**31 - 1))
def test_held_out_classes_leave_training_whole(count: int, fraction: float, seed: int) -> None:
    train = classes_of(count)
    rest, val = hold_out_classes(train, fraction, seed)
    assert val is not None
    assert len(val.class_names) == max(2, round(fraction * count))
    assert set(rest.class_names) | set(val.class_names) == set(train.class_names)
    assert not set(rest.class_names) & set(val.class_names)
    assert sorted(rest.ids + val.ids) == sorted(train.ids)
    for part in (rest, val):
        assert np.unique(part.labels).tolist() == list(range(len(part.class_names)))
        for image_id, label in zip(part.ids, part.labels, strict=True):
            assert part.class_names[label] == f"c{int(image_id[6:]) // 2}"
    assert hold_out_classes(train, fraction, seed)[1].ids == val.ids  # type: ignore[union-attr]


def test_the_seed_chooses_the_classes() -> None:
    held = {hold_out_classes(classes_of(30), 0.2, seed)[1].class_names for seed in range(5)}  # type: ignore[union-attr]
    assert len(held) > 1


def test_impossible_fractions_are_refused() -> None:
    train = classes_of(4)
    assert hold_out_classes(train, 0.0, 0) == (train, None)
    with pytest.raises(ConfigError, match=r"val_fraction=0.9 holds 4 of 4"):
        hold_out_classes(train, 0.9, 0)
    with pytest.raises(ConfigError, match="at least 0 and below 1"):
        hold_out_classes(train, 1.0, 0)


@pytest.mark.parametrize("pattern", ["q_*", "q_?.png", "re:q_[0-9]+.png"])
def test_pattern_on_the_file_name_makes_queries(image_folder: Path, pattern: str) -> None:
    _, test = split_folders("zoo", image_folder)
    test = queries_by_pattern(test, pattern)
    assert test.is_query is not None
    assert test.is_gallery is not None
    assert [i for i, q in zip(test.ids, test.is_query, strict=True) if q] == ["test/cow/q_0.png", "test/dog/q_0.png"]
    assert (test.is_query ^ test.is_gallery).all()


@pytest.mark.parametrize(
    ("pattern", "error", "sentence"),
    [
        ("z*", DataError, "matches none of the 6"),
        ("*", DataError, "matches all of the 6"),
        ("re:(", ConfigError, "not a regular expression"),
    ],
)
def test_useless_patterns_are_refused(image_folder: Path, pattern: str, error: type[Exception], sentence: str) -> None:
    _, test = split_folders("zoo", image_folder)
    with pytest.raises(error, match=sentence):
        queries_by_pattern(test, pattern)


def write(folder: Path, rows: list[str], head: str = "path,is_query,is_gallery") -> Path:
    table = folder / "roles.csv"
    table.write_text("\n".join([head, *rows]) + "\n")
    return table


def roles(test: ImageSet, query: str = "1") -> list[str]:
    return [f"{i},{query if '/q_' in i else 0},{0 if '/q_' in i else 'True'}" for i in test.ids]


def test_csv_makes_queries(image_folder: Path) -> None:
    _, test = split_folders("zoo", image_folder)
    rows = [*reversed(roles(test)), "train/ant/q_0.png,0,0", "test/cow/bad.png,0,1"]
    with_roles = queries_by_csv(test, write(image_folder, rows), skipped=["test/cow/bad.png"])
    assert with_roles.is_query is not None
    assert with_roles.is_query.tolist() == ["/q_" in i for i in test.ids]
    assert with_roles.is_gallery is not None
    assert with_roles.is_gallery.tolist() == ["/q_" not in i for i in test.ids]


def test_bad_csv_is_refused(image_folder: Path) -> None:
    _, test = split_folders("zoo", image_folder)
    good = roles(test)
    cases = [
        (good[:-2], "path,is_query,is_gallery", "2 test images have no row"),
        ([*good, "test/cow/nil.png,1,0"], "path,is_query,is_gallery", "no test images: 'test/cow/nil.png'"),
        (good, "file,is_query,is_gallery", "no column 'path'"),
        ([good[0].replace(",0,", ",maybe,"), *good[1:]], "path,is_query,is_gallery", "row 2"),
        (roles(test, query="0"), "path,is_query,is_gallery", "names no query"),
    ]
    for rows, head, sentence in cases:
        with pytest.raises(DataError, match=sentence):
            queries_by_csv(test, write(image_folder, rows, head))
    with pytest.raises(DataError, match="cannot be read"):
        queries_by_csv(test, image_folder / "absent.csv")
