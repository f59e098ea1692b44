"""Proxies as handles beside the map: alpha by slider and keys, proxies dragged and moved by buttons, forces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import Shown, low_contrast
from playwright.sync_api import Page, expect
from vptsp_widgets.front import page_block
from vptsp_widgets.space import SpaceExplorer

from tests.widgets.space.test_handles import NAMES, flowers
from vptsp.analysis.projection import project
from vptsp.analysis.proxy_handles import nearest_proxies
from vptsp.errors import DataError
from vptsp.settings.config import Config

pytestmark = pytest.mark.browser


class Panel:
    """The map on a page that is connected to Python, with the panel open."""

    def __init__(self, page: Page, space: SpaceExplorer, theme: str = "light") -> None:
        self.page, self.space = page, space
        self.shown = Shown(page, "space", space, theme)
        page.wait_for_timeout(100)
        page.locator(".vptsp-space-over").focus()
        page.keyboard.press("h")
        self.settle()
        self.fold = page.locator(".vptsp-space-handles")

    def settle(self) -> None:
        for _ in range(3):  # an answer may be followed by another question
            self.page.wait_for_timeout(150)
            self.shown.bring()
        self.page.wait_for_timeout(50)

    def sign(self, name: str) -> tuple[float, float]:
        """Where the proxy of a class that is a handle is on the page."""
        return self.on_page(self.place(name))

    def on_page(self, place: np.ndarray) -> tuple[float, float]:
        box = self.page.locator(".vptsp-space-over").bounding_box()
        assert box is not None
        x, y = self.camera(place)
        return box["x"] + x, box["y"] + y

    def place(self, name: str) -> np.ndarray:
        row, moved = NAMES.index(name), self.space._handled.get("moved", [])
        own = next((one for one in moved if one["proxy"] == row), None)
        kind = self.space._handle_offer["kind"]
        return np.array([own["x"], own["y"]]) if own else self.space.glyphs[kind][row]

    def camera(self, place: np.ndarray) -> np.ndarray:
        box = self.page.locator(".vptsp-space-over").bounding_box()
        assert box is not None
        size = np.array([box["width"], box["height"]])
        everything = np.concatenate([self.space.points, *self.space.glyphs.values()])
        low, high = np.nanmin(everything, axis=0), np.nanmax(everything, axis=0)
        scale = 0.92 * (size / (high - low)).min()
        return size / 2 + (place - (low + high) / 2) * scale * (1, -1)

    def said(self) -> str:
        return self.fold.inner_text()


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def test_alpha_by_keys_says_how_many_images_change_and_selects_them(page: Page, tmp_path: Path) -> None:
    space = flowers(tmp_path)
    panel = Panel(page, space)
    assert "0 of 45 images change their nearest proxy" in panel.said()
    slider = page.get_by_label("alpha, the share of the learned proxies")
    assert slider.evaluate("one => one.getRootNode().activeElement === one")  # opened by H, and ready
    assert slider.input_value() == "0.4"
    page.keyboard.press("End")
    panel.settle()
    now = nearest_proxies(space.saved.embeddings, space._require_handles().handles.learned)
    before = nearest_proxies(space.saved.embeddings, space._require_handles().handles.among_images())
    changed = np.flatnonzero(now != before)
    assert len(changed) > 3
    assert f"{len(changed)} of 45 images change their nearest proxy" in panel.said()
    right = [float((found == space.saved.labels).mean()) for found in (before, now)]
    assert f"{percent(right[0])} → {percent(right[1])}" in panel.said()
    page.get_by_role("button", name="Select them", exact=True).click()
    panel.settle()
    assert [space._row[name] for name in space.selection] == changed.tolist()
    page.get_by_role("button", name="Undo", exact=True).click()
    panel.settle()
    assert space.selection == []
    page.get_by_role("button", name="Colour by it", exact=True).click()
    panel.settle()
    assert space.view_state["colour"] == "predicted proxy"
    assert [NAMES.index(name) for name in space.table["predicted proxy"]] == now.tolist()
    counts = np.bincount(now, minlength=3)
    expect(page.locator(".vptsp-space-legend")).to_contain_text(f"lily\n{counts[1]}", use_inner_text=True)
    slider.focus()
    page.keyboard.press("Home")
    panel.settle()  # the colours follow without being asked for again
    now = nearest_proxies(space.saved.embeddings, space._require_handles().handles.among_images(0))
    expect(page.locator(".vptsp-space-legend")).to_contain_text(
        f"lily\n{np.bincount(now, minlength=3)[1]}", use_inner_text=True
    )
    page.get_by_role("button", name="Set alpha to the run's own 0.40", exact=True).click()
    panel.settle()
    assert "0 of 45 images change" in panel.said()


def test_signs_go_along_alpha_by_the_projection_of_the_map(page: Page, tmp_path: Path) -> None:
    space = flowers(tmp_path)
    panel = Panel(page, space)
    for alpha in (0.0, 0.3, 1.0):
        space.handle(alpha)
        panel.settle()
        expected = SpaceExplorer(
            space.saved, "pca", {"fused": space._require_handles().handles.among_images(alpha)}, NAMES
        )
        for name, place in zip(NAMES, expected.glyphs["fused"], strict=True):
            page.mouse.move(*panel.on_page(place))
            page.wait_for_timeout(100)
            assert page.locator(".vptsp-space-card").inner_text().split("\n")[0] == name
    assert "projected at 11 values of α" in panel.said()
    space.handle(0.7)
    space.map_alone(space.ids[:30])
    panel.settle()
    guests = space._require_handles().handles.among_images(0.7)
    for name, place in zip(NAMES, project(space.saved.embeddings[:30], "pca", guests=guests)[30:], strict=True):
        page.mouse.move(*panel.on_page(place))
        page.wait_for_timeout(100)
        assert page.locator(".vptsp-space-card").inner_text().split("\n")[0] == name


def test_a_busy_kernel_gets_the_latest_question_alone(page: Page, tmp_path: Path) -> None:
    space = flowers(tmp_path)
    panel = Panel(page, space)
    asked, answer = list[float](), space._on_handle

    def counted(content: dict[str, Any], buffers: list[Any]) -> None:
        asked.append(content["alpha"])
        answer(content, buffers)

    space._on_handle = counted  # type: ignore[method-assign]
    slider = page.get_by_label("alpha, the share of the learned proxies")
    for alpha in ("0.5", "0.6", "0.9", "1"):
        slider.fill(alpha)
        page.wait_for_timeout(160)  # the answer to the first is not brought yet
    assert "(counting …)" in panel.said()
    assert panel.fold.locator("[aria-live]").get_attribute("aria-busy") == "true"
    panel.settle()
    assert asked == [0.5, 1]
    assert "(counting …)" not in panel.said()
    assert f"{space._handled['changed']} of 45 images" in panel.said()


def test_while_a_proxy_is_dragged_the_counts_follow(page: Page, tmp_path: Path) -> None:
    space = flowers(tmp_path)
    panel = Panel(page, space)
    page.mouse.move(*panel.sign("rose"))
    page.mouse.down()
    page.mouse.move(*panel.on_page(space.glyphs["semantic"][2]), steps=5)
    panel.settle()
    assert space._handled["changed"] > 0
    assert f"{space._handled['changed']} of 45 images" in panel.said()
    page.mouse.up()
    panel.settle()
    assert [one["proxy"] for one in space._handled["moved"]] == [0]


@pytest.mark.parametrize("touch", [False, True])
def test_a_proxy_is_dragged_put_back_and_undone(page: Page, tmp_path: Path, touch: bool) -> None:
    space = flowers(tmp_path)
    panel = Panel(page, space)
    start, far = panel.sign("rose"), panel.sign("iris")
    end = (far[0] + 25, far[1] + 15)
    camera = dict(space.view_state)
    if touch:
        client = page.context.new_cdp_session(page)
        points = [start, *((start[0] + s * (end[0] - start[0]), start[1] + s * (end[1] - start[1])) for s in (0.5, 1))]
        for turn, (x, y) in enumerate(points):
            kind = "touchMove" if turn else "touchStart"
            client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
            page.wait_for_timeout(30)
        client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        client.detach()
    else:
        page.mouse.move(*start)
        page.mouse.down()
        page.mouse.move(*end, steps=6)
        page.mouse.up()
    panel.settle()
    (moved,) = space._handled["moved"]
    assert moved["proxy"] == 0
    place = np.array([moved["x"], moved["y"]])
    np.testing.assert_allclose(panel.on_page(place), end, atol=1.5)
    assert moved["rows"] == np.argsort(np.linalg.norm(space.points - place, axis=1))[:10].tolist()
    assert {**space.view_state, "handles": {}} == camera  # the map stays
    weighted = np.array(moved["weights"]) @ (
        space.saved.embeddings[moved["rows"]]
        / np.linalg.norm(space.saved.embeddings[moved["rows"]], axis=1, keepdims=True)
    )
    proxies = space._require_handles().handles.among_images()
    proxies[0] = weighted / np.linalg.norm(weighted)
    now = nearest_proxies(space.saved.embeddings, proxies)
    assert [NAMES.index(name) for name in space.predicted_proxies["now"]] == now.tolist()
    assert "mean direction of the 10 images that lines lead to: nearest to its place on the map" in panel.said()
    assert page.get_by_label("Proxy to move").input_value() == "0"
    page.get_by_role("button", name="Undo", exact=True).click()
    panel.settle()
    assert space._handled["moved"] == []
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("Control+Shift+z")
    panel.settle()
    assert [one["proxy"] for one in space._handled["moved"]] == [0]
    page.get_by_role("button", name="Put back", exact=True).click()
    panel.settle()
    assert space._handled["moved"] == []
    assert "0 of 45 images change" in panel.said()


def test_a_proxy_is_moved_by_keys_alone(page: Page, tmp_path: Path) -> None:
    space = flowers(tmp_path)
    panel = Panel(page, space)
    before = panel.place("lily")
    page.get_by_label("Proxy to move").focus()
    page.keyboard.type("lily")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Move left"
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
        panel.settle()
    (moved,) = space._handled["moved"]
    shift = panel.camera(np.array([moved["x"], moved["y"]])) - panel.camera(before)
    np.testing.assert_allclose(shift, [24, -12], atol=0.5)
    page.get_by_role("button", name="Reset", exact=True).click()
    panel.settle()
    assert (space._handled["moved"], space._handled["alpha"]) == ([], None)


def test_without_the_panel_a_drag_from_a_sign_moves_the_map(page: Page, tmp_path: Path) -> None:
    space = flowers(tmp_path)
    panel = Panel(page, space)
    page.locator(".vptsp-space-handles summary").click()
    panel.settle()
    page.mouse.move(*panel.sign("rose"))
    page.mouse.down()
    page.mouse.move(300, 300, steps=3)
    page.mouse.up()
    panel.settle()
    assert space._handled["moved"] == []
    assert space.view_state["x"] is not None


def test_escape_takes_a_drag_back(page: Page, tmp_path: Path) -> None:
    panel = Panel(page, flowers(tmp_path))
    page.mouse.move(*panel.sign("rose"))
    page.mouse.down()
    page.mouse.move(300, 300, steps=3)
    page.keyboard.press("Escape")
    page.mouse.up()
    panel.settle()
    assert panel.space._handled["moved"] == []


def test_forces_on_the_image_of_focus_stand_in_numbers(page: Page, tmp_path: Path, tiny: Callable[..., Config]) -> None:
    space = flowers(tmp_path, tiny(loss_scale=8.0))
    panel = Panel(page, space)
    assert "Focus an image to see" in panel.said()
    space.focus = "image 5"
    panel.settle()
    table = space.forces()
    assert table.equals(space.forces("image 5"))
    lines = page.locator(".vptsp-space-forces tbody tr")
    assert [line.locator("th").inner_text() for line in lines.all()] == list(table.index)
    words = [line.locator("td").nth(1).inner_text().split()[1] for line in lines.all()]
    assert words == list(table["effect"])
    assert dict(table["effect"])["iris"] == "pull"  # image 5 is one
    numbers = [float(line.locator("td").nth(3).inner_text().replace("−", "-")) for line in lines.all()]
    np.testing.assert_allclose(numbers, table["gradient"], rtol=0.01)
    space.move_proxy("iris", to=["image 5"])
    panel.settle()
    assert float(space.forces().loc["iris", "cosine"]) == pytest.approx(1, abs=1e-5)
    expect(lines.nth(list(space.forces().index).index("iris"))).to_contain_text("1.00", use_inner_text=True)
    assert "mean direction of the image that lines lead to." in panel.said()
    assert low_contrast(page, ".vptsp-space-handles") == []


def test_unseen_classes_are_assigned_and_neither_right_nor_wrong(
    page: Page, tmp_path: Path, tiny: Callable[..., Config]
) -> None:
    space = flowers(tmp_path, tiny(loss="normalized_softmax"), known=False)
    panel = Panel(page, space, "dark")
    space.focus = "image 5"
    space.handle(1.0)
    panel.settle()
    assert "No class here has a proxy, so none is right or wrong." in panel.said()
    probes = space._require_handles().of_probes(space._asked)
    assert probes is not None
    before, now = probes.accuracy or (0, 0)
    assert f"Right of 9 training images that the run watched: {percent(before)} → {percent(now)}" in panel.said()
    assert (
        "the image's class has no proxy, and normalised softmax pushes from others only beside a pull" in panel.said()
    )
    assert low_contrast(page, ".vptsp-space-handles") == []


def test_without_semantic_proxies_learned_ones_are_the_handles(page: Page, tmp_path: Path) -> None:
    space = flowers(tmp_path, semantic=False)
    panel = Panel(page, space)
    assert not page.get_by_label("alpha, the share of the learned proxies").is_visible()
    page.mouse.move(*panel.sign("rose"))
    page.mouse.down()
    page.mouse.move(*panel.sign("iris"), steps=3)
    page.mouse.up()
    panel.settle()
    assert [one["proxy"] for one in space._handled["moved"]] == [0]
    with pytest.raises(DataError, match="no semantic proxies to fuse"):
        space.handle(0.2)


def test_a_page_without_a_kernel_shows_what_was_set(page: Page, tmp_path: Path) -> None:
    space = flowers(tmp_path)
    page.set_content(page_block("space", space.state_for_page()))
    page.wait_for_timeout(200)
    assert not page.locator(".vptsp-space-handles").is_visible()
    space.handle(1.0)
    changed = space._handled["changed"]
    page.set_content(page_block("space", space.state_for_page()))
    page.locator(".vptsp-space-handles summary").click()
    expect(page.locator(".vptsp-space-handles")).to_contain_text(f"{changed} of 45 images change", use_inner_text=True)
    assert page.get_by_label("alpha, the share of the learned proxies").is_disabled()
    assert not page.get_by_label("Proxy to move").is_visible()


def test_what_the_page_sets_is_in_the_state_and_stays_when_the_map_moves(page: Page, tmp_path: Path) -> None:
    space = flowers(tmp_path)
    panel = Panel(page, space)
    page.keyboard.press("End")
    panel.settle()
    assert space.view_state["handles"] == {"alpha": 1.0, "moved": []}
    space.keep_view("learned alone")
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("+")
    panel.settle()
    assert space.view_state["zoom"] == 1.5
    assert space.view_state["handles"]["alpha"] == 1.0
    space.view_state = {}
    panel.settle()
    slider = page.get_by_label("alpha, the share of the learned proxies")
    assert slider.input_value() == "0.4"
    space.open_view("learned alone")
    panel.settle()
    assert slider.input_value() == "1"
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("Control+z")
    panel.settle()
    assert slider.input_value() == "0.4"
    assert space.view_state["handles"] == {}
    page.keyboard.press("Control+Shift+z")
    panel.settle()
    assert (slider.input_value(), space.view_state["handles"]["alpha"]) == ("1", 1.0)


def test_a_page_of_kept_views_has_their_proxies(page: Page, tmp_path: Path) -> None:
    space = flowers(tmp_path)
    space.move_proxy("rose", to=space.ids[:3])
    place = space._handled["moved"][0]
    space.keep_view("moved")
    space.view_state = {}
    page.set_content(page_block("space", space.state_for_page()))
    page.locator(".vptsp-space-over").focus()
    page.keyboard.press("k")
    page.get_by_role("button", name="Open moved, by class").click()
    page.wait_for_timeout(400)
    moved = page.evaluate("vptspModels[0].get('_handled').moved")
    assert [(one["proxy"], one["x"], one["y"]) for one in moved] == [(0, place["x"], place["y"])]
    page.locator(".vptsp-space-handles summary").click()
    expect(page.locator(".vptsp-space-handles")).to_contain_text(
        "A moved proxy is the mean direction of the 3 images", use_inner_text=True
    )


def test_a_map_in_space_says_why_proxies_are_no_handles(page: Page, tmp_path: Path) -> None:
    space = flowers(tmp_path)
    options = {"dimensions": 3, "handles": space._require_handles().handles}
    Panel(page, SpaceExplorer(space.saved, "pca", space._vectors, NAMES, **options))
    expect(page.get_by_role("status")).to_have_text(
        "Proxies are handles on maps in two dimensions: a place on the screen of this one has no depth."
    )
    assert not page.locator(".vptsp-space-handles").is_visible()


def test_nothing_of_the_forces_is_cut_but_by_scrolling_which_shows(
    page: Page, tmp_path: Path, tiny: Callable[..., Config]
) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    space = flowers(tmp_path, tiny(loss_scale=8.0))
    space.focus = "image 5"
    panel = Panel(page, space)
    panel.settle()
    name = page.locator(".vptsp-space-forces th[scope='row']").first
    name.evaluate("(one) => { one.textContent = 'Nelson\\'s Sharp-tailed Sparrow'; }")  # a long one of CUB
    assert name.evaluate("(one) => one.getBoundingClientRect().height < 20")  # in one line
    side = page.locator(".vptsp-space-side")
    cut = "(side) => [...side.querySelectorAll('.vptsp-space-forces :is(td, th)')].filter((one) =>" + (
        " one.scrollWidth > one.clientWidth || one.getBoundingClientRect().right > side.getBoundingClientRect().right)"
    )
    assert side.evaluate(f"(side) => ({cut})(side).length") == 0
    assert side.evaluate("(side) => side.scrollHeight > side.clientHeight")
    assert side.evaluate("(side) => getComputedStyle(side, '::after').position") == "sticky"
    covered = side.evaluate(
        "(side) => { side.scrollTop = side.scrollHeight; const of = (one) => one.getBoundingClientRect().bottom;"
        "return of([...side.children].filter((one) => one.checkVisibility()).pop()) - of(side); }"
    )
    assert covered < -24  # at the end the fade lies below the last line
