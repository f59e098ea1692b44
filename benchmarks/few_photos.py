"""What few photos give by ``--preset own_images``: 8 classes of 5 photos each, drawn again and again.

Run as ``python -m benchmarks.few_photos PHOTOS FOLDER``: PHOTOS holds a folder for each class; draws and runs are kept
in FOLDER. *last*: the last epoch, all that earlier versions could give; *selected*: what the run gives now, with the
untrained whitened model and whitened embeddings among what held-out classes choose from; where there are too few
classes to hold any out, the last epoch is the result. R@1 in percent on all classes that were not drawn, 5 photos each:
those that the preset keeps for its own test are two.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from benchmarks.outcomes import finished, spread
from benchmarks.shrinkages import recall
from vptsp.evaluation.evaluate import embed_folder
from vptsp.runs.checkpoints import inference_path
from vptsp.settings.config import make_config

CLASSES, PHOTOS = 8, 5


def draw(source: Path, mine: Path, others: Path, classes: int, photos: int, seed: int) -> None:
    """Links to photos of some classes, and of the classes that are left; all drawn without replacement."""
    rng = np.random.default_rng(seed)
    there = {folder.name: sorted(path for path in folder.iterdir() if path.is_file()) for folder in source.iterdir()}
    full = sorted(name for name, files in there.items() if len(files) >= photos)
    for place, name in enumerate(rng.permutation(full)):
        for number in rng.choice(len(there[name]), photos, replace=False):
            photo = there[name][number]
            link = (mine if place < classes else others) / name / photo.name
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(photo.resolve())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--classes", type=int, default=CLASSES)
    parser.add_argument("--images", type=int, default=PHOTOS)
    options = parser.parse_args()
    rows: dict[str, list[float]] = {"frozen": [], "last": [], "selected": []}
    chosen: Counter[str] = Counter()
    for seed in range(options.draws):
        place = options.folder / f"{options.classes}x{options.images}-{seed}"
        draw(options.photos, place / "photos", place / "others", options.classes, options.images, seed)
        settings = {"data_root": str(place / "photos"), "seed": seed}
        frozen = finished(make_config(settings, {"method": "frozen"}, preset="own_images"), place / "frozen")
        run = finished(make_config(settings, preset="own_images"), place / "run")
        result = run.result()
        models = {"frozen": (frozen, "last"), "last": (run, "last"), "selected": (run, result.selected)}
        for name, (of, which) in models.items():
            others = embed_folder(inference_path(of, which), place / "others", place / f"of-{name}")
            rows[name].append(recall(torch.from_numpy(others.embeddings), others.labels))
        chosen["start" if result.epoch == 0 else result.selected] += 1
        print(seed, *(f"{name} {100 * values[-1]:.1f}" for name, values in rows.items()), chosen, flush=True)
    print(", ".join(f"{name} {spread(values)}" for name, values in rows.items()), dict(chosen))


if __name__ == "__main__":
    main()
