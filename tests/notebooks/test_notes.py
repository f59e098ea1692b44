"""Notes about the data in a notebook: a line each, once for a pass, and other warnings as ever."""

from __future__ import annotations

import warnings

import pytest

from vptsp.errors import DataWarning
from vptsp.notebooks import resolve


def test_a_note_is_a_line_told_once_for_a_pass(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        for _ in range(2):  # as Run All, and again
            resolve({"epochs": 1}, {})
            for _ in range(3):
                warnings.warn("1 file is no image", DataWarning, stacklevel=1)
            with pytest.warns(UserWarning, match="something else"):
                warnings.warn("something else", UserWarning, stacklevel=1)
    assert capsys.readouterr().out == "note: 1 file is no image\n" * 2
