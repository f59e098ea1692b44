"""The still form of WhyNeighbour: both images, the attention of every block, the effects of the prompts."""

from __future__ import annotations

import base64
import html
import io
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg  # never pyplot: its state is global and not thread-safe
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image

from vptsp.figures.signs_and_colours import DRAWN
from vptsp.text import plain, safe
from vptsp_widgets.why.description import FULL_COLOUR

_MOST_BLOCKS, _MOST_EFFECTS = 6, 6
_INK = DRAWN
_DIVERGING = LinearSegmentedColormap.from_list("binds", ["#1d4ed8", "#f1f3f5", "#c2410c"])
_CELL = "padding:2px 12px 2px 0;text-align:left"


@dataclass(frozen=True)
class StillPair:
    """A query and its neighbour as they are to be drawn: of both ids, classes and JPEGs; L blocks, N prompts."""

    ids: tuple[str, str]
    classes: tuple[str, str]
    pictures: Sequence[bytes]
    patches: Float32[np.ndarray, "2 L H h w"]  # attention, H heads, h x w patches
    similarity: float
    effects: Float32[np.ndarray, "known N"]  # of the blocks known so far
    blocks: int  # with prompts
    without: str  # why there are no effects; empty where there are
    note: str
    visual: Sequence[int] = ()  # of each block's prompts, where learned keys and values follow them
    speaks: Mapping[int, Sequence[str]] = field(default_factory=dict)  # classes of guided prompts, by block from 0


def html_of(pair: StillPair) -> str:
    """A picture with alternative text, and the strongest effects as a table."""
    names, effects = pair.classes, pair.effects
    picture = base64.b64encode(_picture(pair, [plain(name, 40) for name in names])).decode()
    alt = (
        f"query of class {plain(names[0])} and neighbour of class {plain(names[1])}, cosine similarity "
        f"{pair.similarity:.3f}; attention of each block over both images"
        + ("; change of the similarity without each prompt" if effects.size else "")
    )
    caption = (
        f"query: {safe(names[0])} ({safe(pair.ids[0])}); neighbour: {safe(names[1])} ({safe(pair.ids[1])}); "
        f"cosine similarity {pair.similarity:.3f}"
    )
    if pair.note:
        caption += f"; {pair.note}"
    return (
        f'<figure style="margin:0"><img src="data:image/png;base64,{picture}" alt="{html.escape(alt)}" '
        f'style="max-width:100%;width:920px;border-radius:6px">'
        f'<figcaption style="font-size:13px;max-width:66em;overflow-wrap:anywhere">{caption}</figcaption>'
        f"{_table(pair)}</figure>"
    )


def _table(pair: StillPair) -> str:
    blocks, effects = pair.blocks, pair.effects
    missing = f"Of {blocks} blocks, the effects of the first {len(effects)} are known; showing this again adds more."
    note = pair.without or (missing if len(effects) < blocks else "")
    note = f'<p style="font-size:13px">{html.escape(note)}</p>' if note else ""
    if not effects.size:
        return note
    size = np.nan_to_num(np.abs(effects), nan=-1)
    strongest = np.argsort(-size, axis=None, kind="stable")[: min(_MOST_EFFECTS, int((size >= 0).sum()))]
    body = ""
    for block, prompt in zip(*np.unravel_index(strongest, effects.shape), strict=True):
        value = float(effects[block, prompt])
        names = pair.speaks.get(int(block), ())
        spoken = f", which speaks for {safe(names[prompt], 160)}" if prompt < len(names) else ""
        meaning = "brings the images together" if value < 0 else "keeps the images apart"
        body += (
            f'<tr><td style="{_CELL}">block {block + 1}, {_named(pair, block, prompt)}{spoken}</td>'
            f'<td style="{_CELL};font-variant-numeric:tabular-nums">{value:+.{_decimals(effects)}f}</td>'
            f'<td style="{_CELL}">{meaning}</td></tr>'
        )
    return (
        '<table style="font-size:13px;border-collapse:collapse;margin-top:6px">'
        '<caption style="text-align:left;font-weight:600">The prompts that matter most for this pair</caption>'
        f'<thead><tr><th style="{_CELL}">prompt</th><th style="{_CELL}">change without it</th>'
        f'<th style="{_CELL}">so it</th></tr></thead><tbody>{body}</tbody></table>{note}'
    )


def _named(pair: StillPair, block: int, prompt: int) -> str:
    """A prompt by its number; behind the visual ones learned keys and values have numbers of their own."""
    first = pair.visual[block] if pair.visual else prompt + 1
    return f"prompt {prompt + 1}" if prompt < first else f"key-value prompt {prompt - first + 1}"


def _decimals(effects: np.ndarray) -> int:
    """For three digits of the largest effect."""
    most = float(np.nanmax(np.abs(effects)))
    return min(8, max(3, 2 - math.floor(math.log10(most)))) if most else 3


def _picture(pair: StillPair, names: list[str]) -> bytes:
    effects = pair.effects
    maps = pair.patches.mean(axis=2)  # (2, L, h, w), over the heads
    shown = np.unique(np.linspace(0, maps.shape[1] - 1, min(_MOST_BLOCKS, maps.shape[1])).round().astype(int))
    tall = 0.32 * len(effects) + 1.2 if effects.size else 0
    width = 1.55 * (len(shown) + 1)
    figure = Figure(figsize=(width, 3.6 + tall), dpi=144, facecolor="white")
    FigureCanvasAgg(figure)
    parts: Any = figure.subfigures(2, 1, height_ratios=[3.6, tall]) if effects.size else [figure]
    grid: Any = parts[0].subplots(2, len(shown) + 1, gridspec_kw={"wspace": 0.06, "hspace": 0.22})
    parts[0].subplots_adjust(left=0.01, right=0.99, top=0.9, bottom=0.02)
    for side, (data, name, role) in enumerate(zip(pair.pictures, names, ("query", "neighbour"), strict=True)):
        picture = np.asarray(Image.open(io.BytesIO(data)))
        grid[side, 0].imshow(picture)
        grid[side, 0].set_title(f"{role}: {name}", fontsize=8, color=_INK, loc="left", parse_math=False)
        for axis, block in zip(grid[side, 1:], shown, strict=True):
            _spotlight(axis, picture, maps[side, block], float(maps[:, block].max()))
            if side == 0:
                axis.set_title(f"block {block + 1}", fontsize=8, color=_INK)
    for axis in grid.flat:
        axis.set_axis_off()
    if effects.size:
        _heat_grid(parts[1], effects)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script without a font shows boxes
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _spotlight(axis: Axes, picture: np.ndarray, weights: np.ndarray, most: float) -> None:
    """The picture, dark where there is no attention."""
    height, width = picture.shape[:2]
    axis.imshow(picture)
    veil = np.zeros((*weights.shape, 4))
    veil[..., 3] = 0.75 * (1 - np.sqrt(weights / most))
    axis.imshow(veil, extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="bilinear")


def _heat_grid(figure: Figure, effects: np.ndarray) -> None:
    axis = figure.subplots()
    figure.subplots_adjust(left=0.1, right=0.9, top=0.84, bottom=0.62 / (0.32 * len(effects) + 1.2))
    most = max(float(np.nanmax(np.abs(effects))), FULL_COLOUR)  # a small change is no strong colour
    image = axis.imshow(effects, cmap=_DIVERGING, vmin=-most, vmax=most, aspect="auto")
    axis.set_title("change of the similarity when one prompt is taken away", fontsize=8, color=_INK, loc="left")
    axis.set_yticks(range(len(effects)), [f"block {block + 1}" for block in range(len(effects))])
    if effects.shape[1] <= 40:
        axis.set_xticks(range(effects.shape[1]), [str(prompt + 1) for prompt in range(effects.shape[1])])
    axis.set_xlabel("prompt", fontsize=8, color=_INK)
    axis.tick_params(labelsize=8, colors=_INK, length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(image, ax=axis, pad=0.02, fraction=0.05)
    bar.set_label("− brings together\n+ keeps apart", fontsize=7, color=_INK)
    bar.ax.yaxis.set_major_formatter(f"{{x:+.{_decimals(effects)}f}}")
    bar.ax.tick_params(labelsize=7, colors=_INK, length=0)
    bar.outline.set_visible(False)
