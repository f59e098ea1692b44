"""Which data set a configuration means and where it lies; refused here, before anything heavy is imported."""

from __future__ import annotations

import os
from pathlib import Path

from vptsp.data.registry import DATASETS
from vptsp.data.set_description import Source
from vptsp.data.settings import DataConfig
from vptsp.errors import ConfigError, DataError
from vptsp.project import project_root
from vptsp.text import meant

_MOVED = "; of data that were moved, say where they are now with data_root=PATH"


def place_of(config: DataConfig) -> tuple[Source, Path]:
    """The data set of a configuration and its root, an empty path where it has none.

    Raises ConfigError for a name that is unknown, a task that the set is not for and a missing ``data_root``,
    DataError where there is no such folder or file.
    """
    source = find_source(config.dataset)
    if source.task == "recognition" and config.task == "retrieval":
        raise ConfigError(
            f"dataset={config.dataset} has the same classes in train and test; use it with task=recognition, or for "
            f"retrieval choose one of {', '.join(n for n, s in DATASETS.items() if s.task != 'recognition')}"
        )
    return source, _root(config, source)


def find_source(name: str) -> Source:
    """Raises ConfigError listing the names there are."""
    if name not in DATASETS:
        raise ConfigError(f"dataset={name!r} is unknown{meant(name, DATASETS)}; choose one of {', '.join(DATASETS)}")
    return DATASETS[name]


def _looked_for(root: Path) -> str:
    """A path as it was given, and what it means here: a notebook's folder is not the one that a shell works in."""
    if root.is_absolute():
        return str(root)
    here, there = os.path.abspath(root), os.path.normpath(project_root() / root)
    hint = f", and {there} is there" if there != here and os.path.exists(there) else ""
    return f"{root} (from here {here}{hint})"


def _root(config: DataConfig, source: Source) -> Path:
    root = config.data_root
    if root is None:
        if source.root in ("folder", "file"):
            what = "FOLDER with" if source.root == "folder" else "FILE,"
            raise ConfigError(f"dataset={config.dataset} needs data_root={what} {source.layout}")
        return Path()
    if source.root == "folder" and not root.is_dir():
        raise DataError(
            f"data_root={_looked_for(root)} is not a folder; for dataset={config.dataset} it must hold "
            f"{source.layout}{_MOVED}"
        )
    if source.root == "file" and not root.is_file():
        raise DataError(
            f"data_root={_looked_for(root)} is not a file; for dataset={config.dataset} it must be "
            f"{source.layout}{_MOVED}"
        )
    return root
