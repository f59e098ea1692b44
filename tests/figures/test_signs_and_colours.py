"""Signs and colours of proxies are said in one place, and what is made of it is up to date."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

import pytest
import vptsp_widgets
from matplotlib.colors import to_rgb
from matplotlib.markers import MarkerStyle
from plotly.validator_cache import ValidatorCache
from vptsp_widgets.front import generate_signs as signs
from vptsp_widgets.front import module, style

import vptsp.figures
from vptsp.figures import signs_and_colours as theme
from vptsp.runs.snapshots import KINDS

THEME = Path(theme.__file__)
SOURCES = [
    path
    for package in (vptsp.figures, vptsp_widgets)
    for path in sorted(Path(package.__file__ or "").parent.rglob("*"))
    if path.suffix in (".py", ".js", ".css") and path not in (THEME, signs.SIGNS)
]
VIEWS = ("anatomy", "gallery", "sandbox", "space", "timemachine")


def test_kinds_are_told_apart_by_sign_letter_and_colour() -> None:
    assert tuple(theme.PROXIES) == KINDS
    for part in ("title", "letter", "glyph", "shape", "plotly", "matplotlib", "colour"):
        assert len({getattr(sign, part) for sign in theme.PROXIES.values()}) == len(KINDS), part
    assert [kind for kind, sign in theme.PROXIES.items() if sign.filled] == ["fused"]  # what the loss compares with


@pytest.mark.parametrize("kind", KINDS)
def test_a_sign_is_the_same_for_every_painter(kind: str) -> None:
    sign = theme.PROXIES[kind]
    symbols = ValidatorCache.get_validator("scatter.marker", "symbol")
    assert symbols.validate_coerce(sign.plotly) == sign.plotly
    assert MarkerStyle(sign.matplotlib).get_marker() == theme.MARKERS[sign.plotly.removesuffix("-open")]
    assert sign.inks("white", "red") == dict(
        zip(("facecolors", "edgecolors"), ("red", "white") if sign.filled else ("white", "red"), strict=True)
    )
    assert sign.title.endswith(f" {sign.letter}")


def luminance(colour: str) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_colours_of_proxies_are_seen_on_their_page() -> None:
    for sign in theme.PROXIES.values():
        assert contrast(sign.colour.light, theme.PAPER.light) >= 4.5  # they colour text, too
        assert contrast(sign.colour.dark, theme.PAPER.dark) >= 4.5


def test_points_with_letters_are_told_apart_by_both() -> None:
    assert len(set(theme.LETTERED_LIGHT)) == len(set(theme.LETTERED_DARK)) == 8
    assert min(contrast(colour, "white") for colour in theme.LETTERED_LIGHT) >= 4.5
    assert min(contrast(colour, theme.PAPER.dark) for colour in theme.LETTERED_DARK) >= 4.5


def test_what_the_front_ends_know_is_made_of_the_table() -> None:
    assert signs.SIGNS.read_text(encoding="utf-8") == signs.script(), (
        "run python widgets/vptsp_widgets/front/generate_signs.py"
    )
    for kind, sign in theme.PROXIES.items():
        line = next(line for line in signs.script().splitlines() if line.startswith(f"  {kind}: "))
        assert all(json.dumps(part, ensure_ascii=False) in line for part in astuple(sign.colour)[:2])
        for page in (sign.colour.light, sign.colour.dark):
            assert f"--{kind}: {page};" in style("anatomy")


@pytest.mark.parametrize("name", VIEWS)
def test_views_that_show_proxies_take_their_signs_from_there(name: str) -> None:
    assert "// --- front/signs.js" in module(name)


def test_no_other_file_gives_proxies_a_colour_or_a_sign() -> None:
    assert len(SOURCES) > 150
    own = {colour.lower() for sign in theme.PROXIES.values() for colour in astuple(sign.colour)}
    glyphs = "[○□◆◇△▲★☆●■]"
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert not own & {colour.lower() for colour in re.findall(r"#[0-9a-fA-F]{6}\b", text)}, path
        # a table by kind whose values are colours, glyphs or names of signs
        value = rf'(?:#[0-9a-f]{{6}}|diamond|"{glyphs}")'
        kinds = re.findall(rf'\b(?:{"|".join(KINDS)})"?: *[({{\[]*[^\n]*?{value}', text)
        assert not kinds, (path, kinds)


def test_the_table_and_html_tables_need_nothing_that_draws_or_trains() -> None:
    heavy = ("torch", "plotly", "matplotlib", "numpy", "pandas", "vptsp.training", "vptsp.core")
    imported = "vptsp.figures.signs_and_colours, vptsp.figures.html"
    code = f"import sys, {imported}; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
    code = (
        f"import sys, vptsp.figures.runs, vptsp.figures.embedding_map;print([m for m in {heavy} if m in sys.modules])"
    )
    assert "plotly" in (found := subprocess.check_output([sys.executable, "-c", code], text=True))
    assert not {"torch", "matplotlib", "vptsp.training", "vptsp.core"} & set(re.findall(r"[\w.]+", found))
