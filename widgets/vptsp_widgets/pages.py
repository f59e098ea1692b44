"""Live pages of a run, each as one file; :mod:`vptsp.reports.pages` finds them by their entry points."""

from __future__ import annotations

from pathlib import Path

from vptsp.analysis.projection import Method
from vptsp.errors import UsageError
from vptsp.runs.run import Run
from vptsp_widgets.classroom.page import classroom_page
from vptsp_widgets.gallery.view import RetrievalGallery
from vptsp_widgets.sandbox.view import ProxySandbox
from vptsp_widgets.space.view import SpaceExplorer
from vptsp_widgets.timemachine.view import TimeMachine
from vptsp_widgets.view import View

_MOST_POINTS = 20_000


def sandbox_page(run: Run | None, path: Path, projection: Method) -> Path:
    """The whiteboard of proxies: with its stories, or with a run's proxies and images."""
    return _saved(ProxySandbox.of_run(run) if run else ProxySandbox(), path)


def presenter_page(run: Run | None, path: Path, projection: Method) -> Path:
    """The seven stories for a lecture hall. Raises UsageError where a run is given: stories are not of one."""
    if run:
        raise UsageError(
            "the page presenter tells stories, and none of a run; leave RUN out, or take vptsp page sandbox"
        )
    return classroom_page(path)


def map_page(run: Run | None, path: Path, projection: Method) -> Path:
    """The map of a run's test images, with their thumbnails."""
    assert run is not None
    return _saved(SpaceExplorer.of_run(run, method=projection, most=_MOST_POINTS), path)


def gallery_page(run: Run | None, path: Path, projection: Method) -> Path:
    """Every test image as a query, and its nearest images."""
    assert run is not None
    return _saved(RetrievalGallery.of_run(run), path)


def timemachine_page(run: Run | None, path: Path, projection: Method) -> Path:
    """A run's epochs, to be played."""
    assert run is not None
    return _saved(TimeMachine.of_run(run), path)


def _saved(view: View, path: Path) -> Path:
    try:
        return view.save_html(path)
    finally:
        view.close()
