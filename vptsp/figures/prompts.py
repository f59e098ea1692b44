"""Pictures of how prompts work: an image as tokens, where prompts enter, and what CLS attends to with and without.

Each is HTML that JupyterLab keeps in untrusted notebooks (one image with its text), or a plotly figure.
"""

from __future__ import annotations

import base64
import copy
import html
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Float, Float32
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import FancyArrowPatch, Rectangle
from torch import Tensor

from vptsp.analysis.explain import Attention
from vptsp.core.prompts.visual import VisualPrompts
from vptsp.errors import BackboneError, ConfigError
from vptsp.figures.signs_and_colours import BLUE, DRAWN, INK, ORANGE
from vptsp.figures.template import template
from vptsp.settings.build import ConfiguredModel

_DARK, _PATCH, _CLS, _FADED = DRAWN, "#d7dbe0", BLUE, "#fbd0ad"


def deep_prompts(model: ConfiguredModel) -> list[Tensor]:
    """The prompts (N, D) of every block, of no rows where a block has none.

    Raises BackboneError where attention does not span the image, and ConfigError for a model whose blocks have no
    prompts of their own.
    """
    if not model.backbone.family.global_attention:
        raise BackboneError(
            f"{model.backbone.name} {model.backbone.family.no_attention}; choose a run with a plain vision transformer"
        )
    prompts = [] if model.method.prompts == "shallow" else model.prompts()
    if not prompts:
        raise ConfigError(
            f"method={model.method.name} with prompt_location={model.config.prompt_location} has no prompts in its "
            "blocks; choose a run of vpt_deep, vpt_bias, vptsp_m or vptsp_g with prompt_location=prepend"
        )
    return prompts + [prompts[0][:0]] * (model.backbone.depth - len(prompts))


def without_prompts(model: ConfiguredModel) -> ConfiguredModel:
    """A copy of the model whose prompts, and learned keys and values, are taken away; all else is as trained."""
    bare = copy.deepcopy(model)
    bare.prompts = VisualPrompts([], model.backbone.widths)
    bare.key_values = None
    return bare


# --- an image as tokens -----------------------------------------------------------------------------
def token_picture(image: Float[Tensor, "3 S S"], grid: tuple[int, int], prefix: int = 1) -> str:
    """An image (values in any range) cut into its grid of patches, and the sequence of tokens it becomes."""
    pixels = _pixels(image)
    rows, columns = grid
    side = pixels.shape[0] // rows
    figure, (left, right) = _canvas(9.0, 2.7, 2, widths=[1, 2.5])
    left.imshow(pixels, interpolation="nearest")
    for line in range(1, rows):
        left.axhline(line * side - 0.5, color="white", lw=0.8)
        left.axvline(line * side - 0.5, color="white", lw=0.8)
    left.set_title(f"{pixels.shape[0]} × {pixels.shape[1]} pixels, patches of {side}", fontsize=9, color=_DARK)
    wide = 16
    lines = -(-rows * columns // wide)
    for place in range(prefix):
        right.add_patch(Rectangle((-1.4, lines - 1 - place), 1.0, 0.86, color=_CLS))
        name = "CLS" if place == 0 else "reg"
        right.text(-0.9, lines - 0.57 - place, name, color="white", ha="center", va="center", fontsize=7)
    for place in range(rows * columns):
        x, y = place % wide, lines - 1 - place // wide
        top, across = divmod(place, columns)
        patch = pixels[top * side : (top + 1) * side, across * side : (across + 1) * side]
        right.imshow(patch, extent=(x, x + 0.86, y, y + 0.86), interpolation="nearest")
    right.set(xlim=(-1.6, wide), ylim=(-0.2, lines), aspect="equal")
    right.set_title(f"{rows * columns + prefix} tokens", fontsize=9, color=_DARK)
    return _html(figure, f"An image, its {rows} by {columns} patches, and these in a row after the CLS token")


def schema_picture(panels: Sequence[tuple[str, Sequence[int], bool]], patches: int = 5) -> str:
    """Which block sees how many prompts: a panel per ``(title, prompts of each block, whether outputs travel on)``.

    A column is the input of a block: fresh prompts in full colour, travelling outputs of earlier prompts pale.
    """
    most = max(max(counts) for _, counts, _ in panels)
    figure, axes = _canvas(9.4, 0.9 + 0.2 * (most + patches + 1), len(panels))
    for axis, (title, counts, travelling) in zip(axes, panels, strict=True):
        for block, count in enumerate(counts):
            pale = travelling and block > 0
            column = [_PATCH] * patches + [_CLS] + [_FADED if pale else ORANGE] * count
            for place, colour in enumerate(column):
                axis.add_patch(Rectangle((block, place), 0.62, 0.82, color=colour))
            if block + 1 < len(counts):
                kept = patches + 1 + (count if travelling else 0)
                axis.add_patch(
                    FancyArrowPatch(
                        (block + 0.66, kept / 2),
                        (block + 0.98, kept / 2),
                        arrowstyle="-|>",
                        mutation_scale=7,
                        color=_DARK,
                        lw=0.8,
                    )
                )
            axis.text(block + 0.31, -0.9, str(block + 1), ha="center", fontsize=8, color=_DARK)
        axis.set(xlim=(-0.2, len(counts)), ylim=(-2.6, most + patches + 1.2))
        axis.text(len(counts) / 2 - 0.2, -2.3, "input of block", ha="center", fontsize=8, color=_DARK)
        axis.set_title(title, fontsize=9, color=_DARK)
    words = "; ".join(f"{title}: {', '.join(map(str, counts))} prompts in the blocks" for title, counts, _ in panels)
    return _html(figure, words, "Blue: CLS. Grey: patches. Orange: prompts; pale: outputs of prompts that travel on.")


# --- attention ----------------------------------------------------------------------------------------
def attention_picture(
    image: Float[Tensor, "3 S S"], without: Attention, with_prompts: Attention, index: int = 0, heads: int = 6
) -> str:
    """Where CLS looks in one image, block by block and head by head, without prompts and with them.

    Bright patches get attention. A panel shows the distribution over the patches alone, on one scale for both
    panels of a head; the number is the share of attention that the prompts take.
    """
    pixels = _pixels(image)
    depth, heads = without.patches.shape[1], min(heads, without.patches.shape[2])
    widths = [1] * heads + [0.35] + [1] * heads
    figure, axes = _canvas(9.6, 0.86 * depth + 0.5, len(widths), depth, widths)
    for block in range(depth):
        for head in range(heads):
            maps = [part.patches[index, block, head] for part in (without, with_prompts)]
            maps = [part / part.sum() for part in maps]
            brightest = max(part.max() for part in maps)
            for place, shown in zip((head, heads + 1 + head), maps, strict=True):
                axes[block][place].imshow(_lit(pixels, shown / brightest), interpolation="nearest")
            taken = np.nansum(with_prompts.prompts[index, block, head])
            axes[block][heads + 1 + head].set_title(f"{100 * taken:.0f} %", fontsize=7, color=_DARK, pad=1.5)
        axes[block][0].text(
            -0.12,
            0.5,
            f"block {block + 1}",
            rotation=90,
            ha="right",
            va="center",
            fontsize=8,
            color=_DARK,
            transform=axes[block][0].transAxes,
        )
    for first, title in ((0, "without prompts"), (heads + 1, "with prompts, and the share they take")):
        figure.text(0.27 if first == 0 else 0.77, 0.995, title, ha="center", va="top", fontsize=9, color=_DARK)
    return _html(
        figure,
        f"Attention of CLS over the patches in {depth} blocks and {heads} heads, without and with prompts",
        "A column is a head. Bright: the patches CLS attends to.",
    )


def prompt_mass(attention: Attention, tokens: int) -> go.Figure:
    """Share of CLS's attention that prompts take in each block: heads as dots, mean over images.

    ``tokens`` (T, prompts not counted) gives the dashed line: the share if all keys were equally attractive.
    """
    mass = np.nansum(attention.prompts, axis=-1).mean(axis=0)  # (L, H)
    counts = np.isfinite(attention.prompts[0, :, 0]).sum(axis=-1)
    depth, heads = mass.shape
    blocks = np.arange(1, depth + 1)
    dots = go.Scatter(
        x=np.repeat(blocks, heads),
        y=100 * mass.ravel(),
        mode="markers",
        name="a head",
        marker={"color": ORANGE, "size": 8, "opacity": 0.55},
        hovertemplate="block %{x}<br>%{y:.1f} % of attention on prompts<extra></extra>",
    )
    line = go.Scatter(
        x=blocks,
        y=100 * mass.mean(axis=1),
        mode="lines+markers",
        name="mean of the heads",
        line={"color": ORANGE, "width": 2.5},
    )
    equal = go.Scatter(
        x=blocks,
        y=100 * counts / (counts + tokens),
        mode="lines",
        name="if all keys were equal",
        line={"color": INK, "width": 1.5, "dash": "dash"},
    )
    figure = go.Figure([dots, line, equal])
    figure.update_xaxes(title_text="block", dtick=1)
    figure.update_yaxes(title_text="percent of CLS's attention on prompts", rangemode="tozero")
    return figure.update_layout(template=template(), height=360)


# --- pieces -----------------------------------------------------------------------------------------
def _pixels(image: Float[Tensor, "3 S S"]) -> Float32[np.ndarray, "S S 3"]:
    values = image.detach().float().permute(1, 2, 0).cpu().numpy()
    low, high = values.min(), values.max()
    return (values - low) / max(high - low, 1e-6)


def _lit(pixels: Float32[np.ndarray, "S S 3"], light: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "S S 3"]:
    """The image, dark where there is no light; the root makes weak light visible."""
    up = torch.nn.functional.interpolate(torch.from_numpy(light)[None, None], size=pixels.shape[:2], mode="nearest")
    return pixels * (0.12 + 0.88 * up[0, 0, :, :, None].sqrt().numpy())


def _canvas(
    width: float, height: float, columns: int, rows: int = 1, widths: Sequence[float] | None = None
) -> tuple[Figure, np.ndarray]:
    """A white figure of empty axes; axes come as (columns,) for one row, else (rows, columns)."""
    dense: dict[str, Any] = {"w_pad": 0.01, "h_pad": 0.01, "wspace": 0.01, "hspace": 0.01, "rect": (0, 0, 1, 0.96)}
    layout = ConstrainedLayoutEngine(**dense) if rows > 1 else ConstrainedLayoutEngine()
    figure = Figure(figsize=(width, height), dpi=110, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw={"width_ratios": widths})
    for axis in grid.flat:
        axis.set_axis_off()
    return figure, grid[0] if rows == 1 else grid


def _html(figure: Figure, alt: str, caption: str = "") -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    data, wide = base64.b64encode(buffer.getvalue()).decode(), round(figure.get_figwidth() * 96)
    below = f'<figcaption style="font-size:13px;opacity:.75;max-width:{wide}px">{html.escape(caption)}</figcaption>'
    return (
        f'<figure style="margin:0 0 1em"><img src="data:image/png;base64,{data}" alt="{html.escape(alt)}" '
        f'style="max-width:100%;width:{wide}px;border-radius:6px">{below if caption else ""}</figure>'
    )
