"""Settings in the groups in which the configuration lists them, and their values where there are few."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Any, Literal, Union, get_args, get_origin

from vptsp.core.losses import LOSSES
from vptsp.core.proxies import ACCUMULATORS
from vptsp.data.registry import DATASETS
from vptsp.settings.config import Config
from vptsp.settings.methods import METHODS

# The first setting of each group; the others follow it in Config, under the same heading.
FIRST = {
    "task": "task",
    "dataset": "data",
    "backbone": "model",
    "num_guided_prompts": "guided prompts",
    "tuned_parts": "tuning single parts",
    "partial_blocks": "tuning without prompts",
    "head_input": "start",
    "proxy_length": "semantic proxies",
    "loss": "loss",
    "epochs": "optimisation",
    "recall_ks": "evaluation and record",
    "seed": "machine",
}


def groups() -> dict[str, list[str]]:
    """The names of all settings by group, in their order."""
    found: dict[str, list[str]] = {}
    title = ""
    for name in Config.model_fields:
        title = FIRST.get(name, title)
        found.setdefault(title, []).append(name)
    return found


def choices(name: str) -> list[str]:
    """The values that a setting takes, as they are typed; empty where they are numbers, paths or any text."""
    known: dict[str, Iterable[str]] = {
        "dataset": DATASETS,
        "method": METHODS,
        "loss": LOSSES,
        "semantic_unit": ("method", *ACCUMULATORS),
    }
    return list(known[name]) if name in known else _listed(Config.model_fields[name].annotation)


def _listed(annotation: Any) -> list[str]:
    if annotation is bool:
        return ["true", "false"]
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [_listed(part) for part in get_args(annotation) if part is not types.NoneType]
        return [value for values in inner for value in values] if all(inner) else []
    return []
