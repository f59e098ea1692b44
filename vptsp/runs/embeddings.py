"""Embedded images on disk: vectors, labels, ids, class names and thumbnails in one folder.

Runs keep one such folder per split, ``embeddings/<split>/``; a folder of the user's own images becomes one through
:func:`vptsp.evaluation.evaluate.embed_folder`. Whatever shows images reads this and nothing else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vptsp.data.images import ImageSet
from vptsp.errors import DataError, RunError
from vptsp.files import read_json, read_tensors, write_json, write_tensors
from vptsp.runs.run import Run
from vptsp.runs.thumbnails import Thumbnails, write_thumbnails


@dataclass(frozen=True)
class Origin:
    """Which model embedded the images: a run's ``checkpoint`` (last or best_val), after ``epoch`` epochs."""

    checkpoint: str
    epoch: int


def save_embeddings(folder: Path, embeddings: Tensor, images: ImageSet, origin: Origin | None = None) -> None:
    """Write embeddings (N, E) of all images of a set, with labels, ids, class names, attributes and thumbnails.

    ``origin`` says whose they are, for a run's own embeddings: whoever shows them shows that epoch's proxies and model.
    """
    tensors = {"embeddings": embeddings, "labels": torch.from_numpy(np.array(images.labels))}
    if images.is_query is not None and images.is_gallery is not None:
        tensors |= {"is_query": torch.from_numpy(images.is_query), "is_gallery": torch.from_numpy(images.is_gallery)}
    write_tensors(folder / "embeddings.safetensors", tensors)
    index: dict[str, Any] = {"name": images.name, "ids": list(images.ids), "class_names": list(images.class_names)}
    if origin is not None:
        index |= asdict(origin)
    write_json(folder / "index.json", index)
    if images.attributes is not None:
        write_json(folder / "attributes.json", images.attributes.to_dict(orient="split"))
    write_thumbnails(folder, images)


class SavedEmbeddings:
    """What :func:`save_embeddings` wrote.

    ``embeddings`` float32 (N, E) and ``labels`` int64 (N,) as numpy, ``ids``, ``class_names``; ``is_query`` and
    ``is_gallery`` bool (N,) or none; ``origin``, the epoch's model that made them, none where the files do not say
    (:func:`vptsp.runs.origins.origin_of` knows it of every run). Images whose embedding holds NaN or infinity are left
    out of all of these; ``left_out`` has their ids, so that whoever shows the rest can say how many.

    Raises RunError for files that are missing or damaged, DataError for parts that do not fit together.
    """

    def __init__(self, folder: str | Path, remedy: str = "embed the images again") -> None:
        self.folder = Path(folder)
        tensors = read_tensors(self.folder / "embeddings.safetensors", remedy)
        index = read_json(self.folder / "index.json", remedy)
        try:
            vectors, names = tensors["embeddings"].numpy(), [str(name) for name in index["ids"]]
            self.name, self.class_names = str(index["name"]), [str(name) for name in index["class_names"]]
            labels = tensors["labels"].numpy()
        except (KeyError, TypeError):
            raise RunError(f"{self.folder / 'index.json'} is damaged: something is missing in it; {remedy}") from None
        for what, length in (("labels", len(labels)), ("ids", len(names))):
            if length != len(vectors):
                raise DataError(f"{self.folder} holds {len(vectors)} embeddings but {length} {what}; {remedy}")
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(self.class_names):
            raise DataError(
                f"{self.folder} holds labels that none of its {len(self.class_names)} classes has; {remedy}"
            )
        finite = np.isfinite(vectors).all(axis=1)
        self.left_out = [name for name, kept in zip(names, finite, strict=True) if not kept]
        self.embeddings = vectors[finite]
        self.labels = labels[finite]
        self.is_query = tensors["is_query"].numpy()[finite] if "is_query" in tensors else None
        self.is_gallery = tensors["is_gallery"].numpy()[finite] if "is_gallery" in tensors else None
        self.ids: list[str] = [name for name, kept in zip(names, finite, strict=True) if kept]
        self.origin = Origin(index["checkpoint"], index["epoch"]) if {"checkpoint", "epoch"} <= index.keys() else None

    @classmethod
    def of_run(cls, run: Run | str | Path, split: str = "test") -> SavedEmbeddings:
        """Embeddings that a run keeps of a split (``train`` or ``test``)."""
        run = Run.of(run)
        return cls(run.path / "embeddings" / split, f"vptsp evaluate {run.path} makes it")

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def thumbnails(self) -> Thumbnails:
        """Small pictures of the images, by id."""
        return Thumbnails(self.folder)

    @cached_property
    def attributes(self) -> pd.DataFrame | None:
        """What is known of each class (rows: class names), for sets that say so."""
        path = self.folder / "attributes.json"
        return pd.DataFrame(**read_json(path, "delete it")) if path.is_file() else None

    @property
    def left_out_note(self) -> str:
        """What to say of the images that were left out; empty if none was."""
        return f"{len(self.left_out):,} left out: their embeddings hold NaN or infinity" if self.left_out else ""

    @property
    def names(self) -> list[str]:
        """The class name of each image."""
        return [self.class_names[label] for label in self.labels]
