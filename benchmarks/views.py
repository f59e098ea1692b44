"""What the views cost in a browser: first paint, frames while panning and zooming, hover and lasso of the map.

Run as ``python -m benchmarks.views [--points 60000 1000000]``; needs Chromium. The points are synthetic, all of them
are drawn, and the page is the one that reports hold. Targets for 60,000 points: first paint 1 s, a frame of a pan
16 ms, hover 8 ms, lasso 50 ms; for a million: first paint 3 s, a frame of a pan 33 ms.

``--peers PYTHON`` shows the same points by this map and by the widgets of others as well
(``benchmarks.view_peers``), as far as that interpreter has them: ``pip install jupyter-scatter embedding-atlas``, in
an environment of its own if need be.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from vptsp_widgets.front import page_block
from vptsp_widgets.space import SpaceExplorer

from benchmarks.view_peers import compare, lines
from vptsp.files import write_bytes, write_json, write_tensors
from vptsp.runs.embeddings import SavedEmbeddings

CLASSES = 200
# Times work in the page: how long the main thread is busy, from the event to the end of the frame it asks for. A
# selection of more than 20,000 images is in the picture some frames later: this lasso takes most of all there are.
_TIMER = """
(which) => new Promise(async (done) => {
  const canvas = document.querySelector('.vptsp-space-over');
  const box = canvas.getBoundingClientRect();
  const send = (name, x, y, more = {}) => canvas.dispatchEvent(new (name === 'wheel' ? WheelEvent : PointerEvent)(name,
    { clientX: box.left + x, clientY: box.top + y, pointerId: 1, bubbles: true, cancelable: true, ...more }));
  canvas.setPointerCapture = () => {};
  const frame = () => new Promise((next) => requestAnimationFrame(next));
  const times = [];
  const timed = async (act) => {
    await frame(); await new Promise((next) => setTimeout(next));
    let began;
    requestAnimationFrame(() => { began = performance.now(); }); // a frame's time stamp may lie before the event
    const start = performance.now(); act(); const handled = performance.now() - start;
    await new Promise((next) => requestAnimationFrame(() => next(times.push(handled + performance.now() - began))));
  };
  if (which === 'pan') {
    send('pointerdown', 400, 300);
    for (let turn = 1; turn <= 40; turn++) await timed(() => send('pointermove', 400 + 5 * turn, 300 + 2 * turn));
    send('pointerup', 600, 380);
  } else if (which === 'zoom') {
    canvas.focus(); // over a map that is not in use, the wheel scrolls the page
    for (let turn = 0; turn < 20; turn++) await timed(() => send('wheel', 450, 280, { deltaY: turn < 10 ? -60 : 60 }));
  } else if (which === 'hover') {
    for (let turn = 1; turn <= 60; turn++) await timed(() => send('pointermove', 200 + 8 * turn, 150 + 5 * turn));
  } else {
    for (let round = 0; round < 5; round++) {
      send('pointerdown', 650, 300, { shiftKey: true });
      for (let turn = 1; turn <= 120; turn++) {
        send('pointermove', 450 + 200 * Math.cos(turn / 19.1), 300 + 200 * Math.sin(turn / 19.1), { shiftKey: true });
      }
      await timed(() => send('pointerup', 650, 300, { shiftKey: true }));
    }
  }
  done(times);
})
"""


def synthetic_space(folder: Path, points: int) -> SpaceExplorer:
    """A map of ``points`` images in clouds of ``CLASSES`` classes; thumbnails are in ``page_0.jpg``."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, points)
    centres = rng.normal(0, 8, (CLASSES, 2))
    places = (centres[labels] + rng.normal(0, 0.8, (points, 2))).astype(np.float32)
    tensors = {"embeddings": torch.randn(points, 16), "labels": torch.from_numpy(labels)}
    write_tensors(folder / "embeddings.safetensors", tensors)
    names = [f"class {label}" for label in range(CLASSES)]
    ids = [f"image/{row:07}" for row in range(points)]
    write_json(folder / "index.json", {"name": "synthetic", "ids": ids, "class_names": names})
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (2048, 2048, 3), dtype=np.uint8)).save(buffer, "JPEG")
    write_bytes(folder / "page_0.jpg", buffer.getvalue())
    proxies = {kind: rng.normal(0, 8, (CLASSES, 2)) for kind in ("learned", "semantic", "fused")}
    return SpaceExplorer(SavedEmbeddings(folder), places, proxies, names, most=points)


def page_of(space: SpaceExplorer, folder: Path, points: int) -> str:
    """The block of a page that holds a map."""
    tiles = {"tile": 64, "side": 32, "places": [row % 1024 for row in range(points)]}
    return page_block("space", space.state_for_page() | {"_atlas": tiles}, [folder / "page_0.jpg"])


def measure(browser: Browser, folder: Path, space: SpaceExplorer, points: int) -> dict[str, float]:
    """Milliseconds by what was done; medians, and for frames the slowest of twenty."""
    html = folder / "page.html"
    html.write_text(f'<!doctype html><meta charset="utf-8"><body>{page_of(space, folder, points)}')
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.add_init_script(
        "new MutationObserver((_, self) => { if (document.querySelector('.vptsp-space')) { self.disconnect();"
        "requestAnimationFrame(() => setTimeout(() => { window.painted = performance.now(); })); } })"
        ".observe(document, { childList: true, subtree: true });"
    )
    page.goto(html.as_uri())
    page.wait_for_function("window.painted", timeout=120_000)
    result = {"first paint": page.evaluate("window.painted")}
    for what in ("hover", "pan", "zoom", "lasso"):
        times = np.array(page.evaluate(_TIMER, what))
        result[what] = float(np.median(times))
        result[f"{what} p95"] = float(np.percentile(times, 95))
    page.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--points", type=int, nargs="+", default=[60_000, 1_000_000])
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter that has the widgets of others")
    options = parser.parse_args()
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        parser.error("Chromium is needed; install it with: apt-get install chromium")
    print("milliseconds: median (95th percentile); first paint includes reading the page")
    print(f"{'points':>8}{'first paint':>13}{'pan':>14}{'zoom':>14}{'hover':>14}{'lasso':>16}")
    with sync_playwright() as driver:
        for points in options.points:
            with tempfile.TemporaryDirectory() as folder:
                space = synthetic_space(Path(folder), points)
                browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
                took = measure(browser, Path(folder), space, points)
                browser.close()
                cells = "".join(f"{took[what]:8.1f} ({took[f'{what} p95']:.0f})".rjust(w) for what, w in _CELLS.items())
                print(f"{points:>8}{took['first paint']:>13.0f}{cells}", flush=True)
                if options.peers:
                    for line in lines(points, compare(driver, path, space, options.peers)):
                        print(line, flush=True)
                    print(flush=True)


_CELLS = {"pan": 14, "zoom": 14, "hover": 14, "lasso": 16}

if __name__ == "__main__":
    main()
