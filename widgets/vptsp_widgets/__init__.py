"""Views for JupyterLab: a room for each, and what they share beside them.

Names are imported when first used: who opens a map waits for the map only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vptsp.core.lazy import lazy
from vptsp_widgets import moved

if TYPE_CHECKING:
    from vptsp_widgets.anatomy import ProxyAnatomy as ProxyAnatomy
    from vptsp_widgets.beside import TwoRuns as TwoRuns
    from vptsp_widgets.board import SweepBoard as SweepBoard
    from vptsp_widgets.confused import ConfusedPairs as ConfusedPairs
    from vptsp_widgets.flips import FlipList as FlipList
    from vptsp_widgets.gallery import RetrievalGallery as RetrievalGallery
    from vptsp_widgets.linking import link as link
    from vptsp_widgets.live import LiveTraining as LiveTraining
    from vptsp_widgets.monitor import TrainingMonitor as TrainingMonitor
    from vptsp_widgets.picker import RunPicker as RunPicker
    from vptsp_widgets.sandbox import ProxySandbox as ProxySandbox
    from vptsp_widgets.space import SpaceExplorer as SpaceExplorer
    from vptsp_widgets.timemachine import TimeMachine as TimeMachine
    from vptsp_widgets.verification import SimilarityHistogram as SimilarityHistogram
    from vptsp_widgets.why import WhyNeighbour as WhyNeighbour
    from vptsp_widgets.workbench import Workbench as Workbench

_HOMES = {
    "anatomy": ("ProxyAnatomy",),
    "beside": ("TwoRuns",),
    "board": ("SweepBoard",),
    "confused": ("ConfusedPairs",),
    "flips": ("FlipList",),
    "gallery": ("RetrievalGallery",),
    "linking": ("link",),
    "live": ("LiveTraining",),
    "monitor": ("TrainingMonitor",),
    "picker": ("RunPicker",),
    "sandbox": ("ProxySandbox",),
    "space": ("SpaceExplorer",),
    "timemachine": ("TimeMachine",),
    "verification": ("SimilarityHistogram",),
    "why": ("WhyNeighbour",),
    "workbench": ("Workbench",),
}
__all__ = sorted(name for names in _HOMES.values() for name in names)
__getattr__ = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__


moved.install()
