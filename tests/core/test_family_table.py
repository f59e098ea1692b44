"""The table of docs/backbones.md is what is found; all of it takes ten minutes, so every day a few cells."""

from __future__ import annotations

import pytest
from family_table import ALL, END, HEAD, OTHERS, PAGE, START, cell, row

ROWS = {
    line.split("|")[1].strip(): [part.strip() for part in line.split("|")[2:-1]]
    for line in PAGE.read_text().partition(START)[2].partition(END)[0].splitlines()
}


@pytest.mark.parametrize(("name", "method"), [("DINOv3", "vptsp_g"), ("Hiera", "adapter"), ("ResNet", "vpt_deep")])
def test_some_cells(name: str, method: str) -> None:
    assert cell(name, method) == ROWS[name][ROWS[""].index(method)]


def test_it_has_every_member() -> None:
    lines = PAGE.read_text().partition(START)[2].partition(END)[0].splitlines()
    assert lines[:2] == HEAD
    assert list(ROWS)[2:] == [*ALL, *OTHERS]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ALL, *OTHERS])
def test_all_of_it(name: str) -> None:
    assert row(name) in PAGE.read_text().splitlines()
