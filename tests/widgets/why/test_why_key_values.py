"""Learned keys and values (E2VPT) in WhyNeighbour: named behind the visual prompts, switched off one by one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page
from trainings import silent
from vptsp_widgets.front import page_block
from vptsp_widgets.why import WhyNeighbour

from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.training.loop import train


@pytest.fixture(scope="module")
def run(tiny: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two of four visual prompts are left in each block, and the first four blocks have two learned keys."""
    settings = {"num_prompts": 4, "num_key_value_prompts": 2, "key_value_depth": 4, "pruned_segments": 0.0}
    config = tiny(method="e2vpt", val_fraction=0.0, probe_images=0, **settings)
    return train(config, tmp_path_factory.mktemp("runs") / "e2vpt", observer=silent)


def test_learned_keys_have_numbers_of_their_own(run: Run) -> None:
    view = WhyNeighbour.of_run(run)
    assert view._pair["visual"] == [2] * 6
    assert (view._pair["prompts"], view._pair["effect_rows"]) == (4, 6)
    table = view.still().partition("The prompts that matter most")[2]
    assert "prompt 3<" not in table, "learned keys begin anew"
    assert "key-value prompt 1<" in table or "key-value prompt 2<" in table or "prompt 1<" in table


@pytest.mark.browser
def test_the_grid_and_the_bars_name_them(page: Page, run: Run) -> None:
    block = page_block("why", WhyNeighbour.of_run(run).state_for_page(), label="why")
    page.set_content(f'<!doctype html><meta charset="utf-8"><body>{block}</body>')
    page.wait_for_selector(".vptsp-why")
    labels = page.eval_on_selector_all(".vptsp-why-cell", "all => all.map((each) => each.ariaLabel.split(':')[0])")
    names = ["prompt 1", "prompt 2", "key-value prompt 1", "key-value prompt 2"]
    assert labels[:4] == [f"block 1, {name}" for name in names]
    hidden = page.eval_on_selector_all(".vptsp-why-cell", "all => all.filter((e) => e.style.visibility).length")
    assert hidden == 2 * 2, "the last two blocks have no learned keys"
    page.locator(".vptsp-why-cell").nth(0).click()
    said = page.eval_on_selector_all(".vptsp-why-bar", "all => all.map((each) => each.title.split(':')[0])")
    assert said[:4] == names
