"""Images listed in a CSV or Parquet table: ``path,label,split`` and, if wanted, ``is_query,is_gallery``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from vptsp.data.images import Parts
from vptsp.data.settings import DataConfig
from vptsp.data.sources.listed import listed
from vptsp.data.splits import FALSE, TRUE, some
from vptsp.errors import DataError

COLUMNS = ("path", "label", "split")
ROLES = ("is_query", "is_gallery")
SPLITS = ("train", "val", "test")


def table(config: DataConfig, file: Path) -> Parts:
    """Paths are relative to the table; ``split`` is train, val or test; roles are read for test images only."""
    rows = _read(file)
    name = file.stem
    images = {
        split: listed(f"{name}/{'test' if split == 'test' else 'train'}", file.parent, chosen)
        for split in SPLITS
        if (chosen := list(rows.loc[rows.split == split, ["path", "label"]].itertuples(index=False, name=None)))
    }
    if missing := {"train", "test"} - images.keys():
        raise DataError(f"{file}: no row has split {some(missing)}; both are needed")
    train, val, test = (images.get(split) for split in SPLITS)
    assert train is not None and test is not None  # noqa: PT018
    if val is not None and config.val_fraction == 0:
        both = rows.loc[rows.split != "test", ["path", "label"]].itertuples(index=False, name=None)
        train, val = listed(f"{name}/train", file.parent, both), None
    if ROLES[0] in rows:
        is_query, is_gallery = (_flags(file, rows.loc[rows.split == "test", role]) for role in ROLES)
        test = replace(test, is_query=is_query, is_gallery=is_gallery)
    return Parts(train=train, val=val, test=test)


def _read(file: Path) -> pd.DataFrame:
    """All cells as stripped text, row numbers as lines of the file. Raises DataError."""
    try:
        if file.suffix.lower() == ".parquet":
            rows = pd.read_parquet(file)
        elif file.suffix.lower() == ".csv":
            rows = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        else:
            raise DataError(f"data_root={file}: a table ends in .csv or .parquet")
    except DataError:
        raise
    except Exception as error:  # pandas and pyarrow raise their own types
        raise DataError(f"data_root={file} cannot be read as a table ({error})") from None
    rows.columns = [str(column).strip() for column in rows.columns]
    if missing := set(COLUMNS) - set(rows.columns):
        raise DataError(
            f"{file}: no column {some(missing)} among {', '.join(rows.columns)}; the columns are path, label, split "
            "and, for chosen queries, is_query and is_gallery"
        )
    if len(set(ROLES) & set(rows.columns)) == 1:
        raise DataError(f"{file}: give both columns is_query and is_gallery, or neither")
    rows = rows[[*COLUMNS, *(role for role in ROLES if role in rows)]].fillna("").astype(str)
    rows = rows.apply(lambda column: column.str.strip())
    rows.index = pd.RangeIndex(2, len(rows) + 2)
    for column in COLUMNS:
        if len(empty := rows.index[rows[column] == ""]):
            raise DataError(f"{file}, row {empty[0]}: {column} is empty")
    if len(odd := rows.index[~rows.split.isin(SPLITS)]):
        raise DataError(
            f"{file}, row {odd[0]}: split must be {', '.join(SPLITS)}, not {rows.split[odd[0]]!r}; are columns swapped?"
        )
    if len(twice := rows.index[rows.path.duplicated()]):
        raise DataError(f"{file}, row {twice[0]}: {rows.path[twice[0]]!r} is listed twice; an image has one row")
    return rows


def _flags(file: Path, cells: pd.Series) -> np.ndarray:
    words = cells.str.lower()
    if len(odd := cells.index[~words.isin(TRUE | FALSE)]):
        raise DataError(f"{file}, row {odd[0]}: {cells.name} of a test image must be 0 or 1, not {cells[odd[0]]!r}")
    flags = words.isin(TRUE).to_numpy(dtype=bool)
    if not flags.any():
        raise DataError(f"{file}: no test image has {cells.name}=1")
    return flags
