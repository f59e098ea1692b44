"""What a selection is worth, asked in the panel beside the map: with a kernel, and in a page without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pages import Shown, low_contrast, settled
from playwright.sync_api import Page, expect
from vptsp_widgets.space import SpaceExplorer

from tests.widgets.space.test_space import saved_images
from tests.widgets.space.test_space_page import GRID, Map
from vptsp.errors import DataError
from vptsp.runs.marks import Marks

pytestmark = pytest.mark.browser


def flowers(folder: Path) -> SpaceExplorer:
    """40 images in four classes, the last of which is one image, that find each other now and then."""
    rng = np.random.default_rng(2)
    labels = np.array([*(row % 3 for row in range(39)), 3])
    vectors = np.eye(4)[labels] + rng.normal(0, 0.6, (40, 4))
    saved = saved_images(folder, labels.tolist(), ["rose", "lily", "iris", "moss"], vectors)
    saved.is_query = np.arange(40) != 5
    saved.is_gallery = np.ones(40, dtype=bool)
    return SpaceExplorer(saved, GRID, recall_ks=(1, 2))


def cells(page: Page) -> dict[str, list[str]]:
    """The numbers of the panel's table by the names of its lines."""
    lines = page.locator(".vptsp-space-measures tbody tr")
    return {
        line.locator("th").inner_text(): [text.replace("−", "-") for text in line.locator("td").all_inner_texts()]
        for line in lines.all()
    }


def printed(table: object, *columns: str) -> dict[str, list[str]]:
    names = {"recall_at_1": "Recall@1", "map_at_r": "MAP@R", "r_precision": "R-precision"}
    rows = table.loc[list(names), list(columns)]  # type: ignore[attr-defined]
    return {
        names[name]: [*(f"{value:.3f}" for value in row[:2]), f"{row.iloc[2]:+.3f}".replace("+0.000", "±0.000")]
        for name, row in rows.iterrows()
    }


def test_a_selection_is_measured_beside_the_rest(page: Page, tmp_path: Path) -> None:
    space = flowers(tmp_path)
    shown = Shown(page, "space", space)

    def settle() -> None:
        settled(page)
        shown.bring()
        settled(page)  # the panels show a selection after the map does, and ask then
        shown.bring()

    fold = page.locator(".vptsp-space-measures")
    assert not fold.is_visible()  # of nothing, there is nothing to be said
    space.selection = [*space.ids[:14], space.ids[39]]
    settle()
    page.locator(".vptsp-space-measures summary").focus()
    page.keyboard.press("Enter")
    settle()
    assert cells(page) == printed(space.measured(), "here", "rest", "difference")
    said = (
        "13 queries of 15 images (1 are no queries, 1 have nothing to find), 25 in the rest. Bars: 95 % over queries."
    )
    expect(fold).to_contain_text(said, use_inner_text=True)
    page.get_by_role("button", name="All metrics").click()
    assert list(cells(page)) == ["Recall@1", "Recall@2", "MAP@R", "R-precision"]
    page.get_by_role("button", name="Fewer").click()
    page.get_by_role("button", name="Without them").click()
    settle()
    assert cells(page) == printed(space.without(), "before", "after", "change")
    page.get_by_role("button", name="Merge 4 classes").click()
    settle()
    assert cells(page) == printed(space.merged(), "before", "after", "change")
    assert space.merged("rose", "lily", "iris", "moss").equals(space.merged())
    assert low_contrast(page, ".vptsp-space-measures") == []
    space.selection = [space.ids[39]]  # another selection: asked again at once
    settle()
    expect(fold).to_contain_text(
        "none of the 1 images selected is a query that has something to find", use_inner_text=True
    )
    space.selection = []
    settle()
    assert not fold.is_visible()
    with pytest.raises(DataError, match="1 of the ids are not in this view, the first is 'nobody'"):
        space.measured(["nobody"])
    with pytest.raises(DataError, match="'fern' is no class of plain tiles"):
        space.merged("rose", "fern")


def test_selections_are_kept_joined_inverted_and_forgotten(page: Page, tmp_path: Path) -> None:
    space = flowers(tmp_path)
    shown = Shown(page, "space", space)
    Marks(tmp_path / "marks.jsonl").keep(
        "from <b>elsewhere</b>", ["image 3", "image 30", "no more"]
    )  # another notebook

    def settle() -> None:
        page.wait_for_timeout(200)
        shown.bring()
        page.wait_for_timeout(30)

    def press(name: str) -> None:
        page.get_by_role("button", name=name, exact=True).click()
        settle()

    def numbers() -> list[int]:
        return [int(name.split()[1]) for name in space.selection]

    kept = page.locator(".vptsp-space-kept")
    assert not kept.is_visible()
    space.selection = space.ids[2:6]
    settle()
    kept.locator("summary").click()
    page.get_by_label("Name to keep the selection under").fill("few")
    page.keyboard.press("Enter")
    settle()
    assert space.selections == {"from <b>elsewhere</b>": ["image 3", "image 30"], "few": ["image 2", *space.ids[3:6]]}
    expect(kept.locator("summary")).to_have_text("Kept selections (2)", use_inner_text=True)
    assert page.locator(".vptsp b").all_inner_texts() == []
    press("Unite the selection with from <b>elsewhere</b>")
    assert numbers() == [2, 3, 4, 5, 30]
    expect(page.get_by_role("status")).to_contain_text(
        "5 images selected; 1 of the 3 images of 'from <b>elsewhere</b>' are not here"
    )
    press("Take few from the selection")
    assert numbers() == [30]
    press("Invert")
    assert numbers() == [row for row in range(40) if row != 30]
    press("Leave what is in from <b>elsewhere</b> as well")
    assert numbers() == [3]
    press("Select few")
    assert numbers() == [2, 3, 4, 5]
    press("Forget few")
    assert list(space.selections) == ["from <b>elsewhere</b>"]
    press("Undo")
    assert space.selections["few"] == list(space.ids[2:6])
    press("Forget from <b>elsewhere</b>")
    press("Undo")
    assert Marks(tmp_path / "marks.jsonl").read().selections["from <b>elsewhere</b>"] == (
        "image 3",
        "image 30",
        "no more",
    )  # also what is not here
    space.view_state = {"find": "lily"}
    settle()
    press("Select the 13 shown")  # a class, as a selection
    assert numbers() == list(range(1, 39, 3))
    assert low_contrast(page, ".vptsp-space-chosen") == []


def test_a_page_without_a_kernel_measures_as_well(page: Page, tmp_path: Path) -> None:
    space = flowers(tmp_path)
    Map(page, space)
    page.evaluate(
        "() => { vptspModels[0].set('_selected', new DataView(Int32Array.from([...Array(14).keys()]).buffer)); }"
    )
    page.locator(".vptsp-space-measures summary").click()
    expected = space.measured(space.ids[:14])
    page.locator(".vptsp-space-measures tbody tr").first.wait_for()
    assert cells(page) == printed(expected, "here", "rest", "difference")
    ranges = page.locator(".vptsp-space-measures tbody td[title]").evaluate_all("all => all.map((one) => one.title)")
    low, high = (float(part.replace("−", "-")) for part in ranges[2].removeprefix("95 %: ").split(" to ", 1))
    wide = expected.loc["recall_at_1", "difference_high"] - expected.loc["recall_at_1", "difference_low"]
    assert abs((high - low) - wide) < 0.2 * wide  # other random numbers, the same law
    assert page.get_by_role("button", name="Without them").count() == 0  # would need a search
