"""A training step in several forward passes, at the gradients of the undivided one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.encoder import Encoded
from vptsp.core.model import ModelOutput
from vptsp.settings.build import ConfiguredModel

if TYPE_CHECKING:
    import lightning_fabric as lightning

_NAMES = ("embeddings", "semantic_features", "logits", "guided_features")  # what the towers compute and a loss may need


class DividedForward:
    """The model's forward pass on a few images at a time (GradCache, arXiv 2101.06983).

    The images of a batch meet only in the loss and in the semantic proxies, as embeddings and semantic features. These
    are first computed without a graph, part by part, and become leaves, from which the loss of the whole batch is
    computed as ever; after its backward pass :meth:`backward` runs each part again, with a graph, from the gradients of
    its leaves. Memory holds the graph of one part; the price is a second forward pass.

    What is random in the towers is drawn once for a batch (dropout of shared prompts), so every part starts from the
    same random state, and the state after a step is that of the undivided one.
    """

    def __init__(self, model: ConfiguredModel, fabric: lightning.Fabric, images_per_pass: int) -> None:
        self.model, self.fabric, self.size = model, fabric, images_per_pass

    def __call__(self, images: Float[Tensor, "B 3 S S"], labels: Int[Tensor, " B"]) -> ModelOutput:
        """What the model returns, cut off from the towers."""
        self.model.fetch(labels)
        self._parts = list(zip(images.split(self.size), labels.split(self.size), strict=True))
        self._random = _random_state(images.device)
        outputs = []
        with torch.no_grad():
            for part in self._parts:
                outputs.append(self._towers(*part))
        columns = {name: [getattr(output, name) for output in outputs] for name in _NAMES}
        self._leaves = {
            name: torch.cat(parts).requires_grad_() for name, parts in columns.items() if parts[0] is not None
        }
        whole = ModelOutput(**self._leaves, encoded=Encoded(torch.cat([o.encoded.features for o in outputs])))
        with self.fabric.autocast():
            return self.model.with_proxies(whole, labels)

    def backward(self) -> None:
        """Take the gradients from embeddings and semantic features on to the parameters."""
        gradients = {name: leaf.grad.split(self.size) for name, leaf in self._leaves.items() if leaf.grad is not None}
        after = _random_state(self.fabric.device)
        for number, part in enumerate(self._parts):
            output = self._towers(*part)
            torch.autograd.backward(
                [getattr(output, name) for name in gradients], [parts[number] for parts in gradients.values()]
            )
        _set_random_state(after)

    def _towers(self, images: Tensor, labels: Tensor) -> ModelOutput:
        _set_random_state(self._random)
        with self.fabric.autocast():
            return self.model.towers(images, labels)


def _random_state(device: torch.device) -> dict[Any, Tensor]:
    state = {None: torch.get_rng_state()}
    return state | {device: torch.cuda.get_rng_state(device)} if device.type == "cuda" else state


def _set_random_state(state: dict[Any, Tensor]) -> None:
    for device, value in state.items():
        torch.set_rng_state(value) if device is None else torch.cuda.set_rng_state(value, device)
