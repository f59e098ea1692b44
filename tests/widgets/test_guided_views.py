"""Guided prompts in the views of a run: which speaks for which classes, in map, anatomy and why."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from trainings import silent
from vptsp_widgets.anatomy import ProxyAnatomy
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.why import WhyNeighbour

from vptsp.analysis.guided_prompts import PROMPT, speakers
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.training.loop import train


@pytest.fixture(scope="module")
def run(tiny: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> Run:
    settings = {"epochs": 1, "val_fraction": 0.0, "guided_blocks": (2, 3), "probe_images": 0}
    return train(tiny(method="davpt_dml", **settings), tmp_path_factory.mktemp("runs") / "dml", observer=silent)


def test_the_map_of_the_training_images_is_coloured_by_prompt(run: Run, tiny_run: Run) -> None:
    view = SpaceExplorer.of_run(run, "train", method="pca")
    (column,) = [each for each in view.columns if each.name == PROMPT]
    found = speakers(run)
    assert found is not None
    assert column.values == tuple(f"prompt {number + 1}" for number in range(3))
    assert column.codes.tolist() == [found.of_class[name] for name in view.saved.names]
    assert PROMPT not in [each.name for each in SpaceExplorer.of_run(tiny_run, "train", method="pca").columns]


def test_anatomy_says_the_prompt_of_every_class_and_lists_the_prompts(run: Run, tiny_run: Run) -> None:
    view = ProxyAnatomy.of_run(run)
    assert view._prompts == run.snapshot(1)["prompt_of_class"].tolist()
    assert view.prompts()["count"].sum() == 10
    still = view.still()
    for prompt in view.prompts()["prompt"]:
        assert f"prompt {prompt + 1}" in still
    plain = ProxyAnatomy.of_run(tiny_run)
    assert plain._prompts == []
    assert "Guided prompts" not in plain.still()


def test_why_says_for_whom_a_guided_prompt_speaks(run: Run, tiny_run: Run) -> None:
    view, found = WhyNeighbour.of_run(run), speakers(run)
    assert found is not None
    assert view._pair["speaks"] == {"1": found.words(), "2": found.words()}, "blocks 2 and 3, from 0"
    table = view.still().partition("The prompts that matter most")[2]
    strongest = np.argsort(-np.nan_to_num(np.abs(view.effects), nan=-1), axis=None, kind="stable")[:6]
    for block, prompt in zip(*np.unravel_index(strongest, view.effects.shape), strict=True):
        line = f"block {block + 1}, prompt {prompt + 1}"
        speaks = f"{line}, which speaks for {found.words()[prompt]}<"
        assert (speaks in table) == (block in (1, 2))
        assert f"{line}," in table or f"{line}<" in table
    assert WhyNeighbour.of_run(tiny_run)._pair["speaks"] == {}
