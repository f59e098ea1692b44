"""iNaturalist 2018 for retrieval, by the set lists of Smooth-AP (Brown et al., ECCV 2020).

They divide the species of the competition's training and validation images (Van Horn et al., CVPR 2018) into 5,690
to train on and 2,452 to search; a line is ``train_val2018/<group>/<species>/<image>.jpg``.
"""

from __future__ import annotations

from pathlib import Path

from vptsp.data.image_set import ImageSet, Parts
from vptsp.data.settings import DataConfig
from vptsp.data.sources.listed import listed
from vptsp.data.sources.text_lists import first_file, read_rows
from vptsp.errors import DataError


def inaturalist(config: DataConfig, root: Path) -> Parts:
    """Zero-shot retrieval of species; a class is called ``<group>/<species number>``, such as ``Aves/2761``."""

    def part(split: str) -> ImageSet:
        name = f"Inaturalist_{split}_set1.txt"
        file = first_file(root / "Inat_dataset_splits" / name, root / name)
        rows = []
        for (path,) in read_rows(file, "path"):
            folders = path.split("/")
            if len(folders) < 3:
                raise DataError(f"{file}: expected lines 'train_val2018/<group>/<species>/<image>', found {path!r}")
            rows.append((path, "/".join(folders[-3:-1])))
        return listed(f"inaturalist/{split}", root, rows)

    return Parts(train=part("train"), test=part("test"))
