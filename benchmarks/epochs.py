"""What decoding and augmenting images costs an epoch: its speed against that of its steps alone, in turn.

Run as ``python -m benchmarks.epochs``. Each case is trained as a run trains it: some steps with the next batches of its
loader, some with one batch that is at hand, in turns, after a step that is not counted. The ratio is 1 where the loader
costs nothing; the target is 0.95. Photographs are JPEG files of 500 x 375, as they are and as ``vptsp data prepare``
decodes them; blossoms are drawn before.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.data import write_photographs
from benchmarks.machine import machine_lines
from vptsp.data.load_splits import read_parts
from vptsp.data.prepare import prepare
from vptsp.settings.config import make_config
from vptsp.training.objective import make_objective
from vptsp.training.session import Session

TARGET = 0.95


def write_small_pictures(root: Path, classes: int = 40, images: int = 8) -> None:
    """PNG files of 64 x 64 pixels."""
    rng = np.random.default_rng(0)
    for label in range(classes):
        folder = root / ("train" if label < classes // 2 else "test") / f"class_{label:02d}"
        folder.mkdir(parents=True)
        for number in range(images):
            shapes = Image.fromarray(rng.integers(0, 256, (8, 8, 3)).astype(np.uint8))
            shapes.resize((64, 64), Image.Resampling.BICUBIC).save(folder / f"{number}.png")


def batches_forever(session: Session) -> Iterator[Any]:
    """Epoch after epoch, as training sees them."""
    epoch = 0
    while True:
        session.sampler.set_epoch(epoch)
        yield from session.loader
        epoch += 1


def epoch_to_steps(rounds: int, steps: int, **settings: Any) -> tuple[float, float]:
    """Median over rounds of the time of steps on one batch, divided by that of steps that take their batches from the
    loader; and images per second of the latter."""
    config = make_config({"val_fraction": 0.0, "probe_images": 0, "precision": "fp32", "device": "cpu"}, settings)
    session = Session.prepare(config)
    for position in range(len(session.splits.train)):  # blossoms are drawn once, by the first run that wants them
        session.splits.train.load(position)
    objective, loader = make_objective(config), batches_forever(session)
    session.model.train()

    def step(images: Any, labels: Any) -> None:
        loss = objective(session.model, session.forward(images, labels), labels)
        session.backward(loss)
        session.clip_gradients()
        loss.item()
        session.step()

    at_hand = next(loader)[:2]
    step(*at_hand)
    ratios, speeds = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(steps):
            step(*next(loader)[:2])
        loaded = time.perf_counter() - start
        start = time.perf_counter()
        for _ in range(steps):
            step(*at_hand)
        ratios.append((time.perf_counter() - start) / loaded)
        speeds.append(steps * config.batch_size / loaded)
    return statistics.median(ratios), statistics.median(speeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(*machine_lines(), sep="\n")
    with tempfile.TemporaryDirectory() as made:
        names = ("small", "small cache", "photographs", "cache")
        small, small_cache, photographs, cache = (Path(made) / name for name in names)
        write_small_pictures(small)
        write_photographs(photographs, 300)
        of_pictures: dict[str, Any] = {"dataset": "folder", "data_root": small, "batch_size": 32}
        of_photographs: dict[str, Any] = {
            "dataset": "folder",
            "data_root": photographs,
            "backbone": "vit_small_patch16_224",
            "backbone_weights": "random",
            "batch_size": 10,
        }
        for size, settings, kept in ((64, of_pictures, small_cache), (224, of_photographs, cache)):
            for _ in prepare(read_parts(make_config({"image_size": size}, settings)), kept, "folder"):
                pass
        cases: dict[str, tuple[int, dict[str, Any]]] = {
            "the demo: blossoms, bundled backbone, 64 pixels": (4, {"dataset": "blossoms", "blossoms_classes": 100}),
            "PNG files of 64 pixels, bundled backbone": (4, of_pictures),
            "these after vptsp data prepare": (4, {**of_pictures, "data_cache": small_cache}),
            "photographs as JPEG files, ViT-S/16, 224 pixels": (3, of_photographs),
            "those after vptsp data prepare": (3, {**of_photographs, "data_cache": cache}),
        }
        print(f"\n{'':<50}{'epoch : steps':>15}{'images/s':>10}   (target {TARGET})")
        for name, (steps, settings) in cases.items():
            ratio, speed = epoch_to_steps(options.rounds, steps, **settings)
            print(f"{name:<50}{ratio:>15.3f}{speed:>10.1f}", flush=True)


if __name__ == "__main__":
    main()
