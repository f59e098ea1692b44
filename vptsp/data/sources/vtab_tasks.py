"""The 19 tasks of VTAB-1k and their sizes; apart from how they are read, so that they can be listed at once."""

from __future__ import annotations

from typing import NamedTuple


class Task(NamedTuple):
    title: str
    group: str
    classes: int
    test_images: int


TASKS = {
    "cifar": Task("CIFAR-100", "natural", 100, 10_000),
    "caltech101": Task("Caltech101", "natural", 102, 6_084),
    "dtd": Task("DTD textures", "natural", 47, 1_880),
    "oxford_flowers102": Task("Oxford Flowers 102", "natural", 102, 6_149),
    "oxford_iiit_pet": Task("Oxford-IIIT Pets", "natural", 37, 3_669),
    "svhn": Task("SVHN house numbers", "natural", 10, 26_032),
    "sun397": Task("SUN397 scenes", "natural", 397, 21_750),
    "patch_camelyon": Task("Patch Camelyon", "specialized", 2, 32_768),
    "eurosat": Task("EuroSAT", "specialized", 10, 5_400),
    "resisc45": Task("Resisc45", "specialized", 45, 6_300),
    "diabetic_retinopathy": Task("Diabetic retinopathy", "specialized", 5, 42_670),
    "clevr_count": Task("CLEVR, count", "structured", 8, 15_000),
    "clevr_dist": Task("CLEVR, distance", "structured", 6, 15_000),
    "dmlab": Task("DMLab", "structured", 6, 22_735),
    "kitti": Task("KITTI, distance", "structured", 4, 711),
    "dsprites_loc": Task("dSprites, location", "structured", 16, 73_728),
    "dsprites_ori": Task("dSprites, orientation", "structured", 16, 73_728),
    "smallnorb_azi": Task("SmallNORB, azimuth", "structured", 18, 12_150),
    "smallnorb_ele": Task("SmallNORB, elevation", "structured", 9, 12_150),
}
