"""How much of the variation within classes is taken as known: by the number of vectors, and by classes held out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vptsp.core.whitening import fitting_shrinkage, scales, variation

WIDTH = 32


def clouds(classes: int, images: int, nuisance: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Classes that differ in four directions, and in all others by noise; ``nuisance`` is how far each spreads along
    four directions that have nothing to do with the class."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(classes).repeat_interleave(images)
    vectors = 0.3 * torch.randn(len(labels), WIDTH, generator=random).double()
    vectors[:, :4] += torch.randn(classes, 4, generator=random).double()[labels]
    vectors[:, 4:8] += nuisance * torch.randn(len(labels), 4, generator=random).double()
    return vectors, labels


def test_many_vectors_are_enough() -> None:
    vectors, labels = clouds(30, 20, 0.0)
    assert fitting_shrinkage(vectors, labels) == 0.1


@pytest.mark.parametrize(("classes", "images", "known"), [(8, 4, 24), (4, 3, 8), (3, 5, 12)])
def test_the_fewer_the_more_is_taken_as_alike(classes: int, images: int, known: int) -> None:
    found = fitting_shrinkage(*clouds(classes, images, 0.0))
    wanted = 0.3 * WIDTH / known
    assert wanted / 3**0.5 < found < wanted * 3**0.5  # the nearest of steps of about three


def test_classes_held_out_can_say_that_less_is_better() -> None:
    vectors, labels = clouds(10, 4, 5.0)
    assert fitting_shrinkage(vectors, labels) == 0.1  # by number alone it would be 0.3 * 32 / 30
    assert 0.3 * WIDTH / 30 > 0.1 * 3**0.5

    def right(shrinkage: float) -> float:
        """Share of new classes' images whose nearest other one is of their class."""
        found = variation(vectors, labels)
        new, of = clouds(50, 4, 5.0, seed=1)
        seen = torch.nn.functional.normalize((new - found.mean) @ (found.directions * scales(found.spread, shrinkage)))
        return (of[(seen @ seen.T).fill_diagonal_(-1).argmax(1)] == of).double().mean().item()

    assert right(0.1) > right(1.0) + 0.05


@settings(max_examples=20, deadline=None)
@given(
    classes=st.integers(1, 12),
    images=st.integers(1, 5),
    nuisance=st.floats(0, 5),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_names_of_classes_and_scale_mean_nothing(
    classes: int, images: int, nuisance: float, seed: int, data: st.DataObject
) -> None:
    vectors, labels = clouds(classes, images, nuisance, seed)
    found = fitting_shrinkage(vectors, labels)
    assert 0.1 <= found <= 10
    assert fitting_shrinkage(4 * vectors, labels) == found
    assert fitting_shrinkage(vectors, 3 * labels + 1) == found  # gaps between labels
