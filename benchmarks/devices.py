"""Several processes on this machine: seconds of a step at 1 and 2, and the bytes of a step beside the formula's.

Run as ``python -m benchmarks.devices``. Weak scaling keeps the images of each process, strong scaling those of the
batch. Each process has one thread; with as many cores as processes the ideal is 1 in weak scaling and 1/2 in strong.
The bytes are those that the loopback device counts, so they hold the headers of TCP and all acknowledgements.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.distributed as dist

from benchmarks.steps import BACKBONE
from vptsp.core.backbones.load import load_backbone
from vptsp.devices.launch import start_processes
from vptsp.devices.traffic import Step, bytes_sent
from vptsp.devices.world import World
from vptsp.files import read_json, write_json
from vptsp.settings.build import build_model
from vptsp.settings.config import make_config
from vptsp.training.objective import make_objective
from vptsp.training.optimizers import make_optimizers
from vptsp.training.whole_batch import WholeBatch

CLASSES = 200


def measure(batch: int, rounds: int, file: str, observer: Any = None) -> Any:
    """In each process: steps of VPTSP-G on random images; the first process writes what it found."""
    torch.set_num_threads(1)
    config = make_config(
        {"backbone": BACKBONE, "backbone_weights": "random", "batch_size": batch, "device": "cpu", "precision": "fp32"}
    )
    world = World.join("cpu", "fp32", 300)
    torch.manual_seed(0)
    model = build_model(config, load_backbone(BACKBONE, "random"), CLASSES).train()
    whole = model if world.alone else WholeBatch(model, world)
    forward, *optimizers = world.fabric.setup(whole, *make_optimizers(model, config))
    objective = make_objective(config, world)
    labels = torch.arange(batch) // 2
    share = world.share(batch)
    images = torch.randn(share.stop - share.start, 3, model.backbone.image_size, model.backbone.image_size)

    def step() -> None:
        whole_labels, _ = world.labels(labels[share], batch, False)
        world.fabric.backward(objective(model, forward(images, whole_labels), whole_labels))
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    step(), step()
    if not world.alone:
        dist.barrier()
    taken, before = [], loopback()
    for _ in range(rounds):
        start = time.perf_counter()
        step()
        taken.append(time.perf_counter() - start)
    if not world.alone:
        dist.barrier()
    if world.is_first:
        trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        size = config.embedding_size
        formula = bytes_sent(Step(batch, size, 2 * size, trained), world.size)
        write_json(
            Path(file),
            {
                "seconds": statistics.median(taken),
                "measured": (loopback() - before) / rounds,
                "formula": world.size * sum(formula.values()),
                "by": formula,
                "trained": trained,
            },
        )
    return SimpleNamespace(path=file)


def loopback() -> int:
    """Bytes that the loopback device has sent."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "lo":
            return int(numbers.split()[8])
    return 0


def measured(processes: int, batch: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "found.json")
        if processes == 1:
            measure(batch, rounds, file)
        else:
            asked = SimpleNamespace(device="cpu", devices=processes, num_nodes=1, strategy="fork")
            start_processes(measure, (batch, rounds, file), {}, asked, print)
        found: dict[str, Any] = read_json(Path(file), "")
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=16, help="images of a process")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    batch, rounds = options.batch, options.rounds
    one, two = measured(1, batch, rounds), measured(2, 2 * batch, rounds)
    halved = measured(2, batch, rounds)
    print(f"{BACKBONE}, {one['trained']:,} trained numbers, {cores} cores, load {os.getloadavg()[0]:.1f}")
    print(f"weak scaling, {batch} images each: step of 2 processes / of 1: {two['seconds'] / one['seconds']:.2f}")
    print(f"strong scaling, {batch} images together: {halved['seconds'] / one['seconds']:.2f}")
    for name, found in (("weak", two), ("strong", halved)):
        ratio = found["measured"] / found["formula"]
        print(
            f"bytes of a step, {name}: {found['measured']:,.0f} on the loopback device, {found['formula']:,.0f} by "
            f"formula, ratio {ratio:.3f}"
        )
    print("by formula, sent by each process:", {name: f"{value:,.0f}" for name, value in two["by"].items()})


if __name__ == "__main__":
    main()
