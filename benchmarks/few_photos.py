"""What few photos give by ``--preset own_images``: 8 classes of 5 photos each, drawn again and again.

Run as ``python -m benchmarks.few_photos PHOTOS FOLDER``: PHOTOS holds a folder for each class; draws and runs are kept
in FOLDER. *last*: the last epoch, all that earlier versions could give; *selected*: what the run gives now, with the
untrained whitened model and whitened embeddings among what held-out classes choose from; where there are too few
classes to hold any out, the last epoch is the result. R@1 in percent on the classes that the preset keeps for the test.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.outcomes import finished, spread
from vptsp.settings.config import make_config

CLASSES, PHOTOS = 8, 5


def draw(source: Path, target: Path, classes: int, photos: int, seed: int) -> None:
    """Links to photos of classes, both drawn without replacement."""
    rng = np.random.default_rng(seed)
    there = {folder: sorted(path for path in folder.iterdir() if path.is_file()) for folder in sorted(source.iterdir())}
    full = [folder for folder, files in there.items() if len(files) >= photos]
    for place in rng.choice(len(full), classes, replace=False):
        for number in rng.choice(len(there[full[place]]), photos, replace=False):
            photo = there[full[place]][number]
            link = target / full[place].name / photo.name
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
        draw(options.photos, place / "photos", options.classes, options.images, seed)
        settings = {"data_root": str(place / "photos"), "seed": seed}
        run, frozen = (
            finished(make_config(settings, more, preset="own_images"), place / name).result()
            for name, more in (("run", {}), ("frozen", {"method": "frozen"}))
        )
        rows["frozen"].append(frozen.metrics["recall_at_1"])
        rows["last"].append(run.last_metrics["recall_at_1"])
        rows["selected"].append(run.metrics["recall_at_1"])
        chosen["start" if run.epoch == 0 else run.selected] += 1
        print(seed, *(f"{name} {100 * values[-1]:.1f}" for name, values in rows.items()), chosen, flush=True)
    print(", ".join(f"{name} {spread(values)}" for name, values in rows.items()), dict(chosen))


if __name__ == "__main__":
    main()
