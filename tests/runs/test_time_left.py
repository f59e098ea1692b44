"""The time left of a training."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vptsp.runs.pace import Pace


@given(each=st.floats(0.01, 10), done=st.integers(2, 50), rest=st.integers(0, 500), first=st.integers(0, 100))
def test_steps_of_one_length_take_as_long_again(each: float, done: int, rest: int, first: int) -> None:
    pace = Pace()
    for step in range(done + 1):
        pace.note(7.0 + each * step, first + step)
    assert pace.left(first + done + rest) == pytest.approx(each * rest)


def test_validation_between_epochs_is_counted() -> None:
    pace = Pace()
    for epoch in range(5):
        for step in range(11):
            pace.note(30.0 * epoch + step, 10 * epoch + step)
    assert pace.left(100) == pytest.approx(50 * (4 * 30 + 10) / 50)


def test_a_step_says_nothing_and_two_do() -> None:
    pace = Pace()
    assert pace.left(10) is None
    pace.note(0.0, 0)
    pace.note(100.0, 1)
    assert pace.left(10) is None, "one step is no pace"
    pace.note(200.0, 2)
    assert pace.left(10) == 800.0


def test_the_head_alone_says_nothing_of_what_follows() -> None:
    pace = Pace()
    for step in range(11):
        pace.note(float(step), step, head_alone=True)
    assert pace.left(100) is None
    pace.note(14.0, 10)  # its epoch ends with validation
    assert pace.left(100) is None
    pace.note(18.0, 11)
    pace.note(22.0, 12)
    assert pace.left(100) == 88 * 4.0


def test_what_comes_again_begins_anew() -> None:
    pace = Pace()
    for step in range(5, 11):
        pace.note(float(step), step)
    pace.note(20.0, 2)
    assert pace.left(100) is None
    pace.note(30.0, 4)
    assert pace.left(10) == 30.0
