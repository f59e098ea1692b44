"""Whatever is given as a part of the whiteboard is taken or refused in a sentence, never a bare Python error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from vptsp_widgets.sandbox.state import KEYS, complete

from vptsp.errors import DataError

BOARD = {"samples": np.eye(3), "labels": [0, 1, 1], "proxies": np.eye(3)[:2]}
ODD = ["none", 5, 0.5, True, object(), ["x"], [[1], [1, 2]], [[np.nan] * 3] * 3, {"a": 1}, b"x", np.eye(2), [None]]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("odd", ODD, ids=[type(odd).__name__ + str(place) for place, odd in enumerate(ODD)])
def test_a_part_is_taken_or_refused_in_a_sentence(key: str, odd: Any) -> None:
    try:
        state = complete(BOARD | {key: odd})
    except DataError:
        return
    assert complete(state).keys() == state.keys()  # what was taken is a state


@pytest.mark.parametrize(
    ("key", "given"),
    [("turn", "none"), ("turn", np.eye(2)), ("moves", 5), ("class_names", 5), ("labels", [[1], [1, 2]])],
)
def test_what_cannot_be_is_refused(key: str, given: Any) -> None:
    with pytest.raises(DataError, match=key):
        complete(BOARD | {key: given})
