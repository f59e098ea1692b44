"""A folder of sample photographs, drawn, for trying what is meant for a folder of one's own."""

from __future__ import annotations

import shutil
from pathlib import Path

from vptsp.data.blossoms import blossom_sets
from vptsp.errors import explained
from vptsp.project import placed


def sample_photos(folder: str | Path, classes: int = 40, images: int = 15, size: int = 128) -> Path:
    """``folder/<class>/<image>.jpg``: flowers of ``classes`` species, ``images`` each. Drawn once, then kept.

    Raises RunError for a folder that cannot be written.
    """
    folder = placed(folder)
    if folder.is_dir():
        return folder
    part = folder.with_name(f".{folder.name}.part")
    with explained(folder):
        shutil.rmtree(part, ignore_errors=True)
        for drawn in blossom_sets(classes, images, size):
            for position, label in enumerate(drawn.labels):
                name = drawn.class_names[label]
                (part / name).mkdir(parents=True, exist_ok=True)
                drawn.load(position).save(part / name / f"{position:04d}.jpg", quality=92)
        part.rename(folder)
    return folder
