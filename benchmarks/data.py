"""Images per second of the training loader: from files, from WebDataset shards of them, and from a decoded cache.

Run as ``python -m benchmarks.data [--small]``. Photographs of 500 x 375 pixels are drawn and saved as JPEG; the three
loaders then read all of them in turns, in one process, with the same draws and the same augmentation for 224 pixels.
Ratios are medians over the rounds, to files. What shards are for, a network disk that is slow to open files, is not
here: files and shards lie in the system's memory.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vptsp.data import load_data, train_loader, train_transform
from vptsp.data.load_splits import read_parts
from vptsp.data.prepare import prepare
from vptsp.data.write_shards import write_shards
from vptsp.settings.config import make_config

CLASSES, SIZE, BATCH = 10, (500, 375), 32


def write_photographs(root: Path, images: int) -> None:
    """JPEG files as large as photographs are (about 90 KB): smooth shapes under some grain."""
    rng = np.random.default_rng(0)
    for number in range(images):
        half, label = divmod(number, CLASSES)
        split = "train" if label < CLASSES // 2 else "test"
        folder = root / split / f"class_{label}"
        folder.mkdir(parents=True, exist_ok=True)
        shapes = Image.fromarray(rng.integers(0, 256, (24, 32, 3)).astype(np.uint8)).resize(
            SIZE, Image.Resampling.BICUBIC
        )
        grain = rng.normal(0, 12, (SIZE[1], SIZE[0], 1))
        pixels = (np.asarray(shapes) + grain).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{half:04d}.jpg", quality=90)


def images_per_second(config, epoch: int, num_workers: int) -> float:
    half = (0.5, 0.5, 0.5)
    loader = train_loader(
        load_data(config).train,
        train_transform(224, half, half),
        batch_size=BATCH,
        images_per_class=None,
        seed=0,
        num_workers=num_workers,
    )
    loader.batch_sampler.set_epoch(epoch)
    start, seen = time.perf_counter(), 0
    for images, _, _ in loader:
        seen += len(images)
    return seen / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="fewer images, some seconds")
    parser.add_argument("--rounds", type=int, default=3, help="times each is read, in turns")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root, cache, shards = (Path(folder) / name for name in ("images", "cache", "shards"))
        write_photographs(root, 200 if options.small else 1000)  # half of them train
        size = statistics.mean(file.stat().st_size for file in root.rglob("*.jpg"))
        config = make_config({"dataset": "folder", "data_root": root, "val_fraction": 0.0, "image_size": 224})
        parts = read_parts(config)
        print(f"{sum(map(len, parts.each()))} JPEG files of {SIZE[0]} x {SIZE[1]}, {size / 1000:.0f} KB on average")
        for name, steps in (
            ("cache", prepare(parts, cache, "folder")),
            ("shards", write_shards(parts, shards, "folder")),
        ):
            start = time.perf_counter()
            *_, done = steps
            print(f"{name} written in {time.perf_counter() - start:.1f} s, {done.bytes / 2**20:.0f} MiB")
        variants = {
            "files": config,
            "shards": config.changed(dataset="shards", data_root=shards),
            "cache": config.changed(data_cache=cache),
        }
        print(
            f"{'workers':>8}{'files/s':>10}{'shards/s':>10}{'cache/s':>10}{'shards : files':>17}{'cache : files':>16}"
        )
        for workers in (0, 2):
            speeds: dict[str, list[float]] = {name: [] for name in variants}
            for epoch in range(options.rounds):
                for name, variant in variants.items():
                    speeds[name].append(images_per_second(variant, epoch, workers))
            ratios = [
                statistics.median(s / f for s, f in zip(speeds[name], speeds["files"], strict=True))
                for name in ("shards", "cache")
            ]
            best = "".join(f"{max(speeds[name]):10.0f}" for name in variants)
            print(f"{workers:8}{best}{ratios[0]:17.2f}{ratios[1]:16.2f}", flush=True)


if __name__ == "__main__":
    main()
