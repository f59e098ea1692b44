"""Batches of tensors, the same ones whatever the number of worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from vptsp.data.image_set import ImageSet
from vptsp.data.samplers import ClassBatchSampler, Draw, ShuffledSampler
from vptsp.data.transforms import ImageTransform
from vptsp.devices.gather import share
from vptsp.errors import DataError

Item = tuple[Tensor, int, int]
TrainSampler = ClassBatchSampler | ShuffledSampler


class TransformedImages(Dataset[Item]):
    """Items ``(image float32 (3, S, S), label, position)`` of an image set.

    Randomness of an item comes from (seed, epoch, slot, position) of its draw and from nothing else;
    the process's own random state is left as it was. A plain position is draw 0 of epoch 0.
    """

    def __init__(self, image_set: ImageSet, transform: ImageTransform, seed: int = 0) -> None:
        self.image_set, self.transform, self.seed = image_set, transform, seed

    def __len__(self) -> int:
        return len(self.image_set)

    def __getitem__(self, draw: Draw | int) -> Item:
        return self.__getitems__([draw])[0]

    def __getitems__(self, draws: Sequence[Draw | int]) -> list[Item]:
        """The items of a batch, as a DataLoader asks for them: the random state is put by once for all."""
        with torch.random.fork_rng(devices=[]):
            return [self._item(draw) for draw in draws]

    def _item(self, draw: Draw | int) -> Item:
        position, epoch, slot = draw if isinstance(draw, tuple) else (int(draw), 0, 0)
        key = np.random.SeedSequence([self.seed, epoch, slot, position]).generate_state(1, np.uint64)
        image = self.image_set.load(position)
        # Not torch.manual_seed: that would reseed the accelerator as well.
        torch.default_generator.manual_seed(int(key[0]))
        return self.transform(image), int(self.image_set.labels[position]), position


class Loader(DataLoader[Item]):
    """A DataLoader whose workers' DataErrors arrive as the one sentence they were raised with."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        try:
            yield from super().__iter__()
            return
        except DataError as error:
            # torch puts the worker's traceback, which ends in the sentence, in place of the message.
            sentence = str(error).rsplit(f"{DataError.__name__}: ", 1)[-1].strip()
            error.__traceback__ = None  # its frames would keep the worker processes alive
        raise DataError(sentence)  # not inside the handler, for the same reason


def train_loader(
    image_set: ImageSet,
    transform: ImageTransform,
    *,
    batch_size: int,
    images_per_class: int | None,
    seed: int,
    num_workers: int = 0,
    turn: tuple[int, int] = (0, 1),
) -> Loader:
    """Batches ``(images (B, 3, S, S), labels (B,), positions (B,))`` of B/K classes x K images.

    With ``images_per_class`` none, batches of shuffled images whatever their class. ``turn``, the rank of this process
    and how many there are, gives it its part of each batch, which is drawn and augmented as by one process.

    Call ``loader.batch_sampler.set_epoch(epoch, start_batch)`` before each pass.
    """
    sampler: TrainSampler
    if images_per_class is None:
        sampler = ShuffledSampler(len(image_set), batch_size, seed)
    else:
        sampler = ClassBatchSampler(image_set.labels, batch_size, images_per_class, seed)
    return Loader(
        TransformedImages(image_set, transform, seed),
        batch_sampler=sampler if turn == (0, 1) else PartSampler(sampler, *turn),
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
        # Its own generator: a loader otherwise draws from the global one each time it is iterated,
        # and a run resumed inside an epoch would see other random numbers.
        generator=torch.Generator(),
    )


class PartSampler(Sampler[list[Draw]]):
    """The part of each batch that process ``rank`` of ``size`` has; all parts behind one another are the batch."""

    def __init__(self, whole: TrainSampler, rank: int, size: int) -> None:
        self.whole, self.rank, self.size = whole, rank, size

    def __len__(self) -> int:
        return len(self.whole)

    def __iter__(self) -> Iterator[list[Draw]]:
        for draws in self.whole:
            yield draws[share(len(draws), self.rank, self.size)]


def _in_turn(places: Sequence[Any], batch_size: int, turn: tuple[int, int]) -> list[list[Any]]:
    """Every size-th batch of the places in order."""
    rank, size = turn
    return [list(places[at : at + batch_size]) for at in range(rank * batch_size, len(places), size * batch_size)]


class EvalPasses:
    """Passes over a few sets that are embedded again and again, by one group of worker processes that is kept.

    To start a process and have it import what it needs takes seconds; a run looks at its validation and probe images
    after every epoch. Sets other than those given at the start, and work without processes, have a loader of their own.
    """

    def __init__(self, sets: Sequence[ImageSet], transform: ImageTransform, batch_size: int, num_workers: int) -> None:
        self.sets, self.transform, self.batch_size, self.num_workers = list(sets), transform, batch_size, num_workers
        self._batches: list[list[Place]] = []
        self._loader: Loader | None = None

    def count(self, images: ImageSet) -> int:
        """Batches of a pass over a set."""
        return -(-len(images) // self.batch_size)

    def over(self, images: ImageSet, turn: tuple[int, int] = (0, 1)) -> Loader:
        """All images of a set once, in order, as :func:`eval_loader` gives them. One pass is over before the next.

        ``turn=(rank, size)``: every size-th batch, from the rank-th.
        """
        number = next((n for n, known in enumerate(self.sets) if known is images), None)
        if number is None or not self.num_workers:
            return eval_loader(images, self.transform, self.batch_size, self.num_workers, turn)
        places = [Place(number, position) for position in range(len(images))]
        self._batches[:] = _in_turn(places, self.batch_size, turn)
        if self._loader is None:
            self._loader = Loader(
                _Several([TransformedImages(each, self.transform) for each in self.sets]),
                batch_sampler=self._batches,  # read anew at the start of each pass
                num_workers=self.num_workers,
                persistent_workers=True,
                pin_memory=torch.cuda.is_available(),
                generator=torch.Generator(),
            )
        return self._loader


class Place(NamedTuple):
    """An image of one of several sets."""

    number: int
    position: int


class _Several(Dataset[Item]):
    def __init__(self, sets: list[TransformedImages]) -> None:
        self.sets = sets

    def __getitem__(self, place: Place) -> Item:
        return self.sets[place.number][place.position]

    def __getitems__(self, places: Sequence[Place]) -> list[Item]:
        """The items of a batch, which is of one set."""
        return self.sets[places[0].number].__getitems__([place.position for place in places])


def eval_loader(
    image_set: ImageSet,
    transform: ImageTransform,
    batch_size: int,
    num_workers: int = 0,
    turn: tuple[int, int] = (0, 1),
) -> Loader:
    """All images once, in order, as ``(images (B, 3, S, S), labels (B,), positions (B,))``; or those of a turn."""
    return Loader(
        TransformedImages(image_set, transform),
        batch_sampler=_in_turn(range(len(image_set)), batch_size, turn),
        num_workers=num_workers,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),
    )
