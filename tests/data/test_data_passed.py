"""What a loader does not take is counted and named, and what labels tell is told before a run begins."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vptsp.cli import main
from vptsp.data import load_data
from vptsp.data.folder import any_folder, look_at_folder, read_image, split_folders, to_rgb
from vptsp.data.hopeless_runs import findable, require_scorable
from vptsp.data.image_set import DataSplits, ImageSet
from vptsp.data.load_splits import read_parts
from vptsp.data.loaders import EvalPasses, eval_loader
from vptsp.data.passed_over import Passed, by_reason, lines, told
from vptsp.data.transforms import eval_transform, train_transform
from vptsp.errors import DataError, DataWarning
from vptsp.evaluation.ranking import search

Settings = Callable[..., SimpleNamespace]
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def picture(place: Path, shade: int = 9) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(place, "PNG")
    return place


def passed_of(root: Path, dataset: str = "photos") -> dict[str, str]:
    parts = read_parts(SimpleNamespace(dataset=dataset, data_root=root, task="retrieval", **NO_MORE))
    return {path: why for path, why in parts.passed_over}


NO_MORE = {"seed": 0, "val_fraction": 0.2, "test_fraction": 0.3, "fit_batch": False}


@pytest.fixture
def untidy(tmp_path: Path) -> Path:
    """Four classes of two images, and what people have beside them."""
    root = tmp_path / "mine"
    for label in "abcd":
        for name in ("0.png", "1.jfif"):
            picture(root / label / name)
    for stray in ("cover.png", ".trash.png", "a/._0.png", "a/more/deep.png", "a/more/raw.cr2", "b/0.svg", ".git/x.png"):
        picture(root / stray)
    for text in ("README.txt", "Thumbs.db", "a/.DS_Store", "b/notes"):
        (root / text).write_text("")
    picture(root / "__MACOSX" / "a" / "0.png")
    return root


def test_everything_else_is_named_with_its_reason(untidy: Path) -> None:
    passed = passed_of(untidy)
    assert {path for path in passed if "beside the class folders" in passed[path]} == {"cover.png", "README.txt"}
    assert {path for path in passed if "hidden" in passed[path]} == {".trash.png", ".git", "a/._0.png", "__MACOSX"}
    assert {path for path in passed if "deeper" in passed[path]} == {"a/more/deep.png", "a/more/raw.cr2"}
    assert "save it as PNG" in passed["b/0.svg"]
    assert passed["b/notes"] == "its ending is none of an image"
    assert len(passed) == 10
    images, look = look_at_folder(untidy)
    assert (len(images), images.class_names) == (8, ("a", "b", "c", "d"))
    assert len(look.passed) == 10


def test_it_is_told_when_loaded_and_when_checked(untidy: Path, settings: Settings) -> None:
    config = settings(dataset="photos", data_root=untidy, test_fraction=0.5)
    with pytest.warns(DataWarning, match=r"^photos: 10 were passed over: .*'cover.png'.* \(beside the class folders\)"):
        splits = load_data(config)
    assert len(splits.passed_over) == 10
    result = CliRunner().invoke(main, ["data", "check", "photos", "--root", str(untidy)])
    assert result.exit_code == 0
    assert "passed over: 10" in result.output
    assert "  2 (beside the class folders): 'README.txt', 'cover.png'" in result.output


def test_nothing_is_said_where_there_is_nothing_to_say(settings: Settings, image_folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_data(settings(dataset="folder", data_root=image_folder))
    assert told("photos", []) == ""
    assert lines({}) == ["passed over: 0"]


def test_long_lists_are_cut() -> None:
    passed = [Passed(str(number), "late") for number in range(1200)]
    assert told("x", passed, 2) == "x: 1,200 were passed over: '0', '1' and 1,198 more (late)"
    assert lines(by_reason(passed), 1) == ["passed over: 1,200", "  1,200 (late): '0' and 1,199 more"]


def test_images_alone_are_one_class_and_class_folders_win(tmp_path: Path) -> None:
    picture(tmp_path / "flat" / "0.png")
    (tmp_path / "flat" / "notes").mkdir()
    assert any_folder(tmp_path / "flat").class_names == ("flat",)
    picture(tmp_path / "flat" / "rose" / "1.png")
    with pytest.raises(DataError, match=r"no images in the class folder '.*notes'"):
        any_folder(tmp_path / "flat")
    (tmp_path / "flat" / "notes").rmdir()
    assert any_folder(tmp_path / "flat").ids == ("flat/rose/1.png",)
    picture(tmp_path / "deep" / "rose" / "red" / "1.png")
    with pytest.raises(DataError, match=r"rose \(1 lie deeper\)'; put images .* directly into it"):
        any_folder(tmp_path / "deep")


def test_names_that_look_the_same_are_one_class(tmp_path: Path) -> None:
    for name in ("caf\u00e9", "cafe\u0301 ", "x"):  # and a space that nobody sees
        picture(tmp_path / name / "0.png")
    images, look = look_at_folder(tmp_path)
    assert images.class_names == ("caf\u00e9", "x")
    assert images.class_counts().tolist() == [2, 1]
    assert len(set(images.ids)) == 3
    (note,) = look.notes
    assert note.startswith(r"the folders 'cafe\u0301 ' and 'caf\xe9' of ")
    assert note.endswith(" are one class")


def test_an_empty_class_says_what_is_in_it(tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "a" / "0.png")
    for name in ("1.heic", "notes.txt"):
        (tmp_path / "photos" / "b").mkdir(exist_ok=True)
        (tmp_path / "photos" / "b" / name).write_bytes(b"x")
    with pytest.raises(DataError, match=r"no images in the class folder '.*b \(.*pillow-heif.*\)'; put"):
        any_folder(tmp_path / "photos")


def test_train_and_test_in_capitals_are_told_what_to_do(tmp_path: Path) -> None:
    for part in ("Train", "test"):
        picture(tmp_path / part / "a" / "0.png")
    with pytest.raises(DataError, match=r"has no folder 'train', but 'Train'; write its name in small letters"):
        split_folders("mine", tmp_path)


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_validation_folders_select_or_join_train(settings: Settings, image_folder: Path, name: str) -> None:
    for label in ("emu", "fox"):
        picture(image_folder / name / label / "0.png")
    picture(image_folder / "spare" / "gnu" / "0.png")
    config = settings(dataset="folder", data_root=image_folder, val_fraction=0.2)
    with pytest.warns(DataWarning, match=r"'spare/gnu/0.png' \(in a folder that is none of train, val and test\)"):
        splits = load_data(config)
    assert splits.val is not None
    assert splits.val.class_names == ("emu", "fox")
    assert splits.train.class_names == ("ant", "bee")
    config.val_fraction = 0.0
    with pytest.warns(DataWarning):
        whole = load_data(config)
    assert whole.val is None
    assert whole.train.class_names == ("ant", "bee", "emu", "fox")
    assert whole.train.load(7).getpixel((0, 0)) == (9, 0, 0)
    picture(image_folder / name / "ant" / "0.png")
    config.val_fraction = 0.2
    with (
        pytest.warns(DataWarning),
        pytest.raises(DataError, match=r"both train and val: 'ant'.*val_fraction=0 to train"),
    ):
        load_data(config)


def test_a_numbered_folder_is_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / str(number) / "0.png", number)
    images = any_folder(tmp_path)
    assert images.class_names == tuple(map(str, range(12)))
    assert [images.load(row).getpixel((0, 0))[0] for row in range(12)] == list(range(12))


# --- pixels ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 0.5, 1]], np.float32), [0, 127, 255]),
        (np.array([[0, 128, 255]], np.float32), [0, 128, 255]),
        (np.array([[0, 257, 65535]], np.float32), [0, 1, 255]),
        (np.array([[0, 128, 255]], np.int32), [0, 128, 255]),
        (np.array([[0, 257, 65535]], np.int32), [0, 1, 255]),
        (np.array([[0, 257, 65535]], np.uint16), [0, 1, 255]),
        (np.array([[0, 257, 514]], np.uint16), [0, 1, 2]),
    ],
)
def test_numbers_of_any_range_keep_their_greys(values: np.ndarray, expected: list[int], tmp_path: Path) -> None:
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert np.asarray(read_image(tmp_path / "a.tif"))[0, :, 0].tolist() == expected


@pytest.mark.parametrize("values", [[-1.0, 1.0], [0.0, 70000.0], [0.0, float("nan")]])
def test_numbers_without_a_white_are_refused(values: list[float]) -> None:
    with pytest.raises(DataError, match=r"its values are .* legal are 0 to 1, 255, 65535: scale them"):
        to_rgb(Image.fromarray(np.array([values], np.float32)))


def test_a_pointer_of_git_lfs_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n")
    with pytest.raises(DataError, match=r"cannot read the image .* \(it is a Git LFS pointer; .*git lfs pull\)"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("size", [(8000, 1), (1, 8000)])
def test_strips_are_cut_before_they_are_enlarged(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    resize = Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda self, to, *a, **k: made.append(to) or resize(self, to, *a, **k))
    strip = Image.new("RGB", size, (255, 0, 0))
    for transform in (eval_transform(32, *HALF), train_transform(32, *HALF, augment="crop")):
        pixels = transform(strip)
        assert pixels.shape == (3, 32, 32)
        assert pixels[0].min() == 1
    assert max(width * height for width, height in made) <= 16 * 37 * 37


# --- what labels tell -------------------------------------------------------------------------------------
@st.composite
def labelled(draw: st.DrawFn) -> ImageSet:
    labels = np.array(draw(st.lists(st.integers(0, 3), min_size=1, max_size=12)))
    masks = None
    if draw(st.booleans()):
        masks = np.array(
            draw(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=len(labels), max_size=len(labels)))
        )
        masks[0] = True
    query, gallery = (None, None) if masks is None else masks.T.copy()
    return ImageSet("x/test", list(map(str, range(len(labels)))), labels, list("abcd"), Image.new, query, gallery)


@given(labelled())
def test_what_can_be_found_is_what_a_search_would_count(images: ImageSet) -> None:
    vectors = torch.nn.functional.normalize(torch.randn(len(images), 4), dim=1)
    found = search(vectors, images.labels, images.is_query, images.is_gallery, k=1)
    np.testing.assert_array_equal(findable(images), found.relevant)


def test_a_split_that_cannot_be_scored_is_refused(numbered: Callable[..., ImageSet]) -> None:
    train, lone = numbered([0, 0, 1, 1]), numbered([0, 1, 2])
    fine = DataSplits(train, None, train, [])
    require_scorable(fine, "retrieval")
    with pytest.raises(DataError, match=r"none of the 3 queries of .* has another image of its class to find"):
        require_scorable(replace(fine, test=lone), "retrieval")
    with pytest.raises(DataError, match=r"set val_fraction=0, or give the training classes at least two images each"):
        require_scorable(replace(fine, val=lone), "retrieval")
    require_scorable(replace(fine, val=lone), "retrieval", trains=False)
    roles = np.array([True, False, True, False]), np.array([False, False, False, True])
    split = replace(train, is_query=roles[0], is_gallery=roles[1])
    require_scorable(replace(fine, test=split), "retrieval")
    apart = replace(train, is_query=np.arange(4) < 2, is_gallery=np.arange(4) >= 2)
    with pytest.raises(DataError, match="none of the 2 queries"):
        require_scorable(replace(fine, test=apart), "retrieval")
    with pytest.raises(DataError, match="has other classes than"):
        require_scorable(replace(fine, test=lone), "recognition")


# --- processes that load ----------------------------------------------------------------------------------
def test_processes_are_kept_between_passes(numbered: Callable[..., ImageSet]) -> None:
    first, second, other = numbered([0, 0, 1, 1, 1]), numbered([1, 0, 0]), numbered([0, 1])
    transform = eval_transform(8, *HALF)
    passes = EvalPasses([first, second], transform, 2, 1)
    processes = []
    for images in (first, second, first, other):
        loader = passes.over(images)
        ours, plain = list(loader), list(eval_loader(images, transform, 2))
        assert len(ours) == len(plain)
        assert all(torch.equal(a, b) for x, y in zip(ours, plain, strict=True) for a, b in zip(x, y, strict=True))
        processes.append([process.pid for process in getattr(loader._iterator, "_workers", [])])
    assert processes[0] == processes[1] == processes[2] != []
    assert processes[3] == []


def test_a_process_that_loads_imports_little() -> None:
    code = (
        "import sys, vptsp.data.loaders, vptsp.data.folder\n"
        "print([n for n in ('pandas', 'timm', 'sklearn', 'lightning_fabric', 'pydantic') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
