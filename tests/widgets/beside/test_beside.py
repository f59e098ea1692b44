"""Two runs side by side: what Python holds, what bad input says, and the list in a page without a kernel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pages import low_contrast
from playwright.sync_api import Page, expect
from vptsp_widgets import TwoRuns

from tests.markup import Markup, refused_by_sanitiser
from tests.widgets.space.test_space import saved_images
from vptsp.analysis.two_runs import LOST, WON, compare
from vptsp.errors import DataError
from vptsp.runs.run import Run


@pytest.fixture
def both(tmp_path: Path) -> TwoRuns:
    """40 images, of which the second has one other, in the opposite order, and with noise."""
    rng = np.random.default_rng(0)
    labels = [row % 4 for row in range(40)]
    vectors = np.eye(4)[labels] + rng.normal(0, 0.5, (40, 4))
    names = ["rose", "lily", "iris", "<b>moss</b>"]
    first = saved_images(tmp_path / "first", labels, names, vectors)
    ids = [f"image {row}" for row in range(39)] + ["another"]
    noisy = vectors + rng.normal(0, 0.3, (40, 4))
    second = saved_images(tmp_path / "second", labels[::-1], names, noisy[::-1].copy(), ids[::-1])
    return TwoRuns(first, second, method="pca")


def test_the_shared_images_are_compared_and_linked(both: TwoRuns) -> None:
    assert both.note == "39 images in both are shown; 1 only in the first, 1 only in the second"
    assert both.first.ids == both.second.ids == both.flips.ids
    found = compare(both.first.saved, both.second.saved)
    table = both.table
    assert table["change"].tolist() == found.change.tolist()
    assert table["neighbours kept"].tolist() == found.kept.tolist()
    assert set(both.flips.listed("lost")) == set(table.index[table["change"] == LOST])
    assert set(both.flips.listed("won")) == set(table.index[table["change"] == WON])
    assert both.flips.listed("lost")
    jumps = np.linalg.norm(both.second.points - both.first.points, axis=1)
    assert table["moved"].to_numpy() == pytest.approx(jumps, rel=1e-4)
    assert both.flips.listed("moved")[0] == both.first.ids[int(jumps.argmax())]
    both.first.selection = both.first.ids[:5]
    assert both.second.selection == list(both.first.ids[:5])
    both.flips.focus = both.first.ids[7]
    assert both.second.focus == both.first.ids[7]
    both.first.view_state = both.first.view_state | {"colour": "class", "solo": ["rose"], "zoom": 3}
    assert (both.second.view_state["colour"], both.second.view_state["solo"]) == ("class", ["rose"])
    assert both.second.view_state["zoom"] == 1  # each map is looked at from its own place
    both.first.tag("odd", both.first.ids[:1])
    both.first.view_state = both.first.view_state | {"colour": "tag", "solo": []}
    assert both.second.view_state["colour"] == "class"  # which has no such tags
    assert "right → wrong" in both.summary()
    assert refused_by_sanitiser(both.still()) == []
    assert "<b>moss</b>" in Markup(both.still()).text or "rose" in Markup(both.still()).text
    both.close()
    both.close()
    with pytest.raises(DataError, match="order='nothing' is unknown; legal: lost, won, neighbours, moved"):
        both.flips.order = "nothing"


def test_a_run_beside_itself_has_no_changes(tiny_run: Run) -> None:
    same = TwoRuns(tiny_run, str(tiny_run.path), method="pca")
    assert [same.flips.listed(order) for order in ("lost", "won", "neighbours", "moved")] == [[], [], [], []]
    assert same.note == ""
    assert same.first._title == f"{tiny_run.name} (1)"
    with pytest.raises(DataError, match=r"in common; choose runs on the same data"):
        TwoRuns(tiny_run, TwoRuns(tiny_run, tiny_run, method="pca").first.saved.only(np.arange(2)), method="pca")


@pytest.mark.browser
def test_the_list_leads_to_both_maps(both: TwoRuns, page: Page, tmp_path: Path) -> None:
    page.goto(both.save_html(tmp_path / "both.html").as_uri())
    tabs = page.get_by_role("group", name="Which images are listed").get_by_role("button")
    lost = both.flips.listed("lost")
    expect(tabs.first).to_have_text(f"right → wrong ({len(lost)})")
    rows = page.locator(".vf-row:not(.vf-head)")
    expect(rows).to_have_count(len(lost))
    own = rows.first.locator(".vf-own button")
    own.focus()
    page.keyboard.press("Enter")
    for looked in page.locator(".vptsp-space-looked").all():  # in both maps
        expect(looked).to_contain_text(lost[0])
    expect(own).to_have_attribute("aria-current", "true")
    named = rows.first.locator(".vf-found").nth(1).locator("button").evaluate_all("all => all.map((b) => b.title)")
    row = both.first.ids.index(lost[0])
    words = ["right" if right else "wrong" for right in both.changes.right[1][row][:5]]
    assert [name.rsplit(", ", 1)[1] for name in named] == words
    tabs.nth(3).click()
    expect(rows).to_have_count(len(both.flips.listed("moved")))
    expect(page.locator(".vf-note").first).to_contain_text("1 only in the first, 1 only in the second")
    assert page.locator(".vf b b").count() == 0
    assert low_contrast(page, ".vf") == []
    page.set_viewport_size({"width": 480, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 480
