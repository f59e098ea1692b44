"""The still form of :mod:`vptsp_widgets.anatomy`: a picture, tables, and the images nearest to one class's proxies."""

from __future__ import annotations

import base64
import html
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float32
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg  # never pyplot: its state is global and not thread-safe
from matplotlib.figure import Figure

from vptsp.analysis.anatomy import Anatomy
from vptsp.figures.gallery import RIGHT, WRONG
from vptsp.figures.html import html_table
from vptsp.figures.signs_and_colours import FAINT, FRAME, PROXIES, SCORES, SOFT, TEXT
from vptsp.figures.signs_and_colours import RIGHT as HELPED
from vptsp.figures.signs_and_colours import WRONG as HURT
from vptsp.runs.thumbnails import Thumbnails
from vptsp.text import plain, safe
from vptsp_widgets.anatomy.data import frames, second_part
from vptsp_widgets.still_images import framed, pictures

_INK, _SOFT = TEXT.light, SOFT.light
_NEAREST, _LISTED = 8, 6
_TITLES = {kind: sign.title for kind, sign in PROXIES.items()} | {"mean images": "mean images"}


@dataclass(frozen=True)
class StillAnatomy:
    """The proxies shown, at one alpha, and one class of them that is looked at."""

    parts: Anatomy
    alpha: float
    trained: float  # the alpha of the run
    focus_class: str
    gains: pd.DataFrame  # the classes at this alpha, those that semantics help most first
    rho: Float32[np.ndarray, " steps"]  # with attributes, over alpha from 0 to 1; empty: none are known
    correlations: Sequence[Mapping[str, Any]]
    notes: Sequence[str]
    summary: str


def html_of(shown: StillAnatomy, thumbnails: Thumbnails | None) -> str:
    """Everything as one figure; its texts say what was left out and how attribute distances are defined."""
    name, notes = safe(shown.parts.name), "".join(f"<p>{html.escape(note)}</p>" for note in shown.notes)
    picture = base64.b64encode(_png(shown)).decode()
    alt = html.escape(shown.summary)
    semantic = shown.parts.semantic is not None
    trails = " Trails from G over q to O: green where semantics help the class, red where they hurt." * semantic
    return (
        f'<figure style="margin:0"><div style="font-size:15px;font-weight:600;margin-bottom:4px">Proxies of {name}'
        f'</div><img src="data:image/png;base64,{picture}" alt="{alt}" '
        'style="max-width:100%;width:980px;border-radius:8px">'
        f'<figcaption style="font-size:13px;opacity:.8;max-width:980px">{alt}.{trails}{notes}</figcaption></figure>'
        f"{_scores(shown)}{_strips(shown, thumbnails)}{_classes(shown)}{_prompts(shown)}{_attributes(shown)}"
    )


# --- the picture --------------------------------------------------------------------------------------
def _png(shown: StillAnatomy) -> bytes:
    semantic = shown.parts.semantic is not None
    canvas = Figure(figsize=(10.2, 4.4) if semantic else (7, 5), dpi=144, facecolor="white", layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.subplots(1, 2 if semantic else 1, squeeze=False)[0]
    _map(axes[0], shown)
    if semantic:
        _curves(axes[1], shown)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script without a font shows boxes
        canvas.savefig(buffer, format="png")
    return buffer.getvalue()


def _map(axis: Axes, shown: StillAnatomy) -> None:
    parts = shown.parts
    learned, second = parts.learned.astype(float), second_part(parts).astype(float)
    mean, frame = frames(parts, learned, second)[0]
    images = (parts.embeddings - mean) @ frame.T
    axis.scatter(images[:, 0], images[:, 1], s=3, c=FAINT.both, alpha=0.4, linewidths=0, label="training images")
    shares = np.linspace(0, 1, 25) ** 2.5 if parts.semantic is not None else np.array([0.0, 1.0])
    mixed = shares[:, None, None] * learned + (1 - shares[:, None, None]) * second
    trails = (mixed / np.linalg.norm(mixed, axis=2, keepdims=True).clip(1e-12) - mean) @ frame.T
    gains = shown.parts.classes(shown.alpha).loc[list(parts.class_names), "gain"]
    chosen = parts.row_of(shown.focus_class)
    for row, gain in enumerate(gains):
        colour = _SOFT if not abs(gain) >= 0.005 else HELPED.light if gain > 0 else HURT.light
        on = row == chosen
        axis.plot(*trails[:, row].T, color=_INK if on else colour, lw=1.8 if on else 0.7, alpha=1 if on else 0.4)
    kinds = {"learned": trails[-1], "semantic": trails[0], "fused": (parts.fused(shown.alpha) - mean) @ frame.T}
    for kind in ("learned", "semantic", "fused") if parts.semantic is not None else ("learned",):
        sign = PROXIES[kind]
        size, width = (32, 0.5) if sign.filled else (18, 1.2)
        look = {"s": size, "marker": sign.matplotlib, "linewidths": width, "label": sign.title, **sign.inks()}
        axis.scatter(kinds[kind][:, 0], kinds[kind][:, 1], zorder=3, **look)
    own = images[parts.labels == chosen]
    axis.scatter(own[:, 0], own[:, 1], s=14, c=_INK, linewidths=0, zorder=4, label="images of the class named")
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1}
    name, place = plain(shown.focus_class, 28), kinds["fused"][chosen]
    text = axis.annotate(name, place, (7, 7), textcoords="offset points", fontsize=8, color=_INK, bbox=box)
    text.set(parse_math=False, zorder=5)
    axis.set_aspect("equal", adjustable="datalim")
    axis.set(xticks=[], yticks=[])
    axis.set_xlabel("principal component 1 of proxies and images", fontsize=8, color=_SOFT)
    axis.set_ylabel("principal component 2", fontsize=8, color=_SOFT)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=7, frameon=False, labelcolor=_INK)
    for spine in axis.spines.values():
        spine.set_color(FRAME)


def _curves(axis: Axes, shown: StillAnatomy) -> None:
    alphas = np.r_[np.linspace(0, 0.2, 11), np.linspace(0.25, 1, 16)]
    curve = shown.parts.curve(alphas.tolist())
    lines = (("accuracy", "accuracy"), ("recall_at_1", "recall@1"), ("map_at_r", "MAP@R"))
    for (key, name), colour in zip(lines, SCORES, strict=False):
        axis.plot(curve["alpha"], 100 * curve[key], color=colour.light, lw=2, label=name)
    rho = shown.rho
    if len(rho):
        axis.plot(np.linspace(0, 1, len(rho)), 100 * rho, "--", color=_SOFT, lw=1.5, label="100 ρ with attributes")
    axis.axvline(shown.trained, color=_SOFT, lw=1, ls=":", label="as trained")
    axis.axvline(shown.alpha, color=_INK, lw=1.2, label=f"α = {shown.alpha:g}")
    axis.set_xlabel("α  (0: semantic G alone, 1: learned O alone)", fontsize=8, color=_SOFT)
    axis.set_ylabel("percent of training images, or of proxies", fontsize=8, color=_SOFT)
    axis.set_ylim(min(0, 100 * float(rho.min(initial=0))), 101)
    axis.grid(color="#000000", alpha=0.09, lw=0.8)
    axis.tick_params(labelsize=8, colors=_SOFT, length=0)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=7, frameon=False, labelcolor=_INK)
    for spine in axis.spines.values():
        spine.set_visible(False)


# --- tables -------------------------------------------------------------------------------------------
def _scores(shown: StillAnatomy) -> str:
    parts, trained = shown.parts, shown.trained
    alphas = sorted({0.0, shown.alpha, trained, 1.0}) if parts.semantic is not None else [1.0]
    rows = []
    for alpha in alphas:
        score = parts.score(alpha)
        what = {0.0: "semantic G alone", 1.0: "learned O alone"}.get(alpha, f"α = {alpha:g}")
        what += ", as trained" * (alpha == trained and parts.semantic is not None)
        weight = f"{100 * parts.weight_of_learned(alpha).mean():.0f} %"
        values = (score.accuracy, score.recall_at_1, score.map_at_r)
        rows.append([what, *(f"{100 * value:.1f} %" for value in values), weight])
    caption = (
        "Accuracy: training images whose nearest proxy is their class's. Recall and MAP@R: proxies as queries against "
        "the training images. Weight: share of |αO| in |αO| + |(1−α)G|; O is not normalised, G is."
    )
    header = ["proxies", "accuracy", "recall@1", "MAP@R", "real weight of O"]
    return html_table(header, rows, caption, strong=alphas.index(shown.alpha))


def _classes(shown: StillAnatomy) -> str:
    table = shown.gains
    if shown.parts.semantic is None:
        worst = table.sort_values("ap_learned").head(2 * _LISTED)
        rows = [
            [plain(name, 40), f"{100 * row['ap_learned']:.0f} %", f"{100 * row['accuracy_learned']:.0f} %"]
            for name, row in worst.iterrows()
        ]
        return html_table(["class", "AP@R", "accuracy"], rows, "The classes whose learned proxies find them worst.")
    ends = table if len(table) <= 2 * _LISTED else table.iloc[[*range(_LISTED), *range(-_LISTED, 0)]]
    rows = [
        [
            plain(name, 40),
            f"{100 * row['gain']:+.1f}".replace("-", "−"),
            *(f"{100 * row[f'ap_{kind}']:.0f} %" for kind in ("learned", "semantic", "fused")),
            f"{100 * row['accuracy_learned']:.0f} → {100 * row['accuracy_fused']:.0f} %",
            f"{row['angle_learned_semantic']:.0f}°",
        ]
        for name, row in ends.iterrows()
    ]
    gain = table["gain"]
    caption = (
        f"Classes that semantics help most and hurt most at α = {shown.alpha:g}, against learned proxies alone; "
        f"{int((gain > 0).sum())} of {len(table):,} gain, {int((gain < 0).sum())} lose."
    )
    header = ["class", "gain in AP@R", "AP@R of O", "of G", "of q", "accuracy, O → q", "angle O–G"]
    return html_table(header, rows, caption)


def _prompts(shown: StillAnatomy) -> str:
    """Guided prompts, where there are any: whom they speak for, and whether those lie together."""
    if shown.parts.prompt_of_class is None:
        return ""
    rows = [
        [
            f"prompt {row['prompt'] + 1}",
            f"{row['count']}",
            plain(row["classes"], 60),
            *("–" if np.isnan(row[name]) else f"{row[name]:.2f}".replace("-", "−") for name in ("within", "between")),
            *("–" if np.isnan(row[name]) else f"{100 * row[name]:.0f} %" for name in ("accuracy", "same_prompt")),
        ]
        for _, row in shown.parts.prompts(shown.alpha).iterrows()
    ]
    caption = (
        "Guided prompts and the classes they speak for. Cosines are means between fused proxies: of the prompt's "
        "classes with each other, and with all others. Right: images whose nearest proxy is of their class, or of a "
        "class of the same prompt."
    )
    header = ["guided prompt", "classes", "which", "cosine within", "to others", "right class", "right prompt"]
    return html_table(header, rows, caption)


def _attributes(shown: StillAnatomy) -> str:
    if not shown.correlations:
        return ""
    rows = [[_TITLES[one["kind"]], f"{one['rho']:.3f}", f"{one['p']:.4f}"] for one in shown.correlations]
    first = shown.correlations[0]
    drawn = "all" if first["exact"] else f"{first['permutations']:,} random"
    caption = (
        f"Spearman's ρ between the cosine distances of {first['classes']:,} classes' proxies and Gower's distance of "
        "their known attributes (numbers by difference over range, others equal or not); "
        f"p one-sided, by {drawn} permutations of the classes."
    )
    return html_table(["distances between", "ρ with attributes", "p"], rows, caption)


def _strips(shown: StillAnatomy, thumbnails: Thumbnails | None) -> str:
    """The images nearest to O, G and q of the class looked at."""
    parts, label = shown.parts, shown.parts.row_of(shown.focus_class)
    kinds = [("learned", 1.0), ("semantic", 0.0), ("fused", shown.alpha)][: 3 if parts.semantic is not None else 1]
    body = ""
    for kind, alpha in kinds:
        cosines = parts.fused(alpha)[label] @ parts.embeddings.T
        rows = np.argsort(-cosines, kind="stable")[:_NEAREST]
        sources = pictures(thumbnails, [parts.ids[row] for row in rows])
        cells = ""
        for row, source in zip(rows, sources, strict=True):
            right = parts.labels[row] == label
            colour, mark, word = RIGHT if right else WRONG
            line = f"3px {'solid' if right else 'dashed'} {colour}"
            note = f"{mark} {cosines[row] + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−")
            name = parts.class_names[parts.labels[row]]
            cells += f'<td style="padding:3px">{framed(source, name, word, line, note)}</td>'
        head = f'<th style="text-align:left;font-weight:600;padding-right:12px;white-space:nowrap">{_TITLES[kind]}</th>'
        body += f"<tr>{head}{cells}</tr>"
    return (
        '<div style="font-size:13px;margin:10px 0 2px">Training images nearest to the proxies of '
        f'<b>{safe(shown.focus_class)}</b></div><div style="overflow-x:auto">'
        '<table style="border-collapse:collapse;font-size:13px">'
        f"<tbody>{body}</tbody></table></div>"
    )
