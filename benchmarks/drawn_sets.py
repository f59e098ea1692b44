"""Two sets of images that took no part in choosing any default: characters in four faces, and icons in five weights.

Run as ``python -m benchmarks.drawn_sets glyphs FOLDER`` or ``python -m benchmarks.drawn_sets icons FOLDER FONTS``. The
folder is then one for ``dataset=folder``: ``train/<class>/<image>`` and ``test/<class>/<image>`` with no class in both.

*glyphs*: each character that four faces of DejaVu have (they come with matplotlib), black on white, 64 pixels: four
images a class. *icons*: 600 icons of Phosphor, 64 pixels, in colours drawn at random for each image: five images a
class. FONTS is the folder ``src`` of the npm package ``@phosphor-icons/web`` (MIT licence), which has a font for each
weight; version 2.1.2 was used.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

SIDE = 64
FACES = ("DejaVuSans.ttf", "DejaVuSans-BoldOblique.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf")
WEIGHTS = {"thin": "-Thin", "light": "-Light", "regular": "", "bold": "-Bold", "fill": "-Fill"}
ICONS = 600
CONTRAST = 0.35  # least difference of brightness between an icon and its ground
Colour = tuple[int, int, int]


def drawn(sign: str, font: ImageFont.FreeTypeFont, ink: Colour, ground: Colour) -> Image.Image:
    """The sign in the middle of a square, as large as fits with a margin."""
    left, top, right, bottom = font.getbbox(sign)
    scale = 0.84 * SIDE / max(right - left, bottom - top, 1)
    font = font.font_variant(size=max(4, int(font.size * min(scale, 1.25))))
    image = Image.new("RGB", (SIDE, SIDE), ground)
    left, top, right, bottom = font.getbbox(sign)
    place = (SIDE - left - right) / 2, (SIDE - top - bottom) / 2
    ImageDraw.Draw(image).text(place, sign, fill=ink, font=font)
    return image


def glyphs() -> Iterator[tuple[str, list[Image.Image]]]:
    """Characters by code point; of those that look alike in the first face (A of three alphabets) only one."""
    files = [Path(matplotlib.get_data_path()) / "fonts" / "ttf" / face for face in FACES]
    codes = set.intersection(*(set(FT2Font(str(file)).get_charmap()) for file in files))
    fonts = [ImageFont.truetype(str(file), 48) for file in files]
    seen = set()
    for code in sorted(codes):
        if unicodedata.category(chr(code))[0] not in "LNS" or unicodedata.combining(chr(code)):
            continue
        images = [drawn(chr(code), font, (0, 0, 0), (255, 255, 255)) for font in fonts]
        if (look := images[0].tobytes()) not in seen and images[0].getextrema() != ((255, 255),) * 3:
            seen.add(look)
            yield f"U+{code:04X}", images


def icons(fonts: Path, rng: np.random.Generator) -> Iterator[tuple[str, list[Image.Image]]]:
    """Icons by name, each weight in colours of its own."""
    codes: dict[str, dict[str, int]] = {}
    for weight, ending in WEIGHTS.items():
        for icon in json.loads((fonts / weight / "selection.json").read_text(encoding="utf-8"))["icons"]:
            name = icon["properties"]["name"].split(",")[0].strip().removesuffix(ending.lower())
            codes.setdefault(name, {})[weight] = icon["properties"]["code"]
    faces = {
        weight: ImageFont.truetype(str(fonts / weight / f"Phosphor{end}.ttf"), 52) for weight, end in WEIGHTS.items()
    }
    names = sorted(name for name, found in codes.items() if len(found) == len(WEIGHTS))
    for name in sorted(rng.choice(names, ICONS, replace=False).tolist()):
        yield name, [drawn(chr(codes[name][weight]), font, *colours(rng)) for weight, font in faces.items()]


def colours(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """Ink and ground that can be told apart."""
    while True:
        pair = rng.integers(0, 256, (2, 3))
        bright = pair @ (0.2126, 0.7152, 0.0722) / 255
        if abs(bright[0] - bright[1]) >= CONTRAST:
            return tuple(pair[0].tolist()), tuple(pair[1].tolist())


def write(folder: Path, classes: list[tuple[str, list[Image.Image]]], rng: np.random.Generator) -> None:
    """Half of the classes to train on, by chance, and the rest to test on."""
    train = set(rng.permutation(len(classes))[: len(classes) // 2].tolist())
    for number, (name, images) in enumerate(classes):
        place = folder / ("train" if number in train else "test") / name
        place.mkdir(parents=True)
        for of, image in enumerate(images):
            image.save(place / f"{of}.png")
    print(f"{folder}: {len(train)} classes to train on, {len(classes) - len(train)} to test on")


def main(kind: str, folder: str, fonts: str = "") -> None:
    rng = np.random.default_rng(0)
    write(Path(folder), list(icons(Path(fonts), rng) if kind == "icons" else glyphs()), rng)


if __name__ == "__main__":
    main(*sys.argv[1:])
