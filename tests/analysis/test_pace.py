from __future__ import annotations

from collections.abc import Callable

import pytest

from vptsp.analysis.pace import step_ratios
from vptsp.settings.config import Config


def test_every_training_method_is_timed_beside_the_reference(tiny: Callable[..., Config]) -> None:
    configs = {name: tiny(method=name) for name in ("frozen", "linear", "vptsp_g")}
    ratios = step_ratios(configs, "linear", classes=4, rounds=3)
    assert ratios.keys() == {"linear", "vptsp_g"}
    assert ratios["linear"] == 1.0
    assert ratios["vptsp_g"] > 0


def test_a_reference_that_is_not_there_is_refused(tiny: Callable[..., Config]) -> None:
    with pytest.raises(KeyError):
        step_ratios({"linear": tiny(method="linear")}, "bias", classes=4, rounds=1)
