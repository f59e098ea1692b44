"""What a trained model must be above to be selected."""

from __future__ import annotations

import math

import pytest

from vptsp.training.selection import to_beat

JUDGED = "val_recall_at_1"


@pytest.mark.parametrize("images", [4, 10, 300])
def test_one_image_more_than_the_untrained_model_is_chance_and_two_are_not(images: int) -> None:
    found = images // 2
    best = {"epoch": 0, JUDGED: found / images}
    assert (found + 1) / images <= to_beat(best, JUDGED, images) < (found + 2) / images


def test_among_trained_models_the_better_is_better() -> None:
    assert to_beat({"epoch": 3, JUDGED: 0.5}, JUDGED, 10) == 0.5


def test_the_first_model_is_the_best_so_far() -> None:
    assert to_beat(None, JUDGED, 0) == -math.inf
