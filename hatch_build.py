"""Which files packages are built from: those that git tracks, so that nothing that lies about is published by accident.

Where there is no git (a source distribution, an unpacked archive) all files are, but for what programs leave behind.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Where in the wheel the repository's folders are installed.
INSTALLED = {"vptsp": "vptsp", "widgets/vptsp_widgets": "vptsp_widgets", "notebooks": "vptsp/_notebooks"}
LEFT_BEHIND = {"__pycache__", "my_notebooks", "runs", "build", "dist", "out", "PKG-INFO"}
ROOMS = ("vptsp/runs", "tests/runs")  # named as what is left behind, and part of the project


class TrackedFiles(BuildHookInterface):  # type: ignore[type-arg]
    """Hands the builder a list of files; pyproject.toml has it select none by itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds. An editable install needs no files: it points here."""
        if version == "editable":
            return
        files = tracked(Path(self.root))
        places = {name: name for name in files} if self.target_name == "sdist" else installed(files)
        build_data["force_include"].update({os.path.join(self.root, name): place for name, place in places.items()})


def installed(files: list[str]) -> dict[str, str]:
    """Where each file of the repository goes in the wheel; those that are not installed are left out."""
    places = {}
    for name in files:
        for folder, place in INSTALLED.items():
            if PurePosixPath(name).is_relative_to(folder):
                places[name] = str(place / PurePosixPath(name).relative_to(folder))
    return places


def tracked(root: Path) -> list[str]:
    """The files to build from, relative to ``root``, sorted."""
    listed = _git_files(root)
    if listed is None:
        walked = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        listed = [path.as_posix() for path in walked if not _left_behind(path)]
    return sorted(name for name in listed if (root / name).is_file())  # deleted, but not yet for git


def _git_files(root: Path) -> list[str] | None:
    """What git tracks below ``root``; none where that is no repository of its own, or git is not there."""
    if not (root / ".git").exists():  # it may lie in a repository of something else
        return None
    try:
        # a folder of another user, as in containers, is as good: git runs nothing here, it only lists
        command = ["git", "-c", f"safe.directory={root}", "-c", "core.fsmonitor=false", "ls-files", "-z"]
        found = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return os.fsdecode(found).split("\0")[:-1]


def _left_behind(path: Path) -> bool:
    known = (".ci", ".gitignore", ".gitattributes")
    hidden = any(part.startswith(".") and part not in known for part in path.parts)
    inside = next((path.relative_to(room) for room in ROOMS if path.is_relative_to(room)), path)
    return (
        hidden or bool(LEFT_BEHIND & set(inside.parts)) or path.suffix in (".pyc", ".whl") or ".egg-info" in str(path)
    )
