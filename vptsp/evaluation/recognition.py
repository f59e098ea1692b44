"""Closed-set recognition: how often the class with the highest score is the right one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def recognition_metrics(logits: Float[Tensor, "N C"], labels: Int[np.ndarray, " N"]) -> dict[str, float]:
    """``top1`` and ``top5`` accuracy over images, and ``mean_class_accuracy``, top-1 averaged over classes present.

    Equal scores are ranked against the true class, so that a classifier that cannot tell classes apart gets nothing.
    With fewer than five classes top5 is 1.
    """
    truth = torch.from_numpy(np.asarray(labels))
    own = logits.gather(1, truth.unsqueeze(1))
    # Classes scored no worse than the true one; said with <, so that a score that is not a number never wins.
    better = ((~(logits < own)).sum(dim=1) - 1).numpy()
    right = better < 1
    counts = np.bincount(labels)
    present = counts > 0
    per_class = np.bincount(labels, weights=right)[present] / counts[present]
    return {
        "top1": float(right.mean()),
        "top5": float((better < 5).mean()),
        "mean_class_accuracy": float(per_class.mean()),
    }


def cross_entropy() -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of recognition, in fp32 under every precision."""

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(logits.device.type, enabled=False):
            return F.cross_entropy(logits.float(), labels)

    return loss
