"""The still form of :mod:`vptsp_widgets.confused`: the list as a table, and one pair side by side."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vptsp.figures.html import html_table
from vptsp.figures.signs_and_colours import WRONG
from vptsp.runs.thumbnails import Thumbnails
from vptsp.text import plain, safe
from vptsp_widgets.still_images import framed, pictures

_LISTED, _LINKS, _GALLERY = 10, 5, 12
_WORDS = ("", "hard negative", "mistaken")  # by the kinds of :mod:`~vptsp_widgets.confused.data`
_FRAMES = ("3px solid transparent", "3px solid #b7791f", f"3px dashed {WRONG.light}")


@dataclass(frozen=True)
class StillPairs:
    """A list of pairs as :class:`~vptsp_widgets.confused.data.Pairs` gives them, and the one of them that is shown."""

    name: str
    notes: Sequence[str]
    classes: int  # among which the pairs are
    pairs: Sequence[dict[str, Any]]
    order: str  # images or proxies
    chosen: int  # place in pairs
    ids: Sequence[str]  # of N images
    labels: np.ndarray  # (N,), into class_names
    class_names: Sequence[str]


def html_of(shown: StillPairs, thumbnails: Thumbnails | None) -> str:
    """Everything as one figure."""
    notes = "".join(f'<div style="font-size:13px;opacity:.8">{html.escape(note)}</div>' for note in shown.notes)
    return (
        '<figure style="margin:0"><div style="font-size:15px;font-weight:600">Confused classes of '
        f"{safe(shown.name)}</div>{notes}{_pair(shown, thumbnails)}{_list(shown)}</figure>"
    )


def _list(shown: StillPairs) -> str:
    pairs = shown.pairs[:_LISTED]
    known = any(pair["proxies"] is not None for pair in pairs)
    rows = []
    for pair in pairs:
        names = " · ".join(plain(shown.class_names[label], 40) for label in pair["classes"])
        hard = f"{pair['toward'][0]} + {pair['toward'][1]} of {sum(pair['images'])}"
        rows.append([names, hard, str(pair["mistakes"]), *([f"{pair['proxies']:.3f}"] if known else [])])
    by = "share hard negatives" if shown.order == "images" else "overlap by their proxies"
    caption = (
        f"The {len(pairs)} pairs of {shown.classes:,} classes that {by} most. Hard negatives: images whose "
        "most similar image of another class is of the other one; mistakes: it is nearer than every image of their own."
    )
    header = ["pair of classes", "hard negatives", "mistakes", *["cosine of proxies"] * known]
    return html_table(header, rows, caption, strong=shown.chosen if shown.chosen < len(rows) else None)


def _pair(shown: StillPairs, thumbnails: Thumbnails | None) -> str:
    pair = shown.pairs[shown.chosen]
    names = [shown.class_names[label] for label in pair["classes"]]
    title = f'<div style="font-size:14px;margin:6px 0"><b>{safe(names[0])}</b> and <b>{safe(names[1])}</b></div>'
    cells = "".join(
        f'<td style="padding:2px 8px 2px 0;vertical-align:top">{_gallery(shown, pair, side, thumbnails)}</td>'
        for side in (0, 1)
    )
    differing = [line for line in pair["attributes"] if line[1] != line[2]]
    words = "; ".join(f"{name} {one} / {other}" for name, one, other in differing)
    shared = len(pair["attributes"]) - len(differing)
    known = (
        f'<div style="font-size:13px;opacity:.85;max-width:900px">They share {shared} of {len(pair["attributes"])} '
        f"known attributes and differ in: {html.escape(words)}.</div>"
        if pair["attributes"]
        else ""
    )
    return (
        f'{title}{_links(shown, pair, thumbnails)}<div style="overflow-x:auto">'
        '<table style="border-collapse:collapse"><tbody>'
        f"<tr>{cells}</tr></tbody></table></div>{known}"
    )


def _links(shown: StillPairs, pair: dict[str, Any], thumbnails: Thumbnails | None) -> str:
    cells = ""
    for one, other, cosine, kind in pair["links"][:_LINKS]:
        sources = pictures(thumbnails, [shown.ids[one], shown.ids[other]])
        faces = "".join(
            f'<td style="padding:1px">{_face(source, shown.class_names[shown.labels[row]], kind)}</td>'
            for row, source in zip((one, other), sources, strict=True)
        )
        cells += (
            '<td style="padding:0 14px 4px 0"><table style="border-collapse:collapse"><tbody>'
            f'<tr>{faces}</tr></tbody></table><div style="font-size:12px">{cosine:.3f} {_WORDS[kind]}</div></td>'
        )
    return (
        '<div style="font-size:13px">Most similar images of the two classes</div><div style="overflow-x:auto">'
        f'<table style="border-collapse:collapse"><tbody><tr>{cells}</tr></tbody></table></div>'
    )


def _gallery(shown: StillPairs, pair: dict[str, Any], side: int, thumbnails: Thumbnails | None) -> str:
    rows = pair["galleries"][side][:_GALLERY]
    name = shown.class_names[pair["classes"][side]]
    sources = pictures(thumbnails, [shown.ids[row] for row, _ in rows])
    faces = "".join(
        f'<div style="padding:1px">{_face(source, name, kind)}</div>'
        for (_, kind), source in zip(rows, sources, strict=True)
    )
    text = f"{pair['toward'][side]} of {pair['images'][side]} meet the other (framed; dashed: mistaken)"
    return (
        f'<div style="font-size:13px"><b>{safe(name, 40)}</b>, {text}; {len(rows)} shown</div>'
        f'<div style="display:flex;flex-wrap:wrap;width:400px">{faces}</div>'
    )


def _face(source: str, name: str, kind: int) -> str:
    return framed(source, name, _WORDS[kind], _FRAMES[kind])
