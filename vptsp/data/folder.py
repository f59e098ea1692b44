"""Image files on disk: any folder of ``train/<class>/*`` and ``test/<class>/*``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from vptsp.data.images import ImageSet
from vptsp.data.splits import some
from vptsp.errors import ConfigError, DataError

EXTENSIONS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}


def to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode as 8-bit RGB: 16 bits scaled down, transparency laid on white."""
    if image.mode.startswith("I"):
        # Pillow itself would clip 16-bit values at 255, that is, turn the image white.
        return Image.fromarray((np.asarray(image).clip(0, 65535) / 257).astype(np.uint8)).convert("RGB")
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def read_image(path: Path) -> Image.Image:
    """The file as an upright RGB image. Raises DataError naming the file."""
    try:
        with Image.open(path) as file:
            return to_rgb(ImageOps.exif_transpose(file))
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        raise DataError(
            f"cannot read the image {path} ({error}); replace or remove it, "
            "or pass --skip-bad (skip_bad=true) to leave out such images"
        ) from error


@dataclass(frozen=True)
class FileLoader:
    """Reads image ``position`` of a list of files."""

    paths: tuple[Path, ...]

    def __call__(self, position: int) -> Image.Image:
        return read_image(self.paths[position])


def printable(name: str) -> str:
    """A file name that any encoder takes: bytes that are no UTF-8 become ``\\udcff`` in letters."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def class_folders(root: Path) -> dict[str, Path]:
    """The visible sub-folders of ``root`` by name. Raises DataError when there are none."""
    folders = {printable(p.name): p for p in sorted(root.iterdir()) if p.is_dir() and p.name[0] != "."}
    if not folders:
        raise DataError(f"{root} has no class folders; expected {root.name}/<class>/<image>")
    return folders


def scan(name: str, folders: dict[str, Path], mirror_ok: bool = True) -> ImageSet:
    """Images in these class folders, sorted; ids are ``<split>/<class>/<file>``, split = end of ``name``.

    Raises DataError naming the class folders without images.
    """
    paths: list[Path] = []
    ids: list[str] = []
    labels: list[int] = []
    empty: list[str] = []
    for label, (class_name, folder) in enumerate(folders.items()):
        # A broken link keeps its place here, to be reported as unreadable and not silently lost.
        files = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in EXTENSIONS and not p.is_dir()]
        files = [p for p in files if not p.name.startswith(".")]
        if not files:
            empty.append(str(folder))
        paths += files
        ids += [f"{name.rsplit('/', 1)[-1]}/{class_name}/{printable(p.name)}" for p in files]
        labels += [label] * len(files)
    if empty:
        raise DataError(
            f"no images in the class folder {some(empty)}; add images "
            f"({', '.join(sorted(EXTENSIONS))}) or remove the folder"
        )
    load = FileLoader(tuple(paths))
    return ImageSet(name, ids, np.array(labels), list(folders), load, mirror_ok=mirror_ok)


def drop_bad(image_set: ImageSet) -> tuple[ImageSet, list[str]]:
    """Reads every image once; the set without the unreadable ones (and emptied classes), and their ids."""
    bad: list[int] = []
    for position in range(len(image_set)):
        try:
            image_set.load(position)
        except DataError:
            bad.append(position)
    if len(bad) == len(image_set):
        raise DataError(f"{image_set.name}: none of the {len(image_set)} images can be read")
    if not bad:
        return image_set, []
    good = np.setdiff1d(np.arange(len(image_set)), bad)
    return image_set.subset(good).relabelled(), [image_set.ids[p] for p in bad]


def finish(sets: Iterable[ImageSet], skip_bad: bool) -> tuple[ImageSet, ImageSet, list[str]]:
    """Train and test as a data set builder returns them, unreadable images dropped on request."""
    train, test = sets
    if not skip_bad:
        return train, test, []
    (train, bad_train), (test, bad_test) = drop_bad(train), drop_bad(test)
    return train, test, bad_train + bad_test


def split_folders(name: str, root: Path, mirror_ok: bool = True) -> tuple[ImageSet, ImageSet]:
    """``root/train`` and ``root/test`` as image sets. Raises DataError when one is missing."""
    if missing := [s for s in ("train", "test") if not (root / s).is_dir()]:
        raise DataError(
            f"data_root={root} has no folder {some(missing)}; expected train/<class>/<image> and test/<class>/<image>"
        )
    train, test = (scan(f"{name}/{split}", class_folders(root / split), mirror_ok) for split in ("train", "test"))
    return train, test


def any_folder(root: Path) -> ImageSet:
    """All images of a folder: ``<class>/<image>``, or images alone, which form one class named after the folder.

    Raises DataError when there are none.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder of images")
    flat = any(p.suffix.lower() in EXTENSIONS and p.is_file() and p.name[0] != "." for p in root.iterdir())
    name = printable(root.resolve().name)
    return scan(name, {name: root} if flat else class_folders(root))


def require_root(root: Path | None) -> Path:
    """``root`` if it is a folder. Raises ConfigError or DataError saying what to pass."""
    if root is None:
        raise ConfigError(
            "dataset=folder needs data_root=FOLDER, a folder with train/<class>/<image> and test/<class>/<image>"
        )
    if not root.is_dir():
        raise DataError(f"data_root={root} is not a folder")
    return root
