"""Runs that start from their data: what is set before the first step, and that such a start can be selected."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from trainings import assert_identical, silent

from vptsp.analysis.anatomy import Anatomy
from vptsp.analysis.compared_run import find_runs
from vptsp.analysis.proxies_on_map import proxies_of
from vptsp.core.heads import Head
from vptsp.errors import ConfigError, RunError
from vptsp.evaluation.evaluate import evaluate_run
from vptsp.reports.report import write_report
from vptsp.runs.progress import Event
from vptsp.runs.proxies import are_trained
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.settings.earlier import BEFORE
from vptsp.training.guards import TrainingStopped
from vptsp.training.loop import train
from vptsp.training.session import Session
from vptsp.training.start_from_data import start_from_data, training_features

pytestmark = pytest.mark.usefixtures("two_blocks")
Tiny = Callable[..., Config]
FROM_DATA = {
    "head_init": "whitened",
    "proxy_init": "class_means",
    "unit_init": "mean",
    "proxy_length": "unit",
    "gru_activation": "tanh",
    "select_start": "start",
}


@pytest.mark.parametrize("method", ["vptsp_g", "linear"])
def test_head_and_proxies_are_those_of_the_training_images(tiny: Tiny, method: str) -> None:
    session = Session.prepare(tiny(method=method, **FROM_DATA))
    model, images = session.model, session.splits.train
    start_from_data(model, images, session.config, session.fabric)
    assert isinstance(model.head, Head)
    features = training_features(model, images, session.config, session.fabric)
    embeddings, labels = model.head(features).detach(), torch.as_tensor(images.labels)
    classes = range(len(images.class_names))
    means = torch.stack([F.normalize(embeddings[labels == each].mean(0), dim=0) for each in classes])
    assert model.learned is not None
    assert torch.allclose(model.learned.detach(), means, atol=1e-5)
    if model.semantic is not None:
        assert torch.allclose(model.semantic.container.rows, means, atol=1e-5)
        assert model.semantic.head is not None
        assert torch.equal(model.semantic.head.linear.weight, model.head.linear.weight)


def test_as_before_nothing_is_drawn_and_nothing_set(tiny: Tiny) -> None:
    session = Session.prepare(tiny(**BEFORE))
    before, random = {n: v.clone() for n, v in session.model.state_dict().items()}, torch.get_rng_state()
    start_from_data(session.model, session.splits.train, session.config, session.fabric)
    assert all(torch.equal(value, before[name]) for name, value in session.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_a_training_that_harms_leaves_the_start_selected_and_says_so(tiny: Tiny, tmp_path: Path) -> None:
    run = train(tiny(lr=0.5, lr_proxy=0.5, val_fraction=0.4, **FROM_DATA), tmp_path / "run", observer=silent)
    result = run.result()
    curve = [line["val_recall_at_1"] for line in run.metrics()]
    assert result.validation is not None
    assert result.validation >= max(curve)
    assert (result.epoch == 0) == (result.validation > max(curve) or curve[0] < result.validation)
    assert result.epoch == 0
    assert result.advice.startswith("Training did not help on held-out classes")


def test_the_whitened_model_can_be_selected_and_training_is_as_without_it(tiny: Tiny, tmp_path: Path) -> None:
    settings = {"lr": 0.5, "lr_proxy": 0.5, "val_fraction": 0.4}
    with_it = train(tiny(**settings, select_start="whitened"), tmp_path / "with", observer=silent)
    without = train(tiny(**settings, select_start="none"), tmp_path / "without", observer=silent)
    started = train(tiny(**settings, head_init="whitened", select_start="start"), tmp_path / "as", observer=silent)
    assert with_it.result().epoch == 0
    assert with_it.result().metrics == started.result().metrics
    assert [line["loss"] for line in with_it.metrics()] == [line["loss"] for line in without.metrics()]
    last = [load_file(run.path / "checkpoint/inference_last.safetensors") for run in (with_it, without)]
    assert all(torch.equal(value, last[1][name]) for name, value in last[0].items())


def test_a_run_that_selected_the_untrained_model_is_looked_at_without_proxies(tiny: Tiny, tmp_path: Path) -> None:
    from vptsp_widgets import RetrievalGallery, SpaceExplorer

    config = tiny(lr=0.5, lr_proxy=0.5, val_fraction=0.4, select_start="whitened")
    run = train(config, tmp_path / "run", observer=silent)
    assert run.result().epoch == 0
    assert proxies_of(run) == ({}, [])
    with pytest.raises(RunError, match=r"no epoch was better on held-out classes.*--checkpoint last"):
        Anatomy.of_run(run)
    space = SpaceExplorer.of_run(run, method="pca")
    assert len(space.saved.ids) == 20
    assert "no proxies: the untrained model embedded these images" in space.summary()
    assert len(RetrievalGallery.of_run(run).saved.ids) == 20
    assert "Training did not help on held-out classes" in write_report(run, "pca").read_text()
    evaluate_run(run, "last")
    assert Anatomy.of_run(run).epoch == config.epochs
    assert "no proxies" not in SpaceExplorer.of_run(run, method="pca").summary()


def test_a_run_stopped_and_resumed_starts_once(tiny: Tiny, tmp_path: Path) -> None:
    config = tiny(**FROM_DATA)
    whole, run = train(config, tmp_path / "whole", observer=silent), Run(tmp_path / "run")

    def observe(event: Event) -> None:
        if event.kind == "step" and event.step == 2:
            (run.path / "STOP").touch()

    with pytest.raises(TrainingStopped):
        train(config, run.path, observer=observe)
    torch.manual_seed(99)
    assert_identical(train(run_dir=run.path, resume=True, observer=silent), whole)


def test_proxies_of_unit_length_weigh_as_alpha_says(tiny: Tiny) -> None:
    session = Session.prepare(tiny(**FROM_DATA))
    model = session.model.eval()
    assert model.learned is not None
    assert model.semantic is not None
    with torch.no_grad():
        model.learned.mul_(7)
        model.semantic.container.visits[0] = 1
        output = model(torch.zeros(1, 3, 32, 32))
    rows = model.semantic.container.rows
    assert torch.allclose(output.proxies, 0.5 * F.normalize(model.learned, dim=1) + 0.5 * rows, atol=1e-6)


def test_settings_of_an_earlier_run_mean_what_they_meant(tiny: Tiny, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", tiny())
    values = json.loads((run.path / "config.json").read_text())
    for name in BEFORE:
        del values[name]
    (run.path / "config.json").write_text(json.dumps(values))
    assert {name: getattr(run.config, name) for name in BEFORE} == BEFORE


def test_a_comparison_knows_what_an_earlier_run_did(tiny: Tiny, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", tiny())
    values = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps({k: v for k, v in values.items() if k not in BEFORE}))
    (compared,) = find_runs([run.path])
    assert {name: compared.settings[name] for name in BEFORE} == BEFORE


@pytest.mark.parametrize(
    ("settings", "trained"),
    [
        ({"proxy_init": "class_means", "select_start": "start"}, True),
        ({"proxy_init": "class_means", "head_init": "whitened", "select_start": "whitened"}, True),
        ({"proxy_init": "class_means", "select_start": "whitened"}, False),  # means of another head's embeddings
        ({"select_start": "start"}, False),
    ],
)
def test_proxies_before_training_count_where_they_lie_among_the_images(
    tiny: Tiny, tmp_path: Path, settings: dict[str, str], trained: bool
) -> None:
    run = Run.create(tmp_path / "run", tiny(**settings))
    assert are_trained(run, 0) is trained
    assert are_trained(run, 1)


@pytest.mark.parametrize("keep", [0.0, 1.0])
def test_a_gate_that_nothing_could_move_is_refused(tiny: Tiny, keep: float) -> None:
    with pytest.raises(ConfigError, match="choose one between 0 and 1"):
        tiny(unit_init="mean", ema_keep=keep)
    assert tiny(ema_keep=keep).ema_keep == keep


def test_networks_before_the_head_see_each_image_once(tiny: Tiny) -> None:
    session = Session.prepare(tiny(method="side", image_size=64))
    assert session.model.side is not None
    seen: list[int] = []
    session.model.side.register_forward_hook(lambda module, given, out: seen.append(len(out)))
    training_features(session.model, session.splits.train, session.config, session.fabric)
    assert sum(seen) == len(session.splits.train)
