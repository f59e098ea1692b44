"""Front ends of the views: vanilla JavaScript modules that run in a widget and in a page without a kernel.

A front end exports ``default {render({model, el})}`` and talks to ``model`` only: ``get``, ``set``,
``save_changes``, ``on``, ``off`` and ``send``, as anywidget defines them. In JupyterLab the model is the widget's; in
a saved page it is the stand-in of ``host.js``, which holds the same state.

Each has a folder: ``view.js`` with the export, ``style.css``, and a file for each further idea. There is no bundler:
a view's module is their text, one after the other, so that all names of a view and of ``common.js`` are in one scope.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

_FILES = resources.files(__package__)


def module(name: str) -> str:
    """The module of a view as text: what all of them share, the files of its folder, and ``view.js`` last.

    As text and not as a path: anywidget watches files, and the watch keeps closed widgets alive.
    """
    files = sorted(file.name for file in (_FILES / name).iterdir() if file.name.endswith(".js"))
    parts = [f"{name}/{file}" for file in files if file != "view.js"]
    return "\n".join(map(_read, ["common.js", *parts, f"{name}/view.js"]))


def style(name: str) -> str:
    """The style sheet of a view, after what all of them share."""
    return _read("common.css") + _read(f"{name}/style.css")


def page_block(
    name: str, state: Mapping[str, Any], pages: Sequence[Path] = (), label: str = "", element: str | None = None
) -> str:
    """A view as HTML for a page without a kernel: its element, style, module and whole state; no request leaves it.

    ``state`` holds what the widget's synced traits would: JSON values, and bytes. ``pages`` are the thumbnail
    pages, ``label`` is what a screen reader calls the view, and ``element`` its id in the page.
    """
    packed = {
        key: {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for key, value in state.items()
    }
    images = ["data:image/jpeg;base64," + base64.b64encode(page.read_bytes()).decode() for page in pages]
    data = script_json(json.dumps({"state": packed, "pages": images}, allow_nan=False))
    element = element or f"vptsp-{name}"
    return (
        f'<style>{style(name)}</style><div id="{element}"></div>'
        f'<script type="module">{_read("host.js")}\n'
        f"const front = (() => {{ {module(name).replace('export default', 'return')} }})();\n"
        f'mount(front, document.getElementById("{element}"), {data}, {script_json(json.dumps(label))});</script>'
    )


def script_json(text: str) -> str:
    """JSON that cannot close the script element it stands in."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _read(name: str) -> str:
    return (_FILES / name).read_text(encoding="utf-8")
