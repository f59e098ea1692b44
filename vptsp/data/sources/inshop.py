"""DeepFashion's In-Shop Clothes Retrieval (Liu et al., CVPR 2016): ``list_eval_partition.txt``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vptsp.data.image_set import Parts
from vptsp.data.settings import DataConfig
from vptsp.data.sources.listed import listed
from vptsp.data.sources.text_lists import first_file, inner, read_rows
from vptsp.data.splits import some
from vptsp.errors import DataError

STATUSES = ("train", "query", "gallery")


def inshop(config: DataConfig, root: Path) -> Parts:
    """Query images of an item are searched among the gallery images of all items.

    Query and gallery are one test set with one list of classes, so that their labels mean the same item even where
    one of the two lacks an item; the masks ``is_query`` and ``is_gallery`` tell them apart.
    """
    file = first_file(*(root / folder / "list_eval_partition.txt" for folder in ("", "Eval", "Anno", "eval")))
    rows = read_rows(file, "path item_id status", "image_name item_id evaluation_status", count_first=True)
    if odd := {status for _, _, status in rows} - set(STATUSES):
        raise DataError(f"{file}: expected a status of {', '.join(STATUSES)}, found {some(odd)}")
    items: dict[str, set[str]] = {status: {item for _, item, s in rows if s == status} for status in STATUSES}
    if lone := items["query"] - items["gallery"]:
        raise DataError(f"{file}: {len(lone)} items have query images and no gallery image: {some(lone)}")
    images = inner(root, "Img", "Image")
    train = listed("inshop/train", images, [(path, item) for path, item, status in rows if status == "train"])
    searched = [(path, item, status) for path, item, status in rows if status != "train"]
    is_query = np.array([status == "query" for _, _, status in searched], dtype=bool)
    test = listed("inshop/test", images, [(path, item) for path, item, _ in searched])
    return Parts(train=train, test=replace(test, is_query=is_query, is_gallery=~is_query))
