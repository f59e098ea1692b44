"""Image files on disk: any folder of ``train/<class>/*`` and ``test/<class>/*``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from vptsp.data.images import ImageSet, Parts
from vptsp.data.settings import DataConfig
from vptsp.data.splits import some
from vptsp.errors import DataError

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
    """The file as an RGB image, upright: turned by its EXIF orientation, which the published code of this field
    ignores (``vptsp data check`` counts the images that it turns). Raises DataError naming the file."""
    try:
        with Image.open(path) as file:
            return to_rgb(ImageOps.exif_transpose(file))
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        raise DataError(
            f"cannot read the image {path} ({error}); replace or remove it, "
            "or set skip_bad=true to leave such images out"
        ) from error


@dataclass(frozen=True)
class FileLoader:
    """Reads image ``position`` of a list of files. Paths are text: a large set sends a million to each worker."""

    paths: tuple[str, ...]

    def __call__(self, position: int) -> Image.Image:
        return read_image(Path(self.paths[position]))

    def fingerprint(self, position: int) -> str:
        """Changes when the file does; survives a move of the folder."""
        try:
            found = os.stat(self.paths[position])
        except OSError:
            return "missing"
        return f"{found.st_size}-{found.st_mtime_ns}"

    def missing(self) -> list[str]:
        """Paths without a file, found by one listing of each folder and not one look-up for each image."""
        listings: dict[str, set[str]] = {}
        for folder in {os.path.dirname(path) for path in self.paths}:
            try:
                listings[folder] = set(os.listdir(folder))
            except OSError:
                listings[folder] = set()
        return [path for path in self.paths if os.path.basename(path) not in listings[os.path.dirname(path)]]


def printable(name: str) -> str:
    """A file name that any encoder takes: bytes that are no UTF-8 become ``\\udcff`` in letters."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def class_folders(root: Path) -> dict[str, Path]:
    """The visible sub-folders of ``root`` by name. Raises DataError when there are none."""
    folders = {printable(p.name): p for p in sorted(root.iterdir()) if p.is_dir() and p.name[0] != "."}
    if not folders:
        raise DataError(f"{root} has no class folders; expected {root.name}/<class>/<image>")
    return folders


def image_files(folder: Path) -> list[Path]:
    """The images of a folder, sorted. A broken link keeps its place, to be reported and not silently lost."""
    files = (p for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS and not p.is_dir())
    return sorted(p for p in files if p.name[0] != ".")


def scan(name: str, folders: dict[str, Path], mirror_ok: bool = True) -> ImageSet:
    """Images in these class folders, sorted; ids are ``<split>/<class>/<file>``, split = end of ``name``.

    Raises DataError naming the class folders without images.
    """
    paths: list[Path] = []
    ids: list[str] = []
    labels: list[int] = []
    empty: list[str] = []
    for label, (class_name, folder) in enumerate(folders.items()):
        files = image_files(folder)
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
    load = FileLoader(tuple(map(str, paths)))
    return ImageSet(name, ids, np.array(labels), list(folders), load, mirror_ok=mirror_ok)


def split_set(config: DataConfig, root: Path) -> Parts:
    """The set of a configuration, named after its folder."""
    return Parts(*split_folders(root.resolve().name, root))


def split_folders(name: str, root: Path, mirror_ok: bool = True) -> tuple[ImageSet, ImageSet]:
    """``root/train`` and ``root/test`` as image sets. Raises DataError when one is missing."""
    if missing := [s for s in ("train", "test") if not (root / s).is_dir()]:
        whole = len(missing) == 2 and any(p.is_dir() and p.name[0] != "." for p in root.iterdir())
        raise DataError(
            f"data_root={root} has no folder {some(missing)}; expected train/<class>/<image> and test/<class>/<image>"
            + "; for class folders that are not split yet use dataset=photos" * whole
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
