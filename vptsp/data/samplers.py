"""Batches of U classes x K images, the diet of proxy losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from torch.utils.data import Sampler

from vptsp.errors import ConfigError


class Draw(NamedTuple):
    """One image of one batch: where it is in the set, and which draw of the epoch it is."""

    position: int
    epoch: int
    slot: int


class EvenDraw:
    """Draws from ``0..n-1`` so that no value is ever used twice more than another, in random order."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self.n, self.rng = n, rng
        self.queue = np.empty(0, dtype=np.int64)

    def take(self, k: int) -> np.ndarray:
        """int64 (k,); values repeat only when k > n."""
        taken = self.queue[:k]
        self.queue = self.queue[k:]
        while len(taken) < k:
            order = self.rng.permutation(self.n)
            # Values that this draw already holds go last, so that they cannot repeat within it.
            used = np.isin(order, taken)
            order = np.concatenate([order[~used], order[used]])
            missing = k - len(taken)
            taken, self.queue = np.concatenate([taken, order[:missing]]), order[missing:]
        return taken


class ShuffledSampler(Sampler[list[Draw]]):
    """Batches of B images, each image once an epoch in random order; the last, smaller batch is dropped.

    An epoch is a function of (seed, epoch) alone. With fewer than B images there is one batch of all of them.
    """

    def __init__(self, images: int, batch_size: int, seed: int) -> None:
        self.images, self.batch_size, self.seed = images, min(batch_size, images), seed
        self.epoch, self.start_batch = 0, 0

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Iterate over this epoch next, from ``start_batch`` on (to resume inside an epoch)."""
        self.epoch, self.start_batch = epoch, start_batch

    def __len__(self) -> int:
        """Batches in a whole epoch."""
        return self.images // self.batch_size

    def __iter__(self) -> Iterator[list[Draw]]:
        epoch = self.epoch
        order = np.random.default_rng([self.seed, epoch]).permutation(self.images)
        for batch in range(self.start_batch, len(self)):
            slots = range(batch * self.batch_size, (batch + 1) * self.batch_size)
            yield [Draw(int(order[slot]), epoch, slot) for slot in slots]


class ClassBatchSampler(Sampler[list[Draw]]):
    """Batches of ``B / K`` distinct classes with K distinct images each.

    Images of a class repeat within a batch only where the class has fewer than K. An epoch is
    ``max(1, N // B)`` batches, a function of (seed, epoch) alone; classes, and the images of a
    class, are used equally often up to one. Raises ConfigError when K does not divide B or when a
    batch needs more classes than there are.
    """

    def __init__(self, labels: np.ndarray, batch_size: int, images_per_class: int, seed: int) -> None:
        if batch_size < 1 or images_per_class < 1 or batch_size % images_per_class:
            raise ConfigError(
                f"batch_size={batch_size} is not a multiple of images_per_class={images_per_class}; "
                "a batch is made of whole groups of one class, so choose a divisor of batch_size"
            )
        order = np.argsort(labels, kind="stable")
        starts = np.flatnonzero(np.diff(labels[order])) + 1
        self.groups = np.split(order, starts) if len(labels) else []
        self.classes_per_batch = batch_size // images_per_class
        if self.classes_per_batch > len(self.groups):
            raise ConfigError(
                f"a batch of {batch_size} images with {images_per_class} per class needs "
                f"{self.classes_per_batch} classes, but there are only {len(self.groups)} to train on; "
                "lower batch_size, raise images_per_class, or set fit_batch=true"
            )
        self.batch_size, self.images_per_class, self.seed = batch_size, images_per_class, seed
        self.batches = max(1, len(labels) // batch_size)
        self.epoch, self.start_batch = 0, 0

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Iterate over this epoch next, from ``start_batch`` on (to resume inside an epoch)."""
        self.epoch, self.start_batch = epoch, start_batch

    def __len__(self) -> int:
        """Batches in a whole epoch."""
        return self.batches

    def __iter__(self) -> Iterator[list[Draw]]:
        epoch, start = self.epoch, self.start_batch
        rng = np.random.default_rng([self.seed, epoch])
        classes = EvenDraw(len(self.groups), rng)
        images: dict[int, EvenDraw] = {}
        for batch in range(self.batches):
            draws: list[Draw] = []
            for label in classes.take(self.classes_per_batch).tolist():
                group = self.groups[label]
                draw = images.setdefault(label, EvenDraw(len(group), rng))
                for position in group[draw.take(self.images_per_class)].tolist():
                    draws.append(Draw(position, epoch, batch * self.batch_size + len(draws)))
            if batch >= start:
                yield draws
