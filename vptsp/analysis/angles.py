"""Angles between vectors, exact for small ones as well, where the arc cosine loses half of the digits."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64


def angles(first: Float[np.ndarray, "*n E"], second: Float[np.ndarray, "*n E"]) -> Float64[np.ndarray, " *n"]:
    """Degrees between rows, each made a unit vector: by the lengths of their difference and their sum.

    W. Kahan, "How Futile are Mindless Assessments of Roundoff in Floating-Point Computation?", section 12. A row of
    zeros has no direction and is at right angles to all others.
    """
    one, other = _units(first), _units(second)
    apart, together = np.linalg.norm(one - other, axis=-1), np.linalg.norm(one + other, axis=-1)
    return np.asarray(np.degrees(2 * np.arctan2(apart, together)))


def _units(rows: Float[np.ndarray, "*n E"]) -> Float64[np.ndarray, "*n E"]:
    wide = rows.astype(np.float64)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=-1, keepdims=True), np.finfo(np.float64).tiny))
