"""Colours in JupyterLab, which renders a view before it attaches it: they are there at once, in either theme."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator

from vptsp.runs.run import Run

pytestmark = pytest.mark.browser

_SETUP = """\
from vptsp_widgets import ConfusedPairs, ProxyAnatomy, ProxySandbox, RetrievalGallery, SpaceExplorer
from vptsp_widgets import TimeMachine, WhyNeighbour
run = {run!r}
machine = TimeMachine.of_run(run)
anatomy = ProxyAnatomy.of_run(run)
space = SpaceExplorer.of_run(run, method='pca')
gallery = RetrievalGallery.of_run(run)
gallery.focus = gallery.ids[2]
why = WhyNeighbour.of_run(run)
sandbox = ProxySandbox(preset='semantic')
confused = ConfusedPairs.of_run(run)
"""
_VIEWS = {  # and what is drawn on canvases, whose colours are read by scripts
    "machine": ".vt-canvas, .vt-legend canvas",
    "anatomy": ".va-legend, .va-plot",
    "space": ".vptsp-space-points, .vptsp-space-over, .vptsp-space-side",
    "gallery": ".vg-facts canvas",
    "why": ".vptsp-why-grid",
    "sandbox": ".vptsp-sb-stage, .vptsp-sb-legend",
    "confused": ".vc-list",
}


def test_first_pictures_are_those_after_the_theme_was_changed_and_changed_back(
    lab: Any, open_notebook: Callable[..., Any], tiny_run: Run, tmp_path: Path
) -> None:
    notebook = open_notebook(lab, lab.write("colours.ipynb", [_SETUP.format(run=str(tiny_run.path)), *_VIEWS]))
    notebook.run(0)
    first = {}
    for cell, (name, parts) in enumerate(_VIEWS.items(), start=1):
        view = notebook.run(cell).locator(".vptsp").first
        first[name] = pictures(view, parts)
    for theme in ("Dark", "Light"):
        notebook.theme(theme)
    changed = []
    for cell, (name, parts) in enumerate(_VIEWS.items(), start=1):
        view = notebook.output(cell).locator(".vptsp").first
        later = pictures(view, parts)
        assert len(later) == len(first[name]) > 0, name
        for number, (one, other) in enumerate(zip(first[name], later, strict=True)):
            if pixels := different(one, other):
                changed.append(f"{name}, part {number}: {pixels} pixels, see {tmp_path}")
                for word, picture in (("first", one), ("later", other)):
                    Image.fromarray(picture.astype(np.uint8)).save(tmp_path / f"{name}-{number}-{word}.png")
    assert changed == []


def pictures(view: Locator, parts: str) -> list[np.ndarray]:
    """Pictures of the parts, once they stand still: canvases, which move, and what they stand among."""
    view.scroll_into_view_if_needed()
    view.locator(parts).first.wait_for()
    before, now = None, state(view, parts)
    for _ in range(20):
        if before == now:
            break
        view.page.wait_for_timeout(300)
        before, now = now, state(view, parts)
    return [picture(part) for part in view.locator(parts).all() if part.is_visible()]


def state(view: Locator, parts: str) -> list[str]:
    """What the parts are made of: the pixels of canvases, the elements and styles of others. Takes no pictures."""
    found: list[str] = view.locator(parts).evaluate_all(
        "(all) => all.map((part) => part.getContext?.('2d') ? part.toDataURL() : part.outerHTML)"
    )
    return found


def picture(part: Locator) -> np.ndarray:
    """What a canvas holds, or else a screenshot, which takes ten times as long."""
    drawn = part.evaluate("(part) => part.getContext?.('2d') ? part.toDataURL() : null")
    data = base64.b64decode(drawn.split(",")[1]) if drawn else part.screenshot(animations="disabled")
    # without the outermost pixels of a screenshot: an edge may lie between two
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"), dtype=int)[1:-1, 1:-1]


def different(one: np.ndarray, other: np.ndarray) -> int:
    """How many pixels differ, by more than a canvas may round."""
    if one.shape != other.shape:
        return max(one.size, other.size) // 3
    return int((np.abs(one - other).max(axis=2) > 8).sum())
