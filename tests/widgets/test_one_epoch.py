"""Views of a run whose embeddings are the last epoch's show that epoch's proxies and ask that epoch's model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from vptsp_widgets.anatomy import ProxyAnatomy
from vptsp_widgets.confused import ConfusedPairs
from vptsp_widgets.gallery import RetrievalGallery
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.why import WhyNeighbour

from vptsp.data import load_data
from vptsp.evaluation.evaluate import evaluate_run
from vptsp.evaluation.ranking import unit_rows
from vptsp.runs.checkpoints import load_inference
from vptsp.runs.run import Run
from vptsp.settings.build import ConfiguredModel
from vptsp.settings.config import Config
from vptsp.training.loop import train


@pytest.fixture(scope="module")
def selected(tiny: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = train(tiny(epochs=3, lr=0.05), tmp_path_factory.mktemp("runs") / "run", observer=lambda event: None)
    assert run.result().epoch != 3
    return run


@pytest.fixture(scope="module")
def last(selected: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(shutil.copytree(selected.path, tmp_path_factory.mktemp("runs") / "last"))
    evaluate_run(run, "last")
    return run


def epoch_and_model(run: Run, last: Run) -> tuple[int, ConfiguredModel]:
    which = "last" if run is last else "best_val"
    return 3 if run is last else run.result().epoch or 0, load_inference(run, which)


def same(model: ConfiguredModel, other: ConfiguredModel) -> bool:
    values = other.state_dict()
    return all(torch.equal(value, values[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("name", ["selected", "last"])
def test_proxies_are_of_the_images_epoch(selected: Run, last: Run, name: str) -> None:
    run = {"selected": selected, "last": last}[name]
    epoch, _ = epoch_and_model(run, last)
    fused = run.snapshot(epoch)["fused"].numpy()
    gallery = RetrievalGallery.of_run(run)
    np.testing.assert_allclose(gallery.proxies["fused"], unit_rows(fused), atol=1e-6)
    space = SpaceExplorer.of_run(run, method="pca")
    other = SpaceExplorer(space.saved, "pca", {"fused": fused}, list(gallery._proxy_names))
    alone = SpaceExplorer.of_run(run, method="pca", proxies={"fused": fused})
    np.testing.assert_array_equal(alone.glyphs["fused"], other.glyphs["fused"])
    np.testing.assert_allclose(space.glyphs["fused"], other.glyphs["fused"], atol=1e-5)
    pairs = ConfusedPairs.of_run(run, "train")
    direct = ConfusedPairs(pairs.saved, fused)
    np.testing.assert_allclose(pairs.pairs["proxy_cosine"], direct.pairs["proxy_cosine"], atol=1e-6)
    anatomy = ProxyAnatomy.of_run(run)
    assert anatomy._facts["epoch"] == epoch
    for view in (gallery, space, other, alone, pairs, direct, anatomy):
        view.close()


@pytest.mark.parametrize("name", ["selected", "last"])
def test_models_are_of_the_images_epoch(selected: Run, last: Run, tmp_path: Path, name: str) -> None:
    run = {"selected": selected, "last": last}[name]
    _, model = epoch_and_model(run, last)
    why = WhyNeighbour.of_run(run)
    assert same(why.model, model)
    rows = [why.ids.index(name) for name in (why.query, why.neighbour)]
    first, second = unit_rows(why.saved.embeddings)[rows]
    assert why.similarity == pytest.approx(float(first @ second), abs=1e-4)
    gallery = RetrievalGallery.of_run(run)
    images = load_data(run.config).test
    images.load(0).save(tmp_path / "upload.png")
    gallery.query_file(tmp_path / "upload.png")
    assert same(gallery.searched.uploads._model, model)
    found = gallery.results.set_index("id")["similarity"]
    assert found[images.ids[0]] == pytest.approx(1, abs=1e-5)
    why.close()
    gallery.close()


def test_a_view_that_is_shown_another_run_takes_that_runs_epoch(selected: Run, last: Run) -> None:
    why, gallery = WhyNeighbour.of_run(selected), RetrievalGallery.of_run(selected)
    why.run = gallery.run = str(last.path)
    model = load_inference(last, "last")
    assert same(why.model, model)
    assert same(gallery.searched.uploads._model, model)
    fused = unit_rows(last.snapshot(3)["fused"])
    np.testing.assert_allclose(gallery.proxies["fused"], fused, atol=1e-6)
    why.close()
    gallery.close()
