"""Front ends of the views: vanilla JavaScript modules that run in a widget and in a page without a kernel.

A front end exports ``default {render({model, el})}`` and talks to ``model`` only: ``get``, ``set``,
``save_changes``, ``on``, ``off`` and ``send``, as anywidget defines them. In JupyterLab the model is the widget's; in
a saved page it is the stand-in of ``host.js``, which holds the same state.

Each stands in its view's room: ``<view>/front/view.js`` with the export, ``style.css``, and a file for each further
idea; what they share is in this folder. They are ES modules, and :mod:`~vptsp_widgets.front.linker` makes one text of
those that a view needs: readers need no build step and no network.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from vptsp.text import script_json
from vptsp_widgets.front import generate_signs as signs
from vptsp_widgets.front.linker import link, variable

__all__ = ["module", "page_block", "script_json", "style", "style_of"]

_PACKAGE = resources.files("vptsp_widgets")
_HOST = "front/host.js"


def module(name: str) -> str:
    """The module of a view as one text: all that its ``view.js`` imports, then the default export.

    As text and not as a path: anywidget watches files, and the watch keeps closed widgets alive.
    """
    return f"{_linked(_entry(name))}\nexport default {variable(_entry(name))}.default;\n"


def style(name: str) -> str:
    """The style sheet of a view, after what all of them share."""
    return signs.style() + _read("front/common.css") + style_of(name)


def style_of(name: str) -> str:
    """A view's own style sheet alone."""
    return _read(f"{name}/front/style.css")


def page_block(
    name: str,
    state: Mapping[str, Any],
    pages: Sequence[Path] = (),
    label: str = "",
    element: str | None = None,
    around: str | None = None,
) -> str:
    """A view as HTML for a page without a kernel: its element, style, module and whole state; no request leaves it.

    ``state`` holds what the widget's synced traits would: JSON values, and bytes. ``pages`` are the thumbnail
    pages, ``label`` is what a screen reader calls the view, and ``element`` its id in the page. ``around``, a module's
    path and the name of a function in it, makes another front end of the view's, for a page of another kind.
    """
    packed = {
        key: {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for key, value in state.items()
    }
    data = script_json(json.dumps({"state": packed, "pages": len(pages)}, allow_nan=False))
    element = element or f"vptsp-{name}"
    # a page may hold two views of a kind
    key = f"{element}-{hashlib.sha256(data.encode()).hexdigest()[:12]}"
    entries, front = [_HOST, _entry(name)], f"{variable(_entry(name))}.default"
    if around:
        path, _, function = around.partition(":")
        entries, front = [*entries, path], f"{variable(path)}.{function}({front})"
    # The state is no part of the script, which would have to be compiled, and what a browser does at once, before it
    # reads the thumbnails, is a script that is no module.
    images = [base64.b64encode(page.read_bytes()).decode() for page in pages]
    return (
        f'<style>{style(name)}</style><div id="{element}"></div>'
        f'<script type="application/json" id="{key}">{data}</script>'
        f'<script>(() => {{\n"use strict";\n{_linked(*entries)}\n'
        f'{variable(_HOST)}.mount({front}, "{key}", {script_json(json.dumps(label))});\n}})();</script>'
        + "".join(
            f'<script type="text/plain" data-thumbnails="{key}">data:image/jpeg;base64,{image}</script>'
            for image in images
        )
    )


def _entry(name: str) -> str:
    return f"{name}/front/view.js"


@functools.cache
def _linked(*entries: str) -> str:
    return link(entries, _read)


def _read(path: str) -> str:
    return (_PACKAGE / path).read_text(encoding="utf-8")
