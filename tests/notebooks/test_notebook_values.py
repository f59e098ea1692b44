"""What is passed to a notebook arrives as a cell can hold it, or is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from vptsp.errors import ConfigError
from vptsp.notebooks.parameters import as_literal
from vptsp.notebooks.run import run_notebook


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (Path("a b"), "a b"),
        ((1, (2, Path("x"))), [1, [2, "x"]]),
        (np.int64(3), 3),
        (np.float64(0.5), 0.5),
        (np.bool_(True), True),
        (np.array([[1, 2]]), [[1, 2]]),
        ({"a": np.int32(1), 2: (3,)}, {"a": 1, "2": [3]}),
        (None, None),
        ("text", "text"),
    ],
)
def test_values_become_literals(value: Any, literal: Any) -> None:
    found = as_literal("a", value)
    assert found == literal
    assert type(found) is type(literal)


@pytest.mark.parametrize("value", [object(), float("nan"), np.float32("inf"), [{1}], b"bytes"])
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^a="):
        as_literal("a", value)


@pytest.mark.notebooks
def test_a_notebook_without_a_language_is_run(tmp_path: Path) -> None:
    book = nbformat.v4.new_notebook(metadata={})
    cell = nbformat.v4.new_code_cell("a = None")
    cell.metadata["tags"] = ["parameters"]
    book.cells = [cell, nbformat.v4.new_code_cell("print(repr(a))")]
    nbformat.write(book, tmp_path / "bare.ipynb")
    done = nbformat.read(run_notebook(str(tmp_path / "bare.ipynb"), tmp_path / "out.ipynb", {"a": (Path("x"), 1)}), 4)
    assert "".join(out.text for out in done.cells[-1].outputs) == "['x', 1]\n"
