"""What whitening by few images does to classes that it has not seen, by shrinkage: a table of docs/defaults.md.

Run as ``python -m benchmarks.shrinkages FOLDER ...``, each of <class>/<image>; the bundled backbone's
feature, R@1 in percent, mean of 8 draws of C classes and K images of each, scored on the others of up to 160 classes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vptsp.core.backbones.load import load_backbone
from vptsp.core.encoder import embed_patches, encode
from vptsp.core.whitening import fitting_shrinkage, scales, variation
from vptsp.data.folder import look_at_folder
from vptsp.data.transforms import eval_transform
from vptsp.evaluation.metrics import evaluate_retrieval

SHRINKAGES = (0.1, 0.3, 1.0, 3.0, 10.0)
DRAWS, MOST, PER_CLASS = 8, 160, 10


@torch.no_grad()
def features(folder: Path) -> tuple[Tensor, np.ndarray]:
    """Features of up to ``PER_CLASS`` images of up to ``MOST`` classes, fp64, and their labels."""
    images, _ = look_at_folder(folder)
    rng, labels = np.random.default_rng(0), np.asarray(images.labels)
    classes = rng.permutation(len(images.class_names))[:MOST]
    rows = [rng.permutation(np.flatnonzero(labels == label))[:PER_CLASS] for label in classes]
    backbone = load_backbone()
    transform = eval_transform(backbone.image_size, backbone.mean, backbone.std)
    found = []
    for part in np.array_split(np.concatenate(rows), max(1, sum(map(len, rows)) // 64)):
        pixels = torch.stack([transform(images.load(int(row))) for row in part])
        found.append(encode(backbone, embed_patches(backbone.vit, pixels)).features)
    return torch.cat(found).double(), np.repeat(np.arange(len(rows)), [len(part) for part in rows])


def recall(vectors: Tensor, labels: np.ndarray) -> float:
    """R@1, each a query among all others."""
    report = evaluate_retrieval(F.normalize(vectors, dim=1).float(), labels, clustering=False)
    return report.metrics["recall_at_1"]


def scores(vectors: Tensor, labels: np.ndarray, classes: int, images: int, seed: int) -> list[float]:
    """R@1 of the classes that were not drawn: centred alone, by each shrinkage, and by the one chosen."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(labels.max() + 1)
    drawn = [rng.permutation(np.flatnonzero(labels == label))[:images] for label in order[:classes]]
    own, of = (
        vectors[np.concatenate(drawn)],
        torch.arange(classes).repeat_interleave(torch.tensor(list(map(len, drawn)))),
    )
    rest = np.isin(labels, order[classes:])
    others, names = vectors[rest], labels[rest]
    found = variation(own, of)
    tried = [*SHRINKAGES, fitting_shrinkage(own, of)]
    whitened = [(others - found.mean) @ (found.directions * scales(found.spread, each)) for each in tried]
    return [recall(each, names) for each in (others - found.mean, *whitened)]


def main(folders: list[str]) -> None:
    head = ["none", *map(str, SHRINKAGES), "chosen"]
    for folder in folders:
        vectors, labels = features(Path(folder))
        print(f"\n{folder}, {labels.max() + 1} classes\n{'C x K':<10}" + "".join(f"{name:>8}" for name in head))
        for classes, images in ((4, 5), (8, 5), (8, 10), (16, 4), (16, 10), (32, 4), (32, 10), (64, 4)):
            if classes + 10 > labels.max() + 1:
                continue
            found = [scores(vectors, labels, classes, images, seed) for seed in range(DRAWS)]
            print(
                f"{classes} x {images:<6}" + "".join(f"{value:>8.1f}" for value in 100 * np.mean(found, axis=0)),
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
