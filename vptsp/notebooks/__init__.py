"""Notebooks: the workbench's own ones found and copied, run headless, and what parameters they take.

Read ``run.py`` first: how a notebook becomes a headless run. ::

    run             a parameterised notebook, executed by papermill
    parameters      what a notebook takes: names, types and defaults of its first cell
    resolving       what a notebook's own cells call: settings from the names it defined, a run trained once
    answers         what the cells of exercises find, hidden until the reader asks
    notes           what is said of the data, as lines and not as warnings
    cells           which names its parameter cells defined, whatever other cells have left behind
    known_to_papermill   loaded by papermill itself, so that it knows which settings they take
    library         where the workbench's notebooks are, what each is for, copies of them

Names are loaded when first used: who lists notebooks needs neither papermill nor a configuration.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vptsp.notebooks.answers import answer as answer
    from vptsp.notebooks.library import Notebook as Notebook
    from vptsp.notebooks.library import copy_notebooks as copy_notebooks
    from vptsp.notebooks.library import find_notebook as find_notebook
    from vptsp.notebooks.library import list_notebooks as list_notebooks
    from vptsp.notebooks.parameters import Signature as Signature
    from vptsp.notebooks.parameters import read_signature as read_signature
    from vptsp.notebooks.resolving import chosen as chosen
    from vptsp.notebooks.resolving import resolve as resolve
    from vptsp.notebooks.resolving import run_to_show as run_to_show
    from vptsp.notebooks.resolving import train_or_resume as train_or_resume
    from vptsp.notebooks.run import execute as execute
    from vptsp.notebooks.run import run_notebook as run_notebook

_HOMES = {
    "answer": "answers",
    "Notebook": "library",
    "find_notebook": "library",
    "list_notebooks": "library",
    "copy_notebooks": "library",
    "Signature": "parameters",
    "read_signature": "parameters",
    "chosen": "resolving",
    "resolve": "resolving",
    "run_to_show": "resolving",
    "train_or_resume": "resolving",
    "execute": "run",
    "run_notebook": "run",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vptsp.notebooks' has no attribute {name!r}")
    return getattr(import_module(f"vptsp.notebooks.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
