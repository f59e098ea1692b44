"""Retrieval results and samples of data as pictures in plain HTML.

The HTML is what JupyterLab leaves intact in a notebook that it does not trust: inline styles, images
that hold their own data, tables and alternative texts; no script, no class, no SVG.
"""

from __future__ import annotations

import base64
import html
import io

import numpy as np

from vptsp.data.contact_sheet import tiles
from vptsp.data.image_set import ImageSet
from vptsp.evaluation.ranking import RetrievalResults, search
from vptsp.figures import signs_and_colours as theme
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.runs.thumbnails import Thumbnails
from vptsp.text import plain, safe

RIGHT, WRONG = (theme.RIGHT.both, "✓", "right"), (theme.WRONG.both, "✗", "wrong")
_QUERIES_SEARCHED = 2000  # enough to choose from, cheap for sets of 60,000
_NAME = "overflow:hidden;overflow-wrap:anywhere;max-height:4.05em;font-size:12px;line-height:1.35"


def retrieval_gallery(run: Run, queries: int = 8, k: int = 8, seed: int = 0) -> str:
    """Strips of a run's test images: each query and its ``k`` nearest images, half of them with a wrong first one."""
    saved = SavedEmbeddings.of_run(run, "test")
    searched = np.ones(len(saved.labels), dtype=bool) if saved.is_query is None else saved.is_query.copy()
    positions = np.flatnonzero(searched)
    if len(positions) > _QUERIES_SEARCHED:
        searched[:] = False
        searched[np.random.default_rng(seed).choice(positions, _QUERIES_SEARCHED, replace=False)] = True
    results = search(saved.embeddings, saved.labels, searched, saved.is_gallery, k=k)
    return retrieval_strips(results, choose_queries(results, queries, seed), saved, saved.thumbnails)


def choose_queries(results: RetrievalResults, number: int, seed: int = 0) -> list[int]:
    """Rows of ``results``: mistakes (first neighbour wrong) and correct ones in turn, as evenly as there are.

    Different classes as far as possible; lone queries, which have nothing to find, are left out.
    """
    order = np.random.default_rng(seed).permutation(np.flatnonzero(results.relevant > 0))
    seen: dict[int, int] = {}
    turn = np.empty(len(order), dtype=int)
    for place, row in enumerate(order):
        label = int(results.query_labels[row])
        turn[place] = seen[label] = seen.get(label, -1) + 1
    order = order[np.argsort(turn, kind="stable")]  # one query of every class before a second of any
    right = results.matches[order, 0]
    correct, mistakes = order[right], order[~right]
    wrong = min(len(mistakes), max(number // 2, number - len(correct)))
    correct, mistakes = list(correct[: number - wrong]), list(mistakes[:wrong])
    chosen = []
    while correct or mistakes:
        chosen += [int(rows.pop(0)) for rows in (correct, mistakes) if rows]
    return chosen


def retrieval_strips(results: RetrievalResults, rows: list[int], saved: SavedEmbeddings, thumbnails: Thumbnails) -> str:
    """One table row per query: the query, then its neighbours with similarity, framed by right and wrong."""
    if not rows:
        return "<p>No query has another image of its class to find.</p>"
    body = ""
    for row in rows:
        cells = _query_cell(int(results.query_positions[row]), saved, thumbnails)
        for rank, position in enumerate(results.neighbor_positions[row], start=1):
            if position >= 0:
                similarity = float(results.similarities[row, rank - 1])
                right = bool(results.matches[row, rank - 1])
                cells += _neighbour_cell(int(position), rank, similarity, right, saved, thumbnails)
        body += f'<tr style="background:none">{cells}</tr>'  # notebooks stripe tables
    ranks = "".join(f'<th style="{_HEAD}">{rank}</th>' for rank in range(1, results.k + 1))
    return (
        '<figure style="margin:0"><div style="overflow-x:auto">'
        '<table style="border-collapse:separate;border-spacing:6px 10px">'
        f'<thead><tr><th style="{_HEAD}">query</th>{ranks}</tr></thead><tbody>{body}</tbody></table></div>'
        '<figcaption style="font-size:13px;opacity:.75;max-width:46em">Each row: a query and its nearest test images '
        "by cosine similarity. ✓ in green: the query's class; ✗ in red: another class, which is named."
        "</figcaption></figure>"
    )


_HEAD = "text-align:center;font-size:12px;font-weight:600;opacity:.7;padding:0"
_CELL = "vertical-align:top;width:90px;max-width:90px;padding:0;text-align:left"


def _query_cell(position: int, saved: SavedEmbeddings, thumbnails: Thumbnails) -> str:
    name = saved.class_names[saved.labels[position]]
    image = _image(thumbnails, saved.ids[position], f"query of class {plain(name)}", f"3px solid {theme.FAINT.both}")
    return f'<td style="{_CELL};padding-right:14px">{image}<div style="{_NAME};font-weight:600">{safe(name)}</div></td>'


def _neighbour_cell(
    position: int, rank: int, similarity: float, right: bool, saved: SavedEmbeddings, thumbnails: Thumbnails
) -> str:
    name = saved.class_names[saved.labels[position]]
    colour, mark, word = RIGHT if right else WRONG
    alt = f"neighbour {rank}: class {plain(name)}, {word}, similarity {similarity:.3f}"
    image = _image(thumbnails, saved.ids[position], alt, f"3px solid {colour}")
    badge = (
        f'<span style="background:{colour};color:#fff;border-radius:3px;padding:0 4px;font-size:11px">{mark}</span>'
        f'<span style="font-size:12px;opacity:.8;padding-left:5px">{similarity:.3f}</span>'
    )
    label = "" if right else f'<div style="{_NAME};opacity:.8">{safe(name)}</div>'
    return f'<td style="{_CELL}">{image}<div style="line-height:1.5">{badge}</div>{label}</td>'


def _image(thumbnails: Thumbnails, image_id: str, alt: str, border: str) -> str:
    source = thumbnails.data_uris([image_id])[0]
    note = html.escape(f"{alt} ({plain(image_id)})")
    return (
        f'<img src="{source}" alt="{html.escape(alt)}" title="{note}" width="78" height="78" '
        f'style="display:block;width:84px;height:84px;box-sizing:border-box;border:{border};border-radius:6px">'
    )


# --- a look at the data -----------------------------------------------------------------------------
def sample_images(images: ImageSet, classes: int = 5, per_class: int = 8, tile: int = 72, seed: int = 0) -> str:
    """A few images of a few classes as one picture, a row per class, named in the caption and the alt text."""
    rng = np.random.default_rng(seed)
    full = np.flatnonzero(images.class_counts())
    chosen = np.sort(rng.choice(full, min(classes, len(full)), replace=False))
    rows = [rng.permutation(np.flatnonzero(images.labels == label))[:per_class].tolist() for label in chosen]
    sheet = tiles([(images, row) for row in rows], tile, theme.FAINT.both)
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=88)
    data = base64.b64encode(buffer.getvalue()).decode()
    names = ", ".join(plain(images.class_names[label], 40) for label in chosen)
    caption = html.escape(f"{images.name}: {names}")
    return (
        '<figure style="margin:0 0 1em"><img '
        f'src="data:image/jpeg;base64,{data}" alt="rows of sample images, one class a row. {caption}" '
        'style="max-width:100%;border-radius:6px">'
        f'<figcaption style="font-size:13px;opacity:.75;max-width:{sheet.width}px">{caption}</figcaption></figure>'
    )
