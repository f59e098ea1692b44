"""Images to look at: those of a run, or a folder of the user's own embedded with a saved model; and their views."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vptsp.analysis.projection import Method
from vptsp.project import placed
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import RUNS, Run, newest_finished
from vptsp.text import plain
from vptsp_widgets.gallery.view import RetrievalGallery
from vptsp_widgets.space.view import SpaceExplorer
from vptsp_widgets.verification.view import SimilarityHistogram

if TYPE_CHECKING:
    from vptsp_widgets.confused.view import ConfusedPairs
    from vptsp_widgets.why.view import WhyNeighbour


@dataclass(frozen=True)
class Source:
    """Embedded images, the model that embedded them, and the views that show them.

    ``run`` is none for a folder of one's own images, and ``images`` is that folder.
    """

    saved: SavedEmbeddings
    model: Run | Path
    run: Run | None = None
    split: str = "test"
    images: Path | None = None

    def __str__(self) -> str:
        model = (self.model.path if isinstance(self.model, Run) else self.model).resolve()
        classes = len(np.unique(self.saved.labels))
        return f"{len(self.saved):,} images of {classes:,} classes, {plain(self.saved.name)}, embedded by {model}"

    def space(self, method: Method = "umap") -> SpaceExplorer:
        if self.run:
            return SpaceExplorer.of_run(self.run, self.split, method)
        return SpaceExplorer(self.saved, method, cache=self.saved.folder / "projections")

    def gallery(self) -> RetrievalGallery:
        if self.run:
            return RetrievalGallery.of_run(self.run, self.split)
        return RetrievalGallery(self.saved, model=self.model, images=self.images)

    def confused(self) -> ConfusedPairs:
        """Raises DataError for images of fewer than two classes."""
        from vptsp_widgets.confused.view import ConfusedPairs  # scipy, which no view needs that is there at once

        if self.run:
            return ConfusedPairs.of_run(self.run, self.split)
        return ConfusedPairs(self.saved, split=self.split)

    def similarities(self) -> SimilarityHistogram:
        """Raises DataError where there are no two images of one class, or none of two classes."""
        if self.run:
            return SimilarityHistogram.of_run(self.run, self.split)
        return SimilarityHistogram(self.saved, split=self.split)

    def why(self, query: str = "") -> WhyNeighbour:
        """Loads the model. ``query`` is an image's id; empty: one whose nearest image is of another class."""
        from vptsp_widgets.why.view import WhyNeighbour  # torch and timm, which no other view needs

        if self.run:
            return WhyNeighbour.of_run(self.run, self.split, query=query)
        return WhyNeighbour(self.saved, self.model, self.images, query=query)


def open_source(
    run: Run | str | Path = "", split: str = "test", images: str = "", model: str = "", skip_bad: bool | None = None
) -> Source:
    """A run's images of a split, or, with ``images``, those of a folder.

    ``run`` empty: the newest run under ``runs/`` that is finished. ``model`` (a run or an inference checkpoint) embeds
    the folder into ``runs/folders/``, or where that cannot be written into a folder of temporary files; empty: the
    run's. ``skip_bad`` leaves out images that cannot be read; none: as the model's run did. Raises RunError when there
    is no such run, listing those that there are, or when it keeps no embeddings, naming the command that makes them.
    """
    if not images:
        found = Run.of(run) if run else newest_finished()
        return Source(SavedEmbeddings.of_run(found, split), found, found, split)
    embedder: Run | Path
    if model and placed(model).is_file():
        embedder = placed(model)
    else:
        embedder = Run.of(model or run) if model or run else newest_finished()
    from vptsp.evaluation.evaluate import embed_folder

    folder = placed(images)
    saved = embed_folder(embedder, folder, _kept_at(folder, embedder), skip_bad)
    return Source(saved, embedder, images=folder)


def _kept_at(folder: Path, embedder: Run | Path) -> Path:
    """Where a folder's embeddings are kept: a place of its own for each folder, whatever its name, and each model."""
    model = embedder.path if isinstance(embedder, Run) else embedder
    whole = f"{folder.resolve()}\0{model.resolve()}"
    name = f"{folder.resolve().name}-{hashlib.sha256(os.fsencode(whole)).hexdigest()[:8]}"
    kept = placed(RUNS / "folders")
    try:
        kept.mkdir(parents=True, exist_ok=True)
        if os.access(kept, os.W_OK | os.X_OK):
            return kept / name
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="vptsp-folders-")) / name
