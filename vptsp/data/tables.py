"""CSV and Parquet files as tables of text, one reading of them for image tables and query lists."""

from __future__ import annotations

import csv
import io
import posixpath
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vptsp.data.rules import cell_text, clean_path, flag, read_text, refuse_pointer
from vptsp.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = ",;\t|"  # as spreadsheets of several languages save CSV


def read_table(name: str, file: Path, known: Collection[str]) -> pd.DataFrame:
    """The ``known`` columns that there are, all cells as stripped text, "" where one is missing.

    The index is the line of the file, and ``attrs["columns"]`` names all columns. Of the separators the one is taken
    by which the first line holds most of the known columns. ``name`` is the setting that named the file. Raises
    DataError for what is no table, and for rows longer than the first line.
    """
    ending = file.suffix.lower()
    if ending not in (".parquet", ".csv", ".tsv", ".txt"):
        raise DataError(f"{name}={file}: a table ends in .csv or .parquet")
    table = _parquet(name, file, known) if ending == ".parquet" else _csv(name, file, known)
    columns = table.attrs["columns"]
    if twice := [column for column in table.columns if columns.count(column) > 1]:
        raise DataError(f"{name}={file}: the column {twice[0]!r} is there twice; give each column a name of its own")
    return table


def _parquet(name: str, file: Path, known: Collection[str]) -> pd.DataFrame:
    import pandas as pd
    import pyarrow.parquet

    try:
        with file.open("rb") as opened:
            refuse_pointer(file, opened.read(64))
        columns = {column: _column(column, known) for column in pyarrow.parquet.read_schema(file).names}
        found = pyarrow.parquet.read_table(file, columns=[column for column in columns if columns[column] in known])
        cells = {
            columns[column]: list(map(cell_text, found.column(column).to_pylist())) for column in found.column_names
        }
    except DataError:
        raise
    except Exception as error:  # pyarrow raises its own types
        raise DataError(f"{name}={file} cannot be read as a table ({error})") from None
    table = pd.DataFrame(cells, index=pd.RangeIndex(2, found.num_rows + 2), dtype=str)
    table.attrs["columns"] = list(columns.values())
    return table


def _column(name: str, known: Collection[str]) -> str:
    """A column's name without spaces around it; a known one also where it is written with other letters ("Path")."""
    name = name.strip()
    return name if name in known or name.lower() not in known else name.lower()


def _csv(name: str, file: Path, known: Collection[str]) -> pd.DataFrame:
    import pandas as pd

    try:
        text = read_text(file)
    except DataError as error:
        raise DataError(f"{name}={file} cannot be read as a table: {error}") from None
    first = text.split("\n", 1)[0]
    separator = max(
        SEPARATORS,
        key=lambda sign: len({_column(cell.strip(' "\r'), known) for cell in first.split(sign)} & set(known)),
    )
    cells: list[list[str]] = []
    numbers: list[int] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        header = next(reader, [])
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) > len(header) and any(cell.strip() for cell in row[len(header) :]):
                raise DataError(
                    f"{name}={file}, row {reader.line_num}: {len(row)} cells, but {len(header)} columns; put text that "
                    f"holds {separator!r} into quotes"
                )
            cells.append([cell.strip() for cell in row[: len(header)]] + [""] * (len(header) - len(row)))
            numbers.append(reader.line_num)
    except csv.Error as error:
        raise DataError(f"{name}={file} cannot be read as a table ({error})") from None
    names = [_column(column, known) for column in header]
    table = pd.DataFrame(cells, columns=names, index=pd.Index(numbers, dtype=int), dtype=str)
    table = table[[column for column in dict.fromkeys(names) if column in known]]
    table.attrs["columns"] = names
    return table


def require_unique(name: str, file: Path, paths: pd.Series) -> None:
    """Raises DataError where an image has two rows, however its path is written; paths are clean ones."""
    places = paths.map(posixpath.normpath)
    if len(twice := places.index[places.duplicated()]):
        row = twice[0]
        first = places.index[places == places[row]][0]
        raise DataError(
            f"{name}={file}, row {row}: {paths[row]!r} is listed twice, first in row {first}; an image has one row"
        )


def require_filled(name: str, file: Path, table: pd.DataFrame, columns: Collection[str]) -> None:
    """Raises DataError naming the first row without a path, a label or whatever else each row needs."""
    for column in columns:
        if len(empty := table.index[table[column] == ""]):
            others = f", and so in {len(empty) - 1:,} more" if len(empty) > 1 else ""
            raise DataError(f"{name}={file}, row {empty[0]}: {column} is empty{others}; fill it or leave the row out")


def clean_paths(paths: pd.Series, root: Path | None = None) -> pd.Series:
    """:func:`~vptsp.data.rules.clean_path` of each."""
    return paths.map(lambda path: clean_path(path, root))


def flags(name: str, file: Path, cells: pd.Series) -> np.ndarray:
    """Cells of 0 and 1, or words for them, as bool (N,). Raises DataError for anything else."""
    found = [flag(cell) for cell in cells]
    if None in found:
        row = cells.index[found.index(None)]
        raise DataError(f"{name}={file}, row {row}: {cells.name} of a test image must be 0 or 1, not {cells[row]!r}")
    return np.array(found, dtype=bool)
