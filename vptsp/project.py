"""Where ``runs/`` is: one folder for a project, from wherever in it Python, a notebook or the command line was started.

A notebook's kernel works in the notebook's own folder and the command line in the project's; both must mean the same
by ``runs/demo-1``. The project is the folder that ``VPTSP_ROOT`` names or else, from the working folder upwards, the
first that has a ``runs/`` of this workbench; if there is none, the first that is a project by itself (it has ``.git``
or ``pyproject.toml``); and if there is none either, the working folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from vptsp.errors import UsageError

VARIABLE = "VPTSP_ROOT"
_MARKS = (".git", "pyproject.toml")


def project_root() -> Path:
    """The folder that ``runs/`` is in, as a whole path.

    Raises :class:`UsageError` where ``VPTSP_ROOT`` names something that is no folder.
    """
    if given := os.environ.get(VARIABLE):
        root = Path(given).expanduser()
        if not root.is_dir():
            raise UsageError(f"{VARIABLE}={given} is not a folder; make it, or name the one that runs/ is to be in")
        return root.resolve()
    here = Path.cwd()
    if (here / "runs").is_dir():
        return here
    home = Path.home() if os.path.isdir(os.path.expanduser("~")) else None
    for folder in here.parents if not _is_project(here) else ():
        if folder != home and (_is_of_workbench(folder / "runs") or _is_project(folder)):
            return folder
        if folder == home:  # above it nothing is one's own, and a runs/ right in it is seldom ours
            break
    return here


def placed(path: str | Path) -> Path:
    """``path`` as it is, unless it begins with ``runs`` and is not there: then the project's, as a whole path."""
    path = Path(path)
    if path.parts[:1] != ("runs",) or path.exists():
        return path
    try:
        root = project_root()
        return path if root == Path.cwd() else root / path
    except FileNotFoundError:  # the working folder has been deleted
        return path


def existing(path: str | Path) -> Path:
    """:func:`placed` for what is there already, where a name by itself may also be that of a run in ``runs/``."""
    path = placed(path)
    if len(path.parts) == 1 and not path.exists():
        there = placed(Path("runs") / path)
        if there.exists():
            return there
    return path


def where(path: str | Path) -> str:
    """For messages: a folder's whole path, and how another one is chosen if it is the project's ``runs/``."""
    path = Path(path)
    whole = str(placed(path).resolve())
    if path.parts[:1] != ("runs",):
        return whole
    if os.environ.get(VARIABLE):
        return f"{whole} (the project's, as {VARIABLE} says)"
    return f"{whole} (looked for from {Path.cwd()} upwards; {VARIABLE}=FOLDER chooses another project)"


def _is_project(folder: Path) -> bool:
    return any(os.path.exists(folder / mark) for mark in _MARKS)  # also where one may not look


def _is_of_workbench(runs: Path) -> bool:
    """Whether a ``runs/`` is ours, rather than TensorBoard's, which has the same name: empty, or with a run in it."""
    try:
        if not runs.is_dir():
            return False
        runs_in_it = (next(runs.glob(pattern), None) for pattern in ("*/config.json", "sweeps/*", "*/*/config.json"))
        return any(runs_in_it) or not any(runs.iterdir())
    except OSError:  # somebody else's folder
        return False
