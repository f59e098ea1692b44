"""From a mistake to its cause in JupyterLab: three clicks, or three keys, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator
from trainings import silent

from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.settings.earlier import BEFORE
from vptsp.training.loop import train

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def confusing(tiny: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that confuses many: its head started at random and was hardly trained."""
    config = tiny(method="vptsp_g", **BEFORE)
    return train(config, tmp_path_factory.mktemp("confusing") / "run", observer=silent)


class Hand:
    """A mouse or a keyboard that counts what it does to choose something."""

    def __init__(self, keys: bool) -> None:
        self.keys, self.acts = keys, 0

    def choose(self, what: Locator) -> None:
        self.acts += 1
        if not self.keys:
            what.click()
            return
        what.focus()
        what.page.keyboard.press("Enter")


@pytest.mark.parametrize("keys", [False, True], ids=["mouse", "keyboard"])
def test_three_clicks_from_confused_classes_to_why_and_back(
    lab: Any, open_notebook: Callable[..., Any], confusing: Run, keys: bool
) -> None:
    make = f"bench = Workbench({str(confusing.path)!r}, method='pca')\nbench.why\nbench"
    cell = f"from vptsp_widgets import Workbench\n{make}"
    notebook = open_notebook(lab, lab.write(f"mistakes-{keys}.ipynb", [cell]))
    bench = notebook.run(0)
    hand = Hand(keys)
    bench.locator(".vptsp-why").wait_for()

    hand.choose(bench.get_by_role("button", name="Confused classes"))  # 1
    items = bench.locator(".vc-item")
    items.first.wait_for()
    lists = notebook.value("bench.confused._lists['images']")
    place, pair = next((at, one) for at, one in enumerate(lists) if one["shared"] and at)
    hub, _, _, of = pair["shared"][0]
    query, neighbour = notebook.value(f"[bench.space.ids[{of[0][0]}], bench.space.ids[{hub}]]")
    hand.choose(items.nth(place))  # 2
    both = notebook.value(f"[n for n, l in zip(bench.space.ids, bench.space.saved.labels) if l in {pair['classes']}]")
    notebook.until("[bench.space.selection, bench.gallery.selection]", [both, both])
    before = notebook.value("[bench.focus, bench.why.neighbour]")
    thumb = bench.locator(".vc-hub").first.locator(".vc-thumb").nth(1)
    hand.choose(thumb)  # 3
    assert hand.acts == 3
    bench.locator(".vptsp-why-file").first.filter(has_text=query).wait_for()
    bench.locator(".vptsp-why-file").nth(1).filter(has_text=neighbour).wait_for()
    bench.locator(".vptsp-space-looked", has_text=query).wait_for()
    notebook.until(
        "[bench.why.query, bench.why.neighbour, bench.space.focus, bench.gallery.focus, bench.space.selection]",
        [query, neighbour, query, query, both],
    )
    bench.locator(".vg-facts", has_text=query).wait_for()

    if keys:
        notebook.page.keyboard.press("Backspace")
    else:
        bench.locator(".vc").get_by_role("button", name="Back").click()
    notebook.until("[bench.focus, bench.why.neighbour, bench.space.selection]", [*before, both])
    bench.locator(".vptsp-space-looked", has_text=before[0]).wait_for()
    assert items.nth(place).get_attribute("aria-selected") == "true"
    assert items.nth(place).is_visible()
    if keys:
        assert thumb.evaluate("(thumb) => thumb === document.activeElement")

    hand.choose(bench.get_by_role("button", name="Confused classes"))  # closed again, the map is as it was
    bench.locator(".vc").wait_for(state="detached")
    assert bench.locator(".vptsp-space").is_visible()
    assert bench.locator(".vptsp-why").is_visible()
