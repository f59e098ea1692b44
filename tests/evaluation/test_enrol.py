"""New classes by their examples' mean, against numpy; a run's trained and new classes beside each other."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vptsp.analysis.enrolment import enrolment
from vptsp.core.proxies.gru import GatedUnit
from vptsp.data import load_data
from vptsp.errors import ConfigError, DataError
from vptsp.evaluation.enrol import enrol
from vptsp.evaluation.enrol_by_tower import TowerView, model_with_tower
from vptsp.evaluation.index import StoredIndex
from vptsp.runs.checkpoints import load_inference
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run


def test_a_proxy_is_the_unit_mean_of_unit_examples() -> None:
    examples = np.array([[2.0, 0, 0], [0, 3, 0], [0, 0, 5], [0, 0, -1], [0, 4, 4]])
    found = enrol(examples, ["a", "a", "b", "c", "b"])
    assert (found.names, found.examples) == (["a", "b", "c"], [2, 2, 1])
    half = np.sqrt(0.5)
    b = np.array([0, half, 1 + half])
    np.testing.assert_allclose(found.proxies, [[half, half, 0], b / np.linalg.norm(b), [0, 0, -1]], atol=1e-6)
    numbers, cosines = found.nearest(np.array([[5.0, 4, 0], [0, 0, -9]]))
    assert numbers.tolist() == [0, 2]
    np.testing.assert_allclose(cosines, [9 * half / np.sqrt(41), 1], atol=1e-6)


def test_an_enrolled_class_is_searched_for_at_once(tmp_path: object) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 4
    vectors = np.eye(8)[labels] + 0.1 * rng.standard_normal((40, 8))
    index = StoredIndex.build(f"{tmp_path}/index", vectors, [f"{row}" for row in range(40)])
    new = enrol(vectors[labels == 2][:3], ["rose"] * 3)
    found = index.find(new.proxies, 10)
    assert {int(name) % 4 for name in found.ids[0]} == {2}
    both = new.with_(enrol(vectors[:1], ["daisy"]))
    assert both.names == ["rose", "daisy"]
    with pytest.raises(DataError, match="enrolled already, the first is 'rose'"):
        both.with_(new)


def test_examples_that_say_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="the examples of 'b' cancel out"):
        enrol(np.array([[1.0, 0], [0, 1], [0, -1]]), ["a", "b", "b"])
    with pytest.raises(DataError, match="2 embeddings but 1 classes"):
        enrol(np.eye(2), ["a"])
    with pytest.raises(DataError, match="hold NaN"):
        enrol(np.full((1, 2), np.nan), ["a"])
    with pytest.raises(DataError, match="3 and 2 numbers; enrol with one model"):
        enrol(np.eye(3), list("abc")).with_(enrol(np.eye(2), list("de")))
    with pytest.raises(DataError, match="have 3 numbers each, the proxies 2"):
        enrol(np.eye(2), list("de")).nearest(np.eye(3))


def test_trained_and_new_classes_of_a_run(tiny_run: Run) -> None:
    table = enrolment(tiny_run, shots=(1, 2), draws=3)
    assert table.proxies.tolist()[-4:] == ["one image", "mean of 2"] * 2
    assert table.classes.tolist()[-4:] == ["trained", "trained", "new", "new"]
    saved = SavedEmbeddings.of_run(tiny_run)
    rng, right, asked = np.random.default_rng((0, 0)), 0, 0  # the first draw, by hand
    chosen = [rng.choice(np.flatnonzero(saved.labels == label), 1)[0] for label in np.unique(saved.labels)]
    for row in set(range(len(saved))) - set(chosen):
        nearest = max(chosen, key=lambda example: float(saved.embeddings[example] @ saved.embeddings[row]))
        right, asked = right + (saved.labels[nearest] == saved.labels[row]), asked + 1
    once = enrolment(tiny_run, shots=(1,), draws=1)
    assert once[once.classes == "new"].accuracy.item() == pytest.approx(right / asked)
    assert (table.among_all[table.classes == "new"] <= table.accuracy[table.classes == "new"] + 1e-9).all()
    with_tower = enrolment(
        tiny_run, shots=(1, 2), draws=2, tower=True
    )  # the last epoch is the selected one, or near it
    assert with_tower.proxies.tolist()[-8:] == ["one image", "tower of 1", "mean of 2", "tower of 2"] * 2
    assert with_tower.accuracy.between(0, 1).all()
    with pytest.raises(DataError, match="has more than 99 images; enrol by fewer"):
        enrolment(tiny_run, shots=(99,))


def test_the_tower_enrols_as_training_would_from_the_mean_of_features_on(tiny_run: Run) -> None:
    splits = load_data(tiny_run.config)
    model = model_with_tower(tiny_run, len(splits.train.class_names))
    view = TowerView.of(model, splits.test, tiny_run.config)
    np.testing.assert_allclose(np.linalg.norm(view.embeddings, axis=1), 1, atol=1e-5)
    new = view.enrol([0, 1, 5], ["rose", "daisy", "rose"])
    assert (new.names, new.examples) == (["rose", "daisy"], [2, 1])
    cell = cast(GatedUnit, model.semantic.accumulate)
    for name, proxy in zip(new.names, new.proxies, strict=True):
        rows = [row for row, other in zip([0, 1, 5], ["rose", "daisy", "rose"], strict=True) if other == name]
        features = torch.from_numpy(view.features[rows])
        state = F.normalize(F.normalize(features, dim=1).mean(0, keepdim=True), dim=1)
        for feature in features:  # VPTSP, eqs. 4 to 7, one image after another
            state = cell.cell(feature[None], state)
        np.testing.assert_allclose(proxy, F.normalize(state, dim=1)[0].detach(), atol=1e-5)
    # a class whose prompts are the mean of all sees what the tower sees of a new one
    prompts = model.semantic.class_prompts
    batch = torch.rand(3, 3, tiny_run.config.image_size, tiny_run.config.image_size)
    with torch.no_grad():
        _, semantic = model.eval().of_new_classes(batch)
        for layer in prompts.layers:
            layer[:] = layer.mean(dim=0)
        as_trained = model.train().towers(batch, torch.zeros(3, dtype=torch.long)).semantic_features
        assert torch.allclose(semantic, model.eval().of_new_classes(batch)[1], atol=1e-5)
    assert torch.allclose(semantic, as_trained, atol=1e-5)
    with pytest.raises(DataError, match="2 examples but 1 classes"):
        view.enrol([0, 1], ["a"])
    with pytest.raises(ConfigError, match="has no semantic tower; enrol by the mean"):
        load_inference(tiny_run).of_new_classes(batch)
