"""Cells that make the views of a run, for the notebooks of the tests."""

from __future__ import annotations

from vptsp.runs.run import Run

IMPORTS = """\
from IPython.display import display
from vptsp_widgets.gallery import RetrievalGallery
from vptsp_widgets.linking import link
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.why import WhyNeighbour
"""


def make_views(run: Run) -> str:
    """``space``, ``gallery`` and ``why`` of a run; a linear map, as UMAP would compile for seconds."""
    path = repr(str(run.path))
    return IMPORTS + (
        f"space = SpaceExplorer.of_run({path}, method='pca')\n"
        f"gallery = RetrievalGallery.of_run({path})\n"
        f"why = WhyNeighbour.of_run({path})\n"
    )
