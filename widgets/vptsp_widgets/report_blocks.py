"""Views of a run as blocks of a page without a kernel; :mod:`vptsp.reports.report` finds them by their entry points."""

from __future__ import annotations

import numpy as np

from vptsp.analysis.projection import Method
from vptsp.errors import UsageError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.text import safe
from vptsp_widgets.confused.view import ConfusedPairs
from vptsp_widgets.gallery.view import RetrievalGallery
from vptsp_widgets.space.view import SpaceExplorer
from vptsp_widgets.timemachine.view import TimeMachine

_MOST_POINTS = 20_000


def space_block(run: Run, projection: Method) -> str:
    """The map of the test images with their thumbnails, which the page's other blocks use as well."""
    view = SpaceExplorer.of_run(run, method=projection, most=_MOST_POINTS)
    try:
        return view.page_block(f"Map of {len(view.ids):,} test images")
    finally:
        view.close()


def gallery_block(run: Run, projection: Method) -> str:
    """Every test query and its nearest images."""
    view = RetrievalGallery.of_run(run)
    try:
        return view.page_block("Retrieval gallery of the test images", thumbnails=False)
    finally:
        view.close()


def confused_block(run: Run, projection: Method) -> str:
    """Classes taken for each other, from whose images a click leads to map and gallery; empty for a single class."""
    saved = SavedEmbeddings.of_run(run)
    if len(saved) > _MOST_POINTS or len(np.unique(saved.labels)) < 2:
        return ""
    view = ConfusedPairs.of_run(run)
    try:
        return view.page_block("Classes of the test images that are taken for each other", thumbnails=False)
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
        block = view.page_block(f"Time machine of {len(view.epochs):,} epochs", _rows=rows.tobytes())
        return f"{block}<noscript>{view.still()}</noscript>"
    finally:
        view.close()
