"""What paints the points of the map: WebGL2 and the plain canvas show the same, and no map goes blank."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator
from pathlib import Path

import browsers
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, ViewportSize, expect
from vptsp_widgets.front import page_block
from vptsp_widgets.space import SpaceExplorer

from tests.widgets.space.test_solid import TURN, cube_of
from tests.widgets.space.test_space import saved_images
from tests.widgets.space.test_space_page import GRID, Map
from vptsp.errors import DataError

pytestmark = pytest.mark.browser
_RELEASE = (
    "() => new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 300))"
)


@pytest.fixture(scope="module")
def graphic(playwright_driver: Playwright) -> Iterator[Browser]:
    """A Chromium in which a program stands in for the graphics processor, so that there is WebGL2."""
    arguments = [one for one in browsers.ARGUMENTS if one != "--disable-gpu"] + ["--enable-unsafe-swiftshader"]
    environment = os.environ | browsers.font_settings()
    browser = playwright_driver.chromium.launch(executable_path=browsers.find(), args=arguments, env=environment)
    yield browser
    browser.close()


@pytest.fixture(params=[1, 2], ids=["one pixel", "two pixels"])
def window(graphic: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    size = ViewportSize(width=1000, height=760)
    context = graphic.new_context(viewport=size, device_scale_factor=request.param)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    assert wrong == []


def points_of(page: Page, number: int = 0) -> np.ndarray:
    """The pixels of a map's points, (H, W, 3)."""
    page.evaluate(_RELEASE)
    script = "(number) => document.querySelectorAll('.vptsp-space-points')[number].toDataURL()"
    data = base64.b64decode(page.evaluate(script, number).partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def painter_of(page: Page) -> str:
    return str(page.evaluate("() => document.querySelector('.vptsp-space').dataset.painter"))


def require_same(view: Map, at_least: float = 0.002) -> None:
    """Both painters show points, and the same ones: rounding may differ, in a few pixels on the edges of dots."""
    pictures = []
    for painter in ("canvas", "webgl"):
        view.set("painter", painter)
        assert painter_of(view.page) == painter
        pictures.append(points_of(view.page))
    one, other = pictures
    assert (np.abs(one - one[0, 0]).max(axis=2) > 20).mean() > at_least
    apart = np.abs(one - other).max(axis=2)
    assert (apart > 8).mean() < 2e-4
    assert np.abs(one.mean(axis=(0, 1)) - other.mean(axis=(0, 1))).max() < 1


def clouds(folder: Path, points: int) -> SpaceExplorer:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 30, points)  # more than have colours at once
    places = rng.normal(0, 6, (30, 2))[labels] + rng.normal(0, 1, (points, 2))
    return SpaceExplorer(saved_images(folder, labels.tolist(), [f"class {code}" for code in range(30)]), places)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_painters_show_the_same(window: Page, tmp_path: Path, theme: str) -> None:
    view = Map(window, clouds(tmp_path, 1500), theme)
    assert painter_of(window) == "canvas"  # a program is no graphics processor
    require_same(view)
    row = int(np.argmax(view.space.points[:, 0]))
    x, y = map(float, view.space.points[row])
    view.set("view_state", {**view.get("view_state"), "zoom": 15000, "x": x + 1e-5, "y": y, "pictures": False})
    require_same(view, 1e-5)  # the image is where it is, to the pixel
    view.set("view_state", {**view.get("view_state"), "zoom": 2, "colour": "class", "find": "class 3"})
    window.evaluate(
        "() => window.vptspModels[0].set('_selected', new DataView(Int32Array.of(3, 5, 8, 200, 999).buffer))"
    )
    require_same(view)


@pytest.mark.parametrize("points", [3_000, 30_000])  # painted at once, and in slices
def test_what_is_seen_does_not_depend_on_what_was_selected_before(page: Page, tmp_path: Path, points: int) -> None:
    space = clouds(tmp_path, points)  # another selection brings other classes into colour
    seen = {}
    for name, rows in (("few", [0, 5, 9]), ("many", list(range(0, points, 2))), ("one", [7]), ("none", [])):
        space.selection = [space.ids[row] for row in rows]
        Map(page, space)
        seen[name] = points_of(page)
    assert not np.array_equal(seen["none"], seen["few"])
    space.selection = []
    view = Map(page, space)
    for name, rows in (
        ("many", range(0, points, 2)),
        ("few", [0, 5, 9]),
        ("none", []),
        ("one", [7]),
        ("few", [0, 5, 9]),
    ):
        page.evaluate(
            "(rows) => window.vptspModels[0].set('_selected', new DataView(new Int32Array(rows).buffer))", list(rows)
        )
        view.settle()
        np.testing.assert_array_equal(points_of(page), seen[name], err_msg=name)


def test_both_painters_show_the_same_space(window: Page, tmp_path: Path) -> None:
    view = Map(window, cube_of(tmp_path))
    require_same(view, 1e-4)
    view.set("view_state", {**view.get("view_state"), "turn": list(TURN)})
    require_same(view, 1e-4)


def test_a_map_whose_context_is_lost_goes_on_and_takes_it_again(graphic: Browser, tmp_path: Path) -> None:
    page = graphic.new_page()
    view = Map(page, clouds(tmp_path, 300))
    view.set("painter", "webgl")
    before = points_of(page)
    page.evaluate("() => { window.loss = vptspGraphics.gl.getExtension('WEBGL_lose_context'); loss.loseContext(); }")
    page.evaluate(_RELEASE)
    assert painter_of(page) == "canvas"
    assert np.abs(points_of(page) - before).max() <= 60
    assert "no WebGL2" in (page.locator(".vptsp-help tr").last.text_content() or "")
    view.set("view_state", {**view.get("view_state"), "zoom": 2.0})
    moved = points_of(page)
    assert (np.abs(moved - before).max(axis=2) > 20).mean() > 0.002
    page.evaluate("() => window.loss.restoreContext()")
    page.evaluate(_RELEASE)
    assert painter_of(page) == "webgl"
    assert (np.abs(points_of(page) - moved).max(axis=2) > 8).mean() < 2e-4
    page.close()


def test_twenty_maps_of_a_page_share_a_context_and_none_is_blank(graphic: Browser, tmp_path: Path) -> None:
    space = SpaceExplorer(saved_images(tmp_path, [0, 1] * 20, ["rose", "lily"]), GRID, painter="webgl")
    blocks = [page_block("space", space.state_for_page(), element=f"map{number}") for number in range(20)]
    page = graphic.new_page()
    page.set_content("<!doctype html><meta charset='utf-8'><body>" + "".join(blocks))
    page.wait_for_function("() => document.querySelectorAll('.vptsp-space[data-painter=webgl]').length === 20")
    assert page.evaluate("() => window.vptspGraphics.users") == 20
    page.evaluate(  # and others on the page take as many as there are
        "() => { const more = () => document.createElement('canvas').getContext('webgl2');"
        "window.others = Array.from({ length: 20 }, more); }"
    )
    page.evaluate(
        "() => window.vptspModels.forEach((one) => one.set('view_state', { ...one.get('view_state'), zoom: 0.9 }))"
    )
    pictures = [points_of(page, number) for number in (0, 7, 19)]
    assert all((np.abs(one - one[0, 0]).max(axis=2) > 20).mean() > 0.002 for one in pictures)
    page.evaluate(
        "() => { window.gl = window.vptspGraphics.gl;"
        "window.vptspModels.forEach((one) => one.set('painter', 'canvas')); }"
    )
    assert page.evaluate("() => [window.vptspGraphics === undefined, window.gl.isContextLost()]") == [True, True]
    page.close()


def test_many_points_move_with_the_camera_and_are_all_painted_once_it_rests(page: Page, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    saved = saved_images(tmp_path, [0] * 900, ["rose"])
    view = Map(page, SpaceExplorer(saved, rng.normal(size=(900, 2))))
    count = 60_000
    page.evaluate(  # as many as an image file of tiles would be too large for
        """([count, seed]) => {
          let at = seed;
          const next = () => ((at = (at * 16807) % 2147483647) / 2147483647 - 0.5) * 8;
          const arrays = {
            _codes: new Int32Array(count), _sample: Int32Array.from({ length: count }, (_, row) => row),
            _points: Float32Array.from({ length: 2 * count }, next),
          };
          for (const [name, array] of Object.entries(arrays)) {
            window.vptspModels[0].set(name, new DataView(array.buffer));
          }
        }""",
        [count, 7],
    )
    view.settle()
    assert "60,000 images" in view.text("counts")
    x, y = view.left + view.width / 2, view.top + view.height / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 90, y - 40, steps=6)
    page.mouse.up()
    moved = points_of(page)
    page.wait_for_timeout(600)
    rested = points_of(page)
    view.set("painter", "canvas")  # which paints anew, from the first point on
    page.wait_for_timeout(600)
    assert (moved != 255).any(axis=2).mean() > 0.05
    assert np.array_equal(rested, points_of(page))


def test_the_list_of_keys_says_what_paints(page: Page, tmp_path: Path) -> None:
    view = Map(page, SpaceExplorer(saved_images(tmp_path, [0] * 40, ["rose"]), GRID))
    page.locator(".vptsp-space-over").press("?")
    row = page.locator(".vptsp-help tr").last
    expect(row).to_contain_text("no WebGL2", use_inner_text=True)
    view.set("painter", "canvas")
    assert row.inner_text().endswith("plain canvas")


def test_a_painter_that_is_none_is_refused(tmp_path: Path) -> None:
    saved = saved_images(tmp_path, [0] * 40, ["rose"])
    with pytest.raises(DataError, match=r"painter is 'gpu'; it must be one of auto, webgl, canvas"):
        SpaceExplorer(saved, GRID, painter="gpu")
