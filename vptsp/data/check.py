"""Look at every image of a data set: what is there, what is broken, and what is in both train and test."""

from __future__ import annotations

import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from vptsp.data.image_set import ImageSet, Parts
from vptsp.data.passed_over import by_reason, lines
from vptsp.data.published_counts import Counts
from vptsp.data.raw_files import raw_file
from vptsp.errors import DataError

ORIENTATION = 0x0112  # the EXIF tag


@dataclass
class Findings:
    """``duplicates`` are groups of ids with equal pixels, some of train and some of test; ``conflicts`` groups of
    equal pixels in different classes; ``passed_over`` are paths by the reason why; sizes are (width, height) of
    upright images; ``turned`` counts images that
    their EXIF orientation turned."""

    counts: Counts
    images_per_class: dict[str, tuple[int, float, int]]  # of each part: least, median, most
    unreadable: dict[str, str] = field(default_factory=dict)  # id: why
    duplicates: list[list[str]] = field(default_factory=list)
    conflicts: list[list[str]] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    turned: int = 0
    passed_over: dict[str, list[str]] = field(default_factory=dict)

    def lines(self, most: int = 5) -> Iterator[str]:
        """The findings as text, ``most`` examples of each."""
        yield f"counts: {self.counts}"
        for part, (least, median, largest) in self.images_per_class.items():
            yield f"images per class, {part}: {least} to {largest}, median {median:g}"
        if self.sizes:
            widths, heights = np.array(self.sizes).T
            short = np.minimum(widths, heights)
            (width, height), number = Counter(self.sizes).most_common(1)[0]
            yield (
                f"sizes: widths {widths.min()} to {widths.max()}, heights {heights.min()} to {heights.max()}, "
                f"shorter side {short.min()} to {short.max()}, median {np.median(short):g}; "
                f"most often {width} x {height} ({number:,} images)"
            )
        yield f"turned upright by their EXIF orientation: {self.turned:,}"
        yield from lines(self.passed_over, most)
        yield from _examples("unreadable", [why for why in self.unreadable.values()], most)
        yield from _examples("in train and test alike", [" = ".join(g) for g in self.duplicates], most)
        yield from _examples("the same image in different classes", [" = ".join(g) for g in self.conflicts], most)


def check(parts: Parts) -> Iterator[int | Findings]:
    """Reads every image once; yields how many are done after each, and at last the findings."""
    found = Findings(Counts.of(parts), {images.name: _per_class(images) for images in parts.each()})
    found.passed_over = by_reason(parts.passed_over)
    same: dict[bytes, list[tuple[str, bool, str]]] = defaultdict(list)
    done = 0
    for images in parts.each():
        for position, image_id in enumerate(images.ids):
            try:
                image = images.load(position)
            except DataError as error:
                found.unreadable[image_id] = str(error)
            else:
                found.sizes.append(image.size)
                found.turned += _turned(images, position)
                mark = hashlib.blake2b(repr(image.size).encode() + image.tobytes(), digest_size=16).digest()
                name = images.class_names[images.labels[position]]
                same[mark].append((image_id, images is parts.test, name))
            done += 1
            yield done
    for group in same.values():
        ids = [image_id for image_id, _, _ in group]
        if len({tested for _, tested, _ in group}) > 1:
            found.duplicates.append(ids)
        if len({name for _, _, name in group}) > 1:
            found.conflicts.append(ids)
    yield found


def _per_class(images: ImageSet) -> tuple[int, float, int]:
    counts = images.class_counts()
    return int(counts.min()), float(np.median(counts)), int(counts.max())


def _turned(images: ImageSet, position: int) -> bool:
    file = raw_file(images.load, position)
    if file is None:
        return False
    with Image.open(io.BytesIO(file.content)) as opened:
        return opened.getexif().get(ORIENTATION, 1) != 1


def _examples(title: str, items: list[str], most: int) -> Iterator[str]:
    yield f"{title}: {len(items):,}"
    yield from (f"  {item}" for item in items[:most])
    if len(items) > most:
        yield f"  and {len(items) - most:,} more"
