"""Recorded trajectories of the published codes: an ``.npz`` of arrays each, and a ``.json`` of settings beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def recorded(folder: Path, name: str) -> tuple[Any, dict[str, np.ndarray]]:
    """Settings and arrays of one."""
    with np.load(folder / f"{name}.npz") as archive:
        return json.loads((folder / f"{name}.json").read_text()), {key: archive[key] for key in archive.files}


def assert_close(what: str, value: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Of one shape, and near in the norm of the whole."""
    assert value.shape == expected.shape, f"{what}: shape {value.shape}, expected {expected.shape}"
    error = np.linalg.norm(value - expected) / max(np.linalg.norm(expected), 1e-12)
    assert error <= tolerance, f"{what}: relative error {error:.2e} exceeds {tolerance:.0e}"
