"""The still form of :mod:`vptsp_widgets.verification`: the histograms as a picture, numbers, and a few mistakes."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vptsp.analysis.verification import AtThreshold, EqualError
from vptsp.figures.html import html_table
from vptsp.figures.signs_and_colours import BLUE, GRID, INK, ORANGE
from vptsp.runs.thumbnails import Thumbnails
from vptsp.text import safe
from vptsp_widgets.still_images import framed, pictures
from vptsp_widgets.verification.words import percent, said

_WIDTH, _HEIGHT, _BASE, _LEFT = 640, 210, 170, 20  # of the picture, and where its axis is
_BARS = 80
_SHOWN = 4  # mistakes of each kind
_KINDS = (("same class", BLUE, "solid"), ("other classes", ORANGE, "dashed"))


@dataclass(frozen=True)
class StillHistogram:
    """Counts of genuine and impostor pairs in bins of cosines, rates at the threshold and elsewhere, and mistakes."""

    name: str
    notes: Sequence[str]
    counts: tuple[np.ndarray, np.ndarray]
    at: AtThreshold
    equal: EqualError
    rows: Sequence[tuple[float, AtThreshold | None]]  # by false accept rate
    area: float
    pairs: Sequence[tuple[Sequence[tuple[int, int, float, int]], str]]  # row, row, cosine, bin; and what they are
    ids: Sequence[str]
    names: Sequence[str]  # class of each image
    log: bool


def html_of(shown: StillHistogram, thumbnails: Thumbnails | None) -> str:
    """Everything as one figure."""
    at = shown.at
    notes = "".join(f'<div style="font-size:13px;opacity:.8">{html.escape(note)}</div>' for note in shown.notes)
    sentence = f"At {at.threshold:.3f}, the threshold {said(at.true_accept_rate, at.false_accept_rate)}"
    return (
        f'<figure style="margin:0"><div style="font-size:15px;font-weight:600">Similarities of pairs of '
        f"{safe(shown.name)}</div>{notes}{_legend(at)}{_picture(shown, sentence)}"
        f'<div style="font-size:14px;margin:4px 0">{sentence}.</div>{_numbers(shown)}'
        f"{''.join(_mistakes(shown, some, title, thumbnails) for some, title in shown.pairs)}</figure>"
    )


def _legend(at: AtThreshold) -> str:
    spans = (
        f'<span style="margin-right:18px"><span style="display:inline-block;width:22px;border-top:3px {dash} {colour};'
        f'vertical-align:middle;margin-right:6px"></span>{name} ({count:,} pairs)</span>'
        for (name, colour, dash), count in zip(_KINDS, (at.genuine, at.impostors), strict=True)
    )
    return f'<div style="font-size:13px">{"".join(spans)}</div>'


def _picture(shown: StillHistogram, sentence: str) -> str:
    """Both histograms as lines over the cosine, each as shares of its own pairs, and the threshold."""
    bins = len(shown.counts[0])
    held = np.flatnonzero(shown.counts[0] + shown.counts[1])
    group = max(1, -(-(held[-1] - held[0] + 1) // _BARS))
    first, last = held[0] // group, held[-1] // group + 1
    shares = []
    for counts in shown.counts:
        padded = np.concatenate([counts, np.zeros(-bins % group, dtype=counts.dtype)])
        shares.append(padded.reshape(-1, group).sum(axis=1)[first:last] / counts.sum())
    if shown.log:
        floor = 0.5 / max(counts.sum() for counts in shown.counts)
        shares = [np.log10(np.maximum(share, floor) / floor) for share in shares]
    top = max(share.max() for share in shares)
    low, wide = -1 + 2 * first * group / bins, 2 * (last - first) * group / bins

    def place(cosine: float) -> float:
        return round(_LEFT + (_WIDTH - 2 * _LEFT) * (cosine - low) / wide, 1)

    lines = ""
    for share, (_, colour, dash) in zip(shares, _KINDS, strict=True):
        steps = f"M{place(low)},{_BASE}" + "".join(
            f"V{_BASE - 145 * value / top:.1f}H{place(low + wide * (number + 1) / len(share))}"
            for number, value in enumerate(share)
        )
        dashes = ' stroke-dasharray="5 3"' * (dash == "dashed")
        lines += (
            f'<path d="{steps}V{_BASE}Z" fill="{colour}" fill-opacity=".15" stroke="{colour}" '
            f'stroke-width="1.8"{dashes}/>'
        )
    step = next(each for each in (0.05, 0.1, 0.2, 0.5) if wide / each <= 12)
    for number in range(int(np.ceil(low / step)), int((low + wide) / step) + 1):
        at = place(number * step)
        lines += (
            f'<path d="M{at},{_BASE}v4" stroke="{INK}"/><text x="{at}" y="{_BASE + 17}" '
            f'text-anchor="middle">{number * step:.{1 if step >= 0.1 else 2}f}</text>'
        )
    at = place(min(max(shown.at.threshold, low), low + wide))
    middle = min(max(at, 60), _WIDTH - 60)
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'font-family="sans-serif" font-size="12" fill="{INK}"><path d="M0,{_BASE}H{_WIDTH}" stroke="{GRID}"/>{lines}'
        f'<path d="M{at},20V{_BASE}" stroke="{INK}" stroke-width="2"/>'
        f'<text x="{middle}" y="14" text-anchor="middle">threshold {shown.at.threshold:.3f}</text>'
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 6}" text-anchor="middle">cosine of the two images</text></svg>'
    )
    source = "data:image/svg+xml;base64," + base64.b64encode(drawing.encode()).decode()
    alt = f"Histograms of the cosines of pairs of one class and of others. {sentence}."
    return f'<img src="{source}" alt="{html.escape(alt)}" width="{_WIDTH}" height="{_HEIGHT}" style="max-width:100%">'


def _numbers(shown: StillHistogram) -> str:
    lines = [
        ("threshold", shown.at),
        ("equal error", None),
        *((f"{100 * rate:g} % false accepts", at) for rate, at in shown.rows),
    ]
    rows = []
    for name, at in lines:
        if name == "equal error":
            rows.append([name, f"{shown.equal.threshold:.3f}", *[percent(shown.equal.rate)] * 2, "", ""])
        elif at is None:
            rows.append([name, "too few pairs", "", "", "", ""])
        else:
            precision = "" if at.precision is None else percent(at.precision)
            rates = (at.false_reject_rate, at.false_accept_rate)
            rows.append([name, f"{at.threshold:.3f}", *map(percent, rates), precision, percent(at.accuracy)])
    caption = (
        f"Area under the ROC {shown.area:.4f}. Rejected: of the pairs of one class; accepted: of the others. Accuracy: "
        "with both kinds of pairs equally frequent."
    )
    return html_table(["", "cosine", "rejected (FRR)", "accepted (FAR)", "precision", "accuracy"], rows, caption)


def _mistakes(
    shown: StillHistogram, pairs: Sequence[tuple[int, int, float, int]], title: str, thumbnails: Thumbnails | None
) -> str:
    cells = ""
    for one, other, cosine, _ in pairs[:_SHOWN]:
        rows = [one, other]
        words = [f"{cosine:.3f}", *(safe(name, 20) for name in dict.fromkeys(shown.names[row] for row in rows))]
        named = "".join(f'<div style="font-size:12px;line-height:1.3">{word}</div>' for word in words)
        faces = "".join(
            f'<td style="padding:1px">{framed(source, shown.names[row], "", "1px solid transparent")}</td>'
            for row, source in zip(rows, pictures(thumbnails, [shown.ids[row] for row in rows]), strict=True)
        )
        cells += (
            '<td style="padding:0 14px 4px 0;vertical-align:top"><table style="border-collapse:collapse"><tbody>'
            f"<tr>{faces}</tr></tbody></table>{named}</td>"
        )
    found = f'<table style="border-collapse:collapse"><tbody><tr>{cells}</tr></tbody></table>' if cells else "none"
    return f'<div style="font-size:13px">{title}</div><div style="overflow-x:auto">{found}</div>'
