"""What the front end is told of a pair: both images, those it could be compared with, and the shape of the numbers."""

from __future__ import annotations

from typing import Any

from vptsp.analysis.explain import prompted_blocks, visual_prompts, why_no_effects
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.settings.build import ConfiguredModel
from vptsp.text import plain
from vptsp_widgets.neighbours import Neighbours
from vptsp_widgets.why.pair import Explained

CANDIDATES = 10  # neighbours to choose from
FULL_COLOUR = 0.02  # change of a similarity from which on a colour is as strong as the largest one's


def description(
    saved: SavedEmbeddings,
    near: Neighbours,
    model: ConfiguredModel,
    explained: Explained,
    query: int,
    neighbour: int,
    speaks: dict[int, list[str]],
) -> dict[str, Any]:
    """A pair of rows as JSON values; ``speaks``: the classes of each guided prompt, by block from 0.

    The neighbour is a candidate wherever it ranks (0: it is not in the gallery).
    """
    ranked, similarities = near.ranked(query)
    listed = list(ranked[:CANDIDATES])
    if neighbour not in listed:
        listed.append(neighbour)
    ranks = {int(other): rank for rank, other in enumerate(ranked, start=1)}
    found = explained.attention
    _, blocks, heads, height, width = found.patches.shape
    return {
        "query": _image(saved, query, query),
        "neighbour": neighbour,
        "candidates": [
            {
                **_image(saved, other, query),
                "rank": ranks.get(int(other), 0),
                "similarity": float(similarities[other]),
            }
            for other in listed
        ],
        "similarity": float(similarities[neighbour]),
        "full": FULL_COLOUR,
        "shape": {"blocks": blocks, "heads": heads, "grid": [height, width], "pooled": found.pooled},
        "prompts": found.prompts.shape[-1],
        "effect_rows": prompted_blocks(model),
        "without": why_no_effects(model) or "",
        "visual": visual_prompts(model),
        "speaks": {str(block): words for block, words in speaks.items()},
    }


def _image(saved: SavedEmbeddings, row: int, query: int) -> dict[str, Any]:
    label = int(saved.labels[row])
    return {
        "row": int(row),
        "id": plain(saved.ids[row], 120),
        "class": plain(saved.class_names[label]),
        "same": bool(label == saved.labels[query]),
    }
