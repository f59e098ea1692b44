"""The live blocks of a report: those of installed packages, and those registered here by whoever runs it.

A view is a function of a run and the name of a projection that returns HTML, empty if it has nothing to show. A package
offers views by entry points of the group ``vptsp.report_views``; this room knows none of them by name.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata

from vptsp.analysis.projection import Method
from vptsp.core.registry import Registry
from vptsp.runs.run import Run
from vptsp.text import plain

View = Callable[[Run, Method], str]
VIEWS: Registry[View] = Registry("view of the report")
# the template has a place for these; others follow one another
PLACED = ("space", "gallery", "confused", "timemachine")


def view_blocks(run: Run, projection: Method) -> dict[str, str]:
    """HTML by name; a registered view stands for an installed one of the same name."""
    installed = {entry.name: entry.load for entry in metadata.entry_points(group="vptsp.report_views")}
    loads = installed | {name: entry.load for name, entry in VIEWS.items()}
    return {name: load()(run, projection) for name, load in loads.items()}


def further(blocks: dict[str, str]) -> list[tuple[str, str]]:
    """Heading and HTML of what has no place of its own in the page."""
    return [
        (plain(VIEWS[name].title if name in VIEWS else name), block)
        for name, block in blocks.items()
        if block and name not in PLACED
    ]
