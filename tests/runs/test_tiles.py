from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vptsp.data.image_set import ImageSet
from vptsp.runs.thumbnails import Thumbnails, write_thumbnails


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pages, the second with a single row."""
    path = tmp_path_factory.mktemp("tiles")
    noise = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    images = ImageSet(
        "noise",
        [f"{row}" for row in range(1030)],
        np.zeros(1030, dtype=int),
        ["only"],
        lambda row: Image.fromarray(np.roll(noise, row, axis=1)),
    )
    write_thumbnails(path, images)
    return path


def test_tiles_cut_from_a_page_are_the_tiles_of_the_decoded_page(folder: Path) -> None:
    thumbnails = Thumbnails(folder)
    ids = ["0", "31", "32", "700", "1023", "1024", "1029"]
    for image_id, file in zip(ids, thumbnails.jpegs(ids), strict=True):
        tile, page = Image.open(io.BytesIO(file)), thumbnails.image(image_id)
        assert tile.size == page.size == (64, 64)
        # all but the borders, where decoders smooth colours across tiles
        mine, theirs = (np.asarray(image.convert("RGB"), dtype=int)[2:-2, 2:-2] for image in (tile, page))
        np.testing.assert_array_equal(mine, theirs)


def test_pages_saved_otherwise_are_decoded(folder: Path, tmp_path: Path) -> None:
    expected = Thumbnails(folder).image("33")
    shutil.copy(folder / "tiles.json", tmp_path)
    Image.open(folder / "page_0.jpg").save(tmp_path / "page_0.jpg", quality=95)
    (file,) = Thumbnails(tmp_path).jpegs(["33"])
    tile = Image.open(io.BytesIO(file))
    assert np.abs(np.asarray(tile, dtype=int) - np.asarray(expected, dtype=int)).mean() < 16  # of noise


@pytest.mark.parametrize("content", [None, b"", b"no image", "half"])
def test_what_cannot_be_shown_is_grey_with_its_name_on_it(
    folder: Path, tmp_path: Path, content: bytes | str | None
) -> None:
    shutil.copy(folder / "tiles.json", tmp_path)
    if content is not None:
        page = (folder / "page_0.jpg").read_bytes()
        (tmp_path / "page_0.jpg").write_bytes(content if isinstance(content, bytes) else page[: len(page) // 2])
    thumbnails = Thumbnails(tmp_path)
    names = ["1023", "1022", "nowhere/at all.png"]
    tiles = [Image.open(io.BytesIO(file)) for file in thumbnails.jpegs(names)]
    for name, tile in zip(names, tiles, strict=True):
        assert tile.size == (64, 64)
        grey = np.asarray(tile.convert("L"), dtype=int)
        assert abs(np.median(grey) - 187) < 2
        assert grey.min() < 80, name  # the ink
    assert tiles[0].tobytes() != tiles[1].tobytes()
