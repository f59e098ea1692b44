"""How well k-means recovers the classes: NMI and pairwise F1.

Both depend on the clustering, hence on the seed and on the order of the images. The settings are those of
the published evaluation (FAISS k-means, 20 iterations, one random start, as many clusters as classes), on
the unit sphere. One random start leaves some classes without a centroid, so that even a perfect embedding
may score below 1: compare such numbers only between equal settings.

Dimensions: N images, E embedding size.
"""

from __future__ import annotations

import math

import faiss
import numpy as np
from jaxtyping import Float32, Int64

ITERATIONS = 20
RESTARTS = 1


def kmeans(embeddings: Float32[np.ndarray, "N E"], clusters: int, seed: int = 0) -> Int64[np.ndarray, " N"]:
    """Cluster number of every embedding by spherical k-means; embeddings of length 1, 1 <= clusters <= N."""
    images, width = embeddings.shape
    if not 1 <= clusters <= images:
        raise ValueError(f"{clusters} clusters of {images} images: give between 1 and {images}")
    if clusters == images:
        return np.arange(images)
    # The two bounds keep FAISS from drawing a subset of the images and from warning about small clusters.
    algorithm = faiss.Kmeans(
        width,
        clusters,
        niter=ITERATIONS,
        nredo=RESTARTS,
        seed=seed,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=images,
    )
    points = np.ascontiguousarray(embeddings, dtype=np.float32)
    algorithm.train(points)
    return algorithm.index.search(points, 1)[1][:, 0]


def nmi(labels: Int64[np.ndarray, " N"], clusters: Int64[np.ndarray, " N"]) -> float:
    """Normalised mutual information: divided by the arithmetic mean of both entropies.

    1 where there is one class and one cluster, which leave nothing to tell. The same to the last bit as scikit-learn's
    ``normalized_mutual_info_score``, which would take longer to import than a small run to be scored.
    """
    classes, found, both, row, column = _contingency(labels, clusters)
    if max(len(classes), len(found)) <= 1:
        return 1.0
    if min(len(classes), len(found)) == 1:
        return 0.0
    log_images = math.log(len(labels))
    independent = -np.log(classes[row] * found[column]) + log_images + log_images
    shares = both / len(labels)
    terms = shares * (np.log(both) - log_images) + shares * independent
    shared = max(0.0, float(np.where(np.abs(terms) < np.finfo(np.float64).eps, 0.0, terms).sum()))
    return shared / ((_entropy(classes) + _entropy(found)) / 2) if shared else 0.0


def pairwise_f1(labels: Int64[np.ndarray, " N"], clusters: Int64[np.ndarray, " N"]) -> float:
    """F1 over pairs of images: a pair is predicted if clustered together, and right if of one class.

    With n_ij images of class i in cluster j: ``precision = sum C(n_ij, 2) / sum C(n_.j, 2)``,
    ``recall = sum C(n_ij, 2) / sum C(n_i., 2)``. 1 where no pair is predicted and none exists.
    """
    existing, predicted, right = map(_pairs, _contingency(labels, clusters)[:3])
    return 2 * right / (predicted + existing) if predicted + existing else 1.0


def _contingency(labels: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, ...]:
    """Numbers of images: by class, by cluster, and by both where there are any, with the rows and columns of these."""
    _, row = np.unique(labels, return_inverse=True)
    found, column = np.unique(clusters, return_inverse=True)
    cells, both = np.unique(row * len(found) + column, return_counts=True)
    return np.bincount(row), np.bincount(column), both, *np.divmod(cells, len(found))


def _entropy(counts: np.ndarray) -> float:
    """Of the shares of ``counts``, in nats."""
    images = counts.sum()
    return float(-np.sum((counts / images) * (np.log(counts) - math.log(images))))


def _pairs(counts: np.ndarray) -> int:
    return int((counts * (counts - 1) // 2).sum())
