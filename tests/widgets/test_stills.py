"""Still forms take plain values: none of them knows the view that hands them over, also not for its types."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module

import pytest
from vptsp_widgets.moved import ROOMS


@pytest.mark.parametrize("room", [*ROOMS, "verification"])
def test_a_still_imports_no_view_and_reads_no_private_field(room: str) -> None:
    tree = ast.parse(inspect.getsource(import_module(f"vptsp_widgets.{room}.still")))
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    assert "vptsp_widgets" not in imported
    assert [name for name in imported if "view" in name.split(".")[-1] or name == f"vptsp_widgets.{room}"] == []
    private = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")}
    assert private == set()
