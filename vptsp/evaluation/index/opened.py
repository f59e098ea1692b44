"""The index that a folder holds, or that is built in one, whatever its engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vptsp.errors import RunError
from vptsp.evaluation.index import table as tables
from vptsp.evaluation.index.stored import StoredIndex

if TYPE_CHECKING:
    from vptsp.evaluation.index.lance import LanceIndex
    from vptsp.evaluation.index.sources import Images


def open_index(folder: str | Path) -> StoredIndex | LanceIndex:
    """The index in a folder. Raises RunError where there is none, or a damaged one."""
    place = Path(folder)
    if (place / "lance.json").is_file():
        from vptsp.evaluation.index.lance import LanceIndex  # an optional package

        return LanceIndex.load(place)
    if (place / tables.NAME).is_file():
        return StoredIndex.load(place)
    raise RunError(f"{folder} holds no index; vptsp index build {folder} SOURCE makes one")


def build_index(folder: str | Path, images: Images, engine: str, **options: Any) -> StoredIndex | LanceIndex:
    """An index of images in a new folder; ``engine`` is lance, or one of :data:`~vptsp.evaluation.index.ENGINES`."""
    if engine == "lance":
        from vptsp.evaluation.index.lance import LanceIndex

        return LanceIndex.build(folder, images.embeddings, images.ids, images.columns, model=images.model)
    return StoredIndex.build(
        folder, images.embeddings, images.ids, images.columns, engine=engine, model=images.model, **options
    )
