"""Weights averaged over steps: what is validated, kept and selected, while training goes on from its own.

An exponential moving average of the trained parameters (as in Mean Teacher, arXiv 1703.01780) evens out the last steps'
noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """The average of a model's trained parameters. Buffers, such as BatchNorm's statistics and semantic proxies, and
    class prompts by rows are those of training.

    ``keep`` is the share of the average that a step leaves, reached by and by, ``min(keep, (1 + t) / (10 + t))`` after
    t steps, so that what the run began with is soon forgotten.
    """

    def __init__(self, model: nn.Module, keep: float) -> None:
        self.model, self.keep = model, keep
        self.begin()

    def begin(self) -> None:
        """Average anew, from the model as it is."""
        self.steps = 0
        self.mean = {name: parameter.detach().clone() for name, parameter in self._trained().items()}

    @torch.no_grad()
    def step(self) -> None:
        """Take in the model after a step."""
        self.steps += 1
        share = 1 - min(self.keep, (1 + self.steps) / (10 + self.steps))
        for name, parameter in self._trained().items():
            self.mean[name].lerp_(parameter.detach(), share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within, the model has the averaged weights; after it, its own again."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        return {"steps": torch.tensor(self.steps), **{f"mean.{name}": value for name, value in self.mean.items()}}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """What :meth:`state` gave; of nothing the average begins anew."""
        if not state:
            self.begin()
            return
        self.steps = int(state["steps"])
        for name, value in self.mean.items():
            value.copy_(state[f"mean.{name}"])

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in self._trained().items():
            own = parameter.detach().clone()
            parameter.copy_(self.mean[name])
            self.mean[name].copy_(own)

    def _trained(self) -> dict[str, nn.Parameter]:
        return {name: parameter for name, parameter in self.model.named_parameters() if parameter.requires_grad}
