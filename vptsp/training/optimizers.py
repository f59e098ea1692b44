"""The optimisers: for the learned proxies, for everything else, and for class prompts by rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from vptsp.core.heads import Classifier
from vptsp.core.prompts.classes import ClassPromptRows
from vptsp.settings.build import ConfiguredModel
from vptsp.settings.config import Config

_FUSED = ("cpu", "cuda", "mps", "xpu")  # devices of which torch steps all tensors at once


class RowOptimizer(Optimizer):
    """Steps the class prompts of a batch's classes and no others, by the rules of torch's SGD, Adam and AdamW.

    What a rule remembers is kept per class, the number of steps too: a class met late gets the bias correction of its
    own first steps. Between its batches a class does not move, neither by momentum nor by weight decay.
    """

    def __init__(self, rows: ClassPromptRows, config: Config) -> None:
        super().__init__(rows.leaves, {"lr": config.lr, "start": config.lr})
        self.param_groups[0]["params"] = rows.leaves  # the same list: each batch puts another leaf into it
        self.rows, self.config = rows, config

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step of the rows at hand; they are stored where they live."""
        if self.rows.leaves[0].grad is not None:
            self.rows.put_back(self._change)

    def _change(self, values: Tensor, gradient: Tensor, state: Tensor, counts: Tensor) -> None:
        lr, decay = self.param_groups[0]["lr"], self.config.weight_decay
        if self.config.optimizer == "adamw":
            values.mul_(1 - lr * decay)
        elif decay:
            gradient = gradient.add(values, alpha=decay)
        if self.config.optimizer == "sgd":
            _sgd(values, gradient, state, lr, self.config.momentum)
        else:
            _adam(values, gradient, state, counts, lr)


def _sgd(values: Tensor, gradient: Tensor, state: Tensor, lr: float, momentum: float) -> None:
    """Heavy ball: ``v <- mu v + g``; ``w <- w - lr v``. A velocity of zero before the first step gives ``v = g``."""
    if momentum:
        velocity = state[:, 0]
        gradient = velocity.mul_(momentum).add_(gradient)
    values.add_(gradient, alpha=-lr)


def _adam(values: Tensor, gradient: Tensor, state: Tensor, counts: Tensor, lr: float) -> None:
    """Adam (arXiv 1412.6980) at torch's defaults, with the bias correction of each row's own count."""
    (first, second), epsilon = (0.9, 0.999), 1e-8
    mean, square = state[:, 0], state[:, 1]
    mean.lerp_(gradient, 1 - first)
    square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
    size, root = ((1 - beta ** counts.double()).unsqueeze(1) for beta in (first, second))
    size, root = (lr / size).to(values), root.sqrt().to(values)
    values.addcdiv_(mean * size, (square.sqrt() / root).add_(epsilon), value=-1)


def make_optimizers(model: ConfiguredModel, config: Config, device: str = "") -> tuple[Optimizer, ...]:
    """``(of everything else, of the learned proxies, of class prompts by rows)``, of one type, as published.

    The first has other groups for the backbone's own weights, where they train, and for its biases beside frozen
    weights, whose rate is ``bias_lr_factor`` times the others'. Without proxies (closed-set recognition by a linear
    classifier) there is only the first; the third is there with ``class_prompt_updates=rows``.
    A classifier's weights, and with ``decay_vectors=False`` biases and norms, are groups of their own weight decay.
    With ``step_back`` what is in the transformer is in groups of its own, whose rates may fall.
    All tensors step together where torch does so on the ``device``, on which the model is or will be (none: where it
    is): a third of the time of one after another.
    """
    groups = model.parameter_groups(inside_apart=config.steps_back, biases_apart=config.bias_lr_factor != 1)
    together = True if (device or next(model.parameters()).device.type) in _FUSED else None

    def build(named: dict[str, float]) -> Optimizer:
        rows = [
            {
                "params": parameters,
                "lr": lr,
                "start": lr,
                "weight_decay": decay,
                "inside": name in ("inside", "biases", "backbone"),
            }
            for name, lr in named.items()
            for decay, parameters in _by_decay(model, config, groups[name]).items()
        ]
        if config.optimizer == "sgd":  # fused it takes no group of which some had no gradient before
            return torch.optim.SGD(rows, momentum=config.momentum, weight_decay=config.weight_decay, foreach=together)
        kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
        return kind(rows, weight_decay=config.weight_decay, fused=together)

    rates = {"others": config.lr, "inside": config.lr, "biases": config.lr * config.bias_lr_factor}
    optimizers = [build({**rates, "backbone": config.lr_backbone})]
    if groups["proxies"]:
        optimizers.append(build({"proxies": config.lr_proxy}))
    if model.rows is not None:
        optimizers.append(RowOptimizer(model.rows, config))
    return tuple(optimizers)


def clip(optimizers: Sequence[Optimizer], config: Config) -> Tensor:
    """Norm of the whole gradient, which is then clipped to ``grad_clip``, and each number to ``grad_clip_each``."""
    parameters = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    norm = nn.utils.clip_grad_norm_(parameters, config.grad_clip or float("inf"), error_if_nonfinite=False)
    if config.grad_clip_each is not None:
        nn.utils.clip_grad_value_(parameters, config.grad_clip_each)
    return norm


def _by_decay(
    model: ConfiguredModel, config: Config, parameters: list[nn.Parameter]
) -> dict[float, list[nn.Parameter]]:
    """Parameters by their weight decay, in order; one group where all decay alike."""
    head = model.head.linear.weight if isinstance(model.head, Classifier) else None
    by_decay: dict[float, list[nn.Parameter]] = {}
    for parameter in parameters:
        decay = config.weight_decay
        if parameter.dim() < 2 and not config.decay_vectors:
            decay = 0.0
        elif parameter is head and config.weight_decay_head is not None:
            decay = config.weight_decay_head
        by_decay.setdefault(decay, []).append(parameter)
    return by_decay
