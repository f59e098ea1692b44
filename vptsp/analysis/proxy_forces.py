"""Who pulls an image and who pushes it: the gradient of the run's own loss by its cosine with every proxy.

A loss of proxies knows an image by its cosines ``s_c`` with the C proxies alone, so that ``dL/ds_c`` says all: below 0
the loss falls as image and proxy come nearer, and the proxy pulls; above 0 it pushes. Taken is the loss of a batch that
is this image alone. In training the other images of a batch share the terms of Proxy Anchor with it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from vptsp.analysis.proxy_handles import ProxyHandles
from vptsp.core.losses import LOSSES, make_loss
from vptsp.errors import DataError
from vptsp.settings.config import Config
from vptsp.settings.losses import build_loss, needs_of
from vptsp.text import plain

ProxyLoss = Callable[[Tensor, Tensor, Tensor], Tensor]  # of embeddings, labels and proxies

_PUSH_ALONE = ("proxy_anchor", "image_anchor")  # whose push at an image does not depend on the pull
_NEARLY_ONE = 1 - 1e-6  # an arc cosine has no slope at 1


@dataclass(frozen=True)
class Forces:
    """Cosines of an image with the C proxies, the loss's gradients by them, and what is to be said of these."""

    cosines: Float32[np.ndarray, " C"]
    gradients: Float32[np.ndarray, " C"]
    loss: str
    note: str = ""

    def strongest(self, most: int | None = None) -> list[int]:
        """The rows of the proxies that do anything, the strongest first."""
        order = np.argsort(-np.abs(self.gradients), kind="stable")
        return [int(row) for row in order if self.gradients[row] != 0][:most]

    def table(self, class_names: tuple[str, ...]) -> pd.DataFrame:
        """A line for each proxy that does anything, the strongest first: cosine, gradient and effect."""
        rows = self.strongest()
        return pd.DataFrame(
            {
                "cosine": self.cosines[rows],
                "gradient": self.gradients[rows],
                "effect": ["pull" if self.gradients[row] < 0 else "push" for row in rows],
            },
            index=pd.Index([class_names[row] for row in rows], name="proxy"),
        )


def forces(
    handles: ProxyHandles,
    embedding: Float[np.ndarray, " E"],
    own: int,
    proxies: Float[np.ndarray, "C E"] | None = None,
) -> Forces:
    """The forces on an image; ``own`` is the row of its class's proxy, -1 where that class has none.

    ``proxies`` are unit vectors as :meth:`ProxyHandles.as_trained` gives them; none: those of the run. An image of an
    unseen class has no pull: pushes are those that anchor losses give an image of one more class. Raises DataError,
    saying why, where the loss gives no force.
    """
    loss, title, note = loss_of(handles.config)
    rows = handles.as_trained() if proxies is None else proxies
    cosines = rows @ handles.image_as_trained(embedding)
    if own >= 0:
        return Forces(cosines, gradients_by_cosine(loss, cosines, own), title, note)
    name = handles.config.loss if handles.config is not None else ""
    if handles.config is None or handles.config.task != "retrieval" or name not in _PUSH_ALONE:
        raise DataError(f"the image's class has no proxy, and {title} pushes from others only beside a pull to its own")
    one_more = gradients_by_cosine(loss, np.append(cosines, np.float32(0)), len(cosines))[:-1]
    said = "its class has no proxy and nothing pulls; pushed as an image of one more class would be"
    return Forces(cosines, one_more, title, f"{said}; {note}" if note else said)


def gradients_by_cosine(loss: ProxyLoss, cosines: Float[np.ndarray, " C"], own: int) -> Float32[np.ndarray, " C"]:
    """``dL/ds_c`` of the loss of one image that has these cosines with the C proxies, ``own`` that of its class.

    A plane is enough: in it proxies are laid at those angles from the image, and autograd does the rest.
    """
    s = torch.from_numpy(np.clip(cosines, -_NEARLY_ONE, _NEARLY_ONE).astype(np.float64)).requires_grad_()
    proxies = torch.stack([s, (1 - s.square()).sqrt()], dim=1)
    image = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(loss(image, torch.tensor([own]), proxies), s)
    found: np.ndarray = gradient.float().numpy()
    return found


def loss_of(config: Config | None) -> tuple[ProxyLoss, str, str]:
    """The run's loss of images and proxies, its title, and what is to be said of it.

    Raises DataError, in a sentence for readers, for a loss that does not compare with proxies or that is more than a
    function of cosines.
    """
    if config is None:
        raise DataError("no run says by which loss these proxies were trained, so their forces are not known")
    if config.task == "recognition":  # cross-entropy over scaled cosines
        return make_loss("normalized_softmax", scale=config.loss_scale), LOSSES["normalized_softmax"].title, ""
    name = plain(config.loss)
    needs = needs_of(config)
    if needs != "proxies":
        what = "other images of the batch" if needs == "pairs" else "weights of its own for every class"
        raise DataError(f"loss={name} compares images with {what}, so that no proxy pulls or pushes")
    if config.loss not in LOSSES:
        raise DataError(f"loss={name} is of another library; forces are known for the losses of this package")
    if inspect.isclass(LOSSES.load(config.loss)):
        raise DataError(f"loss={name} remembers earlier batches, which a run does not keep beside its embeddings")
    batch = "the run compared with the classes of a batch alone (loss_proxies=batch), here with all"
    return build_loss(config), LOSSES[config.loss].title, batch if config.loss_proxies == "batch" else ""
