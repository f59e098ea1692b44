"""Views in a bare page of a browser, and what every page must keep to."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from playwright.sync_api import Page, expect
from vptsp_widgets.front import page_block
from vptsp_widgets.view import View

EVIL = '<img src=x onerror="alert(1)"> "q" ورد'


_RECEIVERS: WeakKeyDictionary[Page, dict[str, Callable[..., Any]]] = WeakKeyDictionary()


def receive(page: Page, name: str, function: Callable[..., Any]) -> None:
    """Lets the page call ``function`` by a name; unlike ``expose_function`` again and again: the last one counts."""
    known = _RECEIVERS.setdefault(page, {})
    if name not in known:
        page.expose_function(name, lambda *given: known[name](*given))
    known[name] = function


# bytes on their way, as page_block packs them
_PACKED = (
    "values[key] instanceof DataView"
    " ? { bytes: btoa(String.fromCharCode(...new Uint8Array(values[key].buffer))) } : values[key]"
)
_UNPACKED = (
    "state[key]?.bytes === undefined ? state[key]"
    " : new DataView(Uint8Array.from(atob(state[key].bytes), (sign) => sign.charCodeAt(0)).buffer)"
)


def _packed(value: Any) -> Any:
    return {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _unpacked(value: Any) -> Any:
    return base64.b64decode(value["bytes"]) if isinstance(value, dict) and "bytes" in value else value


class Shown:
    """A view in a page whose model passes everything on: traits and messages to Python, and back with :meth:`bring`."""

    def __init__(self, page: Page, name: str, view: View, theme: str = "light") -> None:
        self.page, self.view, self.sent = page, view, list[dict[str, Any]]()
        view.send = lambda content, buffers=None: self.sent.append(content)  # type: ignore[method-assign]
        receive(page, "toKernel", lambda message: view._handle(message, []))
        receive(page, "toTrait", lambda name, value: setattr(view, name, _unpacked(value)))
        block = page_block(name, view.state_for_page())
        for before, after in (
            ("live: false", "live: true"),
            (
                "save_changes() {}",
                f"save_changes() {{ for (const key of changed.splice(0)) toTrait(key, {_PACKED}); }}",
            ),
            ("values[key] = value;\n      fire", "values[key] = value; changed.push(key);\n      fire"),
            ("const values = {};", "const values = {}, changed = []; window.fire = (...all) => fire(...all);"),
            ("send(message) {", "send(message) { toKernel(message);"),
        ):
            assert before in block
            block = block.replace(before, after, 1)
        page.set_content(f'<!doctype html><html data-theme="{theme}"><meta charset="utf-8">{block}</html>')
        page.wait_for_function("window.vptspModels")
        self.told = view.state_for_page()

    def bring(self) -> None:
        """Bring the page what Python has changed and sent."""
        state = self.view.state_for_page()
        changed = {name: _packed(value) for name, value in state.items() if value != self.told[name]}
        self.told = state
        set_all = f"(state) => {{ for (const key in state) vptspModels[0].set(key, {_UNPACKED}); }}"
        self.page.evaluate(set_all, changed)
        for message in self.sent:
            self.page.evaluate("(message) => fire('msg:custom', message, [])", message)
        self.sent.clear()


def settled(page: Page) -> None:
    """Wait until the page has painted what it was told: panels show a selection only after the map has."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 20))))"
    )


def in_model(page: Page, script: str) -> Any:
    """What a script returns in which ``model`` is that of the first view in the page."""
    return page.evaluate(f"(() => {{ const model = window.vptspModels[0]; {script} }})()")


def require_clean_end(page: Page, name: str, view: View) -> None:
    """A view that is shown and taken away leaves neither listeners nor elements."""
    block = page_block(name, view.state_for_page())
    block = block.replace("front.render(", "window.end = front.render(", 1)
    block = block.replace("const listeners = new Map();", "const listeners = window.listeners = new Map();", 1)
    page.set_content(block)
    expect(page.locator(f".vptsp-{name}")).to_be_visible()
    page.evaluate("window.end()")
    assert page.evaluate("[...listeners.values()].flat().length") == 0
    expect(page.locator(f".vptsp-{name}")).to_have_count(0)


LOW_CONTRAST = """(root) => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = parts(colour).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if ((parts(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelector(root).querySelectorAll("*")]
    .filter((e) => e.checkVisibility() && !e.disabled)
    .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .filter((e) => {
      const style = getComputedStyle(e);
      const [a, b] = [light(e.namespaceURI.endsWith("svg") ? style.fill : style.color), light(behind(e))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
    })
    .map((e) => `${e.tagName} ${e.textContent}`);
}"""


def low_contrast(page: Page, root: str) -> list[str]:
    return page.evaluate(LOW_CONTRAST, root)
