"""Folders that appear whole, and one process at a time that changes one."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import filelock

from vptsp.errors import RunError, explained

_LOCK = ".lock"


@contextlib.contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """A folder to write into that takes its name, and so exists for others, when everything is in it.

    Raises RunError for a folder that exists and holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} exists already; choose another folder, or delete it first")
    staging = folder.parent / f".{folder.name}.{secrets.token_hex(4)}"
    with explained(folder):
        for left in folder.parent.glob(f".{folder.name}.????????"):
            if not _is_held(left):
                shutil.rmtree(left, ignore_errors=True)  # of a process that was killed
        staging.mkdir(parents=True)
    try:
        with filelock.FileLock(staging / _LOCK):  # tells it from the folders of processes that have ended
            yield staging
        with explained(folder):
            if folder.exists():
                folder.rmdir()  # it is empty
            os.replace(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _is_held(staging: Path) -> bool:
    try:
        with filelock.FileLock(staging / _LOCK, timeout=0):
            return False
    except filelock.Timeout:
        return True


@contextlib.contextmanager
def changing_alone(folder: Path) -> Iterator[None]:
    """Alone among those that change what is in the folder. Raises RunError where another does, without waiting."""
    lock = filelock.FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise RunError(
            f"{folder} is being changed by another process; wait for it to end (searching goes on meanwhile)"
        ) from None
    except OSError as error:
        raise RunError(f"{folder} cannot be written ({error.strerror or error})") from None
    try:
        yield
    finally:
        lock.release()


def flush(path: Path) -> None:
    """Wait until a file's content is on the disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
