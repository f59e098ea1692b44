"""Stanford Online Products (Oh Song et al., CVPR 2016): ``Ebay_train.txt`` and ``Ebay_test.txt``."""

from __future__ import annotations

from pathlib import Path

from vptsp.data.image_set import Parts
from vptsp.data.settings import DataConfig
from vptsp.data.sources.listed import listed
from vptsp.data.sources.text_lists import inner, read_rows

COLUMNS = "image_id class_id super_class_id path"


def sop(config: DataConfig, root: Path) -> Parts:
    """Zero-shot retrieval of products; a class is called ``<kind>/<class id>``, such as ``bicycle/1``."""
    root = inner(root, "Stanford_Online_Products")
    train, test = (
        listed(
            f"sop/{part}",
            root,
            [
                (path, f"{path.split('/')[0].removesuffix('_final')}/{number}")
                for _, number, _, path in read_rows(
                    root / f"Ebay_{part}.txt", "image_id:int class_id:int super_class_id:int path", COLUMNS
                )
            ],
        )
        for part in ("train", "test")
    )
    return Parts(train=train, test=test)
