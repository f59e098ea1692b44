"""Closed-set recognition: its metrics against a loop and scikit-learn, and whole runs of every method."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score

from vptsp.cli import main
from vptsp.core.losses import cosine_similarities
from vptsp.evaluation.evaluate import predict
from vptsp.evaluation.recognition import recognition_metrics
from vptsp.runs.checkpoints import load_inference, save_inference
from vptsp.runs.progress import Event
from vptsp.settings.config import Config
from vptsp.settings.methods import METHODS
from vptsp.training.loop import train
from vptsp.training.objective import make_objective
from vptsp.training.session import Session

pytestmark = pytest.mark.usefixtures("two_blocks")
Tiny = Callable[..., Config]
TRAINABLE = [name for name, method in METHODS.items() if method.trains and "recognition" in method.tasks]
SEMANTIC = [name for name in TRAINABLE if METHODS[name].semantic != "none"]


def silent(event: Event) -> None:
    """An observer that prints nothing."""


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads cost more than they bring on models of this size."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def recognising(tiny: Tiny, method: str, **changes: object) -> Config:
    size = 64 if method == "side" else 32
    return tiny(task="recognition", method=method, image_size=size, probe_images=0, **changes)


# --- metrics --------------------------------------------------------------------------------------
@st.composite
def scored(draw: st.DrawFn, integers: bool) -> tuple[torch.Tensor, np.ndarray]:
    """Scores (N, C), small integers with ties or numbers without, and the true classes."""
    classes, images = draw(st.integers(2, 9)), draw(st.integers(1, 15))
    labels = np.array(draw(st.lists(st.integers(0, classes - 1), min_size=images, max_size=images)))
    rng = np.random.default_rng(draw(st.integers(0, 2**31 - 1)))
    scores = rng.integers(-2, 3, (images, classes)) if integers else rng.normal(size=(images, classes))
    return torch.from_numpy(scores).float(), labels


@given(case=scored(integers=True))
def test_metrics_equal_a_loop_in_which_ties_count_against(case: tuple[torch.Tensor, np.ndarray]) -> None:
    logits, labels = case
    first, fifth = [], []
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        others = [score for place, score in enumerate(row) if place != label]
        rank = sum(score >= row[label] for score in others)
        first.append(rank == 0)
        fifth.append(rank < 5)
    per_class = [np.mean([hit for hit, other in zip(first, labels, strict=True) if other == c]) for c in set(labels)]
    metrics = recognition_metrics(logits, labels)
    assert metrics["top1"] == pytest.approx(np.mean(first))
    assert metrics["top5"] == pytest.approx(np.mean(fifth))
    assert metrics["mean_class_accuracy"] == pytest.approx(np.mean(per_class))
    assert logits.shape[1] > 5 or metrics["top5"] == 1


@given(case=scored(integers=False))
def test_metrics_without_ties_are_scikit_learns(case: tuple[torch.Tensor, np.ndarray]) -> None:
    logits, labels = case
    metrics, classes = recognition_metrics(logits, labels), np.arange(logits.shape[1])
    top = logits.argmax(dim=1).numpy()
    assert metrics["top1"] == pytest.approx((top == labels).mean())
    if len(classes) > 2:  # scikit-learn wants one score per image of two classes
        for k in (1, 5):
            theirs = top_k_accuracy_score(labels, logits.numpy(), k=k, labels=classes) if k < len(classes) else 1
            assert metrics[f"top{k}"] == pytest.approx(theirs)
    with warnings.catch_warnings(action="ignore"):  # of predictions of classes that do not occur
        assert metrics["mean_class_accuracy"] == pytest.approx(balanced_accuracy_score(labels, top))


def test_a_classifier_that_cannot_tell_classes_apart_gets_nothing() -> None:
    labels = np.arange(6)
    nothing = {"top1": 0.0, "top5": 0.0, "mean_class_accuracy": 0.0}
    assert recognition_metrics(torch.zeros(6, 6), labels) == nothing
    assert recognition_metrics(torch.full((6, 6), torch.nan), labels) == nothing
    undefined = torch.eye(6)
    undefined[0, 0] = torch.nan  # the true score of one image
    undefined[1, 3] = torch.nan  # another class's score of another
    assert recognition_metrics(undefined, labels)["top1"] == pytest.approx(4 / 6)


def test_rare_classes_weigh_as_much_as_others_in_the_mean_over_classes() -> None:
    labels = np.array([0] * 9 + [1])
    logits = torch.tensor([[1.0, 0.0]] * 10)
    metrics = recognition_metrics(logits, labels)
    assert (metrics["top1"], metrics["mean_class_accuracy"]) == (0.9, 0.5)


# --- models ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", TRAINABLE)
def test_scores_train_by_cross_entropy_and_a_saved_model_scores_alike(tiny: Tiny, tmp_path: Path, method: str) -> None:
    session = Session.prepare(recognising(tiny, method))
    model, config = session.model, session.config
    images, labels, _ = next(iter(session.loader))
    output = session.forward(images, labels)
    loss = make_objective(config)(model, output, labels)
    if output.guided is not None:
        loss = loss - output.guided
    probabilities = output.logits.detach().double().softmax(dim=1)[torch.arange(len(labels)), labels]
    assert loss.item() == pytest.approx(-probabilities.log().mean().item(), rel=1e-4)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    assert (model.learned is not None) == (method in SEMANTIC)
    if method in SEMANTIC:  # proxies, learned and accumulated, classify
        answer = model.eval()(images)
        proxies = 0.5 * model.learned + 0.5 * model.semantic.container.rows
        expected = config.loss_scale * cosine_similarities(answer.embeddings, proxies)
        torch.testing.assert_close(answer.logits, expected)
    save_inference(tmp_path / "model.safetensors", model, config)
    loaded = load_inference(tmp_path / "model.safetensors")
    ours, theirs = (predict(one, session.splits.test, config, session.fabric) for one in (model, loaded))
    assert ours.logits is not None
    assert ours.logits.shape == (len(session.splits.test), 10)
    assert torch.equal(ours.logits, theirs.logits)
    assert torch.equal(ours.embeddings, theirs.embeddings)
    assert not hasattr(loaded, "class_prompts")


# --- runs -----------------------------------------------------------------------------------------
# By what is scored: a classifier, proxies, guided prompts. The saved model of every method is tested above.
@pytest.mark.parametrize(
    "method",
    [m if m in ("linear", "vptsp_g", "davpt") else pytest.param(m, marks=pytest.mark.slow) for m in TRAINABLE],
)
def test_a_run_is_selected_by_validation_and_evaluated_again(tiny: Tiny, tmp_path: Path, method: str) -> None:
    run = train(recognising(tiny, method, batch_size=16), tmp_path / "run", observer=silent)
    summary, lines = run.summary(), run.metrics()
    assert summary["task"] == "recognition"
    assert summary["classes"] == {"train": 10, "val": 10, "test": 10}
    assert summary["images"] == {"train": 30, "val": 10, "test": 10}
    assert len(lines) == 2
    eligible = lines[run.config.prunes_after or 0 :]  # of a run that prunes, those after that
    best = max(line["val_top1"] for line in eligible)
    assert summary["best_val"] == {
        "epoch": next(line["epoch"] for line in eligible if line["val_top1"] == best),
        "val_top1": best,
    }
    assert summary["selected"] == "best_val"
    assert not [name for line in lines for name in line if "recall" in name]
    for scores in summary["test"].values():
        assert scores.keys() == {"top1", "top5", "mean_class_accuracy", "num_images"}
        assert scores["num_images"] == 10
        assert 0 <= scores["top1"] <= scores["top5"] <= 1
    result = CliRunner().invoke(main, ["evaluate", str(run.path)])
    assert result.exit_code == 0, result.output
    assert "top1" in result.output
    again = json.loads((run.path / "evaluation.json").read_text())
    assert again == {"checkpoint": "best_val", **summary["test"]["best_val"]}


def test_colours_are_learned(tiny: Tiny, tmp_path: Path) -> None:
    """Classes that differ by the colour of their images; guessing would be right for one in ten."""
    config = recognising(tiny, "linear", epochs=12, lr=0.02, crop_min=0.5, weight_decay=0.0)
    run = train(config, tmp_path / "run", observer=silent)
    assert run.summary()["test"]["last"]["top1"] > 0.8
    assert run.metrics()[-1]["loss"] < 0.5 * run.metrics()[0]["loss"]
