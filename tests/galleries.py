"""Stored embeddings and image files for the tests of galleries."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from vptsp.data.image_set import ImageSet
from vptsp.runs.embeddings import SavedEmbeddings, save_embeddings

EVIL = '<img src=x onerror=alert(1)> "\u202eاسم\n🌸'


def saved_set(folder: Path, classes: int = 4, per_class: int = 5, roles: bool = False, bad: int = 0) -> SavedEmbeddings:
    """Noisy clusters, one class with an evil name; with ``roles`` every other image is query, the rest gallery."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), per_class)
    vectors = np.eye(classes, 8)[labels] + 0.45 * rng.standard_normal((len(labels), 8))
    vectors[1] = vectors[0] + 0.01  # a near duplicate
    vectors[len(vectors) - bad :] = np.nan
    odd = np.arange(len(labels)) % 2 == 1
    images = ImageSet(
        "colours",
        [f"test/{label}/{row}.png" for row, label in enumerate(labels)],
        labels,
        [EVIL, *(f"class {label}" for label in range(1, classes))],
        lambda row: Image.new("RGB", (32, 32), (40 * int(labels[row]), 90, 8 * row)),
        is_query=odd if roles else None,
        is_gallery=~odd if roles else None,
    )
    save_embeddings(folder, torch.from_numpy(vectors.astype(np.float32)), images)
    return SavedEmbeddings(folder)


def png(**options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(buffer, "PNG", **options)
    return buffer.getvalue()
