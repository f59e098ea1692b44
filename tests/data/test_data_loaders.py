from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

from vptsp.data.folder import split_folders
from vptsp.data.image_set import ImageSet, ImageSize
from vptsp.data.loaders import TransformedImages, eval_loader, train_loader
from vptsp.data.samplers import Draw
from vptsp.data.transforms import eval_transform, train_transform
from vptsp.errors import DataError

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def one_epoch(images: ImageSet, epoch: int = 0, start: int = 0, num_workers: int = 0) -> list[list[torch.Tensor]]:
    transform = train_transform(8, *HALF)
    loader = train_loader(images, transform, batch_size=4, images_per_class=2, seed=3, num_workers=num_workers)
    loader.batch_sampler.set_epoch(epoch, start)  # type: ignore[union-attr]
    return list(loader)


def same(left: list[list[torch.Tensor]], right: list[list[torch.Tensor]]) -> bool:
    return len(left) == len(right) and all(
        torch.equal(a, b) for x, y in zip(left, right, strict=True) for a, b in zip(x, y, strict=True)
    )


def test_batches_hold_the_images_labels_and_positions(numbered: Callable[..., ImageSet]) -> None:
    images = numbered([0, 0, 1, 1, 1, 2, 2, 0, 1, 2])
    for pixels, labels, positions in one_epoch(images):
        assert pixels.shape == (4, 3, 8, 8)
        assert pixels.dtype == torch.float32
        assert labels.tolist() == images.labels[positions.numpy()].tolist()


def test_batches_depend_on_seed_and_epoch_only(numbered: Callable[..., ImageSet]) -> None:
    images = numbered(np.repeat(np.arange(4), 5))
    torch.manual_seed(1)
    first = one_epoch(images)
    torch.manual_seed(2)
    np.random.seed(2)
    assert same(first, one_epoch(images))
    assert not same(first, one_epoch(images, epoch=1))
    assert same(first[2:], one_epoch(images, start=2))


def test_workers_change_nothing(numbered: Callable[..., ImageSet]) -> None:
    images = numbered(np.repeat(np.arange(4), 5))
    assert same(one_epoch(images, epoch=1), one_epoch(images, epoch=1, num_workers=2))


def test_global_random_state_is_left_alone(numbered: Callable[..., ImageSet]) -> None:
    before = torch.get_rng_state()
    one_epoch(numbered(np.repeat(np.arange(4), 5)))
    assert torch.equal(before, torch.get_rng_state())


def test_each_draw_of_an_image_is_augmented_differently(numbered: Callable[..., ImageSet]) -> None:
    items = TransformedImages(numbered([0, 1]), train_transform(8, *HALF), seed=0)
    views = [items[Draw(1, epoch, slot)][0] for epoch, slot in ((0, 0), (0, 1), (1, 0))]
    assert not torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])


@pytest.mark.parametrize("num_workers", [0, 2])
def test_evaluation_sees_every_image_once_in_order(numbered: Callable[..., ImageSet], num_workers: int) -> None:
    images = numbered([0, 1, 1, 0, 2])
    batches = list(eval_loader(images, eval_transform(8, *HALF), 2, num_workers))
    assert torch.cat([positions for _, _, positions in batches]).tolist() == [0, 1, 2, 3, 4]
    assert torch.cat([labels for _, labels, _ in batches]).tolist() == [0, 1, 1, 0, 2]


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_truncated_image_is_one_sentence_even_from_a_worker(image_folder: Path, num_workers: int) -> None:
    path = image_folder / "train" / "bee" / "g_1.png"
    path.write_bytes(path.read_bytes()[:40])
    images, _ = split_folders("zoo", image_folder)
    with pytest.raises(DataError, match=r"^cannot read the image .*g_1\.png.*skip_bad=true") as caught:
        list(eval_loader(images, eval_transform(8, *HALF), 2, num_workers))
    assert "Traceback" not in str(caught.value)
    assert not multiprocessing.active_children()  # though the error, with its traceback, is still at hand


def test_test_transform_takes_the_middle_and_normalises() -> None:
    # 256/224 of 14 is 16: a 16 x 32 image keeps its size, and its centre 14 x 14 is cut out.
    pixels = np.random.default_rng(0).integers(0, 256, (16, 32, 3)).astype(np.uint8)
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    seen = eval_transform(14, mean, std)(Image.fromarray(pixels))
    wanted = (pixels[1:15, 9:23] / 255 - np.array(mean)) / np.array(std)
    np.testing.assert_allclose(seen.numpy(), wanted.transpose(2, 0, 1), rtol=1e-5, atol=1e-6)


def test_flip_can_be_switched_off() -> None:
    ramp = Image.fromarray(np.tile(np.arange(0, 240, 8, dtype=np.uint8)[None, :, None], (30, 1, 3)))
    for flip, both_ways in ((False, False), (True, True)):
        transform = train_transform(8, *HALF, scale=(0.5, 1.0), flip=flip)
        views = [transform(ramp) for _ in range(24)]
        rising = [bool(view[0, 0, -1] > view[0, 0, 0]) for view in views]
        assert any(rising)
        assert (not all(rising)) == both_ways


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([8, (5, 9)]),
    st.booleans(),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_training_images_are_torchvisions_to_the_bit(
    width: int, height: int, size: ImageSize, flip: bool, seed: int
) -> None:
    sides = (size, size) if isinstance(size, int) else size
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    ratio = (0.75 * sides[1] / sides[0], sides[1] / sides[0] / 0.75)
    bicubic = {"interpolation": InterpolationMode.BICUBIC, "antialias": True}
    theirs = v2.Compose(
        [
            v2.RandomResizedCrop(sides, scale=(0.2, 0.9), ratio=ratio, **bicubic),
            *([v2.RandomHorizontalFlip()] if flip else []),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(mean=list(mean), std=list(std)),
        ]
    )
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    seen = []
    for transform in (train_transform(size, mean, std, scale=(0.2, 0.9), flip=flip), theirs):
        torch.manual_seed(seed)
        seen.append((transform(Image.fromarray(pixels)), torch.rand(1)))
    assert torch.equal(seen[0][0], seen[1][0])
    assert torch.equal(seen[0][1], seen[1][1])
