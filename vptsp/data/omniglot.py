"""Omniglot (Lake, Salakhutdinov, Tenenbaum, Science 2015): handwritten characters, 20 writers each."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from torchvision.datasets import Omniglot

from vptsp.data.folder import FolderScan, scan, split_parts
from vptsp.data.image_set import ImageSet, Parts
from vptsp.data.rules import home_expanded
from vptsp.data.settings import DataConfig
from vptsp.errors import DataError

DEFAULT_ROOT = Path("~/.cache/vptsp")  # of a home directory that is looked for when the set is read
PARTS = {"train": "images_background", "test": "images_evaluation"}


def omniglot(config: DataConfig, root: Path) -> Parts:
    """The set of a configuration; ``data_root`` may be none, so it is read and not ``root``."""
    return omniglot_parts(config.data_root)


def omniglot_sets(root: Path | None) -> tuple[ImageSet, ImageSet]:
    """Train and test of :func:`omniglot_parts`."""
    parts = omniglot_parts(root)
    return parts.train, parts.test


def omniglot_parts(root: Path | None) -> Parts:
    """Train = the 30 background alphabets, test = the 20 evaluation alphabets, a class per character.

    ``root`` may hold ``train/<class>/`` and ``test/<class>/`` folders, or torchvision's
    ``omniglot-py`` folder, which is downloaded there when absent. Raises DataError when it can be neither.
    """
    if root is not None and (root / "train").is_dir() and (root / "test").is_dir():
        return split_parts("omniglot", root, mirror_ok=False)
    root = root or Path(home_expanded(DEFAULT_ROOT))
    place = root / Omniglot.folder
    if not all((place / part).is_dir() for part in PARTS.values()):
        _download(root)
    look = FolderScan(place)
    train, test = (
        scan(f"omniglot/{split}", _characters(look, place / part), False, look) for split, part in PARTS.items()
    )
    return Parts(train, test, passed_over=tuple(look.passed), notes=tuple(look.notes))


def _characters(look: FolderScan, root: Path) -> dict[str, Path]:
    return {
        f"{alphabet}/{character}": folder
        for alphabet, characters in look.class_folders(root).items()
        for character, folder in look.class_folders(characters).items()
    }


def _download(root: Path) -> None:
    made = [folder for folder in (root / Omniglot.folder, root) if not folder.exists()]
    try:
        for background in (True, False):
            Omniglot(str(root), background=background, download=True)
    except (OSError, RuntimeError) as error:  # no network, a refused connection, a bad checksum, a full disk
        with suppress(OSError):  # leave nothing behind, unless part of it came
            for folder in made:
                folder.rmdir()
        raise DataError(
            f"Omniglot is not in {root} and cannot be downloaded there ({error}); pass data_root=FOLDER with "
            f"torchvision's {Omniglot.folder}/ in it, or with train/<class>/<image> and test/<class>/<image>"
        ) from error
