"""From a key to ten pictures: a gallery over a stored index, in a real JupyterLab in Chromium.

Run as ``python -m benchmarks.gallery_in_lab [--images 1000000] [--engine ivfpq] [--folder FOLDER]``; needs Chromium
(``python tests/browsers.py``). The vectors are those of ``benchmarks.indexes``, a class for each of their clouds; their
thumbnails are a page of 1,024 drawn images, which every page repeats. Images of a class lie anywhere, so that a query's
24 tiles come from as many pages. Printed in seconds: until the gallery is there (its cell, imports included), and from
the key for a random query to the frame in which the query and all tiles in sight have their thumbnails, the median and
the longest of 20, a second apart: *in all*, of that until the *answer* stands in the page, and of that the *search*
in the kernel.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from benchmarks.indexes import PART, clouds_of, parts
from tests import browsers
from tests.lab.conftest import Lab, Notebook, Window
from vptsp.data import load_data
from vptsp.evaluation import StoredIndex
from vptsp.files import write_json
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.thumbnails import PER_SIDE, TILE, write_thumbnails
from vptsp.settings.config import make_config

QUERIES = 20
REST = 1.0  # seconds that a person looks at an answer before the next key
CELL = """\
import time
from pathlib import Path

from vptsp_widgets import RetrievalGallery
from vptsp.evaluation import StoredIndex
from vptsp.runs.embeddings import SavedEmbeddings

times, plain = [], StoredIndex.find


def timed(self, *given, **named):
    start = time.perf_counter()
    try:
        return plain(self, *given, **named)
    finally:
        times.append(time.perf_counter() - start)


StoredIndex.find = timed
RetrievalGallery(SavedEmbeddings({saved!r}), index=Path({index!r}))
"""
_ASKED = """async () => {
    const gallery = document.querySelector(".vg");
    const rows = () => [...gallery.querySelectorAll(".vg-tile")].map((tile) => tile.dataset.row).join();
    const waiting = () => [...gallery.querySelectorAll(".vptsp-waiting, .vg-query .vg-missing")].some((one) =>
        one.checkVisibility() && one.getBoundingClientRect().top < innerHeight);
    const before = rows(), start = performance.now();
    gallery.dispatchEvent(new KeyboardEvent("keydown", { key: "r", bubbles: true }));
    let answered = 0;
    do {
        await new Promise(requestAnimationFrame);
        const there = gallery.getAttribute("aria-busy") !== "true" && rows() !== before && rows();
        answered ||= there ? performance.now() : 0;
    } while (!answered || waiting());
    return [(answered - start) / 1000, (performance.now() - start) / 1000];
}"""


def embeddings(images: int, folder: Path) -> Path:
    """The vectors as a run keeps them, with thumbnails."""
    made = list(parts(images))
    vectors, ids = np.concatenate([part for part, _, _ in made]), [name for _, names, _ in made for name in names]
    clouds = np.concatenate([clouds_of(start, images)[0] for start in range(0, images, PART)])
    saved = SavedEmbeddings.write(folder, vectors, clouds, ids=ids)
    drawn = load_data(make_config({"dataset": "blossoms"})).train
    write_thumbnails(folder, drawn.subset(range(PER_SIDE**2)))
    pages = saved.thumbnails
    for page in range(1, -(-images // PER_SIDE**2)):
        os.link(pages.page_path(0), pages.page_path(page))
    write_json(folder / "tiles.json", {"tile": TILE, "per_side": PER_SIDE, "ids": ids})
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--engine", default="ivfpq")
    parser.add_argument(
        "--folder", type=Path, help="where it is all made, and the picture kept; default: a temporary one"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        root = Path(temporary)
        index = StoredIndex.build_parts(root / "index", parts(options.images), engine=options.engine, dtype="float16")
        print(f"{options.images:,} images, {options.engine}: {index.recall or 'exact'}")
        saved = embeddings(options.images, root / "saved")
        lab = Lab(root / "lab")
        try:
            with sync_playwright() as driver:
                browser = driver.chromium.launch(
                    executable_path=browsers.find(), args=["--no-sandbox", "--disable-gpu"]
                )
                window = Window(browser, lab)
                window.page.set_default_timeout(600_000)
                cell = CELL.format(saved=str(saved), index=str(root / "index"))
                notebook = Notebook(window.page, lab.write("gallery.ipynb", [cell]))
                start = time.perf_counter()
                notebook.run(0).locator(".vg-tile").first.wait_for(state="attached")
                print(f"{'gallery there':<16}{time.perf_counter() - start:8.2f}")
                window.page.evaluate(_ASKED)  # the first query opens the index
                seconds = []
                for _ in range(QUERIES):
                    window.page.wait_for_timeout(1000 * REST)
                    seconds.append(window.page.evaluate(_ASKED))
                search = notebook.value(f"times[-{QUERIES}:]")
                answered, pictured = zip(*seconds, strict=True)
                for name, values in {"in all": pictured, "answer": answered, "search": search}.items():
                    print(f"{name:<16}{statistics.median(values):8.3f}, at most {max(values):.3f}")
                if options.folder:
                    window.page.screenshot(path=options.folder / "gallery_in_lab.png")
                window.context.close()
        finally:
            lab.close()


if __name__ == "__main__":
    main()
