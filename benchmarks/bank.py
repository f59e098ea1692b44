"""Class prompts off the device: time of a training step, in turns within one process, and resident memory.

Run as ``python -m benchmarks.bank``. The classes of the timed steps have been seen before, so each step reads and
writes their records (values and AdamW's two moments). Reading from a disk whose cache holds nothing is timed apart. The
target is a step at most 1.05 times that with all class prompts on the device, and less than 8 GiB of resident memory.
``--memory`` writes every record of the In-Shop-sized bank once: 16.5 GiB in the folder of temporary files.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle

import torch

from benchmarks.steps import BACKBONE, seconds
from vptsp.core.backbones.load import load_backbone
from vptsp.core.prompts.bank import DiskBank
from vptsp.core.prompts.classes import ClassPromptRows
from vptsp.machine import make_fabric
from vptsp.settings.build import build_model
from vptsp.settings.config import make_config
from vptsp.training.objective import make_objective
from vptsp.training.optimizers import make_optimizers

# name: classes, class prompts in each of 12 blocks, shared prompts (the published configurations for ViT-S)
SIZES = {"SOP": (11_318, 5, 90), "In-Shop": (3_997, 80, 90)}
BATCH = 32


def make_step(size: str, place: str) -> tuple[Callable[[], None], ClassPromptRows]:
    """A training step of VPTSP-G with BitFit on random images, one of each class, and the rows it trains."""
    classes, per_class, shared = SIZES[size]
    config = make_config(
        {"backbone": BACKBONE, "backbone_weights": "random", "embedding_size": 384, "num_prompts": shared,
         "num_class_prompts": per_class, "batch_size": BATCH, "images_per_class": 1, "class_prompt_updates": "rows",
         "class_prompts_on": place}
    )  # fmt: skip
    fabric, objective = make_fabric(config.device, config.precision), make_objective(config)
    backbone = load_backbone(BACKBONE, "random")
    model = build_model(config, backbone, classes).train()
    forward, *optimizers = fabric.setup(model, *make_optimizers(model, config))
    images = torch.randn(BATCH, 3, backbone.image_size, backbone.image_size).to(fabric.device)
    # two batches far apart, so that nothing of one is still at hand in the next
    labels: Iterator[torch.Tensor] = cycle((torch.arange(2 * BATCH) * (classes // (2 * BATCH))).split(BATCH))
    assert model.rows is not None

    def step() -> None:
        chosen = next(labels).to(fabric.device)
        fabric.backward(objective(model, forward(images, chosen), chosen))
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if fabric.device.type == "cuda":
            torch.cuda.synchronize()

    return step, model.rows


def cold_read(bank: DiskBank) -> float:
    """Seconds to read the records of a batch that no cache holds; the system may not let go of all of them."""
    bank.file.flush()
    os.posix_fadvise(bank.file.file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    start = time.perf_counter()
    bank.read(bank.steps.nonzero().flatten()[:BATCH])
    return time.perf_counter() - start


def time_steps(size: str, rounds: int) -> None:
    made = {place: make_step(size, place) for place in ("device", "host", "disk")}
    for step, _ in made.values():
        step(), step()  # from here on both batches have been seen
    taken = seconds({place: step for place, (step, _) in made.items()}, rounds)
    bank = made["disk"][1].bank
    assert isinstance(bank, DiskBank)
    record = bank.file.bytes / 2**20
    print(f"\n{size}: {len(bank.steps)} records of {record:.2f} MiB, {BATCH * record:.0f} MiB each way in a step")
    for place, value in taken.items():
        print(f"  {place:7} {value:.3f} s   {value / taken['device']:.3f}x (target 1.05)")
    if hasattr(os, "posix_fadvise"):
        cold = statistics.median(cold_read(bank) for _ in range(3))
        print(f"  reading from the disk itself would add {cold:.3f} s, {cold / taken['device']:.1%} of a step")


def peak_memory() -> float:
    """GiB, the largest resident memory of the process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)


def fill(size: str) -> None:
    """Train two steps, then step the rows of all classes once, batch after batch, with made-up gradients."""
    step, rows = make_step(size, "disk")
    step(), step()
    print(f"\n{size} on disk: {4 * rows.numel / 2**30:.2f} GiB of values, three times that with AdamW's moments")
    print(f"  peak resident memory after two training steps   {peak_memory():.2f} GiB")
    start = time.perf_counter()
    for classes in torch.arange(rows.num_classes).split(BATCH):
        rows.fetch(classes)
        rows.put_back(lambda values, state, counts: values.add_(state[:, 0]))
    step()
    print(f"  peak after all {rows.num_classes} classes were written      {peak_memory():.2f} GiB (target 8)")
    print(f"  ({time.perf_counter() - start:.0f} s, first values drawn included)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="only the resident memory; writes 16.5 GiB")
    options = parser.parse_args()
    if options.memory:
        fill("In-Shop")
        return
    print(f"{BACKBONE}, B={BATCH}, {torch.get_num_threads()} threads; medians of {options.rounds}")
    for size in SIZES:
        time_steps(size, options.rounds)


if __name__ == "__main__":
    main()
