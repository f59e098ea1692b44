"""What an exercise is, and how numbers are compared with what is right.

What is right is computed, by the library or by a formula of the session, for inputs that are drawn anew with each
check: nothing can be copied from here but the method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Trial = tuple[tuple[Any, ...], Any]  # what a function is given, and what it should return


@dataclass(frozen=True)
class Exercise:
    """A question of a session. Exactly one of the three says what is right.

    ``value``: a function of nothing, for answers that are a number. ``trials``: a generator of inputs and results, for
    answers that are a function. ``judge``: a function of the answer that returns "" or what is wrong with it.
    """

    session: int
    question: str
    hint: str
    value: Callable[[], float] | None = None
    trials: Callable[[np.random.Generator], Iterator[Trial]] | None = None
    judge: Callable[[Any], str] | None = None
    tolerance: float = 1e-4  # relative and absolute
    names: tuple[str, ...] = field(default=())  # of the arguments, as the question calls them


def close(given: Any, right: Any, tolerance: float) -> bool:
    """Whether two numbers or arrays are the same, shapes included."""
    one, other = as_array(given), as_array(right)
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=tolerance, atol=tolerance))


def as_array(value: Any) -> np.ndarray:
    """A number, array, list or tensor as float64. Raises TypeError or ValueError for anything else."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.asarray(value, dtype=np.float64)
