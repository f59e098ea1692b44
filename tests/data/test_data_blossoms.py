from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

from vptsp.data.blossom_species import LEVELS, MIN_DIFFERENCE, grow_species, name_species
from vptsp.data.blossoms import blossom_sets, render
from vptsp.errors import ConfigError


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(np.float32)


def test_two_hundred_species_differ_in_named_attributes() -> None:
    species = grow_species(200, seed=0)
    names = name_species(species)
    assert len(set(names)) == 200
    for i, one in enumerate(species):
        assert all(getattr(one, name) in levels for name, levels in LEVELS.items())
        for other in species[:i]:
            differences = sum(a != b for a, b in zip(one.visible(), other.visible(), strict=True))
            assert differences >= MIN_DIFFERENCE


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), few=st.integers(4, 30))
def test_more_classes_leave_the_first_ones_alone(seed: int, few: int) -> None:
    many = grow_species(40, seed)
    assert many[:few] == grow_species(few, seed)
    assert name_species(many)[:few] == name_species(many[:few])


def test_train_and_test_are_disjoint_and_described() -> None:
    train, test = blossom_sets(classes=9, images=3, image_size=32, seed=4)
    assert (len(train), len(test)) == (12, 15)
    assert not set(train.class_names) & set(test.class_names)
    for part in (train, test):
        assert part.attributes is not None
        assert tuple(part.attributes.index) == part.class_names
        assert set(LEVELS) < set(part.attributes.columns)
        assert part.class_counts().tolist() == [3] * len(part.class_names)


def test_an_image_depends_on_seed_class_and_number_alone() -> None:
    train, test = blossom_sets(6, 3, 32, seed=1)
    again, larger = blossom_sets(6, 3, 32, seed=1)[1], blossom_sets(6, 5, 32, seed=1)[1]
    other = blossom_sets(6, 3, 32, seed=2)[1]
    np.testing.assert_array_equal(pixels(test.load(4)), pixels(again.load(4)))
    np.testing.assert_array_equal(pixels(test.load(4)), pixels(test.load(4)))  # from memory
    np.testing.assert_array_equal(pixels(test.load(4)), pixels(larger.load(6)))  # class 1, image 1
    for different in (test.load(5), test.load(7), train.load(4), other.load(4)):
        assert np.abs(pixels(test.load(4)) - pixels(different)).mean() > 5


def test_the_same_scene_at_every_size() -> None:
    small, large = (blossom_sets(4, 6, size)[0] for size in (64, 256))
    for position in range(0, 12, 3):
        shrunk = large.load(position).resize((64, 64), Image.Resampling.BOX)
        assert np.abs(pixels(small.load(position)) - pixels(shrunk)).mean() < 8


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), size=st.integers(16, 96), label=st.integers(0, 500))
def test_any_species_renders_at_any_size(seed: int, size: int, label: int) -> None:
    image = render(grow_species(1, seed)[0], size, seed, label, 0)
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    assert image.std() > 4


def test_pixels_do_not_tell_the_classes_apart() -> None:
    _, test = blossom_sets(80, 10, 32)
    images = np.stack([pixels(test.load(p)) for p in range(len(test))])
    for features in (images.mean(3).reshape(len(test), -1), images.reshape(len(test), -1)):
        nearest = KNeighborsClassifier(2, metric="cosine").fit(features, test.labels)
        neighbour = nearest.kneighbors(features, return_distance=False)[:, 1]
        assert (test.labels[neighbour] == test.labels).mean() < 0.15


@pytest.mark.parametrize(("classes", "images", "size"), [(3, 2, 64), (8, 0, 64), (8, 2, 8)])
def test_impossible_floras_are_refused(classes: int, images: int, size: int) -> None:
    with pytest.raises(ConfigError, match=f"blossoms_classes={classes}, blossoms_images={images}, image_size={size}"):
        blossom_sets(classes, images, size)
