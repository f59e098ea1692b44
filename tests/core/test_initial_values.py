"""Starts that keep what the backbone knows, beside plain formulas."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from vptsp.core.errors import ConfigError
from vptsp.core.heads import Head
from vptsp.core.initial_values import (
    class_means,
    leave_input,
    start_as_mean,
    start_isometric,
    start_whitened,
    take_input,
    whiten_input,
)
from vptsp.core.proxies.groups import ClassGroups
from vptsp.core.proxies.gru import GatedUnit

WIDTH = 6


def features(seed: int, count: int = 60, classes: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """Classes around their means, with directions in which images of one class differ much."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    noise = torch.randn(count, WIDTH, generator=generator) * torch.tensor([5.0, 3.0, 1.0, 0.5, 0.3, 0.2])
    return torch.randn(classes, WIDTH, generator=generator)[labels] + noise, labels


def cosines(vectors: torch.Tensor) -> torch.Tensor:
    unit = F.normalize(vectors.double(), dim=1)
    return unit @ unit.T


def normed(head: Head, values: torch.Tensor) -> torch.Tensor:
    """What the head's linear layer sees."""
    return head.norm(values).detach().double()


@hypothesis.settings(max_examples=20)
@given(seed=st.integers(0, 10**6), size=st.integers(WIDTH, 3 * WIDTH))
def test_an_isometry_is_the_centred_feature(seed: int, size: int) -> None:
    values, _ = features(seed)
    head = Head(WIDTH, size)
    start_isometric(head, values)
    rows = normed(head, values)
    assert torch.allclose(cosines(head(values).detach()), cosines(rows - rows.mean(0)), atol=1e-5)


def test_a_smaller_isometry_keeps_the_principal_directions() -> None:
    values, _ = features(0)
    head = Head(WIDTH, 3)
    start_isometric(head, values)
    rows = normed(head, values)
    centred = (rows - rows.mean(0)).numpy()
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    ours, theirs = head(values).detach(), torch.from_numpy(centred @ axes[:3].T)
    assert torch.allclose(cosines(ours), cosines(theirs), atol=1e-4)


@hypothesis.settings(max_examples=20)
@given(seed=st.integers(0, 10**6), size=st.integers(WIDTH, 2 * WIDTH), shrinkage=st.floats(0.01, 10))
def test_whitened_angles_are_those_of_mahalanobis(seed: int, size: int, shrinkage: float) -> None:
    """``x^T (S + shrinkage tr(S) / D I)^-1 y`` of centred features, S their covariance within classes."""
    values, labels = features(seed)
    head = Head(WIDTH, size)
    start_whitened(head, values, labels, shrinkage)
    rows = normed(head, values).numpy()
    within = np.concatenate([rows[labels == each] - rows[labels == each].mean(0) for each in range(5)])
    covariance = within.T @ within / len(within)
    centred = rows - rows.mean(0)
    products = centred @ np.linalg.solve(
        covariance + shrinkage * np.trace(covariance) / WIDTH * np.eye(WIDTH), centred.T
    )
    lengths = np.sqrt(np.diag(products))
    expected = torch.from_numpy(products / lengths[:, None] / lengths)
    assert torch.allclose(cosines(head(values).detach()), expected, atol=1e-4)
    singular = torch.linalg.svdvals(head.linear.weight.detach().double())
    assert float(singular.square().sum() / WIDTH) == pytest.approx(1, abs=1e-4)


def test_a_smaller_whitening_keeps_where_class_means_differ() -> None:
    values, labels = features(1)
    small, whole = Head(WIDTH, 2), Head(WIDTH, WIDTH)
    for head in (small, whole):
        start_whitened(head, values, labels)
    outputs = whole.linear(whole.norm(values)).detach().double()
    means = torch.stack([outputs[labels == each].mean(0) for each in range(5)])
    _, directions = torch.linalg.eigh(means.T @ means)
    best = outputs @ directions[:, -2:]
    assert torch.allclose(cosines(small(values).detach()), cosines(best), atol=1e-3)


def test_with_one_image_a_class_nothing_is_known_of_variation() -> None:
    values, _ = features(2, count=9, classes=9)
    head, other = Head(WIDTH, WIDTH), Head(WIDTH, WIDTH)
    start_whitened(head, values, torch.arange(9))
    start_isometric(other, values)
    assert torch.allclose(cosines(head(values).detach()), cosines(other(values).detach()), atol=1e-5)


@hypothesis.settings(max_examples=20)
@given(seed=st.integers(0, 10**6), shrinkage=st.floats(0.01, 10))
def test_an_input_is_whitened_as_mahalanobis_measures(seed: int, shrinkage: float) -> None:
    """Products of what enters the linear layer are ``x^T (S + shrinkage tr(S) / D I)^-1 y``, up to one factor."""
    values, labels = features(seed)
    head = Head(WIDTH, 3, whitens_input=True)
    whiten_input(head, values, labels, shrinkage)
    rows, seen = normed(head, values).numpy(), head.entering(values).detach().double()
    within = np.concatenate([rows[labels == each] - rows[labels == each].mean(0) for each in range(5)])
    covariance = within.T @ within / len(within)
    centred = rows - rows.mean(0)
    expected = torch.from_numpy(
        centred @ np.linalg.solve(covariance + shrinkage * np.trace(covariance) / WIDTH * np.eye(WIDTH), centred.T)
    )
    assert torch.allclose(seen @ seen.T, expected * WIDTH / expected.diagonal().mean(), atol=1e-3)


def test_with_an_isometric_head_on_it_a_whitened_input_is_a_whitened_head() -> None:
    values, labels = features(6)
    head, other = Head(WIDTH, WIDTH, whitens_input=True), Head(WIDTH, WIDTH)
    whiten_input(head, values, labels)
    start_isometric(head, values)
    start_whitened(other, values, labels)
    assert torch.allclose(cosines(head(values).detach()), cosines(other(values).detach()), atol=1e-4)


def test_the_map_of_an_input_is_fixed_and_can_be_taken_and_left() -> None:
    values, labels = features(7)
    head, other = Head(WIDTH, WIDTH, whitens_input=True), Head(WIDTH, WIDTH, whitens_input=True)
    other.load_state_dict(head.state_dict())
    before = head(values).detach()
    assert torch.equal(before, head.linear(head.norm(values)).div(head.linear(head.norm(values)).norm(dim=1)[:, None]))
    whiten_input(head, values, labels)
    assert not torch.allclose(head(values).detach(), before, atol=1e-2)
    assert not any(name.startswith("input") for name, _ in head.named_parameters())
    take_input(other, head)
    assert torch.equal(other(values), head(values))
    again = head(values).detach()
    whiten_input(head, values, labels)  # of what the LayerNorm gives, and not of what was whitened
    assert torch.equal(head(values), again)
    leave_input(head)
    assert torch.equal(head(values), before)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert other.entering(values).dtype == torch.float32


@pytest.mark.parametrize("labels", [torch.arange(9), torch.zeros(9, dtype=torch.long)])
def test_an_input_of_which_little_is_known_is_centred(labels: torch.Tensor) -> None:
    """One image per class, or images that are all alike."""
    values = features(8, count=9)[0] if labels.any() else torch.ones(9, WIDTH)
    head = Head(WIDTH, WIDTH, whitens_input=True)
    whiten_input(head, values, labels)
    seen = head.entering(values).detach().double()
    assert torch.allclose(seen.mean(0), torch.zeros(WIDTH, dtype=torch.float64), atol=1e-5)
    rows = normed(head, values)
    assert torch.allclose(
        seen, (rows - rows.mean(0)) * seen.norm() / (rows - rows.mean(0)).norm().clamp_min(1e-9), atol=1e-5
    )


def test_class_means_are_unit_and_refuse_a_class_without_images() -> None:
    values, labels = features(3)
    embeddings = F.normalize(values, dim=1)
    means = class_means(embeddings, labels, 5)
    assert torch.allclose(means[2], F.normalize(embeddings[labels == 2].mean(0), dim=0), atol=1e-6)
    with pytest.raises(ConfigError, match="class 5 has no image"):
        class_means(embeddings, labels, 6)


@pytest.mark.parametrize("keep", [0.5, 0.8])
def test_a_gru_begins_as_the_moving_average(keep: float) -> None:
    torch.manual_seed(0)
    unit, state, images = GatedUnit(8, activation="tanh"), torch.randn(3, 8), torch.randn(5, 8)
    start_as_mean(unit, keep)
    labels = torch.tensor([0, 2, 2, 1, 2])
    new, _ = unit(state, images, ClassGroups.of(labels))
    expected = state.clone()
    for image, label in zip(images, labels, strict=True):
        expected[label] = keep * expected[label] + (1 - keep) * torch.tanh(image)
    assert torch.allclose(new, expected, atol=1e-5)
    new.square().sum().backward()  # type: ignore[no-untyped-call]
    assert all(bool(each.grad.abs().sum() > 0) for each in unit.parameters() if each.grad is not None)
    assert unit.weight_state.grad is not None
    assert bool((unit.weight_state.grad[:, 8:].abs().sum() > 0).all())


def test_numbers_that_leave_nothing_to_learn_are_refused() -> None:
    values, labels = features(4)
    with pytest.raises(ConfigError, match="whitening needs a shrinkage above 0"):
        start_whitened(Head(WIDTH, WIDTH), values, labels, 0.0)
    with pytest.raises(ConfigError, match="whitening needs a shrinkage above 0"):
        whiten_input(Head(WIDTH, WIDTH, whitens_input=True), values, labels, 0.0)
    with pytest.raises(ConfigError, match=r"make it to whiten its input, Head\(D, E, True\)"):
        whiten_input(Head(WIDTH, WIDTH), values, labels)
    with pytest.raises(ConfigError, match="keeps a share between 0 and 1"):
        start_as_mean(GatedUnit(8), 1.0)
