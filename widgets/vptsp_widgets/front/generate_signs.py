"""What the front ends know of :mod:`vptsp.figures.signs_and_colours`: constants as a module, colours as a style sheet.

``python widgets/vptsp_widgets/front/generate_signs.py`` writes ``signs.js`` anew; a test says when that was forgotten.
As a file and not as a module: the package links the front ends when it is imported, and they need ``signs.js``.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vptsp.figures import signs_and_colours as theme

SIGNS = Path(__file__).with_name("signs.js")


def script() -> str:
    """The text of ``signs.js``: the signs of proxies, and the lines of scores."""
    proxies = {kind: asdict(sign) | {"colour": _themes(sign.colour)} for kind, sign in theme.PROXIES.items()}
    rows = "".join(f"  {kind}: {_literal(sign)},\n" for kind, sign in proxies.items())
    scores = "".join(f"  {_literal(_themes(colour))},\n" for colour in theme.SCORES)
    return (
        "// Made by front/generate_signs.py; what is said here is decided in vptsp/figures/signs_and_colours.py.\n\n"
        '/** @typedef {"learned" | "semantic" | "fused"} Kind - of proxies */\n'
        "/** @typedef {{ light: string, dark: string }} Colour - of one theme and of the other */\n"
        "/**\n * @typedef {object} Sign\n * @property {string} title\n * @property {string} letter\n"
        ' * @property {string} glyph - in text\n * @property {"circle" | "square" | "diamond"} shape\n'
        " * @property {boolean} filled - hollow signs have the page's colour inside\n"
        " * @property {Colour} colour\n */\n\n"
        f"/** @type {{Record<Kind, Sign>}} */\nexport const PROXIES = {{\n{rows}}};\n\n"
        f"/** @type {{Colour[]}} */\nexport const SCORES = [ // lines, the main score first\n{scores}];\n\n"
        f"/** @type {{Colour}} */\nexport const FAINT = {_literal(_themes(theme.FAINT))};\n"
    )


def style() -> str:
    """Custom properties of both themes, for every view: of the page, of proxies, and of points with letters."""
    return f".vptsp {{ {_properties('light')} }}\n.vptsp.vptsp-dark {{ {_properties('dark')} }}\n"


def _properties(page: str) -> str:
    pages = {"ink": theme.TEXT, "paper": theme.PAPER, "field": theme.FIELD, "rule": theme.RULE}
    lab = {"ink": "ui-font-color1", "paper": "layout-color1", "field": "layout-color2", "rule": "border-color2"}
    found = {name: f"var(--jp-{lab[name]}, {getattr(colour, page)})" for name, colour in pages.items()}
    own = {"soft": theme.SOFT, "accent": theme.ACCENT, "right": theme.RIGHT, "wrong": theme.WRONG}
    found |= {name: getattr(colour, page) for name, colour in own.items()}
    found |= {kind: getattr(sign.colour, page) for kind, sign in theme.PROXIES.items()}
    found |= {"line-1": theme.BLUE, "line-2": theme.ORANGE}
    lettered = theme.LETTERED_LIGHT if page == "light" else theme.LETTERED_DARK
    found |= {f"c{number}": colour for number, colour in enumerate(lettered)}
    return " ".join(f"--{name}: {value};" for name, value in found.items())


def _themes(colour: theme.Colour) -> dict[str, str]:
    return {"light": colour.light, "dark": colour.dark}


def _literal(value: Any) -> str:
    """An object of strings, truth values and such objects, as it is written here."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name}: {_literal(one)}" for name, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    SIGNS.write_text(script(), encoding="utf-8")
