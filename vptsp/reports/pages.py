"""Live pages of a run that need no kernel and no network: one file each, made by whatever package offers them.

A page is a function of a run, a path and the name of a projection, offered by an entry point of the group
``vptsp.pages``; this room knows none of them by name, as with the blocks of :mod:`vptsp.reports.views`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from vptsp.analysis.projection import Method
from vptsp.errors import UsageError
from vptsp.runs.run import Run
from vptsp.text import plain

Page = Callable[[Run | None, Path, Method], Path]
KINDS = {  # and what each shows
    "sandbox": "the whiteboard of proxies and losses; of a run, if one is given",
    "presenter": "the whiteboard's seven stories for a classroom: full screen, large type, step by step",
    "map": "the map of a run's test images",
    "gallery": "a run's test images and what each of them finds",
    "timemachine": "a run's epochs, to be played",
}
WITHOUT_A_RUN = ("sandbox", "presenter")


def write_page(kind: str, path: str | Path, run: Run | None = None, projection: Method = "umap") -> Path:
    """Write a live page and return its path; a file there is replaced as a whole.

    ``projection`` is the map's. Raises :class:`UsageError` for an unknown kind, for one that needs a run and has none,
    for a path that is no name of a page, and where no installed package offers the kind; and
    :class:`~vptsp.errors.RunError` for a run that cannot be shown.
    """
    if kind not in KINDS:
        raise UsageError(f"{plain(kind)!r} is not a kind of page; choose one of {', '.join(KINDS)}")
    if run is None and kind not in WITHOUT_A_RUN:
        raise UsageError(f"the page {kind} shows a run and none is given; name one: vptsp page {kind} RUN --out FILE")
    if Path(path).suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{plain(path)} is not the name of a page; give a file that ends in .html")
    if run is not None:
        run.summary()  # refused here where the run is not finished
    offered = {entry.name: entry.load for entry in metadata.entry_points(group="vptsp.pages")}
    if kind not in offered:
        raise UsageError(f"no installed package offers the page {kind}; install the workbench again")
    page: Page = offered[kind]()
    return page(run, Path(path), projection)
