"""Which lines of a run's ``metrics.jsonl`` are of the model that can become its result.

A run that prunes trains anew after it (E2VPT, :mod:`vptsp.training.pruning`): the epochs before are another model's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vptsp.settings.config import Config


def epochs_of_model(lines: Sequence[dict[str, Any]], config: Config) -> list[dict[str, Any]]:
    """``lines``, an epoch each, without those before a pruning; all of them until there is one after it."""
    later = [line for line in lines if line["epoch"] > (config.prunes_after or 0)]
    return later or list(lines)
