"""Which lines of a run's ``metrics.jsonl`` are of the model that can become its result.

A run that prunes trains anew after it (E2VPT, :mod:`vptsp.training.pruning`): the epochs before are another model's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vptsp.settings.config import Config


def epochs_of_model(lines: Sequence[dict[str, Any]], config: Config | None) -> list[dict[str, Any]]:
    """``lines``, an epoch each, without those before a pruning; all of them until there is one after it.

    Of a run without a ``config`` it is not known that it prunes; lines of somebody else's notebook may name no epoch.
    """
    first = (config.prunes_after or 0) if config else 0
    later = [line for line in lines if line.get("epoch", first + 1) > first]
    return later or list(lines)
