"""Embedded images on disk: vectors, labels, ids, class names and thumbnails in one folder.

Runs keep one such folder per split, ``embeddings/<split>/``; a folder of the user's own images becomes one through
:func:`vptsp.evaluation.evaluate.embed_folder`. Whatever shows images reads this and nothing else.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vptsp.data.image_set import ImageSet
from vptsp.errors import DataError, RunError
from vptsp.files import read_arrays, read_json, write_arrays, write_json, write_text
from vptsp.project import placed
from vptsp.runs.run import Run
from vptsp.runs.thumbnails import Thumbnails, write_thumbnails
from vptsp.text import plain

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

NO_CLASS = "(no class)"  # the one class of images of which nobody knows any


@dataclass(frozen=True)
class Origin:
    """Which model embedded the images: a run's ``checkpoint`` (last, best_val or whitened), after ``epoch`` epochs."""

    checkpoint: str
    epoch: int


def save_embeddings(
    folder: Path,
    embeddings: Tensor | np.ndarray,
    images: ImageSet,
    origin: Origin | None = None,
    pictures: bool = True,
    model: str | None = None,
) -> None:
    """Write embeddings (N, E) of all images of a set, with labels, ids, class names, attributes and thumbnails.

    ``origin`` says whose they are, for a run's own embeddings: whoever shows them shows that epoch's proxies and model.
    ``pictures``: whether there are images to be shown. ``model``: the fingerprint of the model, for those that no run
    keeps itself.
    """
    arrays = {"embeddings": np.asarray(embeddings), "labels": images.labels}
    if images.is_query is not None and images.is_gallery is not None:
        arrays |= {"is_query": images.is_query, "is_gallery": images.is_gallery}
    write_arrays(folder / "embeddings.safetensors", arrays)
    index: dict[str, Any] = {"name": images.name, "ids": list(images.ids), "class_names": list(images.class_names)}
    if origin is not None:
        index |= asdict(origin)
    if model is not None:
        index["model"] = model
    write_json(folder / "index.json", index)
    if images.attributes is not None:
        write_json(folder / "attributes.json", images.attributes.to_dict(orient="split"))
    if pictures:
        write_thumbnails(folder, images)


class SavedEmbeddings:
    """What :func:`save_embeddings` wrote.

    ``embeddings`` float32 (N, E) and ``labels`` int64 (N,) as numpy, ``ids``, ``class_names``; ``is_query`` and
    ``is_gallery`` bool (N,) or none; ``origin``, the epoch's model that made them, none where the files do not say
    (:func:`vptsp.runs.origins.origin_of` knows it of every run); ``model``, the fingerprint of a model that embedded a
    folder (:func:`vptsp.runs.checkpoints.fingerprint_of` knows it of runs as well). Images whose embedding holds NaN or
    infinity are left out of all of these; ``left_out`` has their ids, so that whoever shows the rest can say how many.

    Raises RunError for files that are missing or damaged, DataError for parts that do not fit together.
    """

    def __init__(self, folder: str | Path, remedy: str = "embed the images again") -> None:
        self.folder = placed(folder)
        arrays = read_arrays(self.folder / "embeddings.safetensors", remedy)
        index = read_json(self.folder / "index.json", remedy)
        try:
            vectors, names = arrays["embeddings"], [str(name) for name in index["ids"]]
            self.name, self.class_names = str(index["name"]), [str(name) for name in index["class_names"]]
            labels = arrays["labels"]
        except (KeyError, TypeError):
            raise RunError(f"{self.folder / 'index.json'} is damaged: something is missing in it; {remedy}") from None
        for what, length in (("labels", len(labels)), ("ids", len(names))):
            if length != len(vectors):
                raise DataError(f"{self.folder} holds {len(vectors)} embeddings but {length} {what}; {remedy}")
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(self.class_names):
            raise DataError(
                f"{self.folder} holds labels that none of its {len(self.class_names)} classes has; {remedy}"
            )
        kept = np.isfinite(vectors).all(axis=1)
        self.left_out = [names[row] for row in np.flatnonzero(~kept)]
        rows = kept if self.left_out else slice(None)  # of a million images a copy takes seconds
        self.embeddings, self.labels = vectors[rows], labels[rows]
        self.is_query = arrays["is_query"][rows] if "is_query" in arrays else None
        self.is_gallery = arrays["is_gallery"][rows] if "is_gallery" in arrays else None
        self.ids: list[str] = [names[row] for row in np.flatnonzero(kept)] if self.left_out else names
        self.model: str | None = index.get("model")
        self.origin = Origin(index["checkpoint"], index["epoch"]) if {"checkpoint", "epoch"} <= index.keys() else None

    @classmethod
    def of_run(cls, run: Run | str | Path, split: str = "test") -> SavedEmbeddings:
        """Embeddings that a run keeps of a split (``train`` or ``test``)."""
        run = Run.of(run)
        return cls(run.path / "embeddings" / split, f"vptsp evaluate {run.path} makes it")

    @classmethod
    def write(
        cls,
        folder: str | Path,
        embeddings: Any,
        labels: Sequence[Any] | None = None,
        *,
        images: Sequence[str | Path] | None = None,
        ids: Sequence[str] | None = None,
        columns: pd.DataFrame | None = None,
        name: str = "",
    ) -> SavedEmbeddings:
        """Keep embeddings made elsewhere in ``folder``, for all that reads a run's.

        ``embeddings`` (N, E) as an array, tensor or table, or a file of them (.npy, .npz, .parquet, .csv;
        :mod:`vptsp.runs.own_embeddings` says what is in it). ``labels``: the class of each image, as text or numbers;
        none: they have no classes. ``images``: their files, of which small pictures are kept, and which are opened
        again to be looked at. ``ids``: names of the images; none: their paths, or numbers. ``columns``: more that is
        known of each, to colour a map by. Raises DataError for parts that do not fit together, before anything is
        written.
        """
        from vptsp.runs.own_embeddings import own, require_new  # reads what most runs never need

        given = own(embeddings, labels=labels, images=images, ids=ids, columns=columns)
        place = placed(folder)
        image_set = given.image_set(name or place.name)
        require_new(place)
        save_embeddings(place, given.embeddings, image_set, pictures=given.images is not None)
        if given.columns is not None:
            table = given.columns.set_axis(list(image_set.ids)).rename(columns=str)
            write_text(place / "columns.json", table.to_json(orient="split", date_format="iso"))
        else:
            (place / "columns.json").unlink(missing_ok=True)
        if given.images is not None:
            files = [str(Path(file).absolute()) for file in given.images]
            write_json(place / "files.json", dict(zip(image_set.ids, files, strict=True)))
        else:
            (place / "files.json").unlink(missing_ok=True)
        return cls(place)

    @classmethod
    def of_arrays(cls, embeddings: Any, labels: Sequence[Any] | None = None, **more: Any) -> SavedEmbeddings:
        """:meth:`write` into a folder that is gone with the last that uses it; takes what that takes.

        What is kept already comes back as it is. Raises DataError where labels or the like are given beside it.
        """
        if isinstance(embeddings, SavedEmbeddings):
            beside = [part for part, value in {"labels": labels, **more}.items() if value is not None]
            if beside:
                raise DataError(f"embeddings that are kept have their own {beside[0]}; give the vectors to change them")
            return embeddings
        kept = tempfile.TemporaryDirectory(prefix="vptsp-own-", ignore_cleanup_errors=True)
        saved = cls.write(kept.name, embeddings, labels, **({"name": "own embeddings"} | more))
        saved._kept = kept
        return saved

    _kept: tempfile.TemporaryDirectory[str] | None = None

    def only(self, rows: np.ndarray) -> SavedEmbeddings:
        """Some of the images, by row, in this order; thumbnails and what else is on disk stay those of all."""
        part = copy.copy(self)
        for name in ("thumbnails", "columns", "attributes"):  # columns are those of its own ids
            part.__dict__.pop(name, None)
        part.embeddings, part.labels, part.ids = (
            self.embeddings[rows],
            self.labels[rows],
            [self.ids[row] for row in rows],
        )
        part.is_query = None if self.is_query is None else self.is_query[rows]
        part.is_gallery = None if self.is_gallery is None else self.is_gallery[rows]
        return part

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def temporary(self) -> bool:
        """Whether the folder is gone with the last that uses it."""
        return self._kept is not None

    @cached_property
    def thumbnails(self) -> Thumbnails:
        """Small pictures of the images, by id."""
        return Thumbnails(self.folder)

    @property
    def no_thumbnails_note(self) -> str:
        """Why there are no thumbnails, in a few words; empty where there are."""
        if (self.folder / "tiles.json").is_file():
            return ""
        if self._kept is not None:  # a folder that its user has never seen
            return "no thumbnails: images=[...], the files of the images, would give them"
        return f"no thumbnails in {plain(self.folder, 200)}: it was written without images, or tiles.json is gone"

    @cached_property
    def attributes(self) -> pd.DataFrame | None:
        """What is known of each class (rows: class names), for sets that say so."""
        import pandas as pd  # half a second, which training need not spend

        path = self.folder / "attributes.json"
        return pd.DataFrame(**read_json(path, "delete it")) if path.is_file() else None

    @cached_property
    def columns(self) -> pd.DataFrame | None:
        """What else is known of each image (rows: ids), for embeddings that were written with it."""
        import pandas as pd

        path = self.folder / "columns.json"
        return pd.DataFrame(**read_json(path, "delete it")).reindex(self.ids) if path.is_file() else None

    def image_set(self) -> ImageSet | None:
        """The image files that :meth:`write` was given, opened when they are looked at; none where it had none."""
        path = self.folder / "files.json"
        if not path.is_file():
            return None
        from vptsp.data.folder import FileLoader  # reads what most runs never need

        files = read_json(path, "write the embeddings again")
        load = FileLoader(tuple(files[name] for name in self.ids))
        return ImageSet(self.name, self.ids, self.labels, self.class_names, load)

    @property
    def has_classes(self) -> bool:
        """Whether anybody said which class the images are of."""
        return self.class_names != [NO_CLASS]

    @property
    def left_out_note(self) -> str:
        """What to say of the images that were left out; empty if none was."""
        return f"{len(self.left_out):,} left out: their embeddings hold NaN or infinity" if self.left_out else ""

    @property
    def names(self) -> list[str]:
        """The class name of each image."""
        return [self.class_names[label] for label in self.labels]
