from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from vptsp.data.image_set import ImageSet
from vptsp.data.published_counts import Counts
from vptsp.data.registry import DATASETS


@pytest.fixture
def settings() -> Callable[..., SimpleNamespace]:
    """A configuration's data fields, with some changed."""

    def make(**changed: object) -> SimpleNamespace:
        fields: dict[str, object] = {
            **{"dataset": "digits", "data_root": None, "seed": 0, "val_fraction": 0.0, "skip_bad": False},
            **{"task": "retrieval", "query_pattern": None, "query_csv": None, "image_size": 16},
            **{"hub_name": None, "data_cache": None, "label_column": None, "fit_batch": False},
            **{"blossoms_classes": 8, "blossoms_images": 3},
        }
        return SimpleNamespace(**(fields | changed))

    return make


@pytest.fixture
def expect(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Counts], None]:
    """Lets the registry expect these counts of a data set, those of a miniature, for one test."""

    def change(name: str, counts: Counts) -> None:
        monkeypatch.setitem(DATASETS._entries, name, replace(DATASETS[name], expected=counts))

    return change


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """train/{ant,bee} and test/{cow,dog} with three images each, every image of its own colour."""
    shade = 0
    for split, names in (("train", ("ant", "bee")), ("test", ("cow", "dog"))):
        for name in names:
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for n in range(3):
                shade += 20
                Image.new("RGB", (20, 24), (shade, 255 - shade, 7)).save(folder / f"{'q' if n == 0 else 'g'}_{n}.png")
    return tmp_path


@pytest.fixture
def numbered() -> Callable[..., ImageSet]:
    """An image set with these labels whose image at position p is noise drawn from seed p."""

    def make(labels: list[int] | np.ndarray, classes: int | None = None) -> ImageSet:
        count = classes or int(max(labels)) + 1
        return ImageSet(
            name="numbered/train",
            ids=[f"train/{n}" for n in range(len(labels))],
            labels=np.asarray(labels),
            class_names=[f"c{c}" for c in range(count)],
            load=noise_image,
        )

    return make


def noise_image(position: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(position).integers(0, 256, (24, 20, 3)).astype(np.uint8))
