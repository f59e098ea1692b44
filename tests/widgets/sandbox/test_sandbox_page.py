"""The front end of ProxySandbox: its maths against automatic differentiation, and what mouse and keys do to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page
from vptsp_widgets.front import module, page_block
from vptsp_widgets.sandbox import ProxySandbox
from vptsp_widgets.sandbox.gradients import loss_and_gradients
from vptsp_widgets.sandbox.presets import presets
from vptsp_widgets.sandbox.state import LOSSES, MOST_CLASSES, MOST_SAMPLES, RANGES, complete, to_json

from vptsp.errors import UsageError

pytestmark = pytest.mark.browser


# --- maths ------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def front(browser: Browser) -> Iterator[Page]:
    """A bare page in which ``front`` is the module of the view."""
    context = browser.new_context()
    page = context.new_page()
    text = module("sandbox").replace("export default", "return")
    page.evaluate(f"window.front = (() => {{ {text} }})(); 0")
    yield page
    context.close()


@st.composite
def states(draw: st.DrawFn) -> dict[str, Any]:
    """Any state: on the circle and the sphere, classes absent from the batch, lengths that are not one."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    width, classes, samples = draw(st.sampled_from([2, 3])), draw(st.integers(1, 8)), draw(st.integers(1, 20))
    state = complete(
        {
            "samples": rng.normal(size=(samples, width)),
            "labels": rng.integers(0, draw(st.integers(1, classes)), samples),
            "proxies": rng.normal(size=(classes, width)),
            "semantic": rng.normal(size=(classes, width)) if draw(st.booleans()) else None,
            "loss": draw(st.sampled_from(list(LOSSES))),
            "positive_mean": draw(st.sampled_from(["present", "all"])),
            "scale": draw(st.floats(0.1, 128)),
            "margin": draw(st.floats(0, 0.5)),
            "alpha": draw(st.sampled_from([0.0, 0.3, 0.5, 1.0])),
            "moves": draw(st.lists(st.sampled_from(["samples", "proxies", "semantic"]), unique=True)),
        }
    )
    if draw(st.booleans()):  # of any length: the gradient is that of the coordinates, not of the direction
        state["samples"] *= rng.uniform(0.3, 3, size=(samples, 1))
        state["proxies"] *= rng.uniform(0.3, 3, size=(classes, 1))
    return state


@settings(max_examples=150)
@given(state=states())
def test_loss_and_gradients_equal_autograd_on_the_losses(front: Page, state: dict[str, Any]) -> None:
    found = front.evaluate("(state) => front.maths.evaluate(state)", to_json(state))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "float", torch.Tensor.double)  # the very same losses, without fp32's rounding
        loss, gradients = loss_and_gradients(state)
    assert found["loss"] == pytest.approx(loss, rel=1e-9, abs=1e-9)
    shares = found["pull"] + (found["push"] or [])
    assert min(shares) >= -1e-12
    assert sum(shares) == pytest.approx(loss, rel=1e-9, abs=1e-9)
    for name, expected in gradients.items():
        np.testing.assert_allclose(found["gradients"][name], expected, rtol=1e-7, atol=1e-7)
    assert (found["gradients"]["semantic"] is None) == ("semantic" not in gradients)


@settings(max_examples=40)
@given(state=states())
def test_fp32_losses_as_training_runs_them_agree_to_1e_5(front: Page, state: dict[str, Any]) -> None:
    state["scale"] = min(state["scale"], 32.0)
    found = front.evaluate("(state) => front.maths.evaluate(state)", to_json(state))
    loss, gradients = loss_and_gradients(state)
    assert found["loss"] == pytest.approx(loss, rel=1e-5, abs=1e-5)
    for name, expected in gradients.items():
        largest = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(found["gradients"][name], expected, rtol=1e-5, atol=1e-5 * largest)


@settings(max_examples=30)
@given(state=states())
def test_a_step_goes_down_the_gradient_and_back_to_the_circle(front: Page, state: dict[str, Any]) -> None:
    moved = front.evaluate("(s) => front.maths.descend(s, front.maths.evaluate(s).gradients)", to_json(state))
    gradients = front.evaluate("(s) => front.maths.evaluate(s).gradients", to_json(state))
    for name in ("samples", "proxies", "semantic"):
        if state[name] is None or name not in state["moves"]:
            assert moved[name] == to_json(state)[name]
            continue
        there = state[name] - state["learning_rate"] * np.array(gradients[name])
        if name != "proxies" or state["semantic"] is None:  # else the length is the weight in the mixture
            there /= np.linalg.norm(there, axis=1, keepdims=True)
        np.testing.assert_allclose(moved[name], there, rtol=1e-9, atol=1e-9)


def played(front: Page, start: dict[str, Any], steps: int) -> dict[str, Any]:
    """After descent: the loss, and the share of samples whose nearest proxy is their own."""
    script = """([state, steps]) => {
      for (let k = 0; k < steps; k++) state = front.maths.descend(state, front.maths.evaluate(state).gradients);
      const { loss, cosines } = front.maths.evaluate(state);
      const right = cosines.filter((row, i) => row.indexOf(Math.max(...row)) === state.labels[i]);
      return { loss, right: right.length / cosines.length };
    }"""
    return dict(front.evaluate(script, [start, steps]))


def test_stories_end_as_they_say(front: Page) -> None:
    stories = {name: story["state"] for name, story in presets().items()}
    blocked, passed = played(front, stories["random"], 200), played(front, stories["random"], 400)
    assert blocked["loss"] > 25 > 1 > passed["loss"]
    assert played(front, stories["shared"], 1500)["right"] < 0.9  # mixed, and at rest
    apart = stories["shared"] | {"proxies": stories["shared"]["proxies"].copy()}
    apart["proxies"][1] = [np.cos(np.deg2rad(150)), np.sin(np.deg2rad(150))]
    assert played(front, apart, 800)["right"] == 1
    for name in ("semantic", "outlier", "passing", "orthant"):
        assert played(front, stories[name], 800)["right"] == 1, name


def test_hard_pairs_are_those_the_legend_says(front: Page) -> None:
    slopes = [[-4.0, 1.9], [0.3, 2.0], [-2.1, 0.0]]
    pairs = front.evaluate("(slopes) => front.maths.hardPairs(slopes).map(({i, c}) => [i, c])", slopes)
    assert pairs == [[0, 0], [1, 1], [2, 0]]
    assert front.evaluate("front.maths.hardPairs([[0.009, -0.001]])") == []  # all is well


def test_cleanup_leaves_nothing_behind(front: Page) -> None:
    view = ProxySandbox()
    script = """(values) => {
      const heard = new Map();
      const model = { get: (key) => values[key], set() {}, save_changes() {}, send() {},
        on: (name, act) => heard.set(act, name), off: (name, act) => heard.delete(act) };
      const el = document.body.appendChild(document.createElement("div"));
      const end = front.render({ model, el });
      const points = el.querySelectorAll(".vptsp-sb-stage .vptsp-sb-point").length;
      el.querySelector(".vptsp-sb-go").click();
      end();
      return [points, el.children.length, el.className, heard.size];
    }"""
    values = {"_state": view._state, "_stories": view._stories, "_losses": LOSSES, "status": ""}
    assert front.evaluate(script, values) == [15, 0, "", 0]


# --- mouse and keys ---------------------------------------------------------------------------------
def show(page: Page, view: ProxySandbox) -> None:
    block = page_block("sandbox", view.state_for_page(), label="sandbox")
    page.set_content(f'<!doctype html><meta charset="utf-8"><body style="background:Canvas">{block}</body>')
    page.wait_for_function("document.querySelector('.vptsp-sb-stage')?.hasAttribute('viewBox')")


def state(page: Page) -> dict[str, Any]:
    """What a kernel would hold, once the front end has told it.

    The page's own clock waits: its timers end in order, however slow the machine, and the front end tells after 120 ms.
    """
    told = "() => new Promise((done) => setTimeout(() => done(window.vptspModels[0].get('_state')), 140))"
    return dict(page.evaluate(told))


def loss(page: Page) -> float:
    return float(page.inner_text(".vptsp-sb-total b").replace("−", "-"))


def status(page: Page) -> str:
    return page.inner_text(".vptsp-status")


def point(page: Page, name: str) -> Any:
    return page.locator(f'.vptsp-sb-point[aria-label^="{name}"]')


def stage(page: Page) -> tuple[float, float, float]:
    """Middle and radius of the circle in the page."""
    box = page.locator("circle.vptsp-sb-ball, circle.vptsp-sb-rim").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box["width"] / 2


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    page.mouse.move(*end)
    page.mouse.up()


def test_a_dragged_proxy_changes_loss_state_and_status(page: Page) -> None:
    view = ProxySandbox("random")
    show(page, view)
    x, y, radius = stage(page)
    before, angle = loss(page), np.deg2rad(247)
    assert before == pytest.approx(view.loss, rel=1e-3)
    drag(page, (x + radius * np.cos(angle), y - radius * np.sin(angle)), (x, y - radius))  # proxy A, to its class
    moved = state(page)
    np.testing.assert_allclose(moved["proxies"][0], [0, 1], atol=0.02)
    assert moved["proxies"][1:] == view._state["proxies"][1:]
    assert loss(page) < before
    assert re.match(r"proxy of class A at (89|90|91)°: loss ", status(page))
    view._state = moved  # as the kernel hears it
    assert loss(page) == pytest.approx(view.loss, rel=1e-3)

    page.click("button:has-text('undo')")
    assert state(page)["proxies"] == ProxySandbox("random")._state["proxies"]
    assert loss(page) == before


def test_sliders_and_choices_by_keyboard(page: Page) -> None:
    view = ProxySandbox("semantic")
    show(page, view)
    page.locator("label:has-text('alpha') input").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert state(page)["alpha"] == pytest.approx(0.45)
    assert status(page).startswith("alpha 0.45: loss ")
    page.locator("label:has-text('scale') input").focus()
    page.keyboard.press("End")
    assert state(page)["scale"] == 128
    page.keyboard.press("Control+z")
    page.select_option("label:has-text('loss') select", "proxy_nca")
    page.locator("label:has-text('samples') input").uncheck()
    told = state(page)
    assert (told["scale"], told["loss"], told["moves"]) == (16, "proxy_nca", ["proxies"])
    assert page.locator("label:has-text('margin')").is_hidden()  # not in this loss
    assert page.locator(".vptsp-sb-bars thead th").count() == 2
    view._state = told
    assert loss(page) == pytest.approx(view.loss, rel=1e-3)


def test_points_by_keyboard(page: Page) -> None:
    show(page, ProxySandbox("semantic"))
    point(page, "sample 1 of class A").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowLeft")
    angle = np.rad2deg(np.arctan2(*state(page)["samples"][0][::-1]))
    assert angle == pytest.approx(68 + 2 + 10)
    assert status(page).startswith("sample 1 of class A at 80°: loss ")
    assert point(page, "sample 1 of class A").evaluate("(e) => e === document.activeElement")
    assert "cosine with its proxy" in page.inner_text(".vptsp-sb-readout")
    point(page, "learned proxy of class A").focus()
    page.keyboard.press("+")
    assert np.linalg.norm(state(page)["proxies"][0]) == pytest.approx(0.66)
    page.keyboard.press("?")
    assert page.locator(".vptsp-help").is_visible()
    page.keyboard.press("Escape")
    assert page.locator(".vptsp-help").is_hidden()
    page.keyboard.press("r")
    assert state(page) == presets()["semantic"]["state"]


def test_play_descends_until_it_is_stopped_and_undo_takes_it_back(page: Page) -> None:
    show(page, ProxySandbox("outlier"))
    before = loss(page)
    page.keyboard.press("Tab")
    page.click("button:has-text('play')")
    page.wait_for_function(f"Number(document.querySelector('.vptsp-sb-total b').textContent) < {before / 2}")
    page.click("button:has-text('pause')")
    assert re.match(r"paused: loss .* after \d+ steps", status(page))
    assert loss(page) < before / 2
    assert page.locator(".vptsp-sb-curve path").get_attribute("d")
    page.wait_for_timeout(100)
    still = loss(page)
    page.click("button:has-text('step')")
    assert loss(page) < still
    assert status(page).startswith("step: loss ")
    page.click("button:has-text('undo')")
    page.click("button:has-text('undo')")
    assert state(page) == presets()["outlier"]["state"]
    page.locator("label:has-text('samples') input").uncheck()
    page.locator("label:has-text('proxies') input").uncheck()
    page.click("button:has-text('play')")
    assert status(page) == "nobody may move; choose who moves"


def test_reduced_motion_takes_the_steps_at_once(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    show(page, ProxySandbox("outlier"))
    before = loss(page)
    page.click("button:has-text('play')")
    assert status(page).startswith("50 steps at once, as reduced motion is wanted: loss ")
    assert loss(page) < before
    assert page.inner_text(".vptsp-sb-go") == "▶ play"


def test_stories_are_switched_and_the_sphere_turns(page: Page) -> None:
    show(page, ProxySandbox("random"))
    page.select_option(".vptsp-bar select", "orthant")
    assert page.inner_text(".vptsp-sb-story") == presets()["orthant"]["caption"]
    assert page.locator(".vptsp-sb-stage .vptsp-sb-point").count() == 12 + 3 * 4
    assert page.locator(".vptsp-sb-eighth").count() == 1
    x, y, radius = stage(page)
    was = state(page)
    drag(page, (x + 0.1 * radius, y - 0.95 * radius + 40), (x - 0.5 * radius, y - 0.5 * radius))
    turned = state(page)
    assert {key for key in was if was[key] != turned[key]} == {"turn"}
    np.testing.assert_allclose(np.array(turned["turn"]) @ np.array(turned["turn"]).T, np.eye(3), atol=1e-12)
    page.locator("circle[aria-label^=sphere]").focus()
    page.keyboard.press("ArrowRight")
    assert state(page)["turn"] != turned["turn"]
    point(page, "sample 1 of class A").focus()
    page.keyboard.press("ArrowDown")
    angle = np.arccos(np.dot(state(page)["samples"][0], was["samples"][0]))
    assert 0.5 < np.rad2deg(angle) < 2.001  # 2 degrees about an axis of the screen


def test_the_kernel_can_change_everything(page: Page) -> None:
    view = ProxySandbox("random")
    show(page, view)
    view.state = {"samples": [[1, 0, 0], [0, 1, 0]], "labels": [0, 1], "proxies": [[0, 0, 1], [0, 1, 1], [1, 1, 1]]}
    page.evaluate("(told) => window.vptspModels[0].set('_state', told)", view._state)
    assert page.locator(".vptsp-sb-stage .vptsp-sb-point").count() == 5
    assert loss(page) == pytest.approx(view.loss, rel=1e-3)
    assert state(page) == view._state
    assert page.inner_text(".vptsp-status").startswith("opened: loss ")  # "set by the kernel" where there is one


def test_names_are_text(page: Page) -> None:
    name = "<img src=x onerror=alert(1)>"
    show(page, ProxySandbox(samples=np.eye(2), labels=[0, 1], proxies=np.eye(2), class_names=[name, "b"]))
    assert name in page.inner_text(".vptsp-sb-bars")
    assert page.locator(".vptsp-sandbox img").count() == 0


_CONTRASTS = """() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const under = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const found = [];
  for (const element of document.querySelectorAll(".vptsp-sandbox *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.disabled || element.closest(".vptsp-sb-behind")) continue;
    const style = getComputedStyle(element);
    const glyph = element.parentElement.querySelector(":scope > .vptsp-sb-glyph");
    const inSvg = element.namespaceURI.endsWith("svg");
    found.push([element.textContent.slice(0, 30),
      ratio(inSvg ? style.fill : style.color, glyph ? getComputedStyle(glyph).fill : under(element))]);
  }
  return found;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_contrast_and_nothing_is_wider_than_the_page(page: Page, theme: Any) -> None:
    page.emulate_media(color_scheme=theme)
    show(page, ProxySandbox("semantic"))
    assert page.locator(".vptsp-dark").count() == (theme == "dark")
    for name in presets():
        page.select_option(".vptsp-bar select", name)
        contrasts = page.evaluate(_CONTRASTS)
        assert len(contrasts) > 40
        assert [(text, ratio) for text, ratio in contrasts if ratio < 4.5] == []
        for width in (1200, 700, 380):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", ["outlier", "semantic"])
def test_arrows_are_as_long_as_the_legend_says(page: Page, name: str) -> None:
    view = ProxySandbox(name)
    show(page, view)
    lengths = """(arrows) => arrows.map((arrow) => {
      const [x, y, , , tipX, tipY] = arrow.getAttribute("d").match(/-?[\\d.]+/g).map(Number);
      return Math.hypot(tipX - x, tipY - y);
    })"""
    (mark,) = page.locator(".vptsp-sb-legend .vptsp-sb-arrow").evaluate_all(lengths)
    said = re.search(r"gradient ([\d.]+)\. It points along −∂L/∂point", page.inner_text(".vptsp-sb-scale"))
    assert said is not None
    drawn = np.array(page.locator(".vptsp-sb-stage .vptsp-sb-arrow").evaluate_all(lengths)) * float(said[1]) / mark
    gradients = view.gradients()
    if view.state["semantic"] is None:
        del gradients["fused"]  # the same as the proxies'
    sizes = np.sort(np.concatenate([np.linalg.norm(rows, axis=1) for rows in gradients.values()]))[::-1]
    assert len(drawn) > 5
    np.testing.assert_allclose(np.sort(drawn)[::-1], sizes[: len(drawn)], rtol=0.01, atol=0.01 * sizes[0])
    assert sizes[len(drawn) :].max(initial=0) < 0.03 * sizes[0]  # left out: those too short to see


# --- points and classes that come and go, and the board as text ------------------------------------------
def labels(page: Page) -> list[int]:
    return list(state(page)["labels"])


def test_points_and_classes_come_and_go(page: Page) -> None:
    view = ProxySandbox("semantic")
    show(page, view)
    start = view._state
    x, y, radius = stage(page)
    point(page, "sample 1 of class B").focus()
    page.keyboard.press("a")
    told = state(page)
    assert told["labels"] == [*start["labels"], 1]
    assert status(page).startswith("a sample of class B more: loss ")
    others = np.array([*told["samples"][:-1], *told["semantic"]])
    assert (others @ np.array(told["samples"][-1])).max() < np.cos(np.deg2rad(10))  # beside the others, not on one
    assert told["samples"][-1] @ np.array(start["samples"][4]) > 0.5
    page.mouse.dblclick(x + radius * np.cos(np.deg2rad(45)), y - radius * np.sin(np.deg2rad(45)))
    assert labels(page)[-2:] == [1, 1]
    np.testing.assert_allclose(state(page)["samples"][-1], [np.sqrt(0.5)] * 2, atol=0.01)

    page.click("button:has-text('+ class')")
    told = state(page)
    assert [len(told[name]) for name in ("proxies", "semantic", "class_names")] == [4, 4, 4]
    assert told["labels"][-1] == 3
    view._state = told  # as the kernel hears it
    assert view.status == ""
    assert loss(page) == pytest.approx(view.loss, rel=1e-3)

    point(page, "semantic proxy of class A").focus()
    page.keyboard.press("Delete")  # with its samples; letters move up
    told = state(page)
    assert told["class_names"] == ["class A", "class B", "class C"]
    assert told["labels"] == [label - 1 for label in [*start["labels"], 1, 1, 3] if label]
    assert told["proxies"][:2] == start["proxies"][1:]
    assert page.evaluate("document.activeElement.classList.contains('vptsp-sb-point')")
    point(page, "sample 1 of class A").focus()
    assert page.inner_text("button:has-text('− remove')") == "− remove sample 1 of class A"
    page.click("button:has-text('− remove')")
    assert len(labels(page)) == len(told["labels"]) - 1
    for _ in range(5):
        page.keyboard.press("Control+z")
    assert state(page) == start


def test_a_loss_keeps_a_sample_and_a_class_and_the_board_has_an_end(page: Page, front: Page) -> None:
    show(page, ProxySandbox(samples=[[1, 0], [0, 1]], labels=[0, 0], proxies=[[1, 0], [0, -1]]))
    point(page, "proxy of class A").focus()
    page.keyboard.press("Delete")
    assert status(page).startswith("no other class has a sample, and a loss needs one")
    point(page, "sample 1").focus()
    page.keyboard.press("Delete")
    page.keyboard.press("Delete")
    assert status(page).startswith("the last sample stays")
    assert labels(page) == [0]
    for _ in range(6):
        page.click("button:has-text('+ class')")
    assert page.locator("button:has-text('+ class')").is_disabled()
    assert len(state(page)["proxies"]) == 8
    limits = front.evaluate("[front.maths.MOST, front.maths.RANGES]")
    assert limits == [
        {"classes": MOST_CLASSES, "samples": MOST_SAMPLES},
        {name: list(ends) for name, ends in RANGES.items()},
    ]


def test_a_board_goes_as_text_and_comes_back(page: Page) -> None:
    view = ProxySandbox("orthant", alpha=0.7)
    show(page, view)
    page.click("button:has-text('as text')")
    area = page.locator("textarea")
    text = area.input_value()
    again = ProxySandbox.of_text(text)
    assert again._state == view._state == ProxySandbox.of_text(view.text)._state
    page.select_option(".vptsp-bar select", "random")
    assert area.input_value() != text  # it follows the board
    area.fill(text.replace('"alpha": 0.7', '"alpha": 7'))
    page.keyboard.press("a")  # is written
    page.click("text=show this text")
    assert status(page).startswith("this is not the text of a board: it is no JSON")
    area.fill(text.replace('"alpha": 0.7', '"alpha": 7'))
    page.click("text=show this text")
    assert status(page) == "this is not the text of a board: alpha is a number from 0 to 1"
    assert state(page)["preset"] == "random"
    area.fill(text)
    page.click("text=show this text")
    assert state(page) == view._state


@settings(max_examples=40)
@given(state=states(), broken=st.sampled_from(["", "samples", "labels", "semantic", "alpha", "loss", "moves", "turn"]))
def test_text_is_taken_by_the_page_where_python_takes_it(front: Page, state: dict[str, Any], broken: str) -> None:
    given = to_json(state) | ({broken: [[0, 0]] if broken in ("samples", "semantic") else "none"} if broken else {})
    script = """([text, now, losses]) => {
      try { return front.maths.fromText(text, now, losses); } catch (error) { return error.message; }
    }"""
    found = front.evaluate(script, [json.dumps(given), presets()["random"]["state"], list(LOSSES)])
    try:
        expected = to_json(complete(given))
    except UsageError:
        assert str(found).startswith("this is not the text of a board: ")
        return
    assert isinstance(found, dict), found
    for name in ("samples", "proxies", "semantic", "turn"):
        if expected[name] is not None:
            np.testing.assert_allclose(found[name], expected[name], atol=1e-9)
    rest = expected.keys() - {"samples", "proxies", "semantic", "turn", "moves"}
    assert {name: found[name] for name in rest} == {name: expected[name] for name in rest}
