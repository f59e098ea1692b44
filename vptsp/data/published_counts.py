"""How many images and classes a published split has; a different number is a different experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vptsp.errors import DataError

if TYPE_CHECKING:  # a list of data sets needs the numbers, not numpy
    from vptsp.data.image_set import ImageSet, Parts


@dataclass(frozen=True)
class Counts:
    """Images and classes of train (validation images included) and test, and of the roles in a test of queries."""

    train: tuple[int, int]
    test: tuple[int, int]
    query: int | None = None
    gallery: int | None = None

    @classmethod
    def of(cls, parts: Parts) -> Counts:
        """As found in the parts of a data set."""

        def size(*sets: ImageSet) -> tuple[int, int]:
            return sum(map(len, sets)), len({name for images in sets for name in images.class_names})

        masks = parts.test.is_query, parts.test.is_gallery
        query, gallery = (None if mask is None else int(mask.sum()) for mask in masks)
        return cls(size(parts.train, *([parts.val] if parts.val else [])), size(parts.test), query, gallery)

    def __str__(self) -> str:
        roles = "" if self.query is None else f" ({self.query:,} query and {self.gallery:,} gallery images)"
        (train, classes), (test, test_classes) = self.train, self.test
        return f"{train:,} images of {classes:,} classes to train on and {test:,} of {test_classes:,} to test on{roles}"


def check_counts(name: str, parts: Parts, expected: Counts, place: object) -> None:
    """Raises DataError with what was expected and what was found.

    There is no switch to accept other numbers: results on them are not comparable with the published ones, and
    changed data can be used under another name (``dataset=photos``, ``folder`` or ``table``).
    """
    found = Counts.of(parts)
    if found != expected:
        raise DataError(
            f"{name}: expected {expected}; found {found} in {place}. Restore the original files, or use changed "
            "data as dataset=photos (<class>/<image>), dataset=folder (train/ and test/) or dataset=table, without "
            "fixed numbers"
        )
