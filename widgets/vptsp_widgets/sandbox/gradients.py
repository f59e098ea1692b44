"""Loss and gradients of a sandbox by automatic differentiation of :mod:`vptsp.core.losses`.

The front end has its own.
"""

from __future__ import annotations

import numpy as np
import torch

from vptsp.core.losses import make_loss
from vptsp.core.proxies import fuse
from vptsp_widgets.sandbox.state import State


def loss_and_gradients(state: State) -> tuple[float, dict[str, np.ndarray]]:
    """The loss, and its gradients by ``samples`` (B, D), ``proxies``, ``semantic`` and ``fused`` (C, D).

    The gradient of a point is that of its own coordinates: it passes through the normalisation inside the loss, so
    that it is tangent, and a learned proxy's carries the factor alpha, a semantic one's 1 - alpha. Without semantic
    proxies ``semantic`` is left out and ``fused`` equals ``proxies``.
    """
    names = [name for name in ("samples", "proxies", "semantic") if state[name] is not None]
    points = {name: torch.tensor(state[name], requires_grad=True) for name in names}
    mixed = _mixed(points["proxies"], points.get("semantic"), state["alpha"])
    loss = _loss(state, points["samples"], torch.tensor(state["labels"]), mixed)
    wanted = [*points.values(), mixed]
    gradients = torch.autograd.grad(loss, wanted)
    return loss.item(), {
        name: value.double().numpy() for name, value in zip([*points, "fused"], gradients, strict=True)
    }


def fused_proxies(state: State) -> np.ndarray:
    """The proxies (C, D) that the loss normalises: the mixture, or the proxies where there are no semantic ones."""
    semantic = None if state["semantic"] is None else torch.from_numpy(state["semantic"])
    return _mixed(torch.from_numpy(state["proxies"]), semantic, state["alpha"]).numpy()


def _mixed(learned: torch.Tensor, semantic: torch.Tensor | None, alpha: float) -> torch.Tensor:
    return learned if semantic is None else fuse(learned, semantic, alpha)


def _loss(state: State, samples: torch.Tensor, labels: torch.Tensor, proxies: torch.Tensor) -> torch.Tensor:
    constants = {name: state[name] for name in ("scale", "margin", "positive_mean")}
    return make_loss(state["loss"], **constants)(samples, labels, proxies)
