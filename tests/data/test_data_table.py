from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from vptsp.data import load_data
from vptsp.errors import ConfigError, DataError

Settings = Callable[..., SimpleNamespace]


def rows(folder: Path) -> pd.DataFrame:
    """A table of the conftest's folder: cow's and dog's first image is a query."""
    files = sorted((str(file.relative_to(folder)) for file in folder.rglob("*.png")), key=lambda f: (f[1] == "e", f))
    table = pd.DataFrame(
        {"path": files, "label": [f.split("/")[1] for f in files], "split": [f[:5].strip("/") for f in files]}
    )
    table["split"] = table.split.str.replace("test/", "test")
    queries = table.path.str.contains("q_").astype(int)
    tested = table.split == "test"
    return table.assign(is_query=queries.where(tested, ""), is_gallery=(1 - queries).where(tested, "")).astype(str)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_of_queries_and_gallery(settings: Settings, image_folder: Path, kind: str) -> None:
    file = image_folder / f"my table.{kind}"
    table = rows(image_folder)
    if kind == "csv":
        text = table.to_csv(index=False)
        file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())  # as Excel saves it
    else:
        table.to_parquet(file)
    splits = load_data(settings(dataset="table", data_root=file))
    assert (splits.train.class_names, splits.test.class_names) == (("ant", "bee"), ("cow", "dog"))
    assert splits.train.ids[0] == "train/train/ant/g_1.png"
    assert splits.test.is_query is not None
    assert splits.test.is_gallery is not None
    assert [i.endswith("q_0.png") for i in splits.test.ids] == splits.test.is_query.tolist()
    assert (splits.test.is_query ^ splits.test.is_gallery).all()
    assert splits.test.load(0).size == (20, 24)


def test_validation_rows_are_used_or_join_train(settings: Settings, image_folder: Path) -> None:
    table = rows(image_folder)[["path", "label", "split"]]
    labels = table.path.str.replace(r".*/(.*)/._(\d).png", r"\1 \2", regex=True)  # six training classes of one image
    table["label"] = labels.where(table.split == "train", table.label)
    table.loc[3:5, "split"] = "val"
    file = image_folder / "table.csv"
    table.to_csv(file, index=False)
    with_val = load_data(settings(dataset="table", data_root=file, val_fraction=0.5))
    assert with_val.val is not None
    assert with_val.val.class_names == ("bee 0", "bee 1", "bee 2")
    assert with_val.train.class_names == ("ant 0", "ant 1", "ant 2")
    alone = load_data(settings(dataset="table", data_root=file))
    assert alone.val is None
    assert set(alone.train.ids) == {*with_val.train.ids, *with_val.val.ids}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda t: t.rename(columns={"label": "kind"}),
            r"no column 'label', only path, kind, split, is_query.*label_column=NAME",
        ),
        (lambda t: t.rename(columns={"path": "split", "split": "path"}), r"row 2: split must be train, val, test, not"),
        (lambda t: t.drop(columns="is_query"), r"give both columns is_query and is_gallery, or neither"),
        (lambda t: t.assign(label=["", *t.label[1:]]), r"row 2: label is empty"),
        (lambda t: t[t.split == "train"], r"no row has split 'test'; both are needed"),
        (lambda t: t.assign(is_query="maybe"), r"row \d+: is_query of a test image must be 0 or 1, not 'maybe'"),
        (lambda t: t.assign(is_gallery="0"), r"no test image has is_gallery=1"),
        (lambda t: t.assign(path="nowhere/" + t.path), r"12 of the 12 listed images are not there"),
        (lambda t: pd.concat([t, t[:1]]), r"'train/ant/g_1.png' is listed twice"),
        (lambda t: t.rename(columns={"path": "label", "label": "path"}), r"listed twice"),
    ],
)
def test_wrong_tables_are_refused(
    settings: Settings, image_folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame], sentence: str
) -> None:
    file = image_folder / "table.csv"
    change(rows(image_folder)).to_csv(file, index=False)
    with pytest.raises(DataError) as caught:
        load_data(settings(dataset="table", data_root=file))
    assert re.search(sentence, str(caught.value)), caught.value


def test_what_is_no_table_is_refused(settings: Settings, image_folder: Path) -> None:
    with pytest.raises(ConfigError, match="dataset=table needs data_root=FILE"):
        load_data(settings(dataset="table"))
    with pytest.raises(DataError, match="is not a file; for dataset=table it must be a table with the columns"):
        load_data(settings(dataset="table", data_root=image_folder))
    (image_folder / "t.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"a table ends in .csv or .parquet"):
        load_data(settings(dataset="table", data_root=image_folder / "t.xlsx"))
    (image_folder / "t.parquet").write_bytes(b"PAR")
    with pytest.raises(DataError, match="cannot be read as a table"):
        load_data(settings(dataset="table", data_root=image_folder / "t.parquet"))
