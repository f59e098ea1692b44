"""A segment that is one file of FAISS's own format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss

from vptsp.evaluation.index.vectors import Vectors
from vptsp.evaluation.ranking import faiss_own


def filled(index: Any, stem: Path, vectors: Vectors) -> list[Path]:
    """The rows that the index lacks put into it, block by block, and the whole written; the file's path."""
    for _, block in vectors.blocks(index.ntotal):
        faiss_own(index, "add")(block)
    return written(index, stem)


def written(index: Any, stem: Path) -> list[Path]:
    """The index in a file; its path."""
    path = stem.with_suffix(".faiss")
    faiss.write_index(index, str(path))
    return [path]
