"""The precision that a run computes in, and the loss scale that fp16 needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import Optimizer

if TYPE_CHECKING:
    import lightning_fabric as lightning


class Precision:
    """What training asks of Fabric's precision plugin.

    fp16 gradients of small losses would vanish, so a :class:`torch.amp.GradScaler` scales the loss, takes the scale off
    again before gradients are clipped, and leaves out the step of an optimiser whose gradients overflowed. Other
    precisions have no scaler: their optimisers simply step.
    """

    def __init__(self, fabric: lightning.Fabric) -> None:
        self._plugin = fabric.strategy.precision

    @property
    def name(self) -> str:
        """Fabric's name: ``32-true``, ``bf16-mixed`` or ``16-mixed``."""
        return str(self._plugin.precision)

    @property
    def scaler(self) -> torch.amp.GradScaler | None:
        """The loss scale of fp16; none in other precisions."""
        return getattr(self._plugin, "scaler", None)

    @property
    def skips_overflows(self) -> bool:
        """Whether a gradient that is not finite costs a step and nothing else."""
        return self.scaler is not None

    def state(self) -> dict[str, Any]:
        """What a checkpoint must keep; empty without a scaler."""
        return self._plugin.state_dict()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` gave."""
        if state:
            self._plugin.load_state_dict(state)

    def unscale(self, optimizers: Sequence[Optimizer]) -> None:
        """Take the loss scale off the gradients, once before :meth:`step`."""
        if self.scaler is not None:
            for optimizer in optimizers:
                self.scaler.unscale_(_unwrapped(optimizer))

    def step(self, optimizers: Sequence[Optimizer]) -> None:
        """One step of each optimiser, then one change of the scale: Fabric's own step would change it between them."""
        for optimizer in optimizers:
            if self.scaler is None:
                optimizer.step()
            elif any(p.grad is not None for group in optimizer.param_groups for p in group["params"]):
                self.scaler.step(_unwrapped(optimizer))  # which refuses one of which nothing trains for now
            optimizer.zero_grad()
        if self.scaler is not None:
            self.scaler.update()


def _unwrapped(optimizer: Any) -> Optimizer:
    """The torch optimiser inside Fabric's, which is what a gradient scaler knows."""
    return optimizer.optimizer
