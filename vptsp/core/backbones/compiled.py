"""Transformer blocks through torch.compile, for as long as somebody asks for it.

What runs a block is compiled, and not the whole backbone: blocks of one shape share what was compiled, so that twelve
cost as much as one, and every family and every method has it without knowing. See the regional compilation recipe of
PyTorch's tutorials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

import torch

Block = TypeVar("Block", bound=Callable[..., Any])

BACKEND = "inductor"
# Shapes and forms of one function that are compiled before torch gives up on it: towers and the last block have each
# their own, of models with few kinds of blocks (Swin, Hiera) every stage has.
_FORMS = 64

_wanted: ContextVar[bool] = ContextVar("_wanted", default=False)


@contextmanager
def compiled_blocks(wanted: bool = True) -> Iterator[None]:
    """Inside, blocks run compiled; each form of them takes seconds to minutes when it first comes by."""
    before = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(before)


def as_wanted(block: Block) -> Block:
    """The function that runs a block, or what it compiles to."""
    compiled: Block = _compiled(block, BACKEND) if _wanted.get() else block
    return compiled


def why_not(device: torch.device) -> str:
    """Why nothing can be compiled for a device here, in the compiler's words; empty if it can. Takes seconds."""

    def trial(numbers: torch.Tensor) -> torch.Tensor:
        return (numbers.sin() + 1).sum()

    numbers = torch.zeros(8, device=device, requires_grad=True)
    try:
        torch.compile(trial, backend=BACKEND)(numbers).backward()
    except Exception as error:  # no compiler, none that works, a device that it does not know: it raises anything
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return lines[0] if lines else type(error).__name__
    return ""


@cache
def _compiled(block: Any, backend: str) -> Any:
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _FORMS)
    return torch.compile(block, backend=backend, dynamic=False)
