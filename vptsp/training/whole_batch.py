"""A forward pass of one process among several: its own images through the towers, the whole batch in what follows."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vptsp.core.encoder import Encoded
from vptsp.core.model import ModelOutput
from vptsp.devices.gather import gather_rows
from vptsp.devices.world import World
from vptsp.settings.build import ConfiguredModel

COLUMNS = ("embeddings", "semantic_features", "logits", "guided_features")  # what the towers give and a loss may need


class WholeBatch(nn.Module):
    """The model as DistributedDataParallel wraps it: called with a process's own images and the labels of all.

    Images of a batch meet only in the loss and in the semantic proxies. Both are computed of the whole batch in every
    process, from the same numbers in the same order, so semantic proxies are the same bits everywhere.
    """

    def __init__(self, model: ConfiguredModel, world: World) -> None:
        super().__init__()
        self.model, self.world = model, world

    def forward(
        self, images: Float[Tensor, "b 3 S S"], labels: Int[Tensor, " B"], towers_alone: bool = False
    ) -> ModelOutput:
        """What the model says of the whole batch; ``towers_alone``: of these images, with their own labels."""
        if towers_alone:
            return self.model.towers(images, labels)
        self.model.fetch(labels)
        own = self.model.towers(images, labels[self.world.share(len(labels))])
        columns = {name: getattr(own, name) for name in COLUMNS}
        return self.model.with_proxies(whole_output(self.world, self.model, columns, own.encoded, len(labels)), labels)


def whole_output(
    world: World, model: ConfiguredModel, columns: dict[str, Tensor | None], encoded: Encoded, total: int
) -> ModelOutput:
    """The towers' output for a whole batch of ``total`` images, from what each process has of it."""
    given = {name: column for name, column in columns.items() if column is not None}
    if not world.alone and model.guide is not None and model.guide.observing:
        encoded = Encoded(world.gather({"features": encoded.features.detach()}, total)["features"])
    return ModelOutput(**world.gather(given, total), encoded=encoded)


class RowOwners:
    """Class prompts by rows, each kept by the process whose rank is its class modulo the number of processes.

    Memory or disk, and the work of the optimiser, are divided by their number; a step sends the values of a batch's
    classes from their owners to all, and the mean of their gradients.
    """

    def __init__(self, world: World) -> None:
        self.part = world.turn

    def complete(self, own: Float[Tensor, "V R"], classes: Int[Tensor, " U"]) -> Float[Tensor, "U R"]:
        """Rows of all classes of the batch, in their order."""
        owner = classes % self.part[1]
        sizes = torch.bincount(owner, minlength=self.part[1]).tolist()
        rows = gather_rows(own, sizes)
        return rows[owner.argsort(stable=True).argsort()]
