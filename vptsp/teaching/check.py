"""Whether an answer is right, and where it is not, for which input and by how much.

>>> from vptsp import teaching
>>> verdict = teaching.check("chance", 0.0)
chance: not yet. Yours is 0, which is too small.
>>> bool(verdict)
False
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import numpy as np

from vptsp.errors import UsageError
from vptsp.teaching import from_images, keys_and_values, near_and_same, pull_and_push
from vptsp.teaching.exercise import Exercise, as_array, close
from vptsp.text import plain

_SESSIONS = (near_and_same, pull_and_push, keys_and_values, from_images)
EXERCISES: dict[str, Exercise] = {name: each for part in _SESSIONS for name, each in part.EXERCISES.items()}


@dataclass(frozen=True)
class Verdict:
    """True where the answer is right; ``text`` says so, or what is wrong."""

    name: str
    text: str
    right: bool

    def __bool__(self) -> bool:
        return self.right


def exercises(session: int | None = None) -> list[str]:
    """The names of all exercises, or of those of a session, 1 to 4."""
    if session is not None and session not in range(1, len(_SESSIONS) + 1):
        raise UsageError(f"session={plain(session)} does not exist; choose 1 to {len(_SESSIONS)}")
    return [name for name, each in EXERCISES.items() if session in (None, each.session)]


def hint(name: str) -> None:
    """Print the question of an exercise and what to look at."""
    each = _find(name)
    print(f"{name}: {each.question}\nHint: {each.hint}")


def check(name: str, answer: Any) -> Verdict:
    """Print whether an answer is right and return it as something that is true or false.

    ``answer`` is a number or a function, as the question says; a function is called with inputs that are drawn anew.
    Raises UsageError for an exercise that there is not.
    """
    each = _find(name)
    wrong = _wrong(each, answer)
    verdict = Verdict(name, f"{name}: {'not yet. ' + wrong if wrong else 'right.'}", not wrong)
    print(verdict.text)
    return verdict


def _find(name: str) -> Exercise:
    if name not in EXERCISES:
        near = difflib.get_close_matches(str(name), EXERCISES, n=1)
        meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(EXERCISES)}"
        raise UsageError(f"exercise {plain(name)!r} does not exist; {meant}")
    return EXERCISES[name]


def _wrong(each: Exercise, answer: Any) -> str:
    """What is wrong with an answer; empty: nothing."""
    if each.judge is not None:
        return each.judge(answer)
    if each.value is not None:
        return _wrong_number(each, answer)
    if not callable(answer):
        return f"It is {_short(answer)}; give a function of {', '.join(each.names)}."
    assert each.trials is not None
    for given, right in each.trials(np.random.default_rng()):
        told = ", ".join(f"{name} {_shape(value)}" for name, value in zip(each.names, given, strict=True))
        try:
            found = answer(*given)
            if close(found, right, each.tolerance):
                continue
            if as_array(found).shape != as_array(right).shape:
                return (
                    f"For {told} the result should have shape {as_array(right).shape}, yours {as_array(found).shape}."
                )
        except Exception as error:  # an answer may fail in any way, and that is what its author has to know
            return f"For {told} it fails: {type(error).__name__}: {plain(error, 200)}"
        gap = float(np.abs(as_array(found) - as_array(right)).max())
        return f"For {told} it is {_short(found)} and should be {_short(right)}; the largest difference is {gap:.3g}."
    return ""


def _wrong_number(each: Exercise, answer: Any) -> str:
    assert each.value is not None
    try:
        number = float(as_array(answer).reshape(()))
    except (TypeError, ValueError):
        return f"It is {_short(answer)}; give a number."
    right = each.value()
    if close(number, right, each.tolerance):
        return ""
    return f"Yours is {number:.6g}, which is too {'small' if number < right else 'large'}."


def _shape(value: Any) -> str:
    shape = np.shape(value.detach() if hasattr(value, "detach") else value)
    return f"of shape {shape}" if shape else f"= {_short(value)}"


def _short(value: Any) -> str:
    try:
        flat = as_array(value)
    except (TypeError, ValueError):
        return f"of type {type(value).__name__}"
    return f"{float(flat):.6g}" if not flat.shape else np.array2string(flat, precision=3, threshold=6, edgeitems=2)
