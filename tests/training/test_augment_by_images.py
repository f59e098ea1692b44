"""Augmentation fitted to images: drawings that show their class only as a whole, and textures that show it anywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from trainings import silent

from vptsp.core.backbones.load import load_backbone
from vptsp.data.folder import split_folders
from vptsp.data.image_set import ImageSet
from vptsp.machine import make_fabric
from vptsp.runs.progress import Event, print_epochs
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.training.augment_by_images import PARTS, Augmentation, fitting_augmentation, found_by
from vptsp.training.loop import train
from vptsp.training.session import Session

Tiny = Callable[..., Config]
SIDE = 64


def texture(draws: np.random.Generator, label: int) -> np.ndarray:
    """The colour of the class, all over."""
    colour = np.random.default_rng(label).uniform(20, 235, 3)
    return colour + draws.normal(0, 8, (SIDE, SIDE, 3))


def sides(draws: np.random.Generator, label: int) -> np.ndarray:
    """A dark and a light half: which is left tells two classes apart, and nothing else does."""
    shade = np.full((SIDE, SIDE), 60.0)
    shade[:, SIDE // 2 :] = 200
    image = shade[:, ::-1] if label >= 6 else shade
    tint = 1 + 0.25 * np.random.default_rng(label % 6).normal(size=3)
    return image[..., None] * tint + draws.normal(0, 4, (SIDE, SIDE, 3))


def images_of(root: Path, paint: Callable[[np.random.Generator, int], np.ndarray], classes: int, each: int) -> Path:
    draws = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in range(classes if split == "train" else 4):
            folder = root / split / f"{split}_{label:03d}"
            folder.mkdir(parents=True)
            for number in range(each):
                Image.fromarray(paint(draws, label).clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return images_of(tmp_path_factory.mktemp("textures"), texture, 12, 5)


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return images_of(tmp_path_factory.mktemp("halves"), sides, 12, 5)


def fitted(root: Path, images: ImageSet | None = None, **settings: Any) -> Augmentation | None:
    config = Config(dataset="folder", data_root=root, **settings)
    backbone = load_backbone(config.backbone, config.backbone_weights, config.image_size, config.pooling)
    images = split_folders("folder", root)[0] if images is None else images
    return fitting_augmentation(backbone, images, config, make_fabric("cpu", "fp32"))


def test_a_texture_is_its_class_in_any_part_and_mirrored(textures: Path) -> None:
    found = fitted(textures)
    assert found is not None
    assert found.changes == {"crop_min": PARTS[0], "mirror": True}
    assert found.images == 60
    assert "random parts from 8% of an image, mirrored (of 60 images the backbone finds" in found.said


def test_what_is_left_and_right_is_not_mirrored(halves: Path) -> None:
    found = fitted(halves)
    assert found is not None
    assert found.changes["mirror"] is False
    assert found.by["mirrored"] < found.found / 2
    assert found.by[0.08] < found.by[0.3] < found.by[0.75]  # of a small part one does not see what is beside it
    assert "not mirrored" in found.said


@pytest.mark.parametrize(
    ("counts", "changes"),
    [
        ([48, 31, 4, 9, 20, 24, 40], {"crop_min": 0.5, "mirror": False}),
        ([48, 32, 24, 30, 40, 45, 48], {"crop_min": 0.08, "mirror": True}),
        ([48, 48, 4, 9, 10, 11, 12], {"crop_min": 0.75, "mirror": True}),
        ([19, 19, 19, 19, 19, 19, 19], None),  # too few to say anything
    ],
)
def test_half_by_parts_and_two_thirds_mirrored_are_enough(
    textures: Path, monkeypatch: pytest.MonkeyPatch, counts: list[int], changes: dict[str, Any] | None
) -> None:
    monkeypatch.setattr("vptsp.training.augment_by_images.found_by", lambda views, labels: counts)
    found = fitted(textures)
    assert (found and found.changes) == changes


def test_what_is_given_or_known_is_not_asked(halves: Path, textures: Path) -> None:
    train_images = split_folders("folder", textures, mirror_ok=False)[0]
    assert fitted(textures, train_images).changes == {"crop_min": PARTS[0]}  # type: ignore[union-attr]
    assert fitted(halves, crop_min=0.08).changes == {"mirror": False}  # type: ignore[union-attr]
    assert "crop" not in str(fitted(halves, augment="crop").changes)  # type: ignore[union-attr]
    for settings in ({"crop_min": 0.3, "mirror": True}, {"augment_fit": "none"}, {"augment": "resize"}):
        assert fitted(halves, **settings) is None
    assert fitted(textures, train_images, crop_min=0.3) is None


def test_of_few_images_nothing_is_said(textures: Path) -> None:
    images = split_folders("folder", textures)[0]
    assert fitted(textures, images.subset(range(19))) is None
    alone = np.flatnonzero(np.r_[True, images.labels[1:] != images.labels[:-1]])
    assert fitted(textures, images.subset(alone)) is None  # one image of each class


def test_it_draws_no_number_of_the_run_and_is_the_same_for_every_seed(halves: Path) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = fitted(halves, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    assert fitted(halves, seed=2) == first


def test_a_run_is_of_what_was_found_and_says_so(
    tiny: Tiny, halves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fit(backbone: Any, images: ImageSet, config: Config, fabric: Any) -> Augmentation | None:
        found = Augmentation(40, 36, {"mirrored": 12, 0.3: 20}, 0.3, False)
        return found if config.crop_min is None else None

    changes = {"data_root": halves, "augment_fit": "images"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vptsp.training.session.fitting_augmentation", fit)
        run = train(tiny(**changes), tmp_path / "run", observer=print_epochs)
    said = (
        "augmentation: random parts from 30% of an image, not mirrored (of 40 images the backbone finds 36, mirrored 12"
    )
    assert said in capsys.readouterr().out
    assert (run.config.crop_min, run.config.mirror, run.config.augment_fit) == (0.3, False, "none")
    given = train(tiny(**changes, crop_min=0.3, mirror=False), tmp_path / "given", observer=silent)
    assert [line["loss"] for line in given.metrics()] == [line["loss"] for line in run.metrics()]
    again = Session.prepare(Run(run.path).config)
    assert again.augmentation is None
    assert "none mirrored" not in str(again.loader.dataset)
    flips = [type(step).__name__ for step in _transform(again).transforms]
    assert "RandomHorizontalFlip" not in flips


def _transform(session: Session) -> Any:
    return session.loader.dataset.transform  # type: ignore[attr-defined]


def test_what_could_not_be_told_is_not_asked_again(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vptsp.training.session.fitting_augmentation", lambda *given: None)
        run = train(tiny(epochs=1, augment_fit="images"), tmp_path / "run", observer=silent)
    assert (run.config.crop_min, run.config.mirror, run.config.augment_fit) == (None, None, "none")


@pytest.mark.parametrize(("mirror", "flips"), [(None, True), (True, True), (False, False)])
def test_mirror_can_be_said(tiny: Tiny, mirror: bool | None, flips: bool) -> None:
    steps = [type(step).__name__ for step in _transform(Session.prepare(tiny(mirror=mirror))).transforms]
    assert ("RandomHorizontalFlip" in steps) == flips


@hypothesis.settings(max_examples=20)
@given(seed=st.integers(0, 10**6), classes=st.integers(2, 3))
def test_found_are_those_whose_nearest_other_image_is_of_their_class(seed: int, classes: int) -> None:
    """With fewer than four classes nothing is whitened: the oracle is plain cosine similarity of centred features."""
    generator = torch.Generator().manual_seed(seed)
    views = torch.randn(3, 12, 5, generator=generator, dtype=torch.float64)
    labels = torch.arange(12) % classes
    centred = F.normalize(views - views[0].mean(0), dim=2)
    for view, found in zip(centred, found_by(views, labels), strict=True):
        expected = 0
        for at, query in enumerate(view):
            nearest = max((float(query @ other), int(labels[n])) for n, other in enumerate(centred[0]) if n != at)[1]
            expected += nearest == labels[at]
        assert found == expected


def test_what_differs_within_classes_does_not_hide_them() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(240) % 24
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    loud = torch.zeros(240, 16, dtype=torch.float64)
    features = draw(24, 16)[labels] + 0.2 * draw(240, 16)
    loud[:, :4] = 20 * draw(240, 4)
    (found,) = found_by((features + loud)[None], labels)
    plain = F.normalize(features + loud, dim=1)
    nearest = labels[(plain @ plain.T).fill_diagonal_(-1).argmax(1)]
    assert found > 5 * int((nearest == labels).sum())


def test_without_something_to_say_a_run_begins_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    print_epochs(Event("start", 0, 2, 0, 10, {"run": "runs/a", "images": 10, "classes": 2}))
    assert "augmentation" not in capsys.readouterr().out
