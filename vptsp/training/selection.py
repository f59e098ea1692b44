"""When a trained model is better than the best so far, by the classes held out of train."""

from __future__ import annotations

import math
from typing import Any


def to_beat(best: dict[str, Any] | None, judged: str, images: int) -> float:
    """What the metric of a trained model must be above, of ``images`` held-out images.

    The best so far; of an untrained model by one image more, which is chance and no reason to train: of few photos the
    validation has ten, and training costs more on other classes than one of ten can tell (``docs/defaults.md``).
    """
    if best is None:
        return -math.inf
    value = float(best[judged])
    return value + 1.5 / images if best["epoch"] == 0 else value
