"""The map beside the widgets of others on the same points: each on a page of one kind, in the same Chromium.

``widget_host`` is the page. A peer lives in whatever environment has it; one that is missing, or that shows no points,
is named with what to do or why.
What is measured is what all of them have in common, by a real mouse and pictures of the page:

- first paint: from opening the page until pictures of it show points and no longer change; state comes over HTTP;
- drag, wheel, hover: milliseconds that the main thread is busy for an event, and the time between two frames (95th
  percentile), in which what the graphics processor, or a program in its place, draws is waited for.

Not compared is the lasso: what a widget has done once it ends differs too much, and one peer's takes no scripted mouse.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright
from vptsp_widgets.space import SpaceExplorer

from benchmarks.widget_host import PEERS, serve

# a program draws for WebGL and WebGPU alone; the page is composed as in any browser without a graphics processor
SOFTWARE = ("--enable-unsafe-swiftshader", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
_MODULES = {"jupyter-scatter": "jscatter", "embedding-atlas": "embedding_atlas"}  # by the name to install
_SIGHT = {"x": 250, "y": 120, "width": 600, "height": 420}  # of the page, where all of them have points
_LONGEST = 120.0  # seconds until points are seen
_PATIENCE = 15.0  # seconds for a drag, a wheel, a hover
_FRAMES = """() => { window.frames_ = []; let last = performance.now();
  const next = () => { const now = performance.now(); window.frames_.push(now - last); last = now;
    window.ticking = requestAnimationFrame(next); };
  window.ticking = requestAnimationFrame(next); }"""


def missing(python: str) -> list[str]:
    """Those peers that an interpreter cannot import, by the name to install."""
    found = [
        subprocess.run([python, "-c", f"import {name}"], capture_output=True, check=False) for name in _MODULES.values()
    ]
    return [name for name, done in zip(_MODULES, found, strict=True) if done.returncode]


@contextmanager
def _peer(python: str, name: str, file: Path) -> Iterator[str]:
    """Address of a peer's widget, served by another interpreter."""
    program = Path(__file__).with_name("widget_host.py")
    process = subprocess.Popen(
        [python, str(program), name, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError(f"{name} could not be served by {python}; what went wrong is above")
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.stdin.close()
        process.wait(30)


@contextmanager
def _ours(space: SpaceExplorer, painter: str) -> Iterator[str]:
    space.painter = painter
    server = serve(space)
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        del space.send


def _seen(page: Page) -> bytes | None:
    """What is seen where the points are, as bytes; none while it is empty."""
    picture = np.asarray(Image.open(io.BytesIO(page.screenshot(clip=_SIGHT))).convert("RGB"))  # type: ignore[arg-type]
    varied = (np.abs(picture.astype(int) - picture[0, 0]).max(axis=2) > 20).mean()
    return picture.tobytes() if varied > 0.03 else None


def _first_paint(page: Page, address: str) -> float | None:
    """Seconds; none where no points come."""
    began = time.perf_counter()
    page.goto(address)
    before: bytes | None = None
    at = 0.0
    while (now := time.perf_counter() - began) < _LONGEST:
        picture = _seen(page)
        if picture is not None and picture == before:
            return at  # of the first of two that are the same
        if picture is not None or before is None:
            before, at = picture, time.perf_counter() - began
        page.wait_for_timeout(max(50, 50 * min(4, now)))
        if page.get_by_text("WebGPU is unavailable").count():
            return None
    return None


def measure(browser: Browser, address: str) -> dict[str, float] | str:
    """Milliseconds by what was done, first paint in seconds; a sentence where nothing is seen."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    try:
        first = _first_paint(page, address)
        if first is None:
            return "it shows no points here" + (f": {said[0]}" if said else "")
        return {"first paint": first} | _acts(page)
    finally:
        page.close()


def _acts(page: Page) -> dict[str, float]:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    took: dict[str, float] = {}
    x, y = 540.0, 330.0

    def busy() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(one["value"] for one in metrics if one["name"] == "TaskDuration")

    def timed(name: str, events: int, act: Callable[[int], None]) -> None:
        """Acts so often, or as often as there is time for."""
        page.wait_for_timeout(600)
        page.evaluate(_FRAMES)
        before, began = busy(), time.perf_counter()
        done = 0
        while done < events and time.perf_counter() - began < _PATIENCE:
            act(done)
            page.evaluate("() => new Promise(requestAnimationFrame)")
            done += 1
        took[name] = (busy() - before) / done
        frames = page.evaluate("() => { cancelAnimationFrame(window.ticking); return window.frames_; }")
        took[f"{name} frame"] = float(np.percentile(frames[1:], 95))

    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 5, y + 5)
    timed("drag", 40, lambda turn: page.mouse.move(x + 3 * turn, y + 2 * turn))
    page.mouse.move(x + 5, y + 5)
    page.mouse.up()
    timed("wheel", 20, lambda turn: page.mouse.wheel(0, -60 if turn % 2 else 60))
    timed("hover", 40, lambda turn: page.mouse.move(x - 100 + 5 * turn, y - 60 + 3 * turn))
    return took


def compare(
    driver: Playwright, path: str, space: SpaceExplorer, python: str
) -> Iterator[tuple[str, dict[str, float] | str]]:
    """What each takes on the points of a map, with its name; a sentence for one that is missing or shows nothing.

    Raises RuntimeError where a peer is there and cannot be served.
    """
    browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", *SOFTWARE])
    for painter in ("canvas", "webgl"):
        with _ours(space, painter) as address:
            yield f"this map, {painter}", measure(browser, address)
    without = missing(python)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "points.npz"
        np.savez(file, places=space.points.astype(np.float32), labels=space.saved.labels)
        for name in PEERS:
            if name in without:
                yield name, f"not installed for {python}; pip install {name}, or give --peers another python"
                continue
            with _peer(python, name, file) as address:
                yield name, measure(browser, address)
    browser.close()


COLUMNS = ("first paint", "drag", "drag frame", "wheel", "wheel frame", "hover", "hover frame")


def lines(points: int, found: Iterable[tuple[str, dict[str, float] | str]]) -> Iterator[str]:
    """A table of what is found, line after line; behind a number its ratio to that of the first widget that has one."""
    yield f"{points:,} points".ljust(22) + "".join(f"{name:>20}" for name in COLUMNS)
    first: dict[str, float] | None = None
    for name, took in found:
        if isinstance(took, str):
            yield f"{name:<22}{took}"
            continue
        base = first = took if first is None else first
        yield f"{name:<22}" + "".join(f"{took[one]:.1f} ({took[one] / base[one]:.1f}x)".rjust(20) for one in COLUMNS)
