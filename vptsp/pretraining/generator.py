"""Endless batches of generated classes, half handwriting, half things, with their descriptors."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator

import torch
from torch import Tensor, multiprocessing

from vptsp.pretraining.descriptors import describe
from vptsp.pretraining.glyphs import Glyphs
from vptsp.pretraining.objects import Things

COPIES = 2


def keep_memory() -> None:
    """Let glibc keep freed arrays: giving them back costs more than the arithmetic done on them.

    Rendering is fifteen times cheaper with it. Does nothing where the C library is another one.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            for option in (-3, -1):  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
                mallopt(option, 2**30)


def batch(classes: int, copies: int, size: int, g: torch.Generator, nuisance: float = 1.0) -> Tensor:
    """``classes * copies`` images ``B 3 size size`` in [0, 1] of new classes, copies side by side.

    The first half of the classes are glyphs, the others things. Only ``g`` decides what comes out.
    """
    glyphs = Glyphs.sample(classes // 2, g).render(copies, size, g, nuisance)
    things = Things.sample(classes - classes // 2, g).render(copies, size, g, nuisance)
    return torch.cat([glyphs, things])


@torch.no_grad()
def stream(images: int, size: int, seed: int, device: str = "cpu") -> Iterator[tuple[Tensor, Tensor]]:
    """Images ``B 3 H W`` (uint8) and descriptors ``B F`` without end, the same for the same seed."""
    g = torch.Generator(device).manual_seed(seed)
    while True:
        x = batch(images // COPIES, COPIES, size, g)
        yield (x * 255).round().byte(), describe(x)


def _produce(queue: multiprocessing.Queue, images: int, size: int, seed: int) -> None:
    keep_memory()
    torch.set_num_threads(1)
    for item in stream(images, size, seed):
        queue.put(item)


def background_stream(images: int, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The same as :func:`stream` on the CPU, made ahead of time by another process."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue(maxsize=16)
    worker = context.Process(target=_produce, args=(queue, images, size, seed), daemon=True)
    worker.start()
    try:
        while True:
            yield queue.get()
    finally:
        worker.terminate()
