"""Drawn images that are kept on disk: the same bytes, wherever they come from and whatever happens to the file."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vptsp import home
from vptsp.data import blossoms, kept_drawings
from vptsp.data.blossoms import blossom_sets, render
from vptsp.data.image_set import ImageSet
from vptsp.data.kept_drawings import KeptDrawings

SETTINGS = (4, 3, 32)  # classes, images of each, side


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(home.CACHE, str(tmp_path))
    return tmp_path / "drawn"


def pixels(images: ImageSet) -> np.ndarray:
    return np.stack([np.asarray(images.load(place)) for place in range(len(images))])


def drawn_again(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """As a new process would find the set; the numbers of the images that are drawn from now on."""
    blossom_sets.cache_clear()
    numbers: list[int] = []

    def counting(*arguments: Any) -> np.ndarray:
        numbers.append(arguments[-1])
        return render(*arguments)

    monkeypatch.setattr(blossoms, "render", counting)
    return numbers


def test_the_next_process_reads_what_this_one_drew(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = drawn_again(monkeypatch)
    first = pixels(blossom_sets(*SETTINGS)[0])
    assert len(numbers) == len(first) == 6
    again = drawn_again(monkeypatch)
    assert (pixels(blossom_sets(*SETTINGS)[0]) == first).all()
    assert again == []
    (file,) = kept.glob("*.bin")
    assert file.stat().st_size == 6 * (4 + 3 * 32 * 32)
    assert file.stat().st_mode & 0o077 == 0
    assert (pixels(pickle.loads(pickle.dumps(blossom_sets(*SETTINGS)[0]))) == first).all()


@pytest.mark.parametrize("damage", ["torn", "short", "foreign"])
def test_what_is_damaged_is_drawn_again_and_mended(damage: str, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blossom_sets.cache_clear()
    first = pixels(blossom_sets(*SETTINGS)[0])
    (file,) = kept.glob("*.bin")
    data = bytearray(file.read_bytes())
    record = len(data) // 6
    if damage == "torn":
        data[3 * record + 100] ^= 1
    elif damage == "short":
        del data[5 * record + 10 :]
    else:
        data = bytearray(b"somebody else's")
    file.write_bytes(data)
    again = drawn_again(monkeypatch)
    assert (pixels(blossom_sets(*SETTINGS)[0]) == first).all()
    assert len(again) == (6 if damage == "foreign" else 1)
    once_more = drawn_again(monkeypatch)
    assert (pixels(blossom_sets(*SETTINGS)[0]) == first).all()
    assert once_more == []


def test_other_code_sizes_and_floras_are_kept_apart(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blossom_sets.cache_clear()
    for settings in (SETTINGS, (4, 3, 48), (6, 3, 32), (4, 3, 32, 1)):
        blossom_sets(*settings)[0].load(0)
    assert len(list(kept.glob("*.bin"))) == 4
    monkeypatch.setattr(kept_drawings, "version", lambda name: "another")
    blossom_sets.cache_clear()
    blossom_sets(*SETTINGS)[0].load(0)
    assert len(list(kept.glob("*.bin"))) == 5
    named = {KeptDrawings("flora", 4, 8, modules)._drawn_with() for modules in ((), ("vptsp.data.blossoms",))}
    assert len(named) == 2, "the source of what draws them is told apart"


def test_where_nothing_can_be_kept_images_are_drawn(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.write_text("in the folder's place")
    numbers = drawn_again(monkeypatch)
    pixels(blossom_sets(*SETTINGS)[0])
    assert len(numbers) == 6
    monkeypatch.setattr(kept_drawings, "MOST_OF_A_SET", 5 * (4 + 3 * 32 * 32))
    kept.unlink()
    blossom_sets.cache_clear()
    blossom_sets(*SETTINGS)[0].load(0)
    assert not kept.exists(), "a set that is too large is kept by nobody"


def test_a_full_disk_is_tried_once(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def full(*arguments: Any) -> int:
        tries.append(arguments)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    numbers = drawn_again(monkeypatch)
    pixels(blossom_sets(*SETTINGS)[0])
    assert (len(numbers), len(tries)) == (6, 1)


def test_the_oldest_files_make_room(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.mkdir()
    for age, name in enumerate(("new", "older", "oldest")):
        (kept / f"{name}.bin").write_bytes(bytes(1000))
        os.utime(kept / f"{name}.bin", (1e9 - age, 1e9 - age))
    drawings = KeptDrawings("flora", 10, 8, ())  # 10 * 196 bytes
    monkeypatch.setattr(kept_drawings, "MOST_OF_ALL", 3000)
    drawings.keep(0, np.full((8, 8, 3), 7, np.uint8))
    assert {path.name.partition("-")[0] for path in kept.glob("*.bin")} == {"new.bin", "flora"}
    found = drawings.get(0)
    assert found is not None
    assert (found == 7).all()
    assert drawings.get(9) is None
