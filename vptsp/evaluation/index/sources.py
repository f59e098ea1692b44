"""What is put into an index, by a path: a run, embedded images, a file of numbers, or images that a run embeds."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from vptsp.errors import DataError
from vptsp.evaluation.ranking import Array
from vptsp.project import placed
from vptsp.runs.checkpoints import fingerprint_of, load_inference, model_source
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.own_embeddings import SUFFIXES, read
from vptsp.runs.run import Run


@dataclass(frozen=True)
class Images:
    """G embedded images: vectors (G, E), ids, what is known of each by column, the model's fingerprint (or none)."""

    embeddings: Array
    ids: Sequence[str]
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    model: str | None = None
    notes: Sequence[str] = ()  # what a person should be told


def images_of(source: str | Path, run: str | Path | None = None, ids: Sequence[str] | None = None) -> Images:
    """The images that ``source`` names.

    It is a run (its test images), a folder of embeddings that a run or ``SavedEmbeddings.write`` keeps, a file of
    numbers (``.npy`` is read part by part, however large), or a folder of images, which the model of ``run`` embeds;
    those that cannot be read are left out with a DataWarning. ``ids`` are those of a file that has none; without, its
    rows are numbered. Raises DataError, and RunError for runs.
    """
    path = placed(source)
    if path.suffix.lower() == ".npy" and path.is_file():
        try:
            vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read as embeddings ({error}); save it again") from None
        if vectors.ndim != 2:
            raise DataError(f"{path} holds an array of shape {vectors.shape}; embeddings are (images, size)")
        return Images(vectors, ids or [str(row) for row in range(len(vectors))])
    if path.suffix.lower() in SUFFIXES:
        own = read(path)
        columns = {} if own.columns is None else {str(name): own.columns[name].tolist() for name in own.columns}
        columns |= {} if own.labels is None else {"class": [str(label) for label in own.labels]}
        named = ids or own.ids or [str(image) for image in own.images or range(len(own.embeddings))]
        return Images(own.embeddings, list(named), columns)
    if (path / "config.json").is_file():
        return _of_saved(SavedEmbeddings.of_run(path))
    if (path / "embeddings.safetensors").is_file():
        return _of_saved(SavedEmbeddings(path))
    if path.is_dir() and run is not None:
        from vptsp.evaluation.evaluate import embed_folder

        with tempfile.TemporaryDirectory(prefix="vptsp-index-") as folder:
            return _of_saved(embed_folder(placed(run), path, folder, skip_bad=True))
    raise DataError(
        f"{source} is no run, no folder of embeddings and no file of them ({', '.join(SUFFIXES)}); for a folder of "
        "images, name with --run the run that embeds them"
    )


def _of_saved(saved: SavedEmbeddings) -> Images:
    table = saved.columns
    columns = {} if table is None else {str(name): table[name].tolist() for name in table}
    columns |= {"class": saved.names} if saved.has_classes else {}
    notes = [saved.left_out_note] if saved.left_out else []
    return Images(saved.embeddings, saved.ids, columns, fingerprint_of(saved), notes)


def query_of(files: Sequence[str | Path], run: str | Path) -> tuple[Float32[np.ndarray, "Q E"], str | None]:
    """Image files embedded by a run's model, as its test images are, and that model's fingerprint."""
    from vptsp.evaluation.evaluate import embed_files  # imports torch's loaders

    source: Run | Path = model_source(run)
    return embed_files(load_inference(source), files), fingerprint_of(source)
