"""Views of a run as blocks of a page without a kernel; :mod:`vptsp.reports.report` finds them by their entry points."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vptsp.analysis.projection import Method
from vptsp.errors import UsageError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.text import safe
from vptsp_widgets.front import page_block
from vptsp_widgets.gallery.view import RetrievalGallery
from vptsp_widgets.space.view import SpaceExplorer
from vptsp_widgets.timemachine.view import TimeMachine

_PAGE_BYTES = 5_000_000  # of thumbnails in a page, at most; images beyond show as grey tiles
_MOST_POINTS = 20_000


def space_block(run: Run, projection: Method) -> str:
    """The map of the test images with their thumbnails, which the page's other blocks use as well."""
    view = SpaceExplorer.of_run(run, method=projection, most=_MOST_POINTS)
    try:
        label = f"Map of {len(view.ids):,} test images"
        return page_block("space", view.state_for_page(), _thumbnail_pages(run), label)
    finally:
        view.close()


def gallery_block(run: Run, projection: Method) -> str:
    """Every test query and its nearest images."""
    view = RetrievalGallery.of_run(run)
    try:
        return page_block("gallery", view.state_for_page(), (), "Retrieval gallery of the test images")
    finally:
        view.close()


def timemachine_block(run: Run, projection: Method) -> str:
    """The run's epochs to play, with a still for readers without scripts; empty for a run without snapshots."""
    if not run.snapshots():
        return ""
    try:
        view = TimeMachine.of_run(run)
    except UsageError as error:  # a damaged snapshot must not cost the rest of the page
        return f"<p>The epochs cannot be shown: {safe(error, 400)}</p>"
    try:
        # the page's blocks share what is looked at and selected as rows of the test images; others have none
        row = {name: number for number, name in enumerate(SavedEmbeddings.of_run(run).ids)}
        rows = np.array([row.get(name, -1) for name in view.ids], dtype="<i4")
        state = view.state_for_page() | {"_rows": rows.tobytes()}
        label = f"Time machine of {len(view.epochs):,} epochs"
        return f"{page_block('timemachine', state, (), label)}<noscript>{view.still()}</noscript>"
    finally:
        view.close()


def _thumbnail_pages(run: Run) -> list[Path]:
    """The first pages of thumbnails, as many as fit."""
    pages: list[Path] = []
    folder, size = SavedEmbeddings.of_run(run).folder, 0
    while (path := folder / f"page_{len(pages)}.jpg").is_file() and size + path.stat().st_size <= _PAGE_BYTES:
        size += path.stat().st_size
        pages.append(path)
    return pages
