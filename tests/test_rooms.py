"""A room's `__init__` says what the room is for, what to read first, and names every file in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "vptsp"
ROOMS = ("settings", "data", "notebooks", "sweeps", "analysis", "figures", "reports", "pretraining", "teaching")


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_of_a_room_is_named_and_every_name_is_a_file(room: str) -> None:
    docstring = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))) or ""
    listed = [line for line in docstring.split("::\n\n")[1].split("\n\n")[0].splitlines() if line.strip()]
    named = [name for line in listed for name in line.strip().partition("  ")[0].split(", ")]
    there = {path.stem for path in (PACKAGE / room).glob("*.py")} - {"__init__"}
    there |= {f"{path.name}/" for path in (PACKAGE / room).iterdir() if path.is_dir() and path.name[0] not in "._"}
    assert sorted(named) == sorted(there)
    (first,) = re.findall(r"Read ``(.+?)`` first", docstring)
    assert (PACKAGE / room / first).is_file()
