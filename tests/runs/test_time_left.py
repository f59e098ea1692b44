"""The time left of a training."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vptsp.runs.pace import WINDOW, Pace


@given(each=st.floats(0.01, 10), done=st.integers(2, 50), rest=st.integers(0, 500), first=st.integers(0, 100))
def test_steps_of_one_length_take_as_long_again(each: float, done: int, rest: int, first: int) -> None:
    pace = Pace()
    for step in range(done + 1):
        pace.note(7.0 + each * step, first + step)
    assert pace.left(first + done + rest) == pytest.approx(each * rest)


def test_the_latest_steps_count() -> None:
    pace = Pace()
    for step in range(100):
        pace.note(float(step), step)
    for step in range(100):
        pace.note(100 + WINDOW + 10 * step, 100 + step)
    assert pace.left(300) == pytest.approx(101 * 10)


def test_a_step_says_nothing_and_asking_twice_changes_nothing() -> None:
    pace = Pace()
    assert pace.left(10) is None
    pace.note(0.0, 0)
    pace.note(1.0, 1)
    assert pace.left(10) is None, "one step is no pace"
    pace.note(2.0, 2)
    pace.note(50.0, 2)  # looked at again while the step after it goes on
    assert pace.left(10) == 8.0


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
    for step in range(11):
        pace.note(float(step), step)
    pace.note(20.0, 5)
    assert pace.left(100) is None
    pace.forget()
    pace.note(30.0, 5)
    pace.note(34.0, 7)
    assert pace.left(10) == 6.0
