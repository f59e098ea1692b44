"""The gallery's front end in a bare page: with a kernel behind a bridge, and without one."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from galleries import EVIL, png, saved_set
from pages import receive
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from vptsp_widgets.front import module, page_block, style
from vptsp_widgets.gallery import RetrievalGallery
from vptsp_widgets.view import View

from vptsp.errors import DataError, DataWarning
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run

pytestmark = pytest.mark.browser

# A model as anywidget gives one: what is saved and sent goes to Python, and what Python answers comes back.
BRIDGE = """
const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes.buffer ?? bytes)));
const view = (value) => value?.bytes === undefined ? value
  : new DataView(Uint8Array.from(atob(value.bytes), (sign) => sign.charCodeAt(0)).buffer);
const listeners = {};
const fire = (name, ...parts) => [...(listeners[name] ?? [])].forEach((act) => act(...parts));
const values = {};
let changed = {};
window.held = null;
window.take = ({ state, sent }) => {
  for (const [key, value] of Object.entries(state)) values[key] = view(value);
  for (const key of Object.keys(state)) fire(`change:${key}`);
  for (const [message, buffers] of sent) fire("msg:custom", message, buffers.map(view));
};
const tell = (what) => window.toPython(what).then((answer) => window.held ? window.held.push(answer) : take(answer));
window.model = {
  get: (key) => values[key],
  set(key, value) { values[key] = changed[key] = value; fire(`change:${key}`); },
  save_changes() {
    const state = Object.fromEntries(Object.entries(changed).map(([key, value]) =>
      [key, value instanceof DataView ? { bytes: text(value) } : value]));
    changed = {};
    tell({ state });
  },
  on: (name, act) => (listeners[name] ??= []).push(act),
  off: (name, act) => (listeners[name] = (listeners[name] ?? []).filter((other) => other !== act)),
  send: (content, _, buffers = []) => tell({ content, buffers: buffers.map((buffer) => ({ bytes: text(buffer) })) }),
};
window.listeners = listeners;
"""


def packed(value: Any) -> Any:
    return {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


class Bridge:
    """A view shown in a page; ``flush`` brings the page what Python has changed."""

    def __init__(self, page: Page, view: RetrievalGallery) -> None:
        self.page, self.view = page, view
        self.changed: dict[str, Any] = {}
        self.sent: list[Any] = []
        view.send = lambda content, buffers=None: self.sent.append((content, [packed(b) for b in buffers or []]))  # type: ignore[method-assign]
        state = View.state_for_page(view)
        view.observe(lambda change: self.changed.update({change["name"]: packed(change["new"])}), list(state))
        receive(page, "toPython", self.receive)
        page.set_content(f"<style>{style('gallery')}</style><div id='here'></div>")
        page.evaluate(BRIDGE)
        page.evaluate("take", {"state": {key: packed(value) for key, value in state.items()}, "sent": []})
        front = module("gallery").replace("export default", "window.front =")
        page.evaluate(
            f"() => {{ {front}\n window.close = front.render({{model, el: document.getElementById('here')}}) }}"
        )

    def receive(self, what: dict[str, Any]) -> dict[str, Any]:
        def unpacked(value: Any) -> Any:
            return base64.b64decode(value["bytes"]) if isinstance(value, dict) and "bytes" in value else value

        if "state" in what:
            with self.view.hold_trait_notifications():
                for name, value in what["state"].items():
                    self.view.set_trait(name, unpacked(value))
            self.changed = {name: value for name, value in self.changed.items() if what["state"].get(name) != value}
        else:
            self.view._receive(self.view, what["content"], [unpacked(buffer) for buffer in what["buffers"]])
        return self.taken()

    def taken(self) -> dict[str, Any]:
        answer = {"state": self.changed.copy(), "sent": self.sent.copy()}
        self.changed.clear()
        self.sent.clear()
        return answer

    def flush(self) -> None:
        self.page.evaluate("take", self.taken())


Show = Callable[..., Bridge]


@pytest.fixture
def saved(tmp_path: Path) -> SavedEmbeddings:
    return saved_set(tmp_path / "saved")


@pytest.fixture
def show(page: Page, saved: SavedEmbeddings) -> Show:
    return lambda view=None, **options: Bridge(page, view or RetrievalGallery(saved, **{"k": 12, **options}))


def tiles(page: Page) -> Locator:
    return page.locator("button.vg-tile")


def rows(page: Page) -> list[int]:
    return [int(row) for row in tiles(page).evaluate_all("all => all.map((tile) => tile.dataset.row)")]


def ranked(page: Page) -> None:
    expect(page.locator(".vg-title")).to_have_text("Nearest gallery images")
    expect(page.locator(".vg-busy")).to_have_count(0)


def test_a_click_searches_and_shows_rank_similarity_right_and_wrong(show: Show, page: Page) -> None:
    view = show().view
    expect(page.locator(".vg-title")).to_have_text("4 classes, an image of each; choose one to search with")
    tiles(page).nth(2).click()
    ranked(page)
    assert view.focus == view.ids[10]
    table = view.results
    assert rows(page) == [view._row[name] for name in table["id"]]
    for place, line in enumerate(table.itertuples()):
        tile = tiles(page).nth(place)
        expect(tile.locator(".vg-line")).to_have_text(f"{'✓' if line.right else '✗'}{line.rank}{line.similarity:.3f}")
        assert ("vg-right" in (tile.get_attribute("class") or "")) == line.right
    panel = page.get_by_role("region", name="query")
    expect(panel).to_contain_text(view.ids[10])
    answer = view.searched.answer({"row": 10}, 12)
    expect(panel).to_contain_text(f"first right imagerank {answer['ranks'][0]}")
    expect(panel).to_contain_text(", ".join(map(str, answer["ranks"])))
    judged = f"{table['right'].sum()} right of the 4 there are, {(~table['right'].astype(bool)).sum()} wrong"
    assert answer["relevant"] == 4 < len(table)
    expect(page.get_by_role("status")).to_contain_text(f"12 nearest of 20 gallery images: {judged}.")
    line, first = (page.locator(which).first.bounding_box() for which in (".vptsp-status", ".vg-tile"))
    assert line is not None
    assert first is not None
    assert line["y"] + line["height"] <= first["y"], "what is said stands above the tiles, where it is seen"
    tiles(page).nth(3).click()
    expect(panel).to_contain_text(table["id"][3])
    assert view.focus == table["id"][3]


def test_keys_move_search_go_back_pick_and_clear(show: Show, page: Page) -> None:
    view = show().view
    tiles(page).first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    ranked(page)
    assert view.focus == view.ids[5]
    expect(tiles(page).first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("End")
    expect(tiles(page).last).to_be_focused()
    page.keyboard.press("Space")
    expect(tiles(page).last).to_have_attribute("aria-pressed", "true")
    assert view.selection == [view.ids[rows(page)[-1]]]
    page.keyboard.press("s")
    expect(page.get_by_role("region", name="query")).to_contain_text(view.selection[0])
    page.keyboard.press("Backspace")
    expect(page.get_by_role("region", name="query")).to_contain_text(view.ids[5])
    assert view.focus == view.ids[5]
    page.keyboard.press("?")
    expect(page.get_by_text("back to the query before")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("back to the query before")).to_be_hidden()
    expect(page.locator(".vg-title")).to_contain_text("4 classes")
    assert (view.focus, view.selection) == ("", [])


def test_full_size_beside_the_query(show: Show, page: Page, tmp_path: Path) -> None:
    view = show(RetrievalGallery(own_files(tmp_path))).view
    tiles(page).first.click()
    ranked(page)
    near = [view._row[name] for name in view.results["id"]]
    panel = page.get_by_role("region", name="query").get_by_role("img", name="query: class 0")
    expect(panel).to_have_js_property("naturalWidth", 640)  # not the thumbnail of 64 pixels
    window = page.get_by_role("dialog")
    tiles(page).nth(1).dblclick()
    expect(window.get_by_role("img")).to_have_count(2)
    assert view.focus == view.ids[0]  # nothing was searched with
    for key, rank in (("ArrowRight", 3), ("ArrowLeft", 2), ("End", len(near)), ("ArrowRight", len(near)), ("Home", 1)):
        page.keyboard.press(key)
        expect(window.locator(".vg-rank")).to_have_text(f"{rank} of {len(near)}")
    other = window.get_by_role("figure", name="neighbour")
    assert_colour(page, other.get_by_role("img"), (40 * (near[0] // 3), 90, 20 * near[0]))
    expect(other).to_contain_text(view.ids[near[0]])
    expect(other).to_contain_text("✓ same class" if near[0] < 3 else "✗ another class")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(window).to_be_hidden()
    expect(tiles(page).nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(window).to_be_visible()
    page.keyboard.press("Enter")
    expect(window).to_be_hidden()
    expect(page.get_by_role("region", name="query")).to_contain_text(view.ids[near[1]])


def own_files(folder: Path) -> SavedEmbeddings:
    """Six wide images in files, three of each class, in a colour of their own."""
    for row in range(6):
        Image.new("RGB", (640, 320), (40 * (row // 3), 90, 20 * row)).save(folder / f"{row}.png")
    vectors = np.eye(2, 8)[[0, 0, 0, 1, 1, 1]] + 0.3 * np.random.default_rng(0).standard_normal((6, 8))
    labels = [f"class {row // 3}" for row in range(6)]
    return SavedEmbeddings.write(folder / "kept", vectors, labels, images=[folder / f"{row}.png" for row in range(6)])


def assert_colour(page: Page, picture: Locator, expected: tuple[int, int, int]) -> None:
    """Of the middle of an image, up to what JPEG makes of it."""
    page.wait_for_function("(image) => image.complete && image.naturalWidth", arg=picture.element_handle())
    pixel = picture.evaluate(
        "(image) => { const pen = document.createElement('canvas').getContext('2d'); pen.drawImage(image, 0, 0);"
        "return [...pen.getImageData(150, 75, 1, 1).data].slice(0, 3); }"
    )
    assert np.abs(np.array(pixel) - expected).max() < 6


def test_typing_finds_classes_images_and_numbers(show: Show, page: Page) -> None:
    view = show().view
    page.locator(".vg").focus()
    page.keyboard.press("/")
    page.keyboard.type("CLASS 2")
    expect(page.locator(".vg-options [role=option]")).to_have_text(["class 2class of 5"])
    page.keyboard.press("Enter")
    ranked(page)
    expect(page.locator(".vg-place")).to_have_text("1 of 5")
    assert view.focus == view.ids[10]
    page.get_by_title("next query of the list (n)").click()
    expect(page.locator(".vg-place")).to_have_text("2 of 5")
    page.get_by_title("previous query of the list (p)").click()
    page.get_by_title("previous query of the list (p)").click()
    expect(page.locator(".vg-place")).to_have_text("5 of 5")
    expect(page.get_by_role("region", name="query")).to_contain_text(view.ids[14])
    box = page.get_by_role("combobox", name="find a class or an image")
    box.fill("17")
    box.press("Enter")
    expect(page.get_by_role("region", name="query")).to_contain_text(view.ids[17])
    box.fill("3/16.p")
    page.locator(".vg-options [role=option]").click()
    expect(page.get_by_role("region", name="query")).to_contain_text(view.ids[16])
    box.fill("Backspac")
    box.press("Backspace")
    expect(box).to_have_value("Backspa")
    expect(page.get_by_text("nothing fits")).to_be_visible()


def test_lists_can_be_browsed(show: Show, page: Page) -> None:
    view = show().view
    which = page.get_by_label("list of queries")
    for name in ("mistakes", "hardest"):
        which.select_option(name)
        found = view.searched.lists.named(name)
        expect(page.locator(".vg-place")).to_have_text(f"1 of {len(found['rows'])}")
        expect(page.get_by_role("region", name="query")).to_contain_text(view.ids[found["rows"][0]])
        page.locator(".vg").focus()
        page.keyboard.press("n")
        expect(page.get_by_role("region", name="query")).to_contain_text(view.ids[found["rows"][1]])
        expect(page.get_by_role("status")).to_contain_text(f"Nearest wrong image: ⁨{view.ids[found['others'][1]]}⁩")
    which.select_option("duplicates")
    pairs = view.searched.lists.named("duplicates")
    above = sum(value >= 0.95 for value in pairs["values"])
    assert above
    expect(page.locator(".vg-place")).to_have_text(f"1 of {above}")
    expect(tiles(page).first).to_have_class("vg-tile vg-right vg-other")
    page.get_by_label("similarity ≥").evaluate("bar => { bar.value = bar.min; bar.dispatchEvent(new Event('input')); }")
    expect(page.locator(".vg-place")).to_have_text(f"1 of {len(pairs['rows'])}")
    page.get_by_role("button", name="Random mistake").click()
    ranked(page)
    assert not view.results["right"][0]
    page.get_by_label("only wrong ones").check()
    expect(tiles(page)).to_have_count(int((~view.results["right"].astype(bool)).sum()))


def test_what_python_or_a_linked_view_sets_is_shown(show: Show, page: Page) -> None:
    bridge = show(proxies={"fused": np.eye(1, 8)}, proxy_names=[EVIL])
    view = bridge.view
    view.focus = view.ids[7]
    bridge.flush()
    expect(page.get_by_role("region", name="query")).to_contain_text(view.ids[7])
    ranked(page)
    view.selection = list(view.ids[2:5])
    bridge.flush()
    expect(page.locator(".vg-title")).to_have_text("3 selected images; choose one to search with")
    assert rows(page) == [2, 3, 4]
    tiles(page).nth(1).click()
    ranked(page)
    assert (view.focus, view.selection) == (view.ids[3], list(view.ids[2:5]))
    tiles(page).nth(0).click(modifiers=["Control"])
    assert len(view.selection) in (2, 4)
    assert view.focus == view.ids[3]
    page.get_by_role("button", name="Select all shown").click()
    assert len(view.selection) >= 12
    page.get_by_role("button", name="Clear selection").click()
    assert view.selection == []
    view.query_proxy("fused", EVIL)
    bridge.flush()
    expect(page.get_by_text("fused q")).to_be_visible()
    ranked(page)
    view.focus = ""
    view._query = {}
    bridge.flush()
    expect(page.locator(".vg-title")).to_contain_text("4 classes")


def test_a_proxy_is_chosen_by_kind_and_class(show: Show, page: Page) -> None:
    view = show(proxies={"learned": np.eye(2, 8), "fused": np.eye(2, 8)}, proxy_names=["class 1", "elsewhere"]).view
    page.get_by_label("kind of proxy").select_option("learned")
    box = page.get_by_role("combobox", name="class of the proxy")
    box.fill("else")
    box.press("Enter")
    expect(page.get_by_text("None of these images is of this class.")).to_be_visible()
    assert view._query == {"proxy": ["learned", 1]}
    expect(page.locator(".vg-mark")).to_have_count(0)
    box.fill("class 1")
    box.press("Enter")
    expect(page.locator(".vg-mark")).to_have_count(12)


DROP = """([name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type: "image/png" }));
  const target = document.querySelector(".vg-tiles");
  for (const kind of ["dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: carried }));
    if (kind === "dragover") window.overlay = !document.querySelector(".vg-drop").hidden;
  }
}"""


def test_files_are_uploaded_dropped_and_refused(
    show: Show, page: Page, tiny_run: Run, image_folder: Path, tmp_path: Path
) -> None:
    view = show(RetrievalGallery.of_run(tiny_run, k=5)).view
    file = image_folder / "test" / "class_10" / "2.png"
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_role("region", name="query")).to_contain_text("a file of your own")
    expect(page.get_by_alt_text("query: the file 2.png")).to_be_visible()
    ranked(page)
    assert view.ids[rows(page)[0]].endswith("class_10/2.png")
    assert view.focus == ""
    first = rows(page)
    other = image_folder / "test" / "class_12" / "1.png"
    page.evaluate(DROP, ["other.png", base64.b64encode(other.read_bytes()).decode()])
    assert page.evaluate("overlay") is True
    expect(page.get_by_alt_text("query: the file other.png")).to_be_visible()
    ranked(page)
    assert view.ids[rows(page)[0]].endswith("class_12/1.png")
    page.get_by_role("button", name="← Back").click()
    expect(page.get_by_alt_text("query: the file 2.png")).to_be_visible()
    ranked(page)
    assert rows(page) == first
    page.evaluate(DROP, [EVIL, base64.b64encode(b"no image").decode()])
    expect(page.get_by_role("status")).to_contain_text("is not an image that can be read")
    expect(page.get_by_role("status")).to_contain_text("<img src=x onerror=alert(1)>")
    big = tmp_path / "big.png"
    big.write_bytes(png() + b"0" * 9 * 2**20)
    page.locator("input[type=file]").set_input_files(big)
    expect(page.get_by_role("status")).to_contain_text("has 9.0 MB; save it with at most 8 MB")
    assert rows(page) == first


def test_words_are_typed_and_searched_with(show: Show, page: Page, tmp_path: Path) -> None:
    def encode(words: str) -> np.ndarray:
        if words == "stop":
            raise DataError("these words stop it")
        if "onerror" in words:
            warnings.warn("the first <3> words are read", DataWarning, stacklevel=2)
        return np.eye(8)[len(words) % 8]

    view = show(RetrievalGallery(saved_set(tmp_path), text_encoder=encode, k=4)).view
    box = page.get_by_role("searchbox", name="words to search with")
    box.fill(EVIL)
    box.press("Enter")
    query = page.get_by_role("region", name="query")
    expect(query).to_contain_text("words; which class they mean is not known")
    expect(query.get_by_role("heading")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(query).to_contain_text("the first <3> words are read")
    ranked(page)
    assert rows(page) == [view._row[name] for name in view.results["id"]]
    assert view.focus == ""
    box.fill("ab")
    box.press("Enter")
    expect(query.get_by_role("heading")).to_have_text("ab")
    expect(query).not_to_contain_text("words are read")
    page.get_by_role("button", name="← Back").click()
    expect(query.get_by_role("heading")).to_contain_text("onerror")
    box.fill("stop")
    box.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("these words stop it")
    box.press("Escape")
    expect(box).to_have_value("")
    show(RetrievalGallery(saved_set(tmp_path / "none")))
    expect(page.get_by_role("searchbox")).to_have_count(0)


def test_the_latest_query_wins_and_waiting_is_said(show: Show, page: Page) -> None:
    view = show().view
    page.evaluate("() => { window.held = []; }")  # a kernel that is busy
    tiles(page).nth(1).click()
    expect(page.get_by_role("status")).to_have_text("waiting for the kernel …")
    expect(page.get_by_role("region", name="query")).to_contain_text(view.ids[5])  # drawn without the kernel
    page.wait_for_timeout(80)
    tiles(page).nth(3).click()
    page.wait_for_function(
        "() => held.flatMap((answer) => answer.sent).filter(([m]) => m.kind == 'result').length == 2"
    )
    page.evaluate("() => { const late = held.reverse(); window.held = null; late.forEach(take); }")
    ranked(page)
    expect(page.get_by_role("region", name="query")).to_contain_text(view.ids[15])
    assert rows(page) == view.searched.answer({"row": 15}, 12)["rows"]


def test_how_many_are_shown_can_be_set_on_either_side(show: Show, page: Page) -> None:
    bridge = show()
    tiles(page).first.click()
    ranked(page)
    bridge.view.k = 5
    bridge.flush()
    expect(tiles(page)).to_have_count(5)
    page.get_by_label("Show").select_option("12")
    expect(tiles(page)).to_have_count(12)
    assert bridge.view.k == len(bridge.view.results) == 12


def test_a_query_taken_away_from_outside_takes_its_answer_along(show: Show, page: Page) -> None:
    bridge = show()
    tiles(page).first.click()
    ranked(page)
    expect(page.get_by_role("status")).to_contain_text("12 nearest of 20")
    bridge.view.focus = ""  # Esc in a linked view, for example
    bridge.flush()
    expect(page.locator(".vg-title")).to_have_text("4 classes, an image of each; choose one to search with")
    expect(page.get_by_role("status")).to_have_text("")


def test_more_of_a_long_grid_is_shown_from_where_one_was(page: Page, tmp_path: Path, show: Show) -> None:
    show(RetrievalGallery(saved_set(tmp_path, classes=50, per_class=2)))
    expect(tiles(page)).to_have_count(36)
    page.get_by_role("button", name="Show more").click()
    expect(tiles(page)).to_have_count(50)
    expect(tiles(page).nth(36)).to_be_focused()


def test_a_file_that_is_refused_does_not_cost_the_answer_on_its_way(show: Show, page: Page) -> None:
    bridge = show(model="never loaded")
    page.evaluate("() => { window.held = []; }")  # a kernel that is busy
    tiles(page).nth(1).click()
    page.wait_for_timeout(80)
    page.locator("input[type=file]").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"no image"})
    page.wait_for_function("() => held.flatMap((answer) => answer.sent).length == 2")
    page.evaluate("() => { const late = held; window.held = null; late.forEach(take); }")
    ranked(page)
    assert rows(page) == bridge.view.searched.answer({"row": 5}, 12)["rows"]


def test_of_a_large_set_the_tiles_come_with_the_answer(show: Show, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vptsp_widgets.gallery.view._PAGES_KEPT", 0)
    view = show().view
    tiles(page).nth(2).click()
    ranked(page)
    pictures = page.locator("button.vg-tile img")
    expect(pictures).to_have_count(12)
    page.wait_for_function("[...document.querySelectorAll('.vg img')].every((image) => image.naturalWidth == 64)")
    assert rows(page) == view.searched.answer({"row": 10}, 12)["rows"]


def test_an_error_of_the_kernel_ends_in_the_status_line(show: Show, page: Page) -> None:
    bridge = show()
    del bridge.view.searched.unit
    tiles(page).first.click()
    expect(page.get_by_role("status")).to_contain_text("AttributeError")
    expect(page.locator(".vg-busy")).to_have_count(0)
    expect(page.locator(".vg-title")).to_have_text("No answer")
    expect(tiles(page)).to_have_count(0)  # those shown before were no answer to this query


def test_evil_names_are_text_and_missing_pictures_are_named(page: Page, saved: SavedEmbeddings, show: Show) -> None:
    view = RetrievalGallery(saved)
    view._atlas = {"tile": 64, "side": 32, "places": [-1, *range(1, 20)]}
    show(view)
    expect(page.get_by_text("no picture of0.png")).to_be_visible()
    tiles(page).first.click()
    ranked(page)
    expect(page.get_by_role("heading")).to_contain_text('<img src=x onerror=alert(1)> "')
    box = page.get_by_role("combobox", name="find a class or an image")
    box.fill("onerror")
    expect(page.locator(".vg-options [role=option]").first).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("img:not([src^='blob:'])").count() == 0


def test_any_two_images_side_by_side(show: Show, page: Page, tmp_path: Path) -> None:
    bridge = show(RetrievalGallery(own_files(tmp_path)))
    view, window = bridge.view, page.get_by_role("dialog", name="two images in full size")
    compare = page.get_by_role("button", name="Compare the two")
    expect(compare).to_be_hidden()
    view.selection = [view.ids[1], view.ids[4]]
    bridge.flush()
    compare.click()
    expect(window.get_by_role("img")).to_have_count(2)
    similarity, ranks = view.searched.pair(1, 4)
    expect(window.locator(".vg-rank")).to_have_text(f"Of two classes, similarity {similarity:.3f}")
    for at, (side, row) in enumerate((("first", 1), ("second", 4))):
        figure = window.get_by_role("figure", name=side)
        expect(figure.get_by_role("img")).to_have_js_property("naturalWidth", 640)
        expect(figure).to_contain_text(view.ids[row])
        expect(figure).to_contain_text(f"finds the other at rank {ranks[at]}")
    page.keyboard.press("Escape")
    expect(window).to_be_hidden()
    expect(compare).to_be_focused()
    page.keyboard.press("c")
    window.get_by_role("button", name="Search with the second").click()
    expect(window).to_be_hidden()
    expect(page.get_by_role("region", name="query")).to_contain_text(view.ids[4])
    view.selection = [view.ids[1], view.ids[4]]
    bridge.flush()
    compare.click()
    expect(window).to_be_visible()
    page.evaluate("model.set('_ids', model.get('_ids'))")  # another set has come
    expect(window).to_be_hidden()


def test_of_a_large_set_only_what_is_shown_is_sent(
    page: Page, saved: SavedEmbeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vptsp_widgets.gallery.view._PAGES_KEPT", 0)
    view, asked = RetrievalGallery(saved, k=6), list[Any]()
    act = view._receive
    monkeypatch.setattr(view, "_receive", lambda _, content, buffers: (asked.append(content), act(_, content, buffers)))
    bridge = Bridge(page, view)
    expect(tiles(page).locator("img")).to_have_count(len(saved.class_names))  # one of each, to begin with
    expect(page.locator(".vptsp-waiting")).to_have_count(0)
    tiles(page).first.click()
    ranked(page)
    expect(tiles(page).locator("img")).to_have_count(6)
    answer = view.searched.answer({"row": 0}, 6)
    expect(page.get_by_role("region", name="query")).to_contain_text(", ".join(map(str, answer["ranks"])))
    far = min(set(range(len(saved))) - set(answer["rows"]) - set(asked[0]["rows"]))
    view.selection = [saved.ids[far], saved.ids[0]]
    bridge.flush()
    expect(tiles(page).locator("img")).to_have_count(2)
    assert [content["kind"] for content in asked if content["kind"] != "large"] == ["tiles", "query", "ranks", "tiles"]
    assert asked[-1]["rows"] == [far], "what is here is not asked for again"
    sizes = page.locator(".vg-tile img").evaluate_all("all => all.map((one) => one.naturalWidth)")
    assert set(sizes) == {64}


def in_page(page: Page, view: RetrievalGallery, **options: Any) -> None:
    pages = [view.saved.thumbnails.page_path(0)]
    page.set_content(page_block("gallery", view.state_for_page(**options), pages, "gallery"))


def test_without_a_kernel_the_page_answers_itself(page: Page, saved: SavedEmbeddings) -> None:
    view = RetrievalGallery(saved, proxies={"fused": np.eye(1, 8)}, proxy_names=["class 1"])
    in_page(page, view, k=6)
    tiles(page).nth(1).click()
    ranked(page)
    answer = view.searched.answer({"row": 5}, 6)
    assert rows(page) == answer["rows"]
    expect(page.get_by_role("region", name="query")).to_contain_text(", ".join(map(str, answer["ranks"])))
    assert page.evaluate("vptspModels[0].get('_focused')") == 5
    page.get_by_label("list of queries").select_option("mistakes")
    expect(page.locator(".vg-place")).to_have_text(f"1 of {len(view.searched.lists.named('mistakes')['rows'])}")
    for hidden in (page.get_by_role("button", name="Open image…"), page.get_by_label("kind of proxy")):
        expect(hidden).to_be_hidden()
    page.evaluate("vptspModels[0].set('_focused', 17)")  # as a linked view does
    expect(page.get_by_role("region", name="query")).to_contain_text(view.ids[17])
    expect(page.locator("canvas.vptsp-waiting")).to_have_count(0)


def test_a_page_says_which_answers_it_does_not_hold(page: Page, saved: SavedEmbeddings) -> None:
    view = RetrievalGallery(saved)
    in_page(page, view, queries=8, k=19)
    expect(page.locator(".vg-notes")).to_have_text("this page holds the answers to 8 of 20 images")
    tabled = page.evaluate("() => [...new Int32Array(vptspModels[0].get('_table_rows').buffer)]")
    tiles(page).first.click()
    ranked(page)
    outside = next(place for place, row in enumerate(rows(page)) if row not in tabled)
    tiles(page).nth(outside).click()
    expect(page.get_by_role("status")).to_contain_text("this page does not hold the answer to this image")
    expect(tiles(page)).to_have_count(0)


CONTRAST = """() => {
  const parts = (colour) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => parts(colour).slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return parts(colour)[3] || !element.parentElement ? colour : behind(element.parentElement);
  };
  const names = ".vg-line *, .vg-name, .vg-facts *, .vg-title, .vptsp-status, .vg-soft, button, label";
  const texts = [...document.querySelectorAll(names)].filter((e) => e.offsetParent && !e.disabled);
  return Math.min(...texts.map((element) => {
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((x, y) => x - y);
    return (b + 0.05) / (a + 0.05);
  }));
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_can_be_read_and_nothing_sticks_out(page: Page, show: Show, theme: str) -> None:
    show()
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    tiles(page).nth(1).click()
    ranked(page)
    page.wait_for_timeout(200)
    assert page.evaluate("document.querySelector('.vg').classList.contains('vptsp-dark')") == (theme == "dark")
    assert page.evaluate(CONTRAST) >= 4.5
    for width in (1200, 420):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_closing_leaves_no_listener_behind(page: Page, show: Show) -> None:
    show()
    tiles(page).first.click()
    ranked(page)
    page.evaluate("window.close()")
    assert page.evaluate("Object.values(listeners).flat().length") == 0
    assert page.locator(".vg").count() == 0
