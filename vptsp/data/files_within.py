"""The images in a folder, however deep: for queries, which have no classes."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from vptsp.data.file_endings import is_read, why_not
from vptsp.data.folder import read_image
from vptsp.data.passed_over import Looked, told
from vptsp.data.unreadable import fails
from vptsp.errors import DataError, DataWarning


def files_within(folder: Path) -> list[Path]:
    """All images in ``folder`` and the folders in it, in order of their paths; hidden ones are none.

    Every image is read once: one broken photo of thousands stops nobody. Those that cannot be read, and other files,
    are told in a DataWarning. Raises DataError where no image is there, and where none can be read.
    """
    look, found = Looked(), list[Path]()
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name[0] != ".")
        for file in (Path(place, name) for name in files if name[0] != "."):
            if is_read(file.suffix):
                found.append(file)
            else:
                look.pass_over([str(file.relative_to(folder))], why_not(file.suffix))
    bad = [file for file in sorted(found) if fails(read_image, file)]
    look.pass_over([str(file.relative_to(folder)) for file in bad], "cannot be read")
    note = told(str(folder), look.passed)
    if bad and len(bad) == len(found):
        raise DataError(
            f"none of the {len(bad):,} images in {folder} can be read ({note}); give a folder of images, or files"
        )
    if not found:
        raise DataError(f"{folder} holds no images{f' ({note})' if note else ''}; give a folder of images, or files")
    if note:
        warnings.warn(note, DataWarning, stacklevel=4)  # where search was called
    return sorted(set(found) - set(bad))
