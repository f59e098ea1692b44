"""The still form of :mod:`vptsp_widgets.anatomy`: a picture, tables, and the images nearest to one class's proxies."""

from __future__ import annotations

import base64
import html
import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg  # never pyplot: its state is global and not thread-safe
from matplotlib.figure import Figure

from vptsp.figures.gallery import RIGHT, WRONG
from vptsp.figures.html import html_table
from vptsp.figures.theme import FAINT, FRAME, PROXIES, SCORES, SOFT, TEXT
from vptsp.figures.theme import RIGHT as HELPED
from vptsp.figures.theme import WRONG as HURT
from vptsp.text import plain, safe
from vptsp_widgets.anatomy import data
from vptsp_widgets.still_images import framed, pictures

if TYPE_CHECKING:
    from vptsp_widgets.anatomy.view import ProxyAnatomy

_INK, _SOFT = TEXT.light, SOFT.light
_NEAREST, _LISTED = 8, 6
_TITLES = {kind: sign.title for kind, sign in PROXIES.items()} | {"mean images": "mean images"}


def html_of(view: ProxyAnatomy) -> str:
    """Everything as one figure; its texts say what was left out and how attribute distances are defined."""
    name, notes = safe(view.parts.name), "".join(f"<p>{html.escape(note)}</p>" for note in view._facts["notes"])
    picture = base64.b64encode(_png(view)).decode()
    alt = html.escape(view.summary())
    semantic = view.parts.semantic is not None
    trails = " Trails from G over q to O: green where semantics help the class, red where they hurt." * semantic
    return (
        f'<figure style="margin:0"><div style="font-size:15px;font-weight:600;margin-bottom:4px">Proxies of {name}'
        f'</div><img src="data:image/png;base64,{picture}" alt="{alt}" '
        'style="max-width:100%;width:980px;border-radius:8px">'
        f'<figcaption style="font-size:13px;opacity:.8;max-width:980px">{alt}.{trails}{notes}</figcaption></figure>'
        f"{_scores(view)}{_strips(view)}{_classes(view)}{_attributes(view)}"
    )


# --- the picture --------------------------------------------------------------------------------------
def _png(view: ProxyAnatomy) -> bytes:
    semantic = view.parts.semantic is not None
    canvas = Figure(figsize=(10.2, 4.4) if semantic else (7, 5), dpi=144, facecolor="white", layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.subplots(1, 2 if semantic else 1, squeeze=False)[0]
    _map(axes[0], view)
    if semantic:
        _curves(axes[1], view)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script without a font shows boxes
        canvas.savefig(buffer, format="png")
    return buffer.getvalue()


def _map(axis: Axes, view: ProxyAnatomy) -> None:
    parts = view.parts
    learned, second = parts.learned.astype(float), data.second_part(parts).astype(float)
    mean, frame = data.frames(parts, learned, second)[0]
    images = (parts.embeddings - mean) @ frame.T
    axis.scatter(images[:, 0], images[:, 1], s=3, c=FAINT.both, alpha=0.4, linewidths=0, label="training images")
    shares = np.linspace(0, 1, 25) ** 2.5 if parts.semantic is not None else np.array([0.0, 1.0])
    mixed = shares[:, None, None] * learned + (1 - shares[:, None, None]) * second
    trails = (mixed / np.linalg.norm(mixed, axis=2, keepdims=True).clip(1e-12) - mean) @ frame.T
    gains = view.parts.classes(view.alpha).loc[list(parts.class_names), "gain"]
    chosen = parts.row_of(view.focus_class)
    for row, gain in enumerate(gains):
        colour = _SOFT if not abs(gain) >= 0.005 else HELPED.light if gain > 0 else HURT.light
        on = row == chosen
        axis.plot(*trails[:, row].T, color=_INK if on else colour, lw=1.8 if on else 0.7, alpha=1 if on else 0.4)
    kinds = {"learned": trails[-1], "semantic": trails[0], "fused": (parts.fused(view.alpha) - mean) @ frame.T}
    for kind in ("learned", "semantic", "fused") if parts.semantic is not None else ("learned",):
        sign = PROXIES[kind]
        axis.scatter(
            kinds[kind][:, 0], kinds[kind][:, 1], s=32 if sign.filled else 18, marker=sign.matplotlib, zorder=3,
            linewidths=0.5 if sign.filled else 1.2, label=sign.title, **sign.inks(),
        )  # fmt: skip
    own = images[parts.labels == chosen]
    axis.scatter(own[:, 0], own[:, 1], s=14, c=_INK, linewidths=0, zorder=4, label="images of the class named")
    text = axis.annotate(
        plain(view.focus_class, 28), kinds["fused"][chosen], (7, 7), textcoords="offset points", fontsize=8, color=_INK,
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1},
    )  # fmt: skip
    text.set(parse_math=False, zorder=5)
    axis.set_aspect("equal", adjustable="datalim")
    axis.set(xticks=[], yticks=[])
    axis.set_xlabel("principal component 1 of proxies and images", fontsize=8, color=_SOFT)
    axis.set_ylabel("principal component 2", fontsize=8, color=_SOFT)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=7, frameon=False, labelcolor=_INK)
    for spine in axis.spines.values():
        spine.set_color(FRAME)


def _curves(axis: Axes, view: ProxyAnatomy) -> None:
    alphas = np.r_[np.linspace(0, 0.2, 11), np.linspace(0.25, 1, 16)]
    curve = view.parts.curve(alphas.tolist())
    lines = (("accuracy", "accuracy"), ("recall_at_1", "recall@1"), ("map_at_r", "MAP@R"))
    for (key, name), colour in zip(lines, SCORES, strict=False):
        axis.plot(curve["alpha"], 100 * curve[key], color=colour.light, lw=2, label=name)
    rho = np.frombuffer(view._rho, "<f4")
    if len(rho):
        axis.plot(np.linspace(0, 1, len(rho)), 100 * rho, "--", color=_SOFT, lw=1.5, label="100 ρ with attributes")
    axis.axvline(view._facts["trained"], color=_SOFT, lw=1, ls=":", label="as trained")
    axis.axvline(view.alpha, color=_INK, lw=1.2, label=f"α = {view.alpha:g}")
    axis.set_xlabel("α  (0: semantic G alone, 1: learned O alone)", fontsize=8, color=_SOFT)
    axis.set_ylabel("percent of training images, or of proxies", fontsize=8, color=_SOFT)
    axis.set_ylim(min(0, 100 * float(rho.min(initial=0))), 101)
    axis.grid(color="#000000", alpha=0.09, lw=0.8)
    axis.tick_params(labelsize=8, colors=_SOFT, length=0)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=7, frameon=False, labelcolor=_INK)
    for spine in axis.spines.values():
        spine.set_visible(False)


# --- tables -------------------------------------------------------------------------------------------
def _scores(view: ProxyAnatomy) -> str:
    parts, trained = view.parts, view._facts["trained"]
    alphas = sorted({0.0, view.alpha, trained, 1.0}) if parts.semantic is not None else [1.0]
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
    return html_table(header, rows, caption, strong=alphas.index(view.alpha))


def _classes(view: ProxyAnatomy) -> str:
    table = view.gains()
    if view.parts.semantic is None:
        worst = table.sort_values("ap_learned").head(2 * _LISTED)
        rows = [
            [plain(name, 40), f"{100 * row['ap_learned']:.0f} %", f"{100 * row['accuracy_learned']:.0f} %"]
            for name, row in worst.iterrows()
        ]
        return html_table(["class", "AP@R", "accuracy"], rows, "The classes whose learned proxies find them worst.")
    ends = table if len(table) <= 2 * _LISTED else table.iloc[[*range(_LISTED), *range(-_LISTED, 0)]]
    rows = [
        [
            plain(name, 40), f"{100 * row['gain']:+.1f}".replace("-", "−"),
            *(f"{100 * row[f'ap_{kind}']:.0f} %" for kind in ("learned", "semantic", "fused")),
            f"{100 * row['accuracy_learned']:.0f} → {100 * row['accuracy_fused']:.0f} %",
            f"{row['angle_learned_semantic']:.0f}°",
        ]
        for name, row in ends.iterrows()
    ]  # fmt: skip
    gain = table["gain"]
    caption = (
        f"Classes that semantics help most and hurt most at α = {view.alpha:g}, against learned proxies alone; "
        f"{int((gain > 0).sum())} of {len(table):,} gain, {int((gain < 0).sum())} lose."
    )
    header = ["class", "gain in AP@R", "AP@R of O", "of G", "of q", "accuracy, O → q", "angle O–G"]
    return html_table(header, rows, caption)


def _attributes(view: ProxyAnatomy) -> str:
    if not view.correlations:
        return ""
    rows = [[_TITLES[one["kind"]], f"{one['rho']:.3f}", f"{one['p']:.4f}"] for one in view.correlations]
    first = view.correlations[0]
    drawn = "all" if first["exact"] else f"{first['permutations']:,} random"
    caption = (
        f"Spearman's ρ between the cosine distances of {first['classes']:,} classes' proxies and Gower's distance of "
        "their known attributes (numbers by difference over range, others equal or not); "
        f"p one-sided, by {drawn} permutations of the classes."
    )
    return html_table(["distances between", "ρ with attributes", "p"], rows, caption)


def _strips(view: ProxyAnatomy) -> str:
    """The images nearest to O, G and q of the class looked at."""
    parts, label = view.parts, view.parts.row_of(view.focus_class)
    kinds = [("learned", 1.0), ("semantic", 0.0), ("fused", view.alpha)][: 3 if parts.semantic is not None else 1]
    body = ""
    for kind, alpha in kinds:
        cosines = parts.fused(alpha)[label] @ parts.embeddings.T
        rows = np.argsort(-cosines, kind="stable")[:_NEAREST]
        sources = pictures(view._thumbnails, [parts.ids[row] for row in rows])
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
        f'<b>{safe(view.focus_class)}</b></div><div style="overflow-x:auto">'
        '<table style="border-collapse:collapse;font-size:13px">'
        f"<tbody>{body}</tbody></table></div>"
    )
