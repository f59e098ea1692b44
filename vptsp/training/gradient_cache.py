"""A training step in several forward passes, at the gradients of the undivided one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vptsp.core.encoder import Encoded
from vptsp.core.model import ModelOutput
from vptsp.devices.world import World
from vptsp.settings.build import ConfiguredModel
from vptsp.training.whole_batch import COLUMNS, whole_output

if TYPE_CHECKING:
    import lightning_fabric as lightning


class DividedForward:
    """The model's forward pass on a few images at a time (GradCache, arXiv 2101.06983).

    The images of a batch meet only in the loss and in the semantic proxies, as embeddings and semantic features. These
    are first computed without a graph, part by part, and become leaves, from which the loss of the whole batch is
    computed as ever; after its backward pass :meth:`backward` runs each part again, with a graph, from the gradients of
    its leaves. Memory holds the graph of one part; the price is a second forward pass.

    What is random in the towers is drawn once for a batch (dropout of shared prompts), so every part starts from the
    same random state, and the state after a step is that of the undivided one.

    In a ``world`` of processes each has its own images and the labels of all, and ``synchronised``, the model wrapped
    by DistributedDataParallel, takes the last part: gradients are averaged over processes once a step.
    """

    def __init__(
        self,
        model: ConfiguredModel,
        fabric: lightning.Fabric,
        images_per_pass: int,
        world: World | None = None,
        synchronised: nn.Module | None = None,
    ) -> None:
        self.model, self.fabric, self.size = model, fabric, images_per_pass
        self.world, self.synchronised = world or World(fabric), synchronised

    def __call__(self, images: Float[Tensor, "b 3 S S"], labels: Int[Tensor, " B"]) -> ModelOutput:
        """What the model returns, cut off from the towers."""
        self.model.fetch(labels)
        own = labels[self.world.share(len(labels))]
        self._parts = list(zip(images.split(self.size), own.split(self.size), strict=True))
        self._random = _random_state(images.device)
        outputs = []
        with torch.no_grad():
            for part in self._parts:
                outputs.append(self._towers(*part))
        columns = {name: [getattr(output, name) for output in outputs] for name in COLUMNS}
        self._leaves = {
            name: torch.cat(parts).requires_grad_() for name, parts in columns.items() if parts[0] is not None
        }
        encoded = Encoded(torch.cat([output.encoded.features for output in outputs]))
        with self.fabric.autocast():
            whole = whole_output(self.world, self.model, dict(self._leaves), encoded, len(labels))
            return self.model.with_proxies(whole, labels)

    def backward(self) -> None:
        """Take the gradients from embeddings and semantic features on to the parameters."""
        gradients = {name: leaf.grad.split(self.size) for name, leaf in self._leaves.items() if leaf.grad is not None}
        after = _random_state(self.fabric.device)
        for number, part in enumerate(self._parts):
            output = self._towers(*part, last=number == len(self._parts) - 1)
            torch.autograd.backward(
                [getattr(output, name) for name in gradients], [parts[number] for parts in gradients.values()]
            )
        _set_random_state(after)

    def _towers(self, images: Tensor, labels: Tensor, last: bool = False) -> ModelOutput:
        _set_random_state(self._random)
        with self.fabric.autocast():
            if last and self.synchronised is not None:
                output: ModelOutput = self.synchronised(images, labels, towers_alone=True)
                return output
            return self.model.towers(images, labels)


def _random_state(device: torch.device) -> dict[Any, Tensor]:
    state = {None: torch.get_rng_state()}
    return state | {device: torch.cuda.get_rng_state(device)} if device.type == "cuda" else state


def _set_random_state(state: dict[Any, Tensor]) -> None:
    for device, value in state.items():
        torch.set_rng_state(value) if device is None else torch.cuda.set_rng_state(value, device)
