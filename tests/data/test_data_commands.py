"""``vptsp data``: list, check with a contact sheet, prepare, and downloads that are not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import replicas
from click.testing import CliRunner, Result
from PIL import Image
from replicas import REPLICAS

from vptsp.cli import main
from vptsp.data import DATASETS, load_data
from vptsp.data.published_counts import Counts
from vptsp.settings.config import make_config

Expect = Callable[[str, Counts], None]


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["data", *map(str, words)])


def test_the_list_names_every_set_with_its_numbers() -> None:
    text = run("list").output
    for name in DATASETS:
        assert re.search(rf"^{name} ", text, re.MULTILINE), name
    words = " ".join(text.split())  # lines are wrapped
    assert "for retrieval: 5,864 images of 100 classes to train on and 5,924 of 100 to test on" in words
    assert "14,218 query and 12,612 gallery" in words


def test_a_check_finds_copies_broken_and_turned_images_and_draws_a_sheet(expect: Expect, tmp_path: Path) -> None:
    root = replicas.cub(tmp_path)
    expect("cub", REPLICAS["cub"][2])
    files = sorted((root / "CUB_200_2011/images").rglob("*.jpg"))
    files[8].write_bytes(files[0].read_bytes())  # of a test class and of a training class
    files[5].write_bytes(files[1].read_bytes())  # of two training classes
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save(files[3], exif=exif)
    sheet = tmp_path / "sheet.png"
    result = run("check", "cub", "--root", root, "--sheet", sheet)
    assert result.exit_code == 0, result.output
    for line in (
        "counts: 8 images of 2 classes to train on and 8 of 2 to test on",
        "images per class, cub/test: 4 to 4, median 4",
        "most often 24 x 20 (15 images)",
        "widths 24 to 30, heights 20 to 40",
        "turned upright by their EXIF orientation: 1",
        "unreadable: 0",
        "in train and test alike: 1",
        "train/001.Bird_1/Bird 0.jpg = test/003.Bird_3/Bird 0.jpg",
        "the same image in different classes: 2",
    ):
        assert line in result.output
    with Image.open(sheet) as page:
        pixels = np.asarray(page.convert("RGB"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 30
    files[2].write_bytes(files[2].read_bytes()[:100])
    result = run("check", "cub", "--root", root, "--sheet", sheet)
    assert result.exit_code == 1
    assert "Error: 1 images cannot be read; replace them" in result.output
    with Image.open(sheet) as page:
        assert (np.asarray(page.convert("RGB")) == (200, 60, 60)).all(-1).sum() == 96 * 96


def test_a_check_of_a_wrong_or_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    for words, sentence in (
        (("check", "cub", "--root", replicas.cub(tmp_path)), "cub: expected 5,864 images of 100 classes"),
        (("check", "cub", "--root", tmp_path / "none"), "is not a folder; for dataset=cub it must hold images/"),
        (("check", "cub"), "dataset=cub needs data_root=FOLDER with images/, images.txt"),
        (("check", "roses"), "dataset='roses' is unknown; choose one of blossoms"),
    ):
        result = run(*words)
        assert result.exit_code == 1
        assert sentence in result.output
        assert "Traceback" not in result.output


@pytest.mark.parametrize("layout", ["cub", "fgvc_flowers"])
def test_a_prepared_cache_serves_every_division(expect: Expect, tmp_path: Path, layout: str) -> None:
    name, build, counts = REPLICAS[layout]
    expect(name, counts)
    root, out = build(tmp_path), tmp_path / "cache"
    result = run("prepare", name, "--root", root, "--out", out, "--size", 37)
    assert result.exit_code == 0, result.output
    assert f"{counts.train[0] + counts.test[0]} images made, 0 were there, 0 cannot be read" in result.output
    assert f"train with: data_cache={out}" in result.output
    values = {"dataset": name, "data_root": root, "data_cache": out, "image_size": 32}
    values["task"] = "recognition" if DATASETS[name].task == "recognition" else "retrieval"
    for val_fraction in (0.0, 0.3) if values["task"] == "recognition" else (0.0,):
        splits = load_data(make_config(values, {"val_fraction": val_fraction}))
        assert splits.train.load(0).size == (24, 20)
    result = run("prepare", name, "--root", root, "--out", out, "--size", 40)
    assert result.exit_code == 1
    assert f"is a cache of {name} at 37 pixels, not of {name} at 40" in result.output


def test_sets_that_may_not_be_downloaded_say_where_they_are_from(tmp_path: Path) -> None:
    for name, sentence in (
        ("inshop", "inshop cannot be downloaded by program: get it from DeepFashion"),
        ("cars", "then pass data_root=FOLDER that holds cars_annos.mat and car_ims/"),
        ("vtab_dtd", "vtab_dtd cannot be downloaded by program: get it from VTAB-1k as images"),
        ("blossoms", "blossoms needs no files"),
        ("omniglot", "omniglot is not downloaded by this command; downloaded by torchvision when first used"),
        ("folder", "it is a data set of your own"),
        ("cub", "give --root FOLDER, where cub is to be put"),
    ):
        result = run("download", name)
        assert result.exit_code == 1
        assert sentence in result.output
