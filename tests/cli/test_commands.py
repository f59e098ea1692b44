"""The table of commands, and what the list of runs shows where."""

from __future__ import annotations

from typing import Any

import click
import pytest

from vptsp.cli import COMMANDS, main
from vptsp.cli.runs import table
from vptsp.data import DATASETS
from vptsp.runs.run_table import Overview

RUNS = Overview(
    results=["run", "state", "recall_at_1", "recall_at_2", "map_at_r", "trained"],
    settings=["method", "lr"],
    rows=[
        {
            "run": "one",
            "state": "done",
            "recall_at_1": 0.625,
            "recall_at_2": 0.75,
            "map_at_r": 0.5,
            "trained": 1234,
            "method": "linear",
            "lr": 0.005,
        },
        {"run": "two\nlines", "state": "unreadable"},
    ],
)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_of_a_command_what_its_own_help_begins_with(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert str(command.help).startswith(COMMANDS[name])


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_names_a_function_that_reads_it(name: str) -> None:
    assert callable(DATASETS[name].function())


def test_a_file_gets_every_column_of_every_run() -> None:
    heading, one, two = table(RUNS)
    assert heading.split() == RUNS.results + RUNS.settings
    assert one.split() == ["one", "done", "0.625", "0.75", "0.5", "1234", "linear", "0.005"]
    assert two.split() == ["two", "lines", "unreadable", *"------"]


@pytest.mark.parametrize("width", [200, 80, 60, 40, 20])
def test_a_terminal_gets_what_fits_and_the_names_of_the_rest(width: int) -> None:
    lines = table(RUNS, width)
    assert all(len(line) <= width for line in lines[:3])
    shown = lines[0].split()
    assert shown[0] == "run"
    assert shown == [name for name in RUNS.results + RUNS.settings if name in shown]
    left = set(RUNS.results + RUNS.settings) - set(shown)
    assert len(lines) == (4 if left else 3)
    if left:
        named: list[Any] = lines[3].removeprefix("left out, as the terminal is narrow: ").partition(";")[0].split(", ")
        assert set(named) == left
    assert ("recall_at_2" in shown) == (width >= 200), "the metrics that select and the settings stay longest"
