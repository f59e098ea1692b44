"""What the views of a run have in common: opened by ``of_run``, shown another run by setting ``run``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from vptsp_widgets import (
    ConfusedPairs,
    ProxyAnatomy,
    RetrievalGallery,
    SimilarityHistogram,
    SpaceExplorer,
    TimeMachine,
    WhyNeighbour,
)
from vptsp_widgets.run_view import RunView

from vptsp.errors import ConfigError, DataError
from vptsp.files import write_json
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run

VIEWS: list[tuple[type[RunView], dict[str, Any]]] = [
    *((view, {}) for view in (ConfusedPairs, ProxyAnatomy, RetrievalGallery, TimeMachine, WhyNeighbour)),
    (SimilarityHistogram, {"order": "nearest"}),
    (SpaceExplorer, {"method": "pca"}),
]


@pytest.mark.parametrize(("kind", "options"), VIEWS)
def test_a_run_that_cannot_be_shown_leaves_what_is_shown(
    kind: Any, options: dict[str, Any], tiny_run: Run, tmp_path: Path
) -> None:
    view = kind.of_run(tiny_run, **options)
    shown = view.state_for_page()
    view.run = str(tmp_path / "nothing")
    assert "is not a run directory" in view.status
    view.run = str(tiny_run.path)  # which is shown still
    assert view.state_for_page() == shown
    assert view.status == ""
    view.close()


@pytest.mark.parametrize(("kind", "options"), VIEWS)
def test_the_same_images_of_another_run_are_shown_with_nothing_chosen(
    kind: Any, options: dict[str, Any], tiny_run: Run, tmp_path: Path
) -> None:
    other = shutil.copytree(tiny_run.path, tmp_path / "other")
    view, fresh = kind.of_run(tiny_run, **options), kind.of_run(other, **options)
    view.selection, view.focus = view.ids[:2], view.ids[1]
    view.run = str(other)
    assert view.selection == []
    assert view.focus == fresh.focus
    assert view.summary() == fresh.summary()
    view.close()
    fresh.close()


@pytest.mark.parametrize(("kind", "options"), VIEWS)
def test_an_option_that_a_view_does_not_have_is_refused(kind: Any, options: dict[str, Any], tiny_run: Run) -> None:
    with pytest.raises((ConfigError, TypeError), match="projektion"):
        kind.of_run(tiny_run, projektion="pca")


def test_an_option_is_guessed_before_anything_is_read(tmp_path: Path) -> None:
    sentence = "SpaceExplorer has no option projection; perhaps method was meant; it has run, split, method, saved"
    with pytest.raises(ConfigError, match=sentence):
        SpaceExplorer.of_run(tmp_path / "nowhere", projection="pca")
    with pytest.raises(ConfigError, match="WhyNeighbour has no option quary; perhaps query was meant"):
        WhyNeighbour.of_run(tmp_path / "nowhere", quary="a")


def test_a_view_of_embeddings_follows_the_run_it_is_given(tiny_run: Run, tmp_path: Path) -> None:
    other = Run(shutil.copytree(tiny_run.path, tmp_path / "other"))
    view = ConfusedPairs(SavedEmbeddings.of_run(tiny_run))
    view.run = str(other.path)
    assert view.saved.folder.is_relative_to(other.path)
    view.close()


def test_what_a_view_says_when_it_opens_stays(tiny_run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "run"))
    config = json.loads((run.path / "config.json").read_text())
    write_json(run.path / "config.json", config | {"data_root": str(tmp_path / "gone")})
    view = WhyNeighbour.of_run(run)
    assert "The thumbnail stands in for" in view.status
    view.close()


def test_a_run_is_shown_and_searched_without_torch(tiny_run: Run) -> None:
    code = (
        "import sys; from vptsp_widgets import Workbench;"
        "bench = Workbench(sys.argv[1], method='pca'); bench.gallery.k = 20;"
        "bench._repr_mimebundle_(); views = [bench.space, bench.gallery];"
        "found = [(setattr(view, 'focus', view.ids[0]), view.still()) for view in views];"
        "whole = views[1].searched.pictures.whole(views[1].ids[0]);"
        "print(*views[0].glyphs, len(views[0]._near['rows']), len(views[1].results), whole[:2].hex());"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    command = [sys.executable, "-c", code, str(tiny_run.path)]
    shown, modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert shown == "learned semantic fused 10 19 ffd8"  # of 20 images; a JPEG
    heavy = {"torch", "torchvision", "timm", "peft", "sklearn", "scipy", "umap", "numba", "plotly", "lightning_fabric"}
    assert set(modules.split()) & heavy == set()


@pytest.mark.parametrize("kind", [kind for kind, _ in VIEWS])
def test_what_another_way_in_takes_is_refused_with_that_way(kind: Any, tiny_run: Run, tmp_path: Path) -> None:
    for given in (str(tiny_run.path), tiny_run.path, tiny_run):
        with pytest.raises(DataError, match=rf"{kind.__name__}\.of_run\('.*{tiny_run.path.name}'\) reads a run's"):
            kind(given)
    if hasattr(kind, "of_arrays"):
        for vectors in (np.eye(3), [[1.0, 0.0]], torch.eye(3)):
            with pytest.raises(DataError, match=rf"{kind.__name__}\.of_arrays\(...\) takes arrays"):
                kind(vectors)
