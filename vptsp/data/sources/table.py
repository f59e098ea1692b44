"""Images listed in a CSV or Parquet table: ``path,label,split`` and, if wanted, ``is_query,is_gallery``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from vptsp.data.image_set import ImageSet, Parts
from vptsp.data.rules import LABELS, in_order, label_column, label_text
from vptsp.data.settings import DataConfig
from vptsp.data.sources.listed import listed
from vptsp.data.splits import ROLES as ROLES
from vptsp.data.splits import some
from vptsp.data.tables import clean_paths, flags, read_table, require_filled, require_unique
from vptsp.errors import DataError

COLUMNS = ("path", "label", "split")
SPLITS = ("train", "val", "test")
_VALIDATION = {"valid": "val", "validation": "val"}


def table(config: DataConfig, file: Path) -> Parts:
    """Paths are relative to the table; ``split`` is train, val or test; roles are read for test images only."""
    rows = _read(file, config.label_column)
    root = file.parent

    def part(split: str, *chosen: str) -> ImageSet:
        taken = rows[rows.split.isin(chosen)]
        pairs = list(taken[["path", "label"]].itertuples(index=False, name=None))
        return listed(f"{file.stem}/{split}", root, pairs, in_order(taken.label))

    there = set(rows.split)
    if missing := {"train", "test"} - there:
        raise DataError(f"{file}: no row has split {some(missing)}; both are needed")
    test = part("test", "test")
    if ROLES[0] in rows:
        is_query, is_gallery = (_roles(file, rows.loc[rows.split == "test", role]) for role in ROLES)
        test = replace(test, is_query=is_query, is_gallery=is_gallery)
    if "val" not in there or config.val_fraction == 0:
        return Parts(train=part("train", "train", "val"), test=test)
    return Parts(train=part("train", "train"), val=part("train", "val"), test=test)


def _read(file: Path, asked: str | None) -> pd.DataFrame:
    """Clean paths, labels, splits and roles, row numbers as lines of the file. Raises DataError."""
    known = {"path", "split", *ROLES, *LABELS} | ({asked} if asked else set())
    rows = read_table("data_root", file, known)
    columns = rows.attrs["columns"]
    if missing := {"path", "split"} - set(columns):
        raise DataError(
            f"{file}: no column {some(missing)} among {', '.join(columns)}; the columns are path, label, split "
            "and, for chosen queries, is_query and is_gallery"
        )
    if len(set(ROLES) & set(columns)) == 1:
        raise DataError(f"{file}: give both columns is_query and is_gallery, or neither")
    label = label_column(str(file), columns, asked)
    require_filled("data_root", file, rows, ["path", label, "split"])
    rows = rows.assign(label=rows[label].map(label_text))
    rows["path"] = clean_paths(rows.path, file.parent.resolve())
    rows["split"] = rows.split.str.lower().replace(_VALIDATION)
    if len(odd := rows.index[~rows.split.isin(SPLITS)]):
        raise DataError(
            f"{file}, row {odd[0]}: split must be {', '.join(SPLITS)}, not {rows.split[odd[0]]!r}; are columns swapped?"
        )
    require_unique("data_root", file, rows.path)
    return rows


def _roles(file: Path, cells: pd.Series) -> np.ndarray:
    found = flags("data_root", file, cells)
    if not found.any():
        raise DataError(f"{file}: no test image has {cells.name}=1")
    return found
