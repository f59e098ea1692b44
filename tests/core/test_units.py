"""What folds images into semantic proxies: every unit against a loop over images, and where its input comes from.

The loops of the moving average and of the GRU are in ``test_proxies.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from vptsp.core.backbones.load import load_backbone
from vptsp.core.proxies import ClassGroups, CrossAttention, GatedUnit, LongShortTerm, MovingAverage, PlainRecurrent
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import make_config

E, C = 6, 9
UNITS: dict[str, Callable[[], nn.Module]] = {
    "ema": lambda: MovingAverage(0.8),
    "gru": lambda: GatedUnit(E),
    "rnn": lambda: PlainRecurrent(E),
    "lstm": lambda: LongShortTerm(E),
    "attention": lambda: CrossAttention(E),
}
ANY_ORDER = {"ema", "attention"}  # a class's images may come in any order
batches = st.lists(st.integers(0, C - 1), min_size=1, max_size=12)
seeds = st.integers(0, 99)


def stirred(name: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    unit = UNITS[name]()
    for parameter in unit.parameters():
        nn.init.normal_(parameter, std=0.5)
    return unit


def fold(unit: nn.Module, rows: Tensor, features: Tensor, labels: list[int]) -> dict[int, Tensor]:
    """The state of every class of the batch, by label."""
    groups = ClassGroups.of(torch.tensor(labels))
    used, stored = unit(rows[groups.classes], features, groups)
    assert torch.equal(used, stored)
    return dict(zip(groups.classes.tolist(), used, strict=True))


def loop(name: str, unit: Any, row: Tensor, features: list[Tensor]) -> Tensor:
    """One class: its row of the container, then its images."""
    if name == "rnn":
        for feature in features:
            row = unit.cell(feature, row)
    elif name == "lstm":
        memory = row
        for feature in features:
            row, memory = unit.cell(feature, (row, memory))
    else:
        inner = unit.attention
        queries, keys, values = inner.in_proj_weight.chunk(3)
        query_bias, key_bias, value_bias = inner.in_proj_bias.chunk(3)
        seen = [row, *features]
        query = queries @ row + query_bias
        scores = torch.stack([query @ (keys @ one + key_bias) for one in seen]) / E**0.5
        mixed = sum(w * (values @ one + value_bias) for w, one in zip(scores.softmax(0), seen, strict=True))
        row = row + inner.out_proj(mixed)
    return row


@pytest.mark.parametrize("name", ["rnn", "lstm", "attention"])
@given(labels=batches, seed=seeds)
@settings(max_examples=30)
def test_a_unit_equals_a_loop_over_the_images_of_each_class(name: str, labels: list[int], seed: int) -> None:
    unit = stirred(name, seed)
    rows, features = F.normalize(torch.randn(C, E), dim=1), torch.randn(len(labels), E)
    states = fold(unit, rows, features, labels)
    assert states.keys() == set(labels)
    for label, state in states.items():
        own = [feature for feature, other in zip(features, labels, strict=True) if other == label]
        torch.testing.assert_close(state, loop(name, unit, rows[label], own), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", UNITS)
@given(labels=batches, seed=seeds, data=st.data())
@settings(max_examples=20)
def test_the_order_of_a_batch_matters_only_within_a_class(
    name: str, labels: list[int], seed: int, data: st.DataObject
) -> None:
    unit = stirred(name, seed)
    rows, features = F.normalize(torch.randn(C, E), dim=1), torch.randn(len(labels), E)
    order = data.draw(st.permutations(range(len(labels))))
    if name not in ANY_ORDER:  # the images of each class back into sequence, in the places the class got
        queues = {label: iter([i for i, other in enumerate(labels) if other == label]) for label in labels}
        order = [next(queues[labels[place]]) for place in order]
    one = fold(unit, rows, features, labels)
    two = fold(unit, rows, features[order], [labels[place] for place in order])
    assert one.keys() == two.keys()
    for label, state in one.items():
        torch.testing.assert_close(two[label], state, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", UNITS)
@given(labels=batches, seed=seeds)
@settings(max_examples=20)
def test_a_class_does_not_depend_on_the_others_of_its_batch(name: str, labels: list[int], seed: int) -> None:
    unit = stirred(name, seed)
    rows, features = F.normalize(torch.randn(C, E), dim=1), torch.randn(len(labels), E)
    for label, state in fold(unit, rows, features, labels).items():
        own = [place for place, other in enumerate(labels) if other == label]
        alone = fold(unit, rows, features[own], [label] * len(own))
        torch.testing.assert_close(alone[label], state, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", sorted(UNITS.keys() - ANY_ORDER))
def test_recurrent_units_heed_the_order_of_a_classs_images(name: str) -> None:
    unit, labels = stirred(name, 0), [3, 3]
    rows, features = F.normalize(torch.randn(C, E), dim=1), torch.randn(2, E)
    one, two = fold(unit, rows, features, labels)[3], fold(unit, rows, features.flip(0), labels)[3]
    assert not torch.allclose(one, two, atol=1e-3)


@pytest.mark.parametrize("name", UNITS)
def test_every_parameter_of_a_unit_learns(name: str) -> None:
    unit = stirred(name, 0)
    features = torch.randn(5, E, requires_grad=True)
    groups = ClassGroups.of(torch.tensor([1, 4, 1, 0, 1]))
    used, _ = unit(torch.randn(3, E), features, groups)
    (used * torch.randn_like(used)).sum().backward()
    assert (features.grad.abs().sum(dim=1) > 0).all()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in unit.parameters())


# --- where the features come from (VPTSP table 5) and what accumulates them (table 7) --------------
def make_model(**changes: Any) -> ConfiguredModel:
    config = make_config(
        {"method": "vptsp_g", "embedding_size": 8, "num_prompts": 3, "num_class_prompts": 2, "gru_activation": "tanh"},
        changes,
    )
    backbone = load_backbone("test_vit", "random", 32)
    torch.manual_seed(0)
    return build_model(config, backbone, 5).train()


SOURCES = {  # source: modules that exist, modules that the accumulated states reach
    "class_prompts": (
        {"semantic.class_prompts", "semantic.head", "semantic.accumulate"},
        {"semantic.class_prompts", "semantic.head", "semantic.accumulate", "vit"},
    ),
    "encoder": ({"semantic.head", "semantic.accumulate"}, {"prompts", "semantic.head", "semantic.accumulate", "vit"}),
    "encoder_no_grad": ({"semantic.head", "semantic.accumulate"}, {"semantic.head", "semantic.accumulate"}),
    "samples": ({"semantic.accumulate"}, {"prompts", "head", "semantic.accumulate", "vit"}),
}
SAMPLE_TOWER = {"vit", "prompts", "head", "learned"}


def part(name: str) -> str:
    """The part of the model that a parameter belongs to."""
    return ".".join(name.split(".")[: 2 if name.startswith("semantic.") else 1])


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_has_its_parameters_and_gradients_go_there_alone(source: str) -> None:
    model = make_model(semantic_source=source)
    exist, reached = SOURCES[source]
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {part(name) for name in trained} == exist | SAMPLE_TOWER
    images, labels = torch.randn(4, 3, 32, 32), torch.tensor([3, 0, 3, 1])
    output = model(images, labels)
    (output.batch_semantic * torch.randn(3, 8)).sum().backward()
    got = {part(name) for name, p in trained.items() if p.grad is not None and p.grad.abs().sum() > 0}
    assert got == reached
    output = model(images, labels)
    (output.embeddings @ output.proxies.T).square().sum().backward()
    assert {n for n, p in trained.items() if p.grad is None or not p.grad.abs().sum() > 0} == set()


def test_sources_accumulate_what_they_name() -> None:
    images, labels = torch.randn(4, 3, 32, 32), torch.tensor([3, 0, 3, 1])
    for source in SOURCES:
        model = make_model(semantic_source=source)
        output = model(images, labels)
        features = output.semantic_features
        torch.testing.assert_close(features.norm(dim=1), torch.ones(4))
        if source == "samples":
            assert features is output.embeddings
        elif source != "class_prompts":
            assert torch.equal(features, model.semantic.head(output.encoded.features))
        else:
            assert not torch.allclose(features, model.semantic.head(output.encoded.features), atol=1e-4)


def test_with_and_without_gradient_only_the_gradient_differs() -> None:
    images, labels = torch.randn(4, 3, 32, 32), torch.tensor([3, 0, 3, 1])
    with_gradient, without = (
        make_model(semantic_source=source)(images, labels) for source in ("encoder", "encoder_no_grad")
    )
    assert torch.equal(with_gradient.proxies, without.proxies)


@pytest.mark.parametrize("method", ["vptsp_m", "vptsp_g"])
@pytest.mark.parametrize("unit", ["method", "rnn", "lstm", "attention"])
def test_the_unit_is_the_methods_unless_another_is_named(method: str, unit: str) -> None:
    model = make_model(method=method, semantic_unit=unit)
    own = {"vptsp_m": MovingAverage, "vptsp_g": GatedUnit}[method]
    named = {"method": own, "rnn": PlainRecurrent, "lstm": LongShortTerm, "attention": CrossAttention}[unit]
    assert type(model.semantic.accumulate) is named
    labels = torch.tensor([3, 0, 3, 1])
    before = model.semantic.container.rows.clone()
    output = model(torch.randn(4, 3, 32, 32), labels)
    moved = (model.semantic.container.rows != before).any(dim=1)
    assert set(moved.nonzero().flatten().tolist()) >= {0, 1, 3}
    torch.testing.assert_close(model.semantic.container.rows[[2, 4]], before[[2, 4]])
    torch.testing.assert_close(model.semantic.container.rows[[0, 1, 3]], F.normalize(output.batch_semantic, dim=1))
    assert model.semantic.container.visits.tolist() == [1, 1, 0, 1, 0]
