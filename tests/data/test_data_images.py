from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vptsp.data.image_set import ImageSet, Picked
from vptsp.errors import DataError


def make(numbers: list[int], /, **changed: object) -> ImageSet:
    """Images i0, i1, ... with these labels, of which the even ones are queries."""
    fields: dict = {
        "name": "s",
        "ids": [f"i{n}" for n in range(len(numbers))],
        "labels": np.array(numbers),
        "class_names": ["a", "b", "c"],
        "load": lambda position: position,
        "is_query": np.arange(len(numbers)) % 2 == 0,
        "is_gallery": np.arange(len(numbers)) % 2 == 1,
    }
    return ImageSet(**(fields | changed))


@given(labels=st.lists(st.integers(0, 2), min_size=1, max_size=12), data=st.data())
def test_everything_about_an_image_stays_with_it_in_nested_subsets(labels: list[int], data: st.DataObject) -> None:
    whole = make(labels)
    part = whole
    for _ in range(2):
        part = part.subset(data.draw(st.lists(st.integers(0, len(part) - 1), min_size=1, unique=True)))
    for position, image_id in enumerate(part.ids):
        origin = int(image_id[1:])
        assert part.load(position) == origin  # type: ignore[comparison-overlap]
        assert part.labels[position] == labels[origin]
        assert part.is_query is not None
        assert part.is_query[position] == (origin % 2 == 0)
    assert isinstance(part.load, Picked)
    assert not isinstance(part.load.load, Picked)  # one step to the original, however deep the nesting


def test_subset_takes_a_mask() -> None:
    assert list(make([0, 1, 2]).subset(np.array([True, False, True])).ids) == ["i0", "i2"]


def test_only_classes_renumbers_and_keeps_the_attribute_rows() -> None:
    table = pd.DataFrame({"petals": [3, 4, 5]}, index=["a", "b", "c"])
    part = make([0, 1, 2, 2, 0], attributes=table).only_classes(["c", "a"])
    assert part.class_names == ("a", "c")
    assert part.labels.tolist() == [0, 1, 1, 0]
    assert part.attributes is not None
    assert part.attributes.petals.tolist() == [3, 5]
    with pytest.raises(DataError, match="no class 'z'"):
        make([0]).only_classes(["z"])


def test_relabelled_drops_classes_without_images() -> None:
    part = make([2, 0, 2]).relabelled()
    assert part.class_names == ("a", "c")
    assert part.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"labels": np.array([0, 3])}, "0..2"),
        ({"labels": np.array([0])}, "2 images but labels"),
        ({"ids": ["x", "x"]}, "ids are not unique"),
        ({"class_names": ["a", "a"]}, "class names are not unique"),
        ({"is_query": None}, "both is_query and is_gallery"),
        ({"is_query": np.array([1, 0])}, "2 booleans"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changed: dict, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        make([0, 1], **changed)
