"""Where views and what they share have moved to; :mod:`vptsp.moved` keeps the old places working for one release."""

from __future__ import annotations

from vptsp import moved

ROOMS = ("anatomy", "board", "confused", "gallery", "monitor", "picker", "sandbox", "space", "timemachine", "why")
_PARTS = {
    "anatomy": ("data", "still"),
    "board": ("data", "still"),
    "confused": ("data", "still"),
    "sandbox": ("gradients", "presets", "run", "state", "still"),
    "space": ("data", "still"),
    "timemachine": ("data", "still", "tiles"),
    "why": ("pair", "still"),
}
MOVED: dict[str, moved.Places] = {
    "vptsp_widgets.queries": "vptsp_widgets.gallery.queries",
    "vptsp_widgets.watching": "vptsp_widgets.monitor.watching",
    "vptsp_widgets.blocks": "vptsp_widgets.report_blocks",
    "vptsp_widgets.colours": "vptsp.figures.palettes",
    "vptsp_widgets.palettes": "vptsp.figures.palettes",
    "vptsp_widgets.sources": ("vptsp_widgets.run_or_folder", "vptsp_widgets.hardest_classes"),
    "vptsp_widgets.why.pictures": "vptsp_widgets.pictures",
    "vptsp_widgets.why_pictures": "vptsp_widgets.pictures",
    "vptsp_widgets.states": "vptsp_widgets.state_words",
    **{f"vptsp_widgets.{room}": f"vptsp_widgets.{room}.view" for room in ROOMS},  # a view was one file
    **{f"vptsp_widgets.{room}_{part}": f"vptsp_widgets.{room}.{part}" for room in _PARTS for part in _PARTS[room]},
}


def install() -> None:
    """Make the old places known; again does no harm."""
    moved.install(MOVED)
