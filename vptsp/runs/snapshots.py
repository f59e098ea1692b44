"""A run's snapshots: its proxies, and the embeddings of the same few images, after each epoch.

On disk they are ``snapshots/epoch_<number>.safetensors`` and ``snapshots/probes.json``, which says once for all epochs
which images and classes the rows are. Training writes them (:mod:`vptsp.training.write_snapshots`) as it goes, so
that they can be read while a run still trains. Dimensions: C training classes, P probe images, E embedding size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from vptsp.errors import RunError
from vptsp.files import read_json
from vptsp.runs.run import Run

KINDS = ("learned", "semantic", "fused")  # of proxies, in the order of the method
SPLITS = ("train", "test")  # of probe images


@dataclass(frozen=True)
class ProbeImages:
    """The probe images of one split, P of them: ``ids``, and ``labels`` as rows of ``class_names``."""

    ids: tuple[str, ...]
    labels: Int64[np.ndarray, " P"]
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class SnapshotIndex:
    """Which classes the rows of the proxies are, and which images those of the probe embeddings."""

    class_names: tuple[str, ...]  # of the C training classes, as the proxies' rows
    probes: dict[str, ProbeImages]  # by split


@dataclass(frozen=True)
class Snapshot:
    """A run after ``epoch`` epochs, as float32 arrays; none for what its method or its settings do not have.

    ``learned`` O, ``semantic`` G and ``fused`` q are (C, E), in the order of ``index.class_names``; without semantic
    proxies fused is learned. ``alpha``: O's share in q then, 1 while the head trains alone. ``embeddings`` of the probe
    images are (P, E) by split, in the order of ``index.probes``. ``guided_prompts`` (blocks, prompts, D) are those of
    DA-VPT, and ``prompt_of_class`` (C,) says which of a block's is of a class in the next epoch.
    """

    path: Path
    epoch: int
    learned: Float32[np.ndarray, "C E"] | None
    semantic: Float32[np.ndarray, "C E"] | None
    fused: Float32[np.ndarray, "C E"] | None
    embeddings: dict[str, Float32[np.ndarray, "P E"]]
    index: SnapshotIndex
    guided_prompts: Float32[np.ndarray, "G P D"] | None = None
    prompt_of_class: Int64[np.ndarray, " C"] | None = None
    alpha: float = 1.0

    @property
    def proxies(self) -> dict[str, Float32[np.ndarray, "C E"]]:
        """Proxies by kind, each space once: without semantic ones, fused is nothing of its own."""
        found = {"learned": self.learned, "semantic": self.semantic, "fused": self.fused}
        kinds = KINDS if self.semantic is not None else KINDS[:1]
        return {kind: rows for kind in kinds if (rows := found[kind]) is not None}


class Snapshots:
    """The snapshots that a run has at this moment: ``len``, iteration in order, and ``snapshots[epoch]``.

    Nothing is read before it is asked for. Raises RunError for an epoch without a snapshot and for damaged files.
    """

    def __init__(self, run: Run | str | Path) -> None:
        self.run = Run.of(run)
        self.epochs = self.run.snapshots()

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[Snapshot]:
        return (self[epoch] for epoch in self.epochs)

    @cached_property
    def index(self) -> SnapshotIndex:
        """``probes.json``, the same for all epochs."""
        path = self.run.probes_path
        remedy = "the images and classes of the snapshots cannot be known without it; train the run again"
        found = read_json(path, remedy)
        try:
            return SnapshotIndex(
                tuple(found["proxy_class_names"]), {split: _probe_images(found[split]) for split in SPLITS}
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RunError(f"{path} is damaged; {remedy}") from None

    def __getitem__(self, epoch: int) -> Snapshot:
        arrays = {name: array.astype(np.float32) for name, array in self.run.snapshot_arrays(epoch).items()}
        mapping = arrays.get("prompt_of_class")
        alpha = float(arrays["alpha"]) if "alpha" in arrays else 1.0
        if "alpha" not in arrays and "semantic" in arrays:  # of a run that did not write it down
            alpha = self.run.config.alpha
        return Snapshot(
            path=self.run.snapshot_path(epoch),
            epoch=epoch,
            learned=arrays.get("learned"),
            semantic=arrays.get("semantic"),
            fused=arrays.get("fused", arrays.get("learned")),
            embeddings={split: arrays[f"probe_{split}"] for split in SPLITS if f"probe_{split}" in arrays},
            index=self.index,
            guided_prompts=arrays.get("guided_prompts"),
            prompt_of_class=None if mapping is None else mapping.astype(np.int64),
            alpha=alpha,
        )


def _probe_images(found: dict[str, Any]) -> ProbeImages:
    labels = np.array(found["labels"], dtype=np.int64)
    return ProbeImages(tuple(found["ids"]), labels, tuple(found["class_names"]))
