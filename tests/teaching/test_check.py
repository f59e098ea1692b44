"""Exercises: right answers pass, wrong ones are told what is wrong; docs/course/solutions.md solves all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vptsp import teaching
from vptsp.errors import UsageError
from vptsp.runs.run import Run
from vptsp.teaching.check import EXERCISES


def test_each_exercise_has_a_question_a_hint_and_one_way_to_be_checked(capsys: pytest.CaptureFixture[str]) -> None:
    for name, each in EXERCISES.items():
        assert sum(way is not None for way in (each.value, each.trials, each.judge)) == 1, name
        assert bool(each.trials) == bool(each.names)
        teaching.hint(name)
        assert capsys.readouterr().out == f"{name}: {each.question}\nHint: {each.hint}\n"
    assert [len(teaching.exercises(session)) for session in (1, 2, 3, 4)] == [4, 5, 4, 4]


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("chance", 0.5, "Yours is 0.5, which is too large"),
        ("chance", "much", "give a number"),
        ("twice", 0.5, "give a function of m"),
        ("twice", lambda m: m, r"For m = 0\.\d+ it is 0\.\d+ and should be 0\.\d+"),
        ("nearest", lambda rows: rows, r"should have shape \(24,\), yours \(24, 8\)"),
        ("recall", lambda rows: 0, r"it fails: TypeError"),
        ("nearest", lambda rows: "first", r"it fails: ValueError"),
        ("own_run", "nowhere", "cannot be read as a finished run"),
    ],
)
def test_a_wrong_answer_is_told_what_is_wrong(name: str, answer: Any, words: str) -> None:
    verdict = teaching.check(name, answer)
    assert not verdict
    assert verdict.text.startswith(f"{name}: not yet. ")
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(verdict.text)


def test_an_answer_is_checked_on_other_inputs_each_time() -> None:
    seen: list[np.ndarray] = []

    def remember(rows: np.ndarray) -> np.ndarray:
        seen.append(rows)
        return np.zeros(len(rows))

    for _ in range(2):
        teaching.check("nearest", remember)
    assert not np.array_equal(seen[0], seen[1])


def test_a_run_is_right_where_it_beats_its_frozen_backbone(
    tiny_run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from vptsp.teaching import from_images

    def scores(own: float) -> Callable[[Run], list[Any]]:
        class Scored:
            def __init__(self, method: str, recall: float) -> None:
                self.result = type("Result", (), {"method": method})
                self.test = {"recall_at_1": recall}

        return lambda run: [Scored("vptsp_g", own), Scored("frozen", 0.3)]

    monkeypatch.setattr(from_images, "compared", scores(0.4))
    assert teaching.check("own_run", tiny_run)
    monkeypatch.setattr(from_images, "compared", scores(0.3))
    assert "R@1 is 30.0 %, that of the frozen backbone 30.0 %" in teaching.check("own_run", tiny_run.path).text


def test_what_there_is_not_is_said() -> None:
    with pytest.raises(UsageError, match=r"exercise 'recal' does not exist; did you mean recall\?"):
        teaching.check("recal", 1)
    with pytest.raises(UsageError, match=r"session=5 does not exist; choose 1 to 4"):
        teaching.exercises(5)
