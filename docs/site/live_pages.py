"""The live pages of the site, of the run that notebook 01 trained for it."""

from __future__ import annotations

from pathlib import Path

from vptsp.reports.pages import KINDS, WITHOUT_A_RUN, write_page
from vptsp.runs.run import Run


def write(run: Path | None, folder: Path) -> list[Path]:
    """Every kind of page, or those that need no run; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = Run.open(run) if run else None
    kinds = [kind for kind in KINDS if opened or kind in WITHOUT_A_RUN]
    return [write_page(kind, folder / f"{kind}.html", None if kind in WITHOUT_A_RUN else opened) for kind in kinds]
