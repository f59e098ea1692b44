"""Semantic proxies: any order of the batch, any number of images per class, against a plain loop."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vptsp.core.proxies import ClassGroups, GatedUnit, MovingAverage, SemanticContainer, fuse

E, C = 6, 9
batches = st.lists(st.integers(0, C - 1), min_size=1, max_size=12)


def loop_gru(unit: GatedUnit, container: Tensor, features: Tensor, labels: list[int]) -> dict[int, Tensor]:
    """METHOD as written: image after image, ``h`` of its class."""
    wi_r, wi_z, wi_n = unit.weight_input.chunk(3, dim=1)
    wh_r, wh_z, wh_n = unit.weight_state.chunk(3, dim=1)
    b_r, b_z, b_n = unit.bias.chunk(3)
    act = F.relu if unit.activation is F.relu else torch.tanh
    states = {label: container[label] for label in labels}
    for s, label in zip(features, labels, strict=True):
        h = states[label]
        z = torch.sigmoid(s @ wi_z + h @ wh_z + b_z)
        r = torch.sigmoid(s @ wi_r + h @ wh_r + b_r)
        n = act(s @ wi_n + r * (h @ wh_n) + b_n)
        states[label] = (1 - z) * n + z * h
    return states


@given(labels=batches, activation=st.sampled_from(["relu", "tanh"]), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_gru_equals_a_loop_over_images(labels: list[int], activation: str, seed: int) -> None:
    torch.manual_seed(seed)
    unit = GatedUnit(E, activation)
    torch.nn.init.normal_(unit.bias)
    container, features = F.normalize(torch.randn(C, E), dim=1), torch.randn(len(labels), E)
    groups = ClassGroups.of(torch.tensor(labels))
    used, stored = unit(container[groups.classes], features, groups)
    expected = loop_gru(unit, container, features, labels)
    assert groups.classes.tolist() == sorted(expected)
    for row, label in enumerate(groups.classes.tolist()):
        torch.testing.assert_close(used[row], expected[label], rtol=1e-5, atol=1e-6)
    assert used is stored or torch.equal(used, stored)


@given(labels=batches, seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_moving_average_equals_a_loop_over_classes(labels: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    container, features = F.normalize(torch.randn(C, E), dim=1), torch.randn(len(labels), E)
    groups = ClassGroups.of(torch.tensor(labels))
    used, _ = MovingAverage(0.8)(container[groups.classes], features, groups)
    for row, label in enumerate(groups.classes.tolist()):
        own = torch.stack([f for f, other in zip(features, labels, strict=True) if other == label])
        torch.testing.assert_close(used[row], 0.8 * container[label] + 0.2 * own.mean(0), rtol=1e-5, atol=1e-6)


@given(labels=batches, seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_shuffling_classes_changes_nothing(labels: list[int], seed: int) -> None:
    """Any order that keeps the images of each class in sequence gives the same states."""
    torch.manual_seed(seed)
    unit, features = GatedUnit(E), torch.randn(len(labels), E)
    container = F.normalize(torch.randn(C, E), dim=1)
    first = ClassGroups.of(torch.tensor(labels))
    by_class = sorted(range(len(labels)), key=lambda place: ((labels[place] * 7 + seed) % C, place))
    second = ClassGroups.of(torch.tensor(labels)[by_class])
    one, _ = unit(container[first.classes], features, first)
    two, _ = unit(container[second.classes], features[by_class], second)
    torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-7)


def test_container_rows_stay_unit_and_only_visited_rows_move() -> None:
    container = SemanticContainer(C, E)
    before = container.rows.clone()
    used = torch.randn(2, E, requires_grad=True)
    current = container.update(torch.tensor([4, 1]), used, used)
    torch.testing.assert_close(container.rows.norm(dim=1), torch.ones(C))
    torch.testing.assert_close(container.rows[[4, 1]], F.normalize(used, dim=1).detach())
    untouched = [0, 2, 3, 5, 6, 7, 8]
    torch.testing.assert_close(container.rows[untouched], before[untouched])
    assert container.visits.tolist() == [0, 1, 0, 0, 1, 0, 0, 0, 0]
    assert not container.rows.requires_grad
    assert torch.autograd.grad(current.sum(), used)[0].abs().sum() > 0


def test_container_is_part_of_the_state() -> None:
    one, two = SemanticContainer(C, E), SemanticContainer(C, E)
    one.update(torch.tensor([3]), torch.ones(1, E), torch.ones(1, E))
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.rows, two.rows)
    assert torch.equal(one.visits, two.visits)


@pytest.mark.parametrize("store_dropped", [False, True])
def test_dropout_reaches_the_container_only_if_asked(store_dropped: bool) -> None:
    unit = GatedUnit(200, dropout=0.5, store_dropped=store_dropped).train()
    groups = ClassGroups.of(torch.tensor([0, 1]))
    used, stored = unit(torch.rand(2, 200) + 0.5, torch.rand(2, 200), groups)
    assert 0.3 < (used == 0).float().mean() < 0.7
    assert (stored == 0).any() == store_dropped


def test_relu_states_crowd_the_non_negative_orthant() -> None:
    """The published activation: negative coordinates of a proxy fade as its class is visited."""
    torch.manual_seed(0)
    groups = ClassGroups.of(torch.arange(50))
    negative_share = {}
    for activation in ("relu", "tanh"):
        unit, rows = GatedUnit(64, activation), F.normalize(torch.randn(50, 64), dim=1)
        for _ in range(8):
            rows = F.normalize(unit(rows, F.normalize(torch.randn(50, 64), dim=1), groups)[0], dim=1).detach()
        negative_share[activation] = rows.clamp(max=0).square().sum(1).mean().item()
    assert negative_share["relu"] < 0.01
    assert negative_share["tanh"] > 0.3


def test_fusion() -> None:
    learned, semantic = torch.full((2, 2), 1.0), torch.full((2, 2), 3.0)
    assert fuse(learned, semantic, 0.25).unique().tolist() == [2.5]
