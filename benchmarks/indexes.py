"""Galleries on disk: what building one takes, and how its answers compare with the exact ones.

Run as ``python -m benchmarks.indexes [--small] [--images N] [--engines exact,ivfpq] [--gallery]``. Each index is built
and asked in a process of its own, whose memory is reported: the peak while building (``anonymous`` is memory that the
process holds by itself, read from Linux; the rest are pages of files, which the system takes back when it needs them),
and after the queries. Times are ratios to a scan of the same stored vectors, one query at a time, in turns; of building
also seconds of processor time, which a busy machine changes less than those of the clock. First comes what assigning
vectors to cells takes, of which building mostly consists, as a share of FAISS's own way.

The vectors are made, not real: normal clouds of 100 images on average around random unit centres, with as much noise
as signal, in 384 numbers, normalised; made part by part, seeded, and never all in memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np

from vptsp.evaluation.index import StoredIndex
from vptsp.evaluation.index.engines.cells import nearest_cells
from vptsp.evaluation.index.scan import scan
from vptsp.evaluation.ranking import faiss_own, unit_rows

WIDTH, PART, PER_CLASS = 384, 20_000, 100
QUERIES, K = 30, 10
FULL, SMALL = 1_000_000, 30_000


def parts(images: int) -> Iterator[tuple[np.ndarray, list[str], dict[str, list[int]]]]:
    """Embeddings, ids and a column ``year``, a part at a time."""
    centres = np.random.default_rng(0).standard_normal((max(1, images // PER_CLASS), WIDTH), dtype=np.float32)
    for start in range(0, images, PART):
        clouds, rng = clouds_of(start, images)
        count = len(clouds)
        vectors = centres[clouds] + rng.standard_normal((count, WIDTH), dtype=np.float32)
        yield vectors, [f"image {start + n}" for n in range(count)], {"year": [2000 + n % 25 for n in range(count)]}


def clouds_of(start: int, images: int) -> tuple[np.ndarray, np.random.Generator]:
    """The cloud of each image of the part that begins here, int64, and what draws on."""
    rng = np.random.default_rng((1, start))
    return rng.integers(max(1, images // PER_CLASS), size=min(PART, images - start)), rng


def memory(name: str) -> float:
    """GiB of this process, as Linux counts them: VmHWM, RssAnon, RssFile; not a number elsewhere."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(lines[name].split()[0]) / 2**20
    except (OSError, KeyError):
        return float("nan")


class Watch(threading.Thread):
    """The largest anonymous memory of this process while it runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self.done = 0.0, threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.2):
            self.peak = max(self.peak, memory("RssAnon"))


def timed_scans(images: int) -> int:
    """Of how many queries the exact answer is timed: reading ten million vectors for one takes most of a minute."""
    return max(3, min(QUERIES, 10 * FULL // images))


def one(engine: str, images: int, dtype: str, folder: Path) -> dict[str, object]:
    """Build and ask one index, in this process."""
    watch, start, worked = Watch(), time.perf_counter(), time.process_time()
    watch.start()
    index = StoredIndex.build_parts(folder, parts(images), engine=engine, dtype=dtype)
    built, worked = time.perf_counter() - start, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    watch.done.set()
    first = next(parts(images))[0]
    queries = unit_rows(first[:: len(first) // QUERIES][:QUERIES])
    state = index._current()
    everyone, none = np.ones(images, dtype=bool), np.full(1, -1)
    found, exact = [], []
    index.find(queries[:1], K)
    for number, query in enumerate(queries[:, None]):
        start = time.perf_counter()
        index.find(query, K)
        found.append(time.perf_counter() - start)
        if number < timed_scans(images):
            start = time.perf_counter()
            scan(state.vectors, query, K, everyone, none)
            exact.append(time.perf_counter() - start)
    answers, true = index.find(queries, K).ids, scan(state.vectors, queries, K, everyone, np.repeat(none, len(queries)))
    right = sum(len({f"image {row}" for row in rows} & {*ids}) for rows, ids in zip(true[0], answers, strict=True))
    filtered = index.find(queries, K, where="year = 2003")
    allowed = np.array([n % PART % 25 == 3 for n in range(images)])
    true = scan(state.vectors, queries, K, allowed, np.full(len(queries), -1))[0]
    share = np.mean([len({f"image {row}" for row in a} & {*b}) / K for a, b in zip(true, filtered.ids, strict=True)])
    on_disk = index.describe().bytes
    return {
        "build_s": built, "build_processor_s": worked,
        "bytes_per_image": on_disk / images, "gib_on_disk": on_disk / 2**30,
        "peak_gib": peak, "peak_anonymous_gib": watch.peak,
        "anonymous_gib": memory("RssAnon"), "file_pages_gib": memory("RssFile"),
        "told": str(index.recall or "exact"), "recall_at_10": right / (K * QUERIES), "filtered_recall": float(share),
        "query_ms": 1000 * statistics.median(found), "scan_ms": 1000 * statistics.median(exact),
        "ratio": statistics.median(a / b for a, b in zip(found, exact, strict=False)),
    }  # fmt: skip


def cells_ratio() -> float:
    """Processor time of assigning a part to 4,096 cells, as a share of what FAISS's IndexFlatIP takes."""
    vectors, centres = (unit_rows(next(parts(count))[0]) for count in (PART, 4096))
    known = faiss.IndexFlatIP(WIDTH)
    faiss_own(known, "add")(centres)
    ratios = []
    for _ in range(3):
        start = time.process_time()
        nearest_cells(vectors, centres)
        own = time.process_time() - start
        start = time.process_time()
        faiss_own(known, "search")(vectors, 1)
        ratios.append(own / (time.process_time() - start))
    return statistics.median(ratios)


def gallery(images: int, folder: Path, root: Path) -> float:
    """Seconds from a query to the message with its answer, in the gallery over an index that is there."""
    from vptsp_widgets.gallery import RetrievalGallery

    from vptsp.runs.embeddings import SavedEmbeddings

    made = list(parts(images))
    vectors, ids = np.concatenate([part for part, _, _ in made]), [name for _, names, _ in made for name in names]
    del made
    view = RetrievalGallery(
        SavedEmbeddings.write(root / "saved", vectors, np.arange(images) % 1000, ids=ids), index=folder
    )
    view.send = lambda *message: None  # type: ignore[method-assign]
    times = []
    for number in range(QUERIES):
        start = time.perf_counter()
        view._on_query({"number": number, "query": {"row": number}}, [])
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help=f"{SMALL:,} images, some seconds")
    parser.add_argument("--images", type=int, help=f"how many; default: {FULL:,}")
    parser.add_argument("--engines", default="exact,ivfpq", help="which, with commas")
    parser.add_argument("--dtype", default="float16", help="how vectors are stored")
    parser.add_argument("--gallery", action="store_true", help="time the gallery as well, which holds all in memory")
    parser.add_argument("--folder", type=Path, help="where the indexes are made; default: a temporary one")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    images = options.images or (SMALL if options.small else FULL)
    if options.one:
        print(json.dumps(one(options.engines, images, options.dtype, options.folder)))
        return
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as root:
        print(f"{images:,} x {WIDTH} as {options.dtype}; a scan is the exact answer over the same file")
        print(f"assigning vectors to cells, as a share of FAISS's time: {cells_ratio():.2f}")
        for engine in options.engines.split(","):
            folder = Path(root) / engine
            words = ["--one", "--engines", engine, "--images", str(images), "--dtype", options.dtype]
            command = [sys.executable, "-m", "benchmarks.indexes", *words, "--folder", str(folder)]
            facts = json.loads(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
            )
            print(f"\n{engine}: {facts.pop('told')}")
            for name, value in facts.items():
                print(f"  {name:<20}{value:12.3f}")
            if options.gallery:
                print(f"  {'gallery query s':<20}{gallery(images, folder, Path(root) / f'{engine}-saved'):12.3f}")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
