"""Which way of computing attention is the faster one: by rule, or as it was measured on this machine.

torch's fused kernels and plain matrix products compute the same and differ in rounding. Which is faster depends on the
processor, the number format and the shape, by a factor of ten and in either direction: on a processor with AMX bf16
products win, on one without bf16 they lose. So each shape is timed once, with the tensors that it first comes with,
and whoever keeps the times (:func:`measure_by`) hands them to later processes, so that all of them choose alike.
Without a keeper a rule decides, and nothing is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

Kernel = Literal["auto", "fused", "matmul"]
Way = Literal["fused", "matmul"]
Compute = Callable[[Tensor, Tensor, Tensor], Tensor]

GAIN = 1.25  # how much faster the other way must be than the rule's, so that chance changes no run's numbers
_ROUNDS = 4  # of which the first is not counted
_MOST = {"cpu": 2**20}  # scores of a trial: a few milliseconds
_MOST_ELSEWHERE = 2**26  # which fills a GPU, and takes a few hundred megabytes of it


@cache
def multiplies_bf16() -> bool:
    """Whether the processor multiplies matrices of bf16 natively: AVX512-BF16 or AMX."""
    found = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("amx_tile"))


@runtime_checkable
class KeepsTimes(Protocol):
    """Hands on what was measured."""

    def times(self, device: torch.device, shape: str, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Seconds of each way for this shape on this device, from an earlier time or by ``measure``; empty: unknown."""


_keeper: KeepsTimes | None = None
_chosen: dict[tuple[Any, ...], Way] = {}


def measure_by(keeper: KeepsTimes | None) -> None:
    """From now on ``attention=auto`` takes what is faster by ``keeper``'s times; none: what the rule says."""
    global _keeper
    if keeper is not _keeper:
        _keeper = keeper
        _chosen.clear()


def choose(
    ways: Mapping[Way, Compute], rule: Way, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None
) -> Way:
    """The way for tensors (B, ..., heads, queries or keys, width) of this shape, type, device and need of gradients."""
    if _keeper is None or _traced(query):
        return rule
    grad = torch.is_grad_enabled() and (query.requires_grad or key.requires_grad or value.requires_grad)
    biased = bias is not None
    known = (query.device, query.dtype, query.shape[1:], key.shape[-2], biased, grad, torch.get_num_threads(), rule)
    if known not in _chosen:
        shape = "x".join(str(side) for side in (*query.shape[1:-1], key.shape[-2], query.shape[-1]))
        shape = f"{str(query.dtype).removeprefix('torch.')} {shape}{' bias' * biased}{' gradients' * grad}"
        rows = _rows(query, key, bias)
        found = _keeper.times(
            query.device, shape, lambda: _seconds(ways, [part[:rows] for part in (query, key, value)], grad)
        )
        _chosen[known] = faster(found, rule)
    return _chosen[known]


def faster(seconds: Mapping[str, float], rule: Way) -> Way:
    """The other way than the rule's where it takes less than 1 / 1.25 of the time."""
    other: Way = "matmul" if rule == "fused" else "fused"
    if rule in seconds and other in seconds and GAIN * seconds[other] < seconds[rule]:
        return other
    return rule


def _traced(query: Tensor) -> bool:
    """Whether a compiler or an exporter is looking, which would take the trial for a part of the model."""
    return type(query) is not Tensor or torch.compiler.is_compiling() or torch.jit.is_tracing()


def _rows(query: Tensor, key: Tensor, bias: Tensor | None) -> int:
    """Images that are enough for a trial; all where each has a bias of its own."""
    count = int(query.shape[0])
    if bias is not None and bias.dim() == query.dim() and bias.shape[0] != 1:
        return count
    scores = query[0].numel() // max(1, query.shape[-1]) * key.shape[-2]
    return max(1, min(count, _MOST.get(query.device.type, _MOST_ELSEWHERE) // max(1, scores)))


def _seconds(ways: Mapping[Way, Compute], parts: list[Tensor], grad: bool) -> dict[str, float]:
    """Least time of each way, measured in turn; nothing where the trial finds no memory beside the training."""
    parts = [part.detach().requires_grad_(grad) for part in parts]
    taken: dict[str, list[float]] = {way: [] for way in ways}
    # What is computed again in the backward pass must not count the trial's tensors among its own: hooks of its own.
    with torch.set_grad_enabled(grad), torch.autograd.graph.saved_tensors_hooks(_as_it_is, _as_it_is):
        try:
            for _ in range(_ROUNDS):
                for way, compute in ways.items():
                    start = _now(parts[0].device)
                    out = compute(*parts)
                    if grad:
                        torch.autograd.grad(out, parts, torch.ones_like(out))
                    taken[way].append(_now(parts[0].device) - start)
        except torch.OutOfMemoryError:
            return {}
    return {way: min(times[1:]) for way, times in taken.items()}


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def _now(device: torch.device) -> float:
    """The time by which the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()
