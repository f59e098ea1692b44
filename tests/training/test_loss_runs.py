"""A loss with weights, miner or memory of its own over a run: its rate, its checkpoint, and what is refused before."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from trainings import assert_identical, silent

from vptsp.analysis.parameter_formulas import count_parts
from vptsp.core.losses import library
from vptsp.errors import ConfigError
from vptsp.runs.checkpoints import load_inference
from vptsp.runs.progress import Event
from vptsp.settings.config import Config, make_config, parse_assignments
from vptsp.settings.losses import require_loss
from vptsp.training.guards import TrainingStopped
from vptsp.training.loop import train
from vptsp.training.session import Session

Tiny = Callable[..., Config]
pytestmark = pytest.mark.usefixtures("two_blocks")

SMALL = {"method": "linear", "val_fraction": 0.0, "epochs": 1, "probe_images": 0}
RUNS: dict[str, dict[str, Any]] = {
    "weights of the loss": {"loss": "pml:SoftTripleLoss", "loss_args": {"centers_per_class": 2}},
    "a memory and a miner that draws": {
        "loss": "pml:TripletMarginLoss",
        "miner": "pml:DistanceWeightedMiner",
        "loss_memory": 20,
    },
    "prompt dynamics": {"method": "vpt_deep", "prompt_dynamics": "linear", "dynamics_size": 8},
    "a moving average": {"loss": "curricular_face"},
    "weights averaged, features with noise, proxies apart": {
        "weight_average": 0.9,
        "feature_noise": 0.1,
        "anti_collapse": 0.01,
        "loss": "proxy_anchor",
    },
    "what the library keeps as plain tensors": {"loss": "pml:DynamicSoftMarginLoss"},
}


SLOW = ("a moving average", "prompt dynamics", "what the library keeps as plain tensors")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in RUNS])
def test_a_run_stopped_in_an_epoch_goes_on_to_the_same_bits(tiny: Tiny, tmp_path: Path, name: str) -> None:
    config = tiny(**{**SMALL, **RUNS[name]})
    whole = train(config, tmp_path / "whole", observer=silent)

    def stop_at_two(event: Event) -> None:
        if event.kind == "step" and event.step == 2:
            (tmp_path / "parts" / "STOP").touch()

    with pytest.raises(TrainingStopped):
        train(config, tmp_path / "parts", observer=stop_at_two)
    parts = train(run_dir=tmp_path / "parts", resume=True, observer=silent)
    assert_identical(whole, parts)


def test_weights_of_a_loss_train_at_the_rate_of_proxies_and_no_proxies_are_made(tiny: Tiny, tmp_path: Path) -> None:
    config = tiny(**SMALL, loss="soft_triple", loss_args={"centres": 2}, lr=1e-3, lr_proxy=0.5)
    session = Session.prepare(config)
    assert session.model.learned is None
    (centres,) = session.model.criterion.parameters()
    assert centres.shape == (10, 2, 16)
    others, proxies = session.optimizers
    assert [p is centres for group in proxies.param_groups for p in group["params"]] == [True]
    assert proxies.param_groups[0]["lr"] == 0.5
    assert not any(p is centres for group in others.param_groups for p in group["params"])

    run = train(config, tmp_path / "run", observer=silent)
    kept = load_inference(run)
    assert kept.criterion is None, "who embeds images needs neither the loss nor its library"
    assert not any(name.startswith("criterion") for name in kept.state_dict())
    assert "learned" not in run.snapshot_arrays(1)
    assert run.summary()["counts"]["parts"]["weights of the loss"] == 10 * 2 * 16


def test_proxies_in_the_place_of_a_library_s_weights_are_in_the_snapshots(tiny: Tiny, tmp_path: Path) -> None:
    run = train(tiny(**{**SMALL, "method": "vptsp_m"}, loss="pml:CosFaceLoss"), tmp_path / "run", observer=silent)
    start, end = run.snapshot_arrays(0), run.snapshot_arrays(1)
    assert set(end) >= {"learned", "semantic", "fused"}
    assert not (start["learned"] == end["learned"]).any()


@pytest.mark.parametrize(
    ("settings", "formula"),
    [
        ({"loss": "soft_triple", "loss_args": {"centres": 4}}, "4 · C · E"),
        ({"loss": "pml:SubCenterArcFaceLoss"}, "3 · C · E"),
        ({"loss": "pml:MarginLoss", "loss_args": {"learn_beta": True, "num_classes": "run"}}, "C"),
        ({"loss": "pml:MarginLoss", "loss_args": {"learn_beta": True}}, "1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_weights_of_a_loss_are_counted_by_a_formula(tiny: Tiny, settings: dict[str, Any], formula: str) -> None:
    part = {part.part: part for part in count_parts(tiny(method="linear", **settings), 12)}["weights of the loss"]
    assert (part.formula, part.value) == (formula, part.counted)


def test_arguments_are_typed_one_by_one_or_as_a_table_and_recorded(tmp_path: Path) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_text('loss = "pml:MultiSimilarityLoss"\nmethod = "linear"\n[loss_args]\nalpha = 3\nbeta = 40.0\n')
    config = make_config(parse_assignments(["loss_args.alpha=2", "loss_args.base=0.6"]), preset=str(preset))
    assert config.loss_args == {"alpha": 2, "beta": 40.0, "base": 0.6}
    assert make_config(parse_assignments(['loss_args={"alpha": 1}']), base=config).loss_args == {"alpha": 1}
    assert make_config(json.loads(config.model_dump_json())) == config
    with pytest.raises(ConfigError, match=r"'lr.x=1' is not a setting; write key=value"):
        parse_assignments(["lr.x=1"])


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"loss": "nca"}, "legal: proxy_anchor, .*, or pml:NAME, a loss of pytorch-metric-learning"),
    ({"loss": "pml:MultiSimilarityLos"}, "has no loss of that name; near it: MultiSimilarityLoss, "),
    ({"loss": "pml:CrossBatchMemory"}, "has no loss of that name; near it: "),
    (
        {"loss": "pml:ContrastiveLoss", "loss_args": {"pos_margn": 0}},
        r"has no argument 'pos_margn'; did you mean pos_margin.*\? It takes pos_margin=0, neg_margin=1, ",
    ),
    ({"loss": "pml:RankedListLoss"}, "needs margin and Tn; give loss_args.margin=VALUE"),
    ({"loss": "pml:ArcFaceLoss", "loss_args": {"num_classes": 3}}, "gets num_classes from the run; leave"),
    ({"loss": "pml:ArcFaceLoss", "loss_args": {"margin": "wide"}}, "refuses its arguments: .*; it takes margin=28.6"),
    ({"loss": "pml:ContrastiveLoss", "loss_args": {"distance": "Lp"}}, "has no distance of that name; near it: "),
    ({"loss": "pml:ContrastiveLoss", "loss_args": {"distance": 2}}, "distance=2 is neither a name .* nor a table"),
    ({"loss": "pml:VICRegLoss"}, "cannot be computed from a batch of embeddings and labels: "),
    ({"loss": "pml:ContrastiveLoss", "loss_args": {"reducer": "DoNothingReducer"}}, "must come to one number"),
    ({"loss": "pml:ContrastiveLoss", "loss_scale": 3.0}, "loss_scale=3.0 is for losses of this package; "),
    ({"loss": "pml:ArcFaceLoss", "loss_proxies": "batch"}, "loss_proxies='batch' is for losses of this package"),
    ({"loss": "pml:ContrastiveLoss", "miner": "pml:Nope"}, "has no miner of that name; near it: AngularMiner"),
    ({"loss": "pml:ContrastiveLoss", "miner": "BatchHardMiner"}, "write miner=pml:BatchHardMiner"),
    ({"miner": "pml:BatchHardMiner"}, "loss='proxy_anchor' is none; choose one such as loss=pml:MultiSimilarityLoss"),
    ({"miner_args": {"margin": 1}}, "are of a miner; name it with miner=pml:NAME"),
    ({"loss": "soft_triple", "loss_args": {"centers": 3}}, "has no argument 'centers'; did you mean centres"),
    ({"loss": "soft_triple", "loss_args": {"centres": "x"}}, "cannot be computed .*; change its arguments"),
    ({"loss": "soft_triple", "method": "vptsp_g"}, "compares images with weights of its own, and method='vptsp_g'"),
    ({"loss": "smooth_ap", "method": "vptsp_g"}, "compares images with each other, and method='vptsp_g' is about"),
    ({"loss": "pml:ContrastiveLoss", "method": "vptsp_m"}, "compares images with each other, and method='vptsp_m'"),
    ({"loss": "smooth_ap", "images_per_class": 1}, "images_per_class=1 puts one of each into a batch"),
    ({"loss": "pml:NTXentLoss", "images_per_class": 1}, "images_per_class=1 puts one of each into a batch"),
    ({"loss_memory": 512}, "loss='proxy_anchor' compares with proxies; choose one such as loss=pml:ContrastiveLoss"),
    ({"loss": "pml:SmoothAPLoss", "loss_memory": 512}, "compares with other images of the batch alone"),
    ({"loss": "smooth_ap", "loss_memory": 10}, "loss_memory=10 holds less than one batch of 64 images"),
    ({"task": "recognition", "loss_memory": 10}, "loss_memory is for task=retrieval"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED, ids=[str(list(case.values())) for case, _ in REFUSED])
def test_what_cannot_be_is_refused_in_one_sentence_before_anything_is_read(
    settings: dict[str, Any], message: str
) -> None:
    before = torch.get_rng_state()
    with pytest.raises(ConfigError, match=message) as raised:
        require_loss(make_config({"method": "linear", **settings}))
    assert "\n" not in str(raised.value)
    assert torch.equal(torch.get_rng_state(), before)


def test_training_refuses_it_before_it_makes_a_directory(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no loss of that name"):
        train(tiny(method="linear", loss="pml:Nope"), tmp_path / "run", observer=silent)
    assert not (tmp_path / "run").exists()


def test_a_run_is_read_and_its_images_embedded_where_the_library_is_not(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(tiny(**SMALL, loss="pml:ContrastiveLoss"), tmp_path / "run", observer=silent)

    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(library, "import_module", absent)
    assert run.config.loss == "pml:ContrastiveLoss"
    images = torch.zeros(2, 3, 32, 32)
    assert load_inference(run)(images).embeddings.shape == (2, 16)
    with pytest.raises(ConfigError, match=r"pip install 'vptsp-workbench\[losses\]'"):
        Session.prepare(run.config)
