"""What the map of :mod:`vptsp_widgets.space` shows, as arrays: columns to colour by, colours, an even sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from vptsp.errors import DataError
from vptsp.evaluation.search import search
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.text import plain

CLASS = "class"  # the column that every map has
NEAREST = "nearest image"
# apart for readers with any colour vision, and at 3:1 against the page; tests/widgets/test_space.py measures it
_LIGHT = ("#216cb2", "#e35262", "#1c7c3a", "#9a7d00", "#009ad1", "#7e2a6a", "#9a3f00")
_DARK = ("#6ea2ea", "#ff899b", "#3fad62", "#e0d264", "#45deff", "#c77ebc", "#e68d35")


@dataclass(frozen=True)
class Column:
    """One value per image: int32 codes into ``values`` (-1: missing), or float32 numbers where ``values`` is none."""

    name: str
    codes: np.ndarray  # (N,) int32 or float32
    values: tuple[str, ...] | None

    def header(self) -> dict[str, Any]:
        """What a front end needs to know besides the codes; the colour bar spans the 1st to 99th percentile."""
        if self.values is not None:
            return {"name": self.name, "kind": "category", "values": list(self.values)}
        finite = self.codes[np.isfinite(self.codes)]
        low, high = np.percentile(finite, (1, 99)).tolist() if len(finite) else (0.0, 1.0)
        least, most = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
        return {"name": self.name, "kind": "number", "low": low, "high": high, "least": least, "most": most}


def column(values: pd.Series) -> Column:
    """Numbers stay numbers; everything else is a category, in its own order or the order of its text."""
    name = plain(values.name)
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        numbers = values.to_numpy(dtype="<f4", na_value=np.nan)
        return Column(name, np.where(np.isfinite(numbers), numbers, np.nan).astype("<f4"), None)
    given = values if isinstance(values.dtype, pd.CategoricalDtype) else values.map(str, na_action="ignore")
    codes, found = (given.cat.codes, given.cat.categories) if hasattr(given, "cat") else pd.factorize(given, sort=True)
    return Column(name, np.asarray(codes, dtype="<i4"), tuple(plain(value) for value in found))


def columns_of(saved: SavedEmbeddings, table: pd.DataFrame | None) -> list[Column]:
    """The class, then the columns of ``table``, whose rows are known by image id or are the N images in order."""
    columns = [Column(CLASS, saved.labels.astype("<i4"), tuple(plain(name) for name in saved.class_names))]
    if table is None:
        return columns
    if not table.index.is_unique:
        raise DataError("the index of columns names some images twice; give one row per image")
    if len(table.index.intersection(pd.Index(saved.ids))):
        table = table.reindex(saved.ids)  # an image without a row has no values
    elif len(table) != len(saved):
        raise DataError(
            f"columns has {len(table)} rows, but there are {len(saved)} images"
            + (f" (without {len(saved.left_out)} left out)" if saved.left_out else "")
            + "; give one row per image, or index the rows by image id"
        )
    columns += [column(table[name]) for name in table.columns]
    names = [item.name for item in columns]
    if len(set(names)) < len(names):
        raise DataError(f"the columns to colour by need names of their own, and {CLASS!r} is taken; given: {names[1:]}")
    return columns


def nearest_columns(saved: SavedEmbeddings) -> pd.DataFrame:
    """Whether the nearest gallery image is of the same class, and how similar it is, by image id."""
    found = search(saved.embeddings, saved.labels, saved.is_query, saved.is_gallery, k=1)
    words = np.where(found.matches[:, 0], "right", "wrong").astype(object)
    words[found.relevant == 0] = "nothing to find"
    similarity = np.full(len(saved), np.nan, dtype=np.float32)
    similarity[found.query_positions] = found.similarities[:, 0]
    answer = np.full(len(saved), "not a query", dtype=object)
    answer[found.query_positions] = words
    order = [word for word in ("right", "wrong", "nothing to find", "not a query") if (answer == word).any()]
    return pd.DataFrame(
        {NEAREST: pd.Categorical(answer, order), "similarity to nearest": similarity}, index=pd.Index(saved.ids)
    )


def attribute_columns(saved: SavedEmbeddings) -> pd.DataFrame | None:
    """What is known of each class, for each of its images."""
    table = saved.attributes
    if table is None:
        return None
    rows = table.reindex(saved.class_names).iloc[saved.labels].set_axis(pd.Index(saved.ids))
    return rows.drop(columns=[CLASS], errors="ignore")


def spread(labels: np.ndarray, most: int, seed: int = 0) -> np.ndarray:
    """``most`` of the rows, evenly by class: each keeps its share, and at least one where there is room for all."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    counts = np.bincount(labels, minlength=1)
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = rank / np.repeat(counts, counts)
    return np.sort(order[np.argsort(share, kind="stable")[:most]]).astype("<i4")


# --- colours ----------------------------------------------------------------------------------------
def palette(count: int, dark: bool) -> np.ndarray:
    """Colours (count, 3) uint8 for categories: seven that everybody can tell apart, then hues by the golden ratio."""
    first = np.array([to_rgb(colour) for colour in (_DARK if dark else _LIGHT)])[:count]
    number = np.arange(max(0, count - len(first)))
    hue = 2 * np.pi * (0.07 + number * 0.61803)
    lightness = np.array((0.70, 0.84, 0.77) if dark else (0.42, 0.62, 0.53))[number % 3]
    return (255 * np.concatenate([first, _oklch(lightness, 0.125, hue)]) + 0.5).astype(np.uint8)


def ramp(dark: bool) -> np.ndarray:
    """256 colours (256, 3) uint8 for numbers: viridis without the end that the page would swallow."""
    low, high = (0.22, 1.0) if dark else (0.0, 0.86)
    return (255 * colormaps["viridis"](np.linspace(low, high, 256))[:, :3] + 0.5).astype(np.uint8)


def both_themes(columns: Sequence[Column]) -> bytes:
    """For light, then for dark: the ramp's 256 colours, then as many of the palette as the largest column needs."""
    count = max(len(column.values or ()) for column in columns)
    return b"".join(ramp(dark).tobytes() + palette(count, dark).tobytes() for dark in (False, True))


def _oklch(lightness: np.ndarray, chroma: float, hue: np.ndarray) -> np.ndarray:
    """OKLCH to sRGB in 0..1, clipped to the gamut (B. Ottosson, A perceptual color space, 2020)."""
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    cones = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    matrix = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = (matrix @ cones**3).clip(0, 1).T
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
