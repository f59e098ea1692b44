"""The map from the space that a run trained in to that of its embeddings, where the selected model was whitened.

Proxies in snapshots lie where training put them; embeddings of such a model went through one more map. Here it is for
arrays, without torch, and its inverse. Dimensions: N vectors, E embedding size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from vptsp.files import read_arrays
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.origins import origin_of
from vptsp.runs.run import Run


@dataclass(frozen=True)
class Whitening:
    """``e' = unit(matrix e + offset)`` of unit vectors e (:meth:`vptsp.core.heads.Head.whiten`)."""

    matrix: Float32[np.ndarray, "E E"]
    offset: Float32[np.ndarray, " E"]

    @classmethod
    def beside(cls, run: Run, saved: SavedEmbeddings) -> Whitening | None:
        """The one that a run's stored embeddings went through; none for those of a model as it was trained.

        Raises RunError where the run no longer has that model.
        """
        if origin_of(run, saved).checkpoint != "whitened":
            return None
        path = run.path / "checkpoint" / "inference_whitened.safetensors"
        arrays = read_arrays(path, f"vptsp evaluate {run.path} embeds the images again with the model that there is")
        return cls(arrays["head.whitening.weight"], arrays["head.whitening.bias"])

    def apply(self, vectors: Float[np.ndarray, "N E"]) -> Float32[np.ndarray, "N E"]:
        """Where the directions of ``vectors``, proxies say, lie among the embeddings; unit vectors."""
        return _unit(_unit(vectors) @ self.matrix.T.astype(np.float64) + self.offset)

    def undo(self, embeddings: Float[np.ndarray, "N E"]) -> Float32[np.ndarray, "N E"]:
        """Where embeddings lay before: the unit vectors ``e = t matrix^-1 e' - matrix^-1 offset`` with t > 0."""
        matrix = self.matrix.astype(np.float64)
        mean = -np.linalg.solve(matrix, self.offset.astype(np.float64))
        rays = np.linalg.solve(matrix, _unit(embeddings).T.astype(np.float64)).T
        # |mean + t ray| = 1, and the mean of unit vectors is shorter than 1: of both solutions one is positive
        square, along = (rays**2).sum(1), rays @ mean
        lengths = (-along + np.sqrt(along**2 + square * (1 - mean @ mean))) / square
        return _unit(mean + lengths[:, None] * rays)


def _unit(vectors: Float[np.ndarray, "N E"]) -> Float32[np.ndarray, "N E"]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
