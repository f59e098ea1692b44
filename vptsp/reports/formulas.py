"""TeX formulas of markdown as inline SVG, for pages that run no script: one path each, in the colour of the text.

Drawn by matplotlib's mathtext, which knows the mathematics of TeX but none of its environments.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath, text_to_path

from vptsp.errors import UsageError

_UNIT = 100  # path units of an em
_SCALE = 1.06  # of the surrounding text: STIX looks small beside a sans-serif
# code first, so that a dollar in it stays one
_MARKED = re.compile(r"(```.*?```|`[^`\n]*`)|\$\$(.+?)\$\$|(?<![\\$])\$(?=\S)([^$\n]+?)(?<=\S)\$", re.S)
_LETTERS = {Outline.MOVETO: "M", Outline.LINETO: "L", Outline.CURVE3: "Q", Outline.CURVE4: "C", Outline.CLOSEPOLY: "Z"}
# mathtext's name for what mathematicians write
_ALIASES = {r"\lVert": r"\Vert", r"\rVert": r"\Vert", r"\,": r"\thinspace "}


def drawn(markdown: str) -> str:
    """Markdown with ``$...$`` and ``$$...$$`` replaced by drawings; code is left alone.

    Raises UsageError for a formula that mathtext does not know.
    """

    def draw(match: re.Match[str]) -> str:
        code, display, inline = match.groups()
        if code is not None:
            return code
        if display is None:
            return svg(inline)
        large = display.replace(r"\frac", r"\dfrac")
        return f'\n<div style="text-align:center;margin:.8em 0">{svg(large)}</div>\n'

    return _MARKED.sub(draw, markdown)


@lru_cache(maxsize=1024)
def svg(tex: str) -> str:
    """One formula as an SVG element on the baseline of its line, its TeX as the label."""
    source = " ".join(tex.split())
    for name, known in _ALIASES.items():
        source = re.sub(re.escape(name) + (r"(?![A-Za-z])" if name[-1].isalpha() else ""), lambda _: known, source)  # noqa: B023
    font = FontProperties(math_fontfamily="stix")
    try:
        _, _, depth = text_to_path.get_text_width_height_descent(f"${source}$", font, ismath=True)
        outline = TextPath((0, 0), f"${source}$", size=_UNIT, prop=font)
    except ValueError as error:
        raise UsageError(f"the formula {tex.strip()} cannot be drawn: {str(error).strip().splitlines()[-1]}") from None
    box = outline.get_extents()
    left, top, bottom = min(0.0, box.x0), box.y1 + 2, min(box.y0 - 2, -depth * _UNIT / font.get_size())
    width, height = box.x1 + 2 - left, top - bottom
    size = f"width:{_em(width)};height:{_em(height)};vertical-align:{_em(bottom)}"
    label = html.escape(" ".join(tex.split())).replace("|", "&#124;")  # a bar would end a cell of a table
    return (
        f'<svg role="img" aria-label="{label}" viewBox="{left:.0f} {-top:.0f} {width:.0f} {height:.0f}" '
        f'style="{size};max-width:100%;overflow:visible"><path fill="currentColor" d="{_commands(outline)}"/></svg>'
    )


def _commands(outline: Outline) -> str:
    parts = []
    for vertices, code in outline.iter_segments(simplify=False, curves=True):
        letter = _LETTERS[np.uint8(code)]
        points = np.asarray(vertices).reshape(-1, 2)[: 0 if letter == "Z" else None]
        parts.append(letter + " ".join(f"{x:.0f} {-y:.0f}" for x, y in points))
    return "".join(parts)


def _em(units: float) -> str:
    return f"{units / _UNIT * _SCALE:.3f}em"
