"""Image files on disk: any folder of ``train/<class>/*`` and ``test/<class>/*``, and class folders alone.

One scan serves every data set of folders. It takes ``<class>/<image>``, and what else it sees it passes over with its
name and the reason (:mod:`vptsp.data.passed_over`): nothing disappears.
"""

from __future__ import annotations

import io
import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from vptsp.data.file_endings import READ, is_image, is_read, register_plugins, why_not
from vptsp.data.image_set import ImageSet, Parts
from vptsp.data.passed_over import Looked
from vptsp.data.rules import in_order, is_pointer
from vptsp.data.settings import DataConfig
from vptsp.data.splits import some
from vptsp.errors import DataError

EXTENSIONS = READ
VALIDATION = ("val", "valid", "validation")  # folders of classes or images that select the epoch
_DEEPER = "deeper than <class>/<image>"
_BESIDE = "beside the class folders"
_HIDDEN = "hidden, or the system's own"
_SYSTEM = {  # files and folders that systems leave behind, which nobody means as data
    "thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found",
}  # fmt: skip


def to_rgb(image: Image.Image, form: str | None = None) -> Image.Image:
    """Any Pillow mode as 8-bit RGB: 16 bits scaled down, transparency laid on white; ``form`` is the file's format.

    Raises DataError for numbers of which it cannot be known which is white.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        # Pillow itself would clip values at 255, that is, turn the image white (or black, where they lie in 0..1).
        return Image.fromarray(_eight_bits(np.asarray(image), image.mode, form)).convert("RGB")
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: np.ndarray, mode: str, form: str | None) -> np.ndarray:
    """uint8 of a single channel of numbers. 16-bit files have white at 65,535; 32-bit and floating-point ones do not
    say, so it is the first of 1 (floating point only), 255 and 65,535 that no value exceeds."""
    if mode.startswith("I;16") or form in ("PNG", "PPM"):  # older Pillows open 16-bit PNG files with 32
        white = 65535.0
    else:
        least, most = float(values.min()), float(values.max())
        legal = (1.0, 255.0, 65535.0) if mode == "F" else (255.0, 65535.0)
        if not (least >= 0 and most <= legal[-1]):  # also for NaN
            raise DataError(
                f"its values are {least:g} to {most:g}; legal are 0 to {', '.join(f'{top:g}' for top in legal)}: "
                "scale them"
            )
        white = next(top for top in legal if most <= top)
    return (values.astype(np.float64).clip(0, white) * 255 / white).astype(np.uint8)


def read_image(path: Path) -> Image.Image:
    """The file as an RGB image, upright: turned by its EXIF orientation, which the published code of this field
    ignores (``vptsp data check`` counts the images that it turns). Raises DataError naming the file."""
    return decode(path, str(path))


def decode(file: Path | bytes, name: str) -> Image.Image:
    """:func:`read_image` of a file, or of the content of one, that an error calls ``name``."""
    register_plugins()
    try:
        with Image.open(file if isinstance(file, Path) else io.BytesIO(file)) as opened:
            return to_rgb(ImageOps.exif_transpose(opened), opened.format)
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        what: object = error
        if is_pointer(file):
            what = "it is a Git LFS pointer; fetch the file with git lfs pull"
        elif isinstance(error, UnidentifiedImageError) and not isinstance(file, Path):
            what = "cannot identify image file"  # Pillow adds which object it was given
        raise DataError(
            f"cannot read the image {name} ({what}); replace or remove it, or set skip_bad=true to leave such images "
            "out"
        ) from error


@dataclass(frozen=True)
class FileLoader:
    """Reads image ``position`` of a list of files. Paths are text: a large set sends a million to each worker."""

    paths: tuple[str, ...]

    def __call__(self, position: int) -> Image.Image:
        return read_image(Path(self.paths[position]))

    def raw(self, position: int) -> tuple[bytes, str]:
        """The file as it is, and its ending. Raises DataError where it cannot be read."""
        path = Path(self.paths[position])
        try:
            return path.read_bytes(), path.suffix.lower()
        except OSError as error:
            raise DataError(
                f"cannot read the file {path} ({error.strerror or error}); put it there, or set skip_bad=true to go "
                "without it"
            ) from None

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


def class_name(folder: str) -> str:
    """The class that a folder's name means: accents are one letter, as they look, however the disk writes them, and
    spaces around it say nothing, as in a table."""
    return unicodedata.normalize("NFC", printable(folder)).strip() or folder


class FolderScan(Looked):
    """A look at the images below ``root``: gives what a data set takes, and keeps what it passes over."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root

    def class_folders(self, folder: Path) -> dict[str, Path]:
        """The visible sub-folders by name; files beside them are passed over. Raises DataError when there are none."""
        found, files = self._seen(folder)
        if not found:
            raise DataError(f"{folder} has no class folders; expected {folder.name}/<class>/<image>")
        self._pass(files, _BESIDE)
        return {printable(place.name): place for place in found}

    def image_files(self, folder: Path) -> list[Path]:
        """The images of a folder, sorted; all other files are passed over, and those in folders of its own.

        A broken link keeps its place, to be reported and not silently lost.
        """
        found, files = self._seen(folder)
        for file in files:
            if not is_read(file.suffix):
                self._pass([file], why_not(file.suffix))
        for deeper in found:
            self.pass_tree(deeper, _DEEPER)
        return [file for file in files if is_read(file.suffix)]

    def pass_tree(self, folder: Path, why: str) -> None:
        """Pass over all images below a folder; links to folders are not followed."""
        self._pass(_images_below(folder), why)

    def _seen(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Sub-folders and files, sorted; hidden images and folders and those of the system are passed over."""
        folders, files, hidden = _entries(folder)
        self._pass(hidden, _HIDDEN)
        return folders, files

    def _pass(self, files: Iterable[Path], why: str) -> None:
        self.pass_over((printable(file.relative_to(self.root).as_posix()) for file in files), why)


def class_folders(root: Path) -> dict[str, Path]:
    """The visible sub-folders of ``root`` by name. Raises DataError when there are none."""
    return FolderScan(root).class_folders(root)


def image_files(folder: Path) -> list[Path]:
    """The images of a folder, sorted. A broken link keeps its place, to be reported and not silently lost."""
    return FolderScan(folder).image_files(folder)


def _entries(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Folders, files, and what is hidden or the system's own and might be taken for images: each sorted by name."""
    folders: list[Path] = []
    files: list[Path] = []
    hidden: list[Path] = []
    for entry in sorted(folder.iterdir()):
        inside, name = entry.is_dir(), entry.name.lower()
        if name[0] == "." or name in _SYSTEM:
            hidden += [entry] if inside or is_image(entry.suffix) else []
        else:
            (folders if inside else files).append(entry)
    return folders, files, hidden


def _images_below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(place, name) for name in sorted(files) if is_image(Path(name).suffix))


def scan(name: str, folders: dict[str, Path], mirror_ok: bool = True, look: FolderScan | None = None) -> ImageSet:
    """Images in these class folders, sorted; ids are ``<split>/<class>/<file>``, split = end of ``name``.

    Folders whose names differ only in how their accents are written, or by spaces around them, are one class. What is
    passed over is kept by ``look``. Raises DataError naming the class folders without images.
    """
    look = look or FolderScan(Path(os.path.commonpath([str(place) for place in folders.values()])))
    paths: list[Path] = []
    ids: list[str] = []
    of_class: list[str] = []
    empty: list[str] = []
    names = in_order(map(class_name, folders))
    place = {label: number for number, label in enumerate(names)}
    for folder_name in sorted(folders, key=lambda folder: (place[class_name(folder)], folder)):
        folder = folders[folder_name]
        before = len(look.passed)
        files = look.image_files(folder)
        if not files:
            deeper = sum(why == _DEEPER for _, why in look.passed[before:])
            others = {why for path, why in look.passed[before:] if why != _DEEPER and is_image(Path(path).suffix)}
            said = [f"{deeper:,} lie deeper"] * bool(deeper) + sorted(others)
            empty.append(f"{folder} ({'; '.join(said)})" if said else str(folder))
        paths += files
        ids += [f"{name.rsplit('/', 1)[-1]}/{folder_name}/{printable(p.name)}" for p in files]
        of_class += [class_name(folder_name)] * len(files)
    if empty:
        raise DataError(
            f"no images in the class folder {some(empty)}; put images (.jpg, .png, .tif and others) directly into it, "
            "or remove the folder"
        )
    for twins in _twins(folders):
        written = " and ".join(map(ascii, twins))
        look.notes.append(f"the folders {written} of {name} have one name, written in two ways, and are one class")
    labels = np.array([place[label] for label in of_class], dtype=np.int64)
    return ImageSet(name, ids, labels, names, FileLoader(tuple(map(str, paths))), mirror_ok=mirror_ok)


def _twins(folders: dict[str, Path]) -> list[list[str]]:
    same: dict[str, list[str]] = {}
    for name in folders:
        same.setdefault(class_name(name), []).append(name)
    return [names for names in same.values() if len(names) > 1]


def split_set(config: DataConfig, root: Path) -> Parts:
    """The set of a configuration, named after its folder; ``val/`` is used for validation, or joins train."""
    return split_parts(root.resolve().name, root, join_val=config.val_fraction == 0)


def split_folders(name: str, root: Path, mirror_ok: bool = True) -> tuple[ImageSet, ImageSet]:
    """``root/train`` and ``root/test`` as image sets. Raises DataError when one is missing."""
    parts = split_parts(name, root, mirror_ok)
    return parts.train, parts.test


def split_parts(name: str, root: Path, mirror_ok: bool = True, join_val: bool = False) -> Parts:
    """``root/train``, ``root/test`` and, where it is there, ``root/val``, which with ``join_val`` belongs to train.

    Raises DataError when train or test is missing.
    """
    look = FolderScan(root)
    if missing := [s for s in ("train", "test") if not (root / s).is_dir()]:
        there = [folder.name for folder in _entries(root)[0]]
        whole = len(missing) == 2 and bool(there)
        if other := [folder for folder in there if folder.lower() in missing]:
            raise DataError(
                f"data_root={root} has no folder {some(missing)}, but {some(other)}; write its name in small letters"
            )
        raise DataError(
            f"data_root={root} has no folder {some(missing)}; expected train/<class>/<image> and test/<class>/<image>"
            + "; for class folders that are not split yet use dataset=photos" * whole
        )
    held = next((folder for folder in VALIDATION if (root / folder).is_dir()), None)
    used = ["train", "test"] + ([held] if held else [])
    sets = {part: scan(f"{name}/{part}", look.class_folders(root / part), mirror_ok, look) for part in used}
    folders, files = look._seen(root)
    look._pass(files, "beside train/ and test/")
    for folder in folders:
        if folder.name not in used:
            look.pass_tree(folder, "in a folder that is none of train, val and test")
    train, val = sets["train"], sets.get(held or "")
    if val is not None and join_val:
        train, val = train.joined(val), None
    if val is not None:
        val = replace(val, name=f"{name}/val")
    return Parts(train, sets["test"], val, passed_over=tuple(look.passed), notes=tuple(look.notes))


def any_folder(root: Path) -> ImageSet:
    """All images of a folder: ``<class>/<image>``, or images alone, which form one class named after the folder.

    Raises DataError when there are none.
    """
    return look_at_folder(root)[0]


def look_at_folder(root: Path) -> tuple[ImageSet, FolderScan]:
    """:func:`any_folder`, and what was passed over on the way. Class folders win over images beside them."""
    if not root.is_dir():
        raise DataError(f"{root} is not a folder of images")
    look = FolderScan(root)
    name = printable(root.resolve().name)
    folders, files, _ = _entries(root)
    alone = any(is_read(file.suffix) for file in files) and not any(map(_holds_images, folders))
    return scan(name, {name: root} if alone else look.class_folders(root), look=look), look


def _holds_images(folder: Path) -> bool:
    return any(is_read(entry.suffix) and entry.name[0] != "." for entry in folder.iterdir())
