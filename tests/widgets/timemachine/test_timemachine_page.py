"""The time machine in a browser without a kernel: played, scrubbed, clicked, in both themes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import Shown, low_contrast
from playwright.sync_api import Page, expect
from vptsp_widgets.front import page_block
from vptsp_widgets.timemachine import TimeMachine

from vptsp.analysis.replay import Replay, replay
from vptsp.files import write_json
from vptsp.runs.run import Run

pytestmark = pytest.mark.browser
EVIL = '<img src=x onerror="alert(1)"> ورد'
ROOM = 26  # pixels between the farthest point and the edge


class Machine:
    """A time machine on a page, and where its points are by the scale it documents."""

    def __init__(self, page: Page, view: TimeMachine, theme: str = "light") -> None:
        self.page, self.view = page, view
        block = page_block("timemachine", view.state_for_page(), (), "time machine")
        page.set_content(f'<!doctype html><html data-theme="{theme}"><meta charset="utf-8"><body>{block}</body></html>')
        expect(page.locator(".vt-canvas")).to_be_visible()
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    @property
    def shown(self) -> Replay:
        return self.view.shows

    def get(self, name: str) -> Any:
        return self.page.evaluate("(name) => vptspModels[0].get(name)", name)

    def rows(self, name: str) -> list[int]:
        return self.page.evaluate("(name) => [...new Int32Array(vptspModels[0].get(name).buffer)]", name)

    def set(self, name: str, value: Any) -> None:
        self.page.evaluate("([name, value]) => vptspModels[0].set(name, value)", [name, value])

    def screen(self, place: np.ndarray) -> tuple[float, float]:
        """Where a point of the frame is on the page."""
        everything = np.concatenate([self.shown.images, *self.shown.proxies.values()], axis=1)
        low, high = everything.min(axis=(0, 1)), everything.max(axis=(0, 1))
        box = self.page.locator(".vt-canvas").bounding_box()
        assert box is not None
        scale = min((box["width"] - 2 * ROOM) / (high[0] - low[0]), (box["height"] - 2 * ROOM) / (high[1] - low[1]))
        x, y = (place - (low + high) / 2) * scale
        return box["x"] + box["width"] / 2 + float(x), box["y"] + box["height"] / 2 - float(y)

    def ink_at(self, x: float, y: float, radius: int = 4) -> int:
        """Pixels drawn on around a place of the page, once what was asked for is drawn: that is in the next frame."""
        script = """async ([x, y, r]) => {
          for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
          const canvas = document.querySelector(".vt-canvas"), box = canvas.getBoundingClientRect();
          const pixels = canvas.getContext("2d").getImageData(x - box.left - r, y - box.top - r, 2 * r, 2 * r).data;
          return pixels.filter((value, at) => at % 4 === 3 && value > 60).length;
        }"""
        return self.page.evaluate(script, [x, y, radius])


@pytest.fixture
def machine(page: Page, tiny_run: Run) -> Machine:
    view = TimeMachine.of_run(tiny_run)
    view.classes = []
    return Machine(page, view)


def lonely(shown: Replay, kind: str, turn: int) -> int:
    """The proxy of a kind that is farthest from every other point at an epoch."""
    everything = np.concatenate([shown.images[turn], *(path[turn] for path in shown.proxies.values())])
    own = shown.proxies[kind][turn]
    distances = np.linalg.norm(own[:, None] - everything[None], axis=2)
    return int(np.sort(distances, axis=1)[:, 1].argmax())


def test_playing_goes_from_the_first_epoch_to_the_last(machine: Machine) -> None:
    page = machine.page
    expect(page.locator(".vt-label")).to_have_text("epoch 2 of 2")
    page.get_by_label("Speed").select_option("2")
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.wait_for_function(
        "() => { const at = document.querySelector('.vt-slider').value; return at > 0.1 && at < 1.9; }"
    )
    moment = float(page.locator(".vt-slider").input_value())
    assert moment != round(moment)  # between two epochs
    expect(page.get_by_role("button", name="Play")).to_be_visible(timeout=5000)
    expect(page.locator(".vt-label")).to_have_text("epoch 2 of 2")
    page.wait_for_function("vptspModels[0].get('epoch') === 2")


def test_keys_move_the_slider_and_points_lie_where_the_replay_has_them(machine: Machine) -> None:
    page, shown = machine.page, machine.shown
    page.get_by_role("slider", name="Epoch").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".vt-label")).to_have_text("epoch 1 of 2")
    page.wait_for_function("document.querySelector('.vt-slider').value === '1'")
    page.keyboard.press("Home")
    expect(page.locator(".vt-big")).to_have_text("0before training")
    page.wait_for_function("vptspModels[0].get('epoch') === 0")
    for keys, turn in (([], 0), (["ArrowRight", "ArrowRight"], 2), (["ArrowLeft"], 1), (["End"], 2)):
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_function(f"document.querySelector('.vt-slider').value === '{turn}'")
        expect(page.get_by_role("slider")).to_have_attribute("aria-valuetext", f"epoch {turn} of 2")
        for kind, path in shown.proxies.items():
            assert machine.ink_at(*machine.screen(path[turn, lonely(shown, kind, turn)])) > 3
        for place in shown.images[turn]:
            assert machine.ink_at(*machine.screen(place)) > 3
    assert f"Validation R@1 {100 * shown.judged[2]:.1f} %" in (
        page.locator(".vt-canvas").get_attribute("aria-label") or ""
    )


def test_python_sets_the_epoch(machine: Machine) -> None:
    machine.set("epoch", 1)
    expect(machine.page.locator(".vt-label")).to_have_text("epoch 1 of 2")
    assert machine.page.locator(".vt-slider").input_value() == "1"


def test_a_click_on_a_proxy_gives_its_class_a_trail(machine: Machine) -> None:
    page, shown = machine.page, machine.shown
    number = lonely(shown, "fused", 2)
    label = int(shown.proxy_labels[number])
    start, end = shown.proxies["fused"][:2, number]
    halfway = machine.screen((start + end) / 2)
    before = machine.ink_at(*halfway)
    page.mouse.move(*machine.screen(shown.proxies["fused"][2, number]))
    expect(page.locator(".vt-card")).to_contain_text("fused q")
    page.mouse.down()
    page.mouse.up()
    chip = page.locator(".vt-chip")
    expect(chip).to_contain_text(shown.class_names[label])
    expect(chip).to_contain_text(f"fused\u00a0{shown.moved['fused'][number]:.0f}°")
    page.mouse.move(5, 5)
    assert machine.ink_at(*halfway) > max(3, before)
    assert [machine.view._names[row] for row in machine.get("_trails")] == [shown.class_names[label]]
    chip.get_by_role("button").click()
    expect(chip).to_have_count(0)
    assert machine.ink_at(*halfway) == before


def test_a_class_is_found_by_name_and_seven_are_enough(machine: Machine) -> None:
    page, names = machine.page, [machine.shown.class_names[label] for label in machine.shown.proxy_labels]
    box = page.get_by_label("Trails of a class")
    for name in names[:7]:
        box.fill(name)
    expect(page.locator(".vt-chip")).to_have_count(7)
    box.fill(names[7])
    expect(page.get_by_role("status")).to_contain_text("7 classes have trails")
    expect(page.locator(".vt-chip")).to_have_count(7)
    page.get_by_role("button", name="Take all away").click()
    expect(page.locator(".vt-chip")).to_have_count(0)
    box.fill("no such class")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text('no class is called "no such class"')


def test_kinds_and_images_can_be_left_out_and_the_note_says_so(machine: Machine) -> None:
    page, shown = machine.page, machine.shown
    learned = shown.proxies["learned"][2]
    place = machine.screen(learned[lonely(shown, "learned", 2)])
    assert machine.ink_at(*place) > 3
    page.get_by_label("learned O").uncheck()
    assert machine.ink_at(*place) == 0
    expect(page.locator(".vt-note")).to_contain_text("2 of 3 kinds of proxies shown")
    page.get_by_label("train probe images").uncheck()
    expect(page.locator(".vt-note")).to_contain_text("4 of 8 probe images shown")
    page.get_by_label("learned O").check()
    page.get_by_label("train probe images").check()
    expect(page.locator(".vt-note")).not_to_contain_text("shown")


def test_images_are_looked_at_and_selected_with_keys(machine: Machine) -> None:
    page = machine.page
    page.locator(".vt-canvas").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert machine.get("_focused") == 1
    expect(page.locator(".vt-looked")).to_contain_text(machine.shown.ids[1])
    page.keyboard.press("Enter")
    assert machine.rows("_selected") == [1]
    page.keyboard.press("Escape")
    assert (machine.get("_focused"), machine.rows("_selected")) == (-1, [])
    expect(page.locator(".vt-looked")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.locator(".vptsp-help")).to_be_visible()


def test_thumbnails_are_those_of_the_images(machine: Machine) -> None:
    page, shown = machine.page, machine.shown
    tiles = page.get_by_label("Thumbnails")
    x, y = machine.screen(shown.images[2, 6])
    plain = machine.ink_at(x, y, 8)
    tiles.check()
    assert machine.ink_at(x, y, 8) > plain
    machine.set("_focused", 6)
    expect(page.locator(".vt-looked canvas:not(.vptsp-waiting)")).to_be_visible()


def test_the_playhead_stands_at_the_epoch(machine: Machine) -> None:
    page, judged = machine.page, 100 * machine.shown.judged
    texts = page.locator(".vt-plot text").all_text_contents()
    assert {"0", "50", "100", "1", "2", "epoch", "percent"} <= set(texts)
    expect(page.locator(".vt-keys b").first).to_have_text(f"{judged[2]:.1f} %")
    right = float(page.locator(".vt-head line").get_attribute("x1") or 0)
    machine.set("epoch", 0)
    expect(page.locator(".vt-keys b").first).to_have_text("–")
    assert float(page.locator(".vt-head line").get_attribute("x1") or 0) < right


def test_frames_can_be_switched(page: Page, tiny_run: Run) -> None:
    first = replay(tiny_run)
    turned = {kind: path[..., ::-1] for kind, path in first.proxies.items()}
    second = replace(first, frame="aligned", shares={}, images=first.images[..., ::-1], proxies=turned)
    machine = Machine(page, TimeMachine([first, second]))
    page.get_by_label("Frame").select_option("aligned")
    assert machine.get("frame") == "aligned"
    expect(page.locator(".vt-across")).to_have_text("aligned UMAP 1")
    expect(page.locator(".vt-note")).to_contain_text("lengths and directions of movements say little")
    machine.view.frame = "aligned"
    for place in second.images[2]:
        assert machine.ink_at(*machine.screen(place)) > 3


def test_a_run_of_one_epoch_and_no_proxies_stands_still(page: Page, tiny_run: Run) -> None:
    first = replay(tiny_run)
    first = replace(first, proxies={}, moved={}, turned={}, proxy_labels=first.proxy_labels[:0], recall={})
    first = replace(first, epochs=(0,), images=first.images[:1], judged=first.judged[:1])
    machine = Machine(page, TimeMachine(first))
    expect(page.get_by_role("button", name="Play")).to_be_disabled()
    expect(page.get_by_role("slider")).to_be_disabled()
    expect(page.locator(".vt-trails")).to_contain_text("This run has no proxies")
    expect(page.locator(".vt-plot")).to_be_hidden()
    assert all(machine.ink_at(*machine.screen(place)) > 3 for place in first.images[0])


@pytest.mark.last_in_window
def test_a_training_run_is_followed_and_its_new_epochs_appear(page: Page, tiny_run: Run, tmp_path: Path) -> None:
    shutil.copytree(tiny_run.path, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    later = run.snapshot_path(2).rename(run.path / "later")
    view = TimeMachine.of_run(run)
    view._content = {**view._content, "training": True}
    shown = Shown(page, "timemachine", view)
    expect(page.locator(".vt-label")).to_have_text("epoch 1 of 1")
    later.rename(run.snapshot_path(2))
    page.clock.install()
    page.get_by_label("Follow training").check()
    page.clock.run_for(4500)
    page.wait_for_timeout(50)
    shown.bring()
    page.clock.run_for(50)
    expect(page.locator(".vt-label")).to_have_text("epoch 2 of 2")
    expect(page.get_by_label("Follow training")).to_be_hidden()  # the run is done


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 420])
def test_both_themes_and_narrow_pages(page: Page, tiny_run: Run, theme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    Machine(page, TimeMachine.of_run(tiny_run), theme)
    assert page.evaluate("document.querySelector('.vptsp').classList.contains('vptsp-dark')") == (theme == "dark")
    assert low_contrast(page, ".vptsp-timemachine") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_names_are_text(page: Page, tiny_run: Run, tmp_path: Path) -> None:
    shutil.copytree(tiny_run.path, tmp_path / "run")
    path = tmp_path / "run" / "snapshots" / "probes.json"
    index = json.loads(path.read_text())
    index["proxy_class_names"] = [f"{EVIL}{turn}" for turn in range(len(index["proxy_class_names"]))]
    write_json(path, index)
    Machine(page, TimeMachine.of_run(tmp_path / "run"))
    expect(page.locator(".vt-chip").first).to_contain_text(EVIL)
    assert page.locator("img").count() == 0


def test_unmounting_leaves_no_listener(page: Page, tiny_run: Run) -> None:
    block = page_block("timemachine", TimeMachine.of_run(tiny_run).state_for_page())
    block = block.replace("front.render(", "window.end = front.render(", 1)
    block = block.replace("const listeners = new Map();", "const listeners = window.listeners = new Map();", 1)
    page.set_content(block)
    expect(page.locator(".vptsp-timemachine")).to_be_visible()
    page.get_by_role("button", name="Play").click()
    page.evaluate("window.end()")
    assert page.evaluate("[...listeners.values()].flat().length") == 0
    expect(page.locator(".vptsp-timemachine")).to_have_count(0)


def test_curves_and_signs_change_with_the_theme(page: Page, tiny_run: Run) -> None:
    machine = Machine(page, TimeMachine.of_run(tiny_run))
    strokes = "[...document.querySelectorAll('.vt-plot [stroke]')].map((line) => line.getAttribute('stroke'))"
    light = machine.page.evaluate(strokes)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    expect(page.locator(".vptsp-dark")).to_be_visible()
    dark = machine.page.evaluate(strokes)
    assert light
    assert not set(light) & set(dark)
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    expect(page.locator(".vptsp-dark")).to_have_count(0)
    assert machine.page.evaluate(strokes) == light
