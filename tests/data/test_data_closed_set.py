"""Divisions for closed-set recognition, and the batches they are trained with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vptsp.data import load_data
from vptsp.data.closed_set import TEST_SHARE, closed_splits, divide
from vptsp.data.image_set import ImageSet, Parts
from vptsp.data.loaders import train_loader
from vptsp.data.samplers import ClassBatchSampler, ShuffledSampler
from vptsp.errors import ConfigError, DataError

Settings = Callable[..., SimpleNamespace]


def blank(position: int) -> Image.Image:
    return Image.new("RGB", (4, 4), (position % 256, 0, 0))


def make_set(labels: list[int], names: list[str], split: str = "train") -> ImageSet:
    """Images whose ids tell their class and number; loading position p gives a picture of shade p."""
    return ImageSet(
        name=split,
        ids=[f"{split}/{names[label]}/{place}" for place, label in enumerate(labels)],
        labels=np.array(labels),
        class_names=names,
        load=blank,
        attributes=pd.DataFrame({"petals": range(len(names))}, index=names),
    )


def class_of(images: ImageSet) -> dict[str, str]:
    return {i: images.class_names[label] for i, label in zip(images.ids, images.labels.tolist(), strict=True)}


@st.composite
def sets(draw: st.DrawFn, least: int = 2) -> ImageSet:
    """Two classes or more, of ``least`` to 9 images, in any order."""
    sizes = draw(st.lists(st.integers(least, 9), min_size=2, max_size=8))
    labels = draw(st.permutations([label for label, size in enumerate(sizes) for _ in range(size)]))
    return make_set(list(labels), [f"c{n}" for n in range(len(sizes))])


shares = st.floats(0.01, 0.99)
seeds = st.integers(0, 2**31 - 1)


# --- divide ---------------------------------------------------------------------------------------
@given(images=sets(), share=shares, seed=seeds)
def test_a_division_is_a_partition_with_every_class_on_both_sides(images: ImageSet, share: float, seed: int) -> None:
    rest, part = divide(images, share, seed, "part")
    assert set(rest.ids).isdisjoint(part.ids)
    assert class_of(rest) | class_of(part) == class_of(images)
    assert rest.class_names == part.class_names == images.class_names
    assert (rest.name, part.name) == (images.name, "part")
    counts = images.class_counts()
    taken = part.class_counts()
    assert (taken >= 1).all()
    assert (rest.class_counts() >= 1).all()
    ideal = share * counts
    free = (ideal >= 1) & (ideal <= counts - 1)
    assert (np.abs(taken - ideal)[free] <= 0.5 + 1e-9).all(), "a share is rounded"
    assert (taken[ideal < 1] == 1).all()
    assert (taken[ideal > counts - 1] == counts[ideal > counts - 1] - 1).all()


@given(images=sets(), share=shares, seed=seeds)
def test_a_division_loads_the_right_images_in_order(images: ImageSet, share: float, seed: int) -> None:
    for side in divide(images, share, seed, "part"):
        places = [images.ids.index(i) for i in side.ids]
        assert places == sorted(places)
        assert [side.load(p).getpixel((0, 0))[0] for p in range(len(side))] == places


@given(images=sets(), share=shares, seed=seeds)
def test_a_division_is_a_function_of_the_seed(images: ImageSet, share: float, seed: int) -> None:
    assert divide(images, share, seed, "part")[1].ids == divide(images, share, seed, "part")[1].ids


def test_seeds_divide_differently_and_classes_apart() -> None:
    images = make_set([0, 1, 2] * 20, ["a", "b", "c"])
    chosen = {divide(images, 0.5, seed, "part")[1].ids for seed in range(5)}
    assert len(chosen) == 5
    part = divide(images, 0.5, 0, "part")[1]
    places = [{int(i.split("/")[2]) // 3 for i, c in class_of(part).items() if c == name} for name in "abc"]
    assert places[0] != places[1] != places[2]


def test_a_class_of_one_image_cannot_be_divided() -> None:
    images = make_set([0, 0, 1, 2, 2], ["ant", "bee", "cow"])
    with pytest.raises(
        ConfigError, match=r"train: 1 classes have a single image, .*bee.*; add images, or set val_fraction=0"
    ):
        divide(images, 0.5, 0, "part")


def test_there_must_be_classes_to_tell_apart() -> None:
    other = make_set([0, 0], ["x"], "test")
    with pytest.raises(DataError, match="train has 1 class; recognition needs at least 2"):
        closed_splits(Parts(make_set([0, 0, 0], ["ant"]), other), 0.0, 0, [])
    with pytest.raises(DataError, match="train: no images in class 'bee'"):
        closed_splits(Parts(make_set([0, 0, 2, 2], ["ant", "bee", "cow"]), other), 0.0, 0, [])


# --- closed_splits --------------------------------------------------------------------------------
@given(train=sets(3), test=sets(), val=st.sampled_from([0.0, 0.2, 0.7]), seed=seeds)
def test_a_set_for_retrieval_has_its_training_classes_divided_in_three(
    train: ImageSet, test: ImageSet, val: float, seed: int
) -> None:
    """Classes of the test images are other ones: they are left alone."""
    test = make_set(test.labels.tolist(), [f"other_{name}" for name in test.class_names], "test")
    splits = closed_splits(Parts(train, test), val, seed, ["bad.png"])
    parts = [splits.train, splits.test] + ([splits.val] if splits.val else [])
    assert (splits.val is None) == (val == 0)
    assert sum(len(part) for part in parts) == len(train)
    assert {i: c for part in parts for i, c in class_of(part).items()} == class_of(train)
    for part in parts:
        assert part.class_names == train.class_names
        assert (part.class_counts() >= 1).all()
    quarter = np.clip(np.round(TEST_SHARE * train.class_counts()), 1, None)
    assert splits.test.class_counts().tolist() == quarter.tolist()
    assert splits.skipped == ["bad.png"]


@given(train=sets(), test=sets(), seed=seeds, data=st.data())
def test_the_same_classes_in_another_order_keep_their_images_and_get_trains_labels(
    train: ImageSet, test: ImageSet, seed: int, data: st.DataObject
) -> None:
    names = list(train.class_names)
    shuffled = data.draw(st.permutations(names))
    labels = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1, max_size=20))
    test = make_set(labels, list(shuffled), "test")
    splits = closed_splits(Parts(train, test), 0.3, seed, [])
    assert splits.test.ids == test.ids
    assert class_of(splits.test) == class_of(test)
    assert splits.test.class_names == splits.train.class_names == tuple(names)
    assert splits.test.attributes.index.tolist() == names
    assert splits.test.attributes["petals"].tolist() == [list(shuffled).index(name) for name in names]
    assert splits.val is not None
    assert class_of(splits.train) | class_of(splits.val) == class_of(train)


@given(seed=seeds)
@settings(max_examples=20)
def test_test_images_do_not_depend_on_the_validation_share(seed: int) -> None:
    train, test = make_set([0, 1, 2] * 8, ["a", "b", "c"]), make_set([0, 1], ["x", "y"], "test")
    tests = {closed_splits(Parts(train, test), val, seed, []).test.ids for val in (0.0, 0.2, 0.5)}
    assert len(tests) == 1


def test_classes_that_only_overlap_are_refused() -> None:
    train, test = make_set([0, 0, 1, 1], ["ant", "bee"]), make_set([0, 1], ["bee", "cow"], "test")
    with pytest.raises(DataError, match=r"same classes in train and test, but 2 are in only one of them: 'ant', 'cow'"):
        closed_splits(Parts(train, test), 0.0, 0, [])


def test_recognition_reads_any_data_set_as_a_closed_one(settings: Settings, image_folder: Path) -> None:
    drawn = load_data(settings(task="recognition", dataset="blossoms", val_fraction=0.25, blossoms_images=8))
    assert drawn.val is not None
    assert drawn.train.class_names == drawn.val.class_names == drawn.test.class_names
    assert [set(part.class_counts().tolist()) for part in (drawn.train, drawn.val, drawn.test)] == [{4}, {2}, {2}]
    retrieval = load_data(settings(dataset="folder", data_root=image_folder))
    closed = load_data(settings(task="recognition", dataset="folder", data_root=image_folder))
    assert closed.test.class_names == closed.train.class_names == retrieval.train.class_names
    (image_folder / "test/cow").rename(image_folder / "test/ant")
    with pytest.raises(DataError, match="recognition needs the same classes in train and test"):
        load_data(settings(task="recognition", dataset="folder", data_root=image_folder))
    (image_folder / "test/dog").rename(image_folder / "test/bee")
    whole = load_data(settings(task="recognition", dataset="folder", data_root=image_folder))
    assert len(whole.train) == len(whole.test) == 6


# --- batches --------------------------------------------------------------------------------------
@given(images=st.integers(1, 60), batch_size=st.integers(1, 70), seed=seeds, epoch=st.integers(0, 5))
def test_an_epoch_shows_each_image_once_in_whole_batches(images: int, batch_size: int, seed: int, epoch: int) -> None:
    sampler = ShuffledSampler(images, batch_size, seed)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert len(batches) == len(sampler) == max(1, images // batch_size)
    assert {len(batch) for batch in batches} == {min(batch_size, images)}
    draws = [draw for batch in batches for draw in batch]
    positions = [draw.position for draw in draws]
    assert len(set(positions)) == len(positions) >= images - batch_size + 1
    assert set(positions) <= set(range(images))
    assert [draw.slot for draw in draws] == list(range(len(draws)))
    assert {draw.epoch for draw in draws} == {epoch}


@given(images=st.integers(1, 40), batch_size=st.integers(1, 9), seed=seeds, epoch=st.integers(0, 5), data=st.data())
def test_an_epoch_can_be_taken_up_at_any_batch(
    images: int, batch_size: int, seed: int, epoch: int, data: st.DataObject
) -> None:
    first, second = (ShuffledSampler(images, batch_size, seed) for _ in range(2))
    list(first)  # an earlier pass must not matter
    first.set_epoch(epoch)
    whole = list(first)
    start = data.draw(st.integers(0, len(whole)))
    second.set_epoch(epoch, start)
    assert list(second) == whole[start:]


def test_epochs_and_seeds_shuffle_differently() -> None:
    def positions(seed: int, epoch: int) -> list[int]:
        sampler = ShuffledSampler(40, 10, seed)
        sampler.set_epoch(epoch)
        return [draw.position for batch in sampler for draw in batch]

    assert sorted(positions(0, 0)) == list(range(40))
    assert positions(0, 0) != positions(0, 1)
    assert positions(0, 0) != positions(1, 0)
    assert positions(0, 0) != sorted(positions(0, 0))


def test_recognition_is_trained_with_shuffled_batches() -> None:
    images = make_set([0] * 10 + [1] * 2, ["a", "b"])

    def loader(images_per_class: int | None) -> object:
        return train_loader(
            images, lambda image: torch.zeros(3, 4, 4), batch_size=4, images_per_class=images_per_class, seed=0
        ).batch_sampler

    assert isinstance(loader(None), ShuffledSampler)
    assert isinstance(loader(2), ClassBatchSampler)
