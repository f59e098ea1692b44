"""A run whose trained embedding is whitened: when that is selected, and that every part of the workbench follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from trainings import silent

from vptsp.analysis.anatomy import Anatomy
from vptsp.analysis.proxies_on_map import proxies_of
from vptsp.core.errors import ConfigError
from vptsp.core.heads import Head
from vptsp.data import load_data
from vptsp.evaluation.evaluate import evaluate_run, predict, score
from vptsp.machine import make_fabric
from vptsp.reports.report import write_report
from vptsp.runs.checkpoints import inference_path, load_inference
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.runs.snapshots import Snapshots
from vptsp.runs.whitening import Whitening
from vptsp.settings.config import Config
from vptsp.training.loop import train

Tiny = Callable[..., Config]
# Rates that spoil the embedding, so that there is something to mend.
SPOILT = {
    "lr": 0.2,
    "bias_lr_factor": 1.0,  # any more, and images come to lie where whitening divides by nothing
    "lr_proxy": 0.2,
    "val_fraction": 0.4,
    "select_by": "map_at_r",
    "method": "vptsp_g",
}


@pytest.fixture(scope="module")
def whitened_run(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = tiny(**SPOILT, select_finish="whitened")
    return train(config, tmp_path_factory.mktemp("finish") / "run", observer=silent)


def test_whitened_vectors_vary_alike_within_classes_and_a_large_shrinkage_leaves_angles_alone() -> None:
    torch.manual_seed(0)
    labels = torch.arange(40).repeat_interleave(25)
    vectors = F.normalize(torch.randn(40, 6)[labels] + torch.randn(1000, 6) * torch.logspace(-1, 0, 6), dim=1)
    head = Head(6, 6)
    head.whiten(vectors, labels, shrinkage=1e-6)
    assert head.whitening is not None
    mapped = head.whitening(vectors)
    means = torch.zeros(40, 6).index_add(0, labels, mapped) / 25
    within = (mapped - means[labels]).T @ (mapped - means[labels]) / 1000
    assert torch.allclose(within, torch.eye(6) * within.diagonal().mean(), atol=1e-4 * float(within.diagonal().mean()))
    assert torch.allclose(mapped.mean(0), torch.zeros(6), atol=1e-5)

    head.whiten(vectors, labels, shrinkage=1e6)
    assert torch.allclose(head.whitening.weight, torch.eye(6), atol=1e-5)
    head.whiten(vectors[::25], labels[::25])  # one image per class: nothing is known of the variation within
    assert torch.allclose(head.whitening.weight, torch.eye(6), atol=1e-6)
    with pytest.raises(ConfigError, match="shrinkage above 0"):
        head.whiten(vectors, labels, shrinkage=0)


def test_it_is_selected_where_held_out_classes_say_so(whitened_run: Run) -> None:
    run, result = whitened_run, whitened_run.result()
    best, chosen = run.summary()["best_val"], run.summary()["whitened"]
    assert (result.selected, result.epoch) == ("whitened", chosen["epoch"])
    assert result.validation == chosen["val_map_at_r"] > best["val_map_at_r"]
    assert result.title == f"epoch {result.epoch}, whitened"
    config, fabric = run.config, make_fabric("cpu", "fp32")
    model, val = load_inference(run), load_data(run.config).val
    assert val is not None
    outcome = predict(model, val, config, fabric)
    assert score(outcome, val, config, clustering=False).metrics["map_at_r"] == pytest.approx(result.validation)
    assert evaluate_run(run).metrics == pytest.approx(result.metrics)
    text = write_report(run, "pca").read_text()
    assert f"selected epoch ({result.epoch}, whitened, by validation MAP@R)" in text
    assert f"selected: epoch {result.epoch}, whitened" in text
    trained = load_inference(run, chosen["of"])
    assert isinstance(trained.head, Head)
    assert trained.head.whitening is None
    assert model.kept_names() == [*trained.kept_names(), "head.whitening.weight", "head.whitening.bias"]


def test_training_is_as_without_it_and_what_does_not_help_is_not_kept(
    whitened_run: Run, tiny: Tiny, tmp_path: Path
) -> None:
    without = train(tiny(**SPOILT), tmp_path / "without", observer=silent)
    assert [line["loss"] for line in without.metrics()] == [line["loss"] for line in whitened_run.metrics()]
    assert without.summary()["best_val"] == whitened_run.summary()["best_val"]
    assert without.result().selected == "best_val"
    with pytest.raises(Exception, match="at the end, if held-out classes choose it"):
        evaluate_run(without, "whitened")

    easy = train(tiny(val_fraction=0.4, method="linear", select_finish="whitened"), tmp_path / "easy", observer=silent)
    assert easy.result().validation == 1  # none can be better
    assert easy.result().selected == "best_val"
    assert not inference_path(easy, "whitened").exists()


def test_proxies_follow_the_images_and_the_anatomy_goes_back(whitened_run: Run) -> None:
    run, chosen = whitened_run, whitened_run.summary()["whitened"]
    saved = SavedEmbeddings.of_run(run, "train")
    whitening = Whitening.beside(run, saved)
    assert whitening is not None
    splits, fabric = load_data(run.config), make_fabric("cpu", "fp32")
    trained = predict(load_inference(run, chosen["of"]), splits.train, run.config, fabric).embeddings.numpy()
    assert np.allclose(whitening.apply(trained), saved.embeddings, atol=2e-3)  # which are stored in half precision
    assert np.allclose(whitening.undo(whitening.apply(trained)), trained, atol=1e-3)  # close together, in fp32

    snapshot = Snapshots(run)[chosen["epoch"]]
    proxies, names = proxies_of(run, saved)
    assert names == list(snapshot.index.class_names)
    for kind, rows in snapshot.proxies.items():
        assert np.allclose(proxies[kind], whitening.apply(rows))
        assert not np.allclose(proxies[kind], rows, atol=1e-2)
    anatomy = Anatomy.of_run(run)
    assert np.allclose(anatomy.embeddings, trained, atol=5e-3)
    assert np.array_equal(anatomy.learned, snapshot.learned)
