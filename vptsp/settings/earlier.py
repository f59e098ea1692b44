"""What runs did whose settings do not name it, as the setting came later: they are opened and resumed as they were.

Presets with ``defaults = "published"`` mean the same (:mod:`vptsp.settings.presets`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BEFORE = {
    # parts of 8 % of an image and more, mirrored
    "augment_fit": "none",
    "lr": 0.005,  # of a search's preset, which left out what was the default
    # all trained from the first step, at one rate
    "head_epochs": 0,
    "bias_lr_factor": 1.0,
    "step_back": 1.0,
    # head and proxies began at random, and one of the epochs was selected, as it was trained
    "head_input": "as_is",
    "head_init": "random",
    "proxy_init": "random",
    "unit_init": "random",
    "proxy_length": "free",
    "select_start": "none",
    "select_finish": "none",
    "select_by": "recall_at_1",
}


def as_recorded(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run or checkpoint, as it recorded them, with what was so before it could be set."""
    return {**BEFORE, **settings}
