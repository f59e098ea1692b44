"""Random search: draws that are the same on every machine."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

from vptsp.errors import ConfigError

KINDS = ("uniform", "loguniform", "int", "choice")


def require_distributions(parameters: Mapping[str, Any]) -> None:
    """Raise :class:`ConfigError` for what is not one of ``{uniform: [a, b]}``, ``{loguniform: [a, b]}``,
    ``{int: [a, b]}`` (both ends belong to it) and ``{choice: [...]}``."""
    for name, given in parameters.items():
        if not isinstance(given, Mapping) or len(given) != 1 or next(iter(given)) not in KINDS:
            legal = ", ".join(f"{{{kind}: [a, b]}}" for kind in KINDS[:3])
            raise ConfigError(f"random: {name}={given!r} is not a distribution; legal: {legal}, {{choice: [...]}}")
        ((kind, ends),) = given.items()
        if not isinstance(ends, (list, tuple)) or not ends:
            raise ConfigError(f"random: {name}: {kind} needs a list with something in it, not {ends!r}")
        if kind == "choice":
            continue
        numbers = all(type(end) in ((int,) if kind == "int" else (int, float)) for end in ends)
        if len(ends) != 2 or not numbers or not ends[0] < ends[1] or (kind == "loguniform" and ends[0] <= 0):
            what = {"int": "two whole numbers", "loguniform": "two numbers above 0"}.get(kind, "two numbers")
            raise ConfigError(f"random: {name}: {kind} needs {what}, the smaller first, not {ends!r}")


def draw(parameters: Mapping[str, Any], runs: int, seed: int) -> list[dict[str, Any]]:
    """``runs`` draws. More runs begin with the same ones, and a parameter's draws do not depend on the others."""
    columns = {}
    for name, given in parameters.items():
        ((kind, ends),) = given.items()
        generator = random.Random(f"{seed} {name}")
        columns[name] = [_one(generator, kind, ends) for _ in range(runs)]
    return [{name: column[index] for name, column in columns.items()} for index in range(runs)]


def _one(generator: random.Random, kind: str, ends: Any) -> Any:
    if kind == "choice":
        return generator.choice(ends)
    if kind == "int":
        return generator.randint(*ends)
    low, high = ends
    if kind == "uniform":
        value = generator.uniform(low, high)
    else:
        value = math.exp(generator.uniform(math.log(low), math.log(high)))
    return min(max(float(f"{value:.4g}"), float(low)), float(high))  # four digits say all there is to say
