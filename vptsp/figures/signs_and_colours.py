"""Signs and colours of everything that is shown: figures, stills and, through ``front/signs.js``, the views.

One assignment holds everywhere: what the loss compares with images is a filled diamond, fused q or, where nothing is
fused, the only proxies there are in a drawing of a loss; what q is made of is hollow, learned O a ring and semantic G
a square. Nothing here imports anything that draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Shape = Literal["circle", "square", "diamond"]


@dataclass(frozen=True)
class Colour:
    """One colour for light pages, one for dark ones, and one that can be read on either, for figures without a page."""

    light: str
    dark: str
    both: str


@dataclass(frozen=True)
class Sign:
    """How a kind of proxy is written and drawn: a hollow sign has the page's colour inside."""

    title: str
    letter: str
    glyph: str  # in text
    shape: Shape
    filled: bool
    colour: Colour

    @property
    def plotly(self) -> str:
        """The symbol's name in plotly."""
        return self.shape if self.filled else f"{self.shape}-open"

    @property
    def matplotlib(self) -> str:
        """The marker in matplotlib, of the same outer size as :attr:`plotly`'s."""
        return MARKERS[self.shape]

    def inks(self, paper: str = "white", colour: str = "") -> dict[str, Any]:
        """Matplotlib's ``facecolors`` and ``edgecolors`` on a page; ``colour`` in place of the kind's own."""
        own = colour or self.colour.light
        return {"facecolors": own, "edgecolors": paper} if self.filled else {"facecolors": paper, "edgecolors": own}

    def line(self, colour: str = "") -> dict[str, Any]:
        """The same as :meth:`inks`, as properties of a line's marker: of a legend."""
        inks = self.inks(colour=colour)
        return {"marker": self.matplotlib, "mfc": inks["facecolors"], "mec": inks["edgecolors"]}


MARKERS = {  # matplotlib's of plotly's names
    "circle": "o",
    "diamond": "D",
    "star": "*",
    "square": "s",
    "cross": "P",
    "x": "X",
    "triangle-up": "^",
}

# --- text and page ----------------------------------------------------------------------------------
INK = "#76797f"  # 4.4:1 on white and 4.3:1 on #111: one grey for both themes
GRID = "rgba(128,128,128,0.22)"
TEXT = Colour("#1f2328", "#e6e8eb", INK)
SOFT = Colour("#57606a", "#b4bbc3", INK)  # JupyterLab's own falls below a contrast of 4.5 on FIELD
FAINT = Colour("#9aa1a9", "#7d858e", "#8b8f96")  # images that are not looked at, values that are missing
PAPER = Colour("#ffffff", "#16191d", "rgba(0,0,0,0)")
FIELD = Colour("#f1f3f5", "#262b31", GRID)
RULE = Colour("#c9ced4", "#444c56", GRID)
ACCENT = Colour("#1d4ed8", "#7aa2ff", "#3b82f6")
RIGHT = Colour("#0e6630", "#4ade80", "#15803d")  # white text on the first and the last has 5:1 contrast
WRONG = Colour("#c2261f", "#ff9a93", "#c2261f")
DRAWN = "#3f4348"  # text and lines of pictures that are always on white
FRAME = "#d4d8dd"  # around a map on white

# --- proxies ----------------------------------------------------------------------------------------
PROXIES = {  # in the order of the method, as vptsp.runs.snapshots.KINDS
    "learned": Sign("learned O", "O", "○", "circle", False, Colour("#b84a08", "#fb9a4b", "#f97316")),
    "semantic": Sign("semantic G", "G", "□", "square", False, Colour("#8b31d6", "#c79bfb", "#a855f7")),
    "fused": Sign("fused q", "q", "◆", "diamond", True, Colour("#1d5fd6", "#7fb1ff", "#3b82f6")),
}
ORANGE, PURPLE, BLUE = (sign.colour.both for sign in PROXIES.values())
GREEN = "#10a37f"

# --- classes and series -----------------------------------------------------------------------------
# dots of a map: apart for readers with any colour vision, 3:1 against the page, as tests/widgets/space measures
CATEGORIES_LIGHT = ("#216cb2", "#e35262", "#1c7c3a", "#9a7d00", "#009ad1", "#7e2a6a", "#9a3f00")
CATEGORIES_DARK = ("#6ea2ea", "#ff899b", "#3fad62", "#e0d264", "#45deff", "#c77ebc", "#e68d35")
# points with a letter on them, which tells classes apart too: 4.5:1 against the letter
LETTERED_LIGHT = ("#1d5fd6", "#b4480a", "#0f7a4f", "#8b31d6", "#b3175f", "#0b7285", "#7a5c00", "#4a5568")
LETTERED_DARK = ("#7fb1ff", "#fb9a4b", "#4ade80", "#c79bfb", "#ff8fbf", "#5fd4e6", "#e5c84b", "#c3ccd8")
# runs, experiments or classes in figures that stand on either page
SERIES = (BLUE, ORANGE, GREEN, PURPLE, "#ef4444", "#0891b2", "#ca8a04", "#ec4899", "#64748b", "#84cc16")
# scores over epochs or alpha, the main one first
SCORES = (
    Colour("#1d5fd6", "#7fb1ff", BLUE),
    Colour("#0e7a52", "#4ade80", GREEN),
    Colour("#8a6100", "#e0c264", ORANGE),
    Colour("#6b7280", "#a8b0ba", INK),
)
