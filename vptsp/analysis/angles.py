"""Angles between vectors, exact for small ones as well, where the arc cosine loses half of the digits."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64


def angles(first: Float[np.ndarray, "*n E"], second: Float[np.ndarray, "*n E"]) -> Float64[np.ndarray, " *n"]:
    """Degrees between rows, each made a unit vector: by the lengths of their difference and their sum.

    W. Kahan, "How Futile are Mindless Assessments of Roundoff in Floating-Point Computation?", section 12. A row of
    zeros has no direction and is at right angles to all others.
    """
    one, other = (_units(rows.astype(np.float64)) for rows in (first, second))
    return np.degrees(2 * np.arctan2(np.linalg.norm(one - other, axis=-1), np.linalg.norm(one + other, axis=-1)))


def _units(rows: Float64[np.ndarray, "*n E"]) -> Float64[np.ndarray, "*n E"]:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), np.finfo(np.float64).tiny)
