"""Cost of evaluating embeddings, beside the exact FAISS search that it cannot do without.

Run as ``python -m benchmarks.evaluation [--small]``. Both are timed in turns in one process, at the same
number of neighbours; the full size is that of the Stanford Online Products test set. The target is a ratio
of at most 1.3, within 24 GiB. Clustering is timed apart: it is no part of retrieval.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time

import faiss
import numpy as np
import torch

from vptsp.evaluation.clustering import kmeans
from vptsp.evaluation.metrics import evaluate_retrieval

# name: images, classes, ranks of recall
SIZES = {
    "SOP": (60_502, 11_316, (1, 10, 100)),
    "SOP, recall to 8": (60_502, 11_316, (1, 2, 4, 8)),
    "CUB": (5_924, 100, (1, 2, 4, 8)),
}
SMALL = {"small": (6_000, 1_100, (1, 2, 4, 8))}
WIDTH = 384


def clustered(images: int, classes: int, spread: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Unit embeddings (N, E) in normal clouds around random centres, and their labels (N,)."""
    rng = np.random.default_rng(0)
    labels = np.arange(images) % classes
    centres = rng.standard_normal((classes, WIDTH), dtype=np.float32)
    points = centres[labels] + spread * rng.standard_normal((images, WIDTH), dtype=np.float32)
    return points / np.linalg.norm(points, axis=1, keepdims=True), labels


def faiss_alone(points: np.ndarray, k: int) -> None:
    index = faiss.IndexFlatIP(points.shape[1])
    index.add(points)
    index.search(points, k)


def torch_alone(points: np.ndarray, k: int, block: int = 1024) -> None:
    vectors = torch.from_numpy(points)
    for queries in vectors.split(block):
        (queries @ vectors.T).topk(k)


def seconds(work, *arguments, **options) -> float:
    start = time.perf_counter()
    work(*arguments, **options)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="one size of some seconds")
    parser.add_argument("--rounds", type=int, default=3, help="times each is run, in turns")
    options = parser.parse_args()
    print(f"{'':18}  images    k   FAISS s   torch s  evaluate s   ratio  k-means s")
    for name, (images, classes, recall_ks) in (SMALL if options.small else SIZES).items():
        points, labels = clustered(images, classes)
        k = evaluate_retrieval(points, labels, recall_ks=recall_ks, clustering=False).results.k  # and warm up
        alone, other, whole = [], [], []
        for _ in range(options.rounds):
            alone.append(seconds(faiss_alone, points, k))
            whole.append(seconds(evaluate_retrieval, points, labels, recall_ks=recall_ks, clustering=False))
            other.append(seconds(torch_alone, points, k))
        ratio = statistics.median(mine / theirs for mine, theirs in zip(whole, alone, strict=True))
        print(
            f"{name:18}{images:8}{k:5}{min(alone):10.2f}{min(other):10.2f}{min(whole):12.2f}{ratio:8.2f}"
            f"{seconds(kmeans, points, classes):11.1f}"
        )
    unit = 2**30 if sys.platform == "darwin" else 2**20
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit:.2f} GiB")


if __name__ == "__main__":
    main()
