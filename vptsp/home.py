"""A stand-in for a home directory that is missing, or whose caches cannot be written.

Jupyter, IPython, matplotlib, numba and others keep settings and caches below the home directory; where they cannot,
some warn in every process and some (numba) refuse to be imported. In containers and on clusters that is common, so
``import vptsp`` looks once, before any of them is imported, and points them to a folder of temporary files.
Processes started from here inherit it and have nothing to say any more.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

CACHE = "VPTSP_CACHE"  # the folder of what is kept to be quicker next time, if another than the user's is wanted
STAND_IN = "VPTSP_HOME_STAND_IN"  # the folder that stands in, known to all processes started from here
_VARIABLE = "USERPROFILE" if os.name == "nt" else "HOME"

# What each library is told by, and where it writes otherwise, below the home directory (or $XDG_CACHE_HOME: "cache:").
_WRITTEN = {
    "MPLCONFIGDIR": ("cache:matplotlib", ".config/matplotlib"),
    "NUMBA_CACHE_DIR": ("cache:numba",),
    "IPYTHONDIR": (".ipython",),
    "JUPYTER_RUNTIME_DIR": (".local/share/jupyter/runtime",),
    "JUPYTERLAB_SETTINGS_DIR": (".jupyter/lab/user-settings",),
    "JUPYTERLAB_WORKSPACES_DIR": (".jupyter/lab/workspaces",),
}


def stand_in() -> str:
    """The folder that stands in, which only this user can write, the same in all processes; it is made when needed.

    Raises OSError where there is no folder for temporary files either.
    """
    import stat
    import tempfile

    if os.path.isdir(os.environ.get(STAND_IN, "")):
        return os.environ[STAND_IN]
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = os.path.join(tempfile.gettempdir(), f"vptsp-home-{user}")
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        found = os.lstat(folder)
        private = os.name == "nt" or (found.st_uid == user and not found.st_mode & 0o022)
        if not (stat.S_ISDIR(found.st_mode) and private):  # somebody else waits there for what we would load
            folder = tempfile.mkdtemp(prefix="vptsp-home-")
    os.environ[STAND_IN] = folder
    return folder


def cache_folder() -> Path:
    """Where things are kept to be quicker next time; it may not be there yet, and may be deleted at any time.

    Raises RuntimeError where there is no home directory.
    """
    if given := os.environ.get(CACHE):
        return Path(given).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "vptsp"


def make_room(files: Iterable[Path], wanted: int, most: int) -> None:
    """Delete the files that were changed longest ago, until with ``wanted`` bytes more they are ``most`` at most."""
    found = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in files)
    total = wanted + sum(size for _, size, _ in found)
    for _, size, path in found:
        if total <= most:
            return
        path.unlink(missing_ok=True)
        total -= size


def settle() -> None:
    """Give libraries folders that can be written, and say so on standard error, if they have none."""
    home = os.path.expanduser("~")
    told = []
    try:
        if not os.path.isdir(home):
            os.environ[_VARIABLE] = stand_in()
            told.append(f"the home directory {home} does not exist" if home != "~" else "there is no home directory")
            home = os.environ[_VARIABLE]
        if os.environ.get("XDG_CACHE_HOME") and not _made(os.environ["XDG_CACHE_HOME"]):
            told.append(f"XDG_CACHE_HOME={os.environ['XDG_CACHE_HOME']} cannot be written")
            os.environ["XDG_CACHE_HOME"] = os.path.join(stand_in(), ".cache")
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
        for variable, places in _WRITTEN.items():
            given = os.environ.get(variable)
            if given:
                refused = [] if _made(given) else [given]
            else:
                refused = [path for path in (_path(place, home, cache) for place in places) if not _usable(path)]
            if refused:
                os.environ[variable] = os.path.join(stand_in(), variable.lower())
                told.append(f"{refused[0]} cannot be written")
    except OSError:  # no temporary files either: whoever needs one of these folders will say so
        return
    if told:
        rest = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
        print(f"vptsp: {told[0]}{rest}; settings and caches are kept in {stand_in()} instead", file=sys.stderr)


def _path(place: str, home: str, cache: str) -> str:
    inside_cache = place.startswith("cache:")
    return os.path.join(cache if inside_cache else home, place.removeprefix("cache:"))


def _made(folder: str) -> bool:
    """Whether a folder that somebody asked for can be had, and written."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _usable(folder: str) -> bool:
    """Whether files can be written into a folder, or the folder be made where it is to be; it is not made yet."""
    while not os.path.isdir(folder):
        if os.path.lexists(folder):  # a file
            return False
        parent = os.path.dirname(folder)
        if parent == folder or not parent:
            return False
        folder = parent
    return os.access(folder, os.W_OK | os.X_OK)
