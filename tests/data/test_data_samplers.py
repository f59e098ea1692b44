from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vptsp.data.samplers import ClassBatchSampler
from vptsp.errors import ConfigError


@st.composite
def sampling(draw: st.DrawFn) -> tuple[np.ndarray, int, int, int]:
    """Labels in any order with classes of 1 to 7 images, then batch size, images per class and seed."""
    sizes = draw(st.lists(st.integers(1, 7), min_size=1, max_size=12))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    seed = draw(st.integers(0, 2**31 - 1))
    np.random.default_rng(seed).shuffle(labels)
    per_class = draw(st.integers(1, 4))
    return labels, per_class * draw(st.integers(1, len(sizes))), per_class, seed


@settings(deadline=None)
@given(sampling())
def test_batches_have_distinct_classes_distinct_images_and_even_use(case: tuple[np.ndarray, int, int, int]) -> None:
    labels, batch_size, per_class, seed = case
    sizes = np.bincount(labels)
    sampler = ClassBatchSampler(labels, batch_size, per_class, seed)
    batches = list(sampler)
    assert len(batches) == len(sampler) == max(1, len(labels) // batch_size)
    class_use: Counter[int] = Counter(dict.fromkeys(range(len(sizes)), 0))
    image_use: Counter[int] = Counter()
    for batch in batches:
        positions = [draw.position for draw in batch]
        per_batch = Counter(labels[positions].tolist())
        assert len(per_batch) == batch_size // per_class
        assert set(per_batch.values()) == {per_class}
        for label in per_batch:
            held = [p for p in positions if labels[p] == label]
            assert len(set(held)) == min(per_class, sizes[label])
        class_use.update(per_batch.keys())
        image_use.update(positions)
    assert max(class_use.values()) - min(class_use.values()) <= 1
    for label in range(len(sizes)):
        used = [image_use[p] for p in np.flatnonzero(labels == label).tolist()]
        assert max(used) - min(used) <= 1
    slots = [draw.slot for batch in batches for draw in batch]
    assert slots == list(range(len(slots)))


@settings(deadline=None, max_examples=30)
@given(sampling(), st.integers(0, 5), st.data())
def test_resuming_inside_an_epoch_gives_the_rest_of_it(
    case: tuple[np.ndarray, int, int, int], epoch: int, data: st.DataObject
) -> None:
    labels, batch_size, per_class, seed = case
    first, second = (ClassBatchSampler(labels, batch_size, per_class, seed) for _ in range(2))
    list(first)  # an earlier pass must not matter
    first.set_epoch(epoch)
    whole = list(first)
    start = data.draw(st.integers(0, len(whole)))
    second.set_epoch(epoch, start)
    assert list(second) == whole[start:]


def test_epochs_and_seeds_differ() -> None:
    labels = np.repeat(np.arange(10), 10)

    def positions(seed: int, epoch: int) -> list[int]:
        sampler = ClassBatchSampler(labels, 20, 2, seed)
        sampler.set_epoch(epoch)
        return [draw.position for batch in sampler for draw in batch]

    assert positions(0, 0) != positions(0, 1)
    assert positions(0, 0) != positions(1, 0)


def test_impossible_batches_are_refused_with_both_numbers() -> None:
    labels = np.repeat(np.arange(3), 4)
    with pytest.raises(ConfigError, match=r"batch_size=9.*images_per_class=2"):
        ClassBatchSampler(labels, 9, 2, 0)
    with pytest.raises(ConfigError, match=r"needs 5 classes, but there are only 3"):
        ClassBatchSampler(labels, 10, 2, 0)
