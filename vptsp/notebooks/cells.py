"""Which names a running notebook's parameter cells have defined, told from the cells that its kernel ran.

A kernel keeps everything that any cell ever defined, so its names alone cannot say which are settings: after one pass
of a notebook they hold its models and tables, and after a corrected typing error still the mistyped name. What ran,
``In``, can say it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

_INJECTED = "# Parameters"  # the first line of the cell that papermill puts in


def parameter_names(namespace: Mapping[str, Any], known: Collection[str]) -> set[str] | None:
    """The names that the parameter cells define which ran last; none where there is no record of such a cell.

    ``namespace`` is the kernel's ``globals()``. A parameter cell does nothing but give values to names; one of these is
    ``known`` to be a parameter, or papermill wrote the cell. One that annotates its names, as the first cell of a
    notebook does, starts afresh: what an earlier state of it defined counts no more.
    """
    ran = namespace.get("In")
    if not isinstance(ran, Sequence) or isinstance(ran, str):
        return None
    names: set[str] = set()
    found = False
    for source in ran:
        cell = _assignments(source)
        if cell is None or not (source.lstrip().startswith(_INJECTED) or cell.names & set(known)):
            continue
        names = cell.names if cell.annotated else names | cell.names
        found = True
    return names if found else None


class _Cell(NamedTuple):
    names: set[str]
    annotated: bool


def _assignments(source: str) -> _Cell | None:
    """The names to which a cell gives values; none for a cell that does anything else."""
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError):  # IPython's own syntax
        return None
    names: set[str] = set()
    annotated = False
    for statement in statements:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names.add(statement.target.id)
            annotated = True
        elif isinstance(statement, ast.Assign) and all(isinstance(target, ast.Name) for target in statement.targets):
            names.update(target.id for target in statement.targets if isinstance(target, ast.Name))
        else:
            return None
    return _Cell(names, annotated)
