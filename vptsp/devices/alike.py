"""Whether all processes of a run are of one mind: the same code, settings and data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vptsp.errors import ConfigError


@cache
def code_digest() -> str:
    """SHA-256 of the workbench's source files, their places and torch's version."""
    root, digest = Path(__file__).parents[1], hashlib.sha256(torch.__version__.encode())
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def digest(value: Any) -> str:
    """SHA-256 of what JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def tensor_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of names and bits."""
    found = hashlib.sha256()
    for name, tensor in tensors.items():
        found.update(name.encode())
        found.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data if tensor.numel() else b"")
    return found.hexdigest()


def require_alike(facts: Sequence[dict[str, Any]]) -> None:
    """Raise :class:`ConfigError`, with the processes and what differs, unless all have the facts of process 0.

    ``facts[r]`` are those of process r, by what they are called in the sentence.
    """
    for name, first in facts[0].items():
        others = [rank for rank, own in enumerate(facts) if own.get(name) != first]
        if not others:
            continue
        told = _difference(first, facts[others[0]].get(name))
        who = f"process{'es' if len(others) > 1 else ''} {', '.join(map(str, others[:8]))}"
        raise ConfigError(
            f"{who} of {len(facts)} {'have' if len(others) > 1 else 'has'} other {name} than process 0{told}; start "
            "all of them with the same command, code and data"
        )


def _difference(first: Any, other: Any) -> str:
    if not isinstance(first, dict) or not isinstance(other, dict):
        return ""
    odd = [key for key in first if first[key] != other.get(key)][:3]
    return f" ({', '.join(f'{key} {other.get(key)!r} there, {first[key]!r} here' for key in odd)})"
