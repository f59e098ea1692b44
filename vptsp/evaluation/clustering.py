"""How well k-means recovers the classes: NMI and pairwise F1.

Both depend on the clustering, hence on the seed and on the order of the images. The settings are those of
the published evaluation (FAISS k-means, 20 iterations, one random start, as many clusters as classes), on
the unit sphere. One random start leaves some classes without a centroid, so that even a perfect embedding
may score below 1: compare such numbers only between equal settings.

Dimensions: N images, E embedding size.
"""

from __future__ import annotations

import faiss
import numpy as np
from jaxtyping import Float32, Int64
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

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
    """Normalised mutual information: divided by the arithmetic mean of both entropies."""
    return float(normalized_mutual_info_score(labels, clusters, average_method="arithmetic"))


def pairwise_f1(labels: Int64[np.ndarray, " N"], clusters: Int64[np.ndarray, " N"]) -> float:
    """F1 over pairs of images: a pair is predicted if clustered together, and right if of one class.

    With n_ij images of class i in cluster j: precision = sum C(n_ij, 2) / sum C(n_.j, 2), recall =
    sum C(n_ij, 2) / sum C(n_i., 2). 1 where no pair is predicted and none exists.
    """
    table = contingency_matrix(labels, clusters, sparse=True, dtype=np.int64)
    right = _pairs(table.data)
    predicted = _pairs(np.asarray(table.sum(axis=0)))
    existing = _pairs(np.asarray(table.sum(axis=1)))
    return 2 * right / (predicted + existing) if predicted + existing else 1.0


def _pairs(counts: np.ndarray) -> int:
    return int((counts * (counts - 1) // 2).sum())
