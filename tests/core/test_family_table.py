"""The table of docs/backbones.md is what is found; all of it takes a minute, so every day a few cells."""

from __future__ import annotations

import pytest
from family_table import END, PAGE, START, cell, table

ROWS = {
    line.split("|")[1].strip(): [part.strip() for part in line.split("|")[2:-1]]
    for line in PAGE.read_text().partition(START)[2].partition(END)[0].splitlines()
}


@pytest.mark.parametrize(("name", "method"), [("DINOv3", "vptsp_g"), ("Hiera", "adapter"), ("ResNet", "vpt_deep")])
def test_some_cells(name: str, method: str) -> None:
    assert cell(name, method) == ROWS[name][ROWS[""].index(method)]


@pytest.mark.slow
def test_all_of_it() -> None:
    assert table() == PAGE.read_text().partition(START)[2].partition(END)[0]
