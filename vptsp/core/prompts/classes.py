"""Class prompts: rows of their own for each class, in memory or in a bank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vptsp.core.prompts.bank import FILE, Bank, DiskBank, MemoryBank


class ClassPrompts(nn.Module):
    """Class prompts (VPTSP section 4.2): one ``C x N_i x D`` tensor per block, a row of it per class.

    ``init="shared"`` starts them with the spread of shared prompts; ``"published"`` is Xavier normal over
    the whole tensor, ``sqrt(2 / ((N_i + C) D))``, which shrinks as classes are added.
    """

    def __init__(
        self, counts: Sequence[int], widths: int | Sequence[int], num_classes: int, init: str = "shared"
    ) -> None:
        super().__init__()
        shapes = _shapes(counts, widths)
        self.layers = nn.ParameterList(nn.Parameter(torch.empty(num_classes, *shape)) for shape in shapes)
        for layer, shape in zip(self.layers, shapes, strict=True):
            nn.init.normal_(layer, std=_class_prompt_spread(*shape, num_classes, init))

    def forward(self, classes: Int[Tensor, " U"]) -> list[Float[Tensor, "U N D"]]:
        """The prompts of each block for the given classes. Only these rows get a gradient."""
        return [layer[classes] for layer in self.layers]

    def mean(self) -> list[Float[Tensor, "1 N D"]]:
        """The mean of all classes' prompts of each block: what is known of a class that has none of its own."""
        return [layer.mean(dim=0, keepdim=True) for layer in self.layers]


@runtime_checkable  # the tests check arguments at run time
class Owners(Protocol):
    """Processes that own rows of class prompts, process r of P those of the classes r, r + P, ...; ``part``: (r, P)."""

    part: tuple[int, int]

    def complete(self, own: Float[Tensor, "V R"], classes: Int[Tensor, " U"]) -> Float[Tensor, "U R"]:
        """Rows of all ``classes``, of which every process has its own, in their order."""
        ...


class ClassPromptRows(nn.Module):
    """Class prompts of which only the rows of a batch are at hand; all of them live in a
    :class:`~vptsp.core.prompts.bank.Bank`.

    :meth:`fetch` reads the records of a batch's classes: their values become a leaf (U, R) of autograd, R numbers
    for the prompts of one class in all blocks. :class:`~vptsp.training.optimizers.RowOptimizer` steps it and calls
    :meth:`put_back`. Nothing here is a parameter or a buffer of the module, so no optimiser moves rows outside the
    batch.

    The values of a class at start are normal with the spread of :class:`ClassPrompts`, drawn from a generator of the
    class's own (Philox, keyed by ``seed`` and class), so that all places begin alike and nothing is drawn before use.

    With ``owners`` each of several processes keeps and steps the rows of its own classes; values of a batch go from
    their owners to all.
    """

    owners: Owners | None = None

    def __init__(
        self,
        counts: Sequence[int],
        widths: int | Sequence[int],
        num_classes: int,
        init: str,
        *,
        seed: int,
        slots: int,
        place: Literal["device", "host", "disk"],
    ) -> None:
        super().__init__()
        self.shapes = _shapes(counts, widths)
        self.sizes = [count * width for count, width in self.shapes]
        self.num_classes, self.slots, self.place, self.seed = num_classes, slots, place, seed
        self.spreads = [_class_prompt_spread(*shape, num_classes, init) for shape in self.shapes]
        self.bank: Bank | None = None
        self.leaves = [torch.empty(0, sum(self.sizes), requires_grad=True)]  # the one that is at hand; the list stays
        self._classes, self._records = torch.empty(0, dtype=torch.long), torch.empty(0)
        self._own = torch.empty(0, dtype=torch.bool)  # which of them are kept here

    @property
    def numel(self) -> int:
        """Numbers in the prompts of all classes."""
        return self.num_classes * sum(self.sizes)

    def open_bank(self, device: torch.device, folder: Path | None = None) -> Bank:
        """Start with a new bank, in ``folder`` if it is to be on disk (without one: in a temporary file)."""
        size = (self.num_classes, 1 + self.slots, sum(self.sizes))
        part = self.owners.part if self.owners else (0, 1)
        if self.place == "disk":
            self.bank = DiskBank(*size, self._start, folder / FILE if folder else None, part)
        else:
            self.bank = MemoryBank(*size, self._start, device if self.place == "device" else None, part)
        return self.bank

    def fetch(self, classes: Int[Tensor, " U"]) -> None:
        """Have the rows of the given classes, distinct and in order, at hand on the device of ``classes``."""
        bank = self.bank or self.open_bank(classes.device)
        self._classes, self._own = classes, bank.owns(classes)
        self._records = bank.read(classes[self._own])
        values = self._records[:, 0]
        if self.owners is not None:
            values = self.owners.complete(values, classes)
        self.leaves[0] = values.detach().requires_grad_()

    def put_back(self, step: Callable[[Tensor, Tensor, Tensor, Tensor], None]) -> None:
        """Run ``step(values (V, R), gradient (V, R), state (V, S, R), counts (V,))`` on the V rows of the batch that
        are kept here, which changes them in place, and store them."""
        bank, gradient = self.bank, self.leaves[0].grad
        assert bank is not None, "rows are fetched before they are stored"
        assert gradient is not None, "rows have a gradient before they are stored"
        classes = self._classes[self._own]
        if len(classes):
            counts = bank.steps[classes.cpu()] + 1
            step(self._records[:, 0], gradient[self._own], self._records[:, 1:], counts)
            bank.write(classes, self._records)
        if len(classes) < len(self._classes):
            bank.count(self._classes[~self._own])

    def forward(self, classes: Int[Tensor, " U"]) -> list[Float[Tensor, "U N D"]]:
        """The prompts of each block for classes among those at hand, distinct and in order."""
        values = self.leaves[0]
        if len(classes) < len(self._classes):  # a part of the batch
            values = values[torch.searchsorted(self._classes, classes)]
        parts = values.split(self.sizes, dim=1)
        return [part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def _start(self, label: int) -> Float[Tensor, " R"]:
        generator = np.random.Generator(np.random.Philox(key=[self.seed, label]))
        values = generator.standard_normal(sum(self.sizes), dtype=np.float32)
        return torch.from_numpy(values * np.repeat(np.array(self.spreads, np.float32), self.sizes))


def _shapes(counts: Sequence[int], widths: int | Sequence[int]) -> list[tuple[int, int]]:
    """``(N_i, D_i)`` of each block that has prompts."""
    widths = [widths] * len(counts) if isinstance(widths, int) else list(widths)[: len(counts)]
    return list(zip(counts, widths, strict=True))


def _class_prompt_spread(count: int, width: int, num_classes: int, init: str) -> float:
    rows = num_classes if init == "published" else 1
    return (2 / ((count + rows) * width)) ** 0.5
