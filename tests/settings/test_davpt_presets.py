"""DA-VPT's published configurations: those of a list of them, with the sizes that its code counts."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any, NamedTuple

import pytest
import torch

from vptsp.core.backbones.load import Backbone, load_backbone
from vptsp.data import DATASETS
from vptsp.data.sources.vtab_tasks import TASKS
from vptsp.settings.build import build_model
from vptsp.settings.config import Config, make_config
from vptsp.settings.presets import preset_names

NAMES = [name for name in preset_names() if name.startswith("davpt_")]
CLEAN = [name for name in NAMES if name.endswith("_clean")]
PUBLISHED = [name for name in NAMES if name not in CLEAN]


class Row(NamedTuple):
    """Plain and guided prompts, first guided block from 0, weights of CLS and patches, ratio, rate, decays, and what
    the published code counts as trained, the classifier included."""

    plain: int
    guided: int
    first: int
    cls: float
    patch: float
    ratio: float
    lr: float
    decay: float
    head: float
    trained: int


FGVC = {
    "cub_vit": Row(10, 10, 10, 0.05, 0.05, 5, 5e-4, 0.05, 5, 312_008),
    "cub_mae": Row(15, 20, 9, 0.05, 0.05, 5, 5e-3, 0.01, 0.5, 341_192),
    "cub_moco": Row(40, 20, 11, 0.02, 0.1, 1, 5e-3, 1, 0.1, 573_128),
    "nabirds_vit": Row(5, 10, 9, 0.2, 0.01, 60, 1e-3, 0.05, 3, 550_443),
    "nabirds_mae": Row(10, 20, 8, 0.05, 0.05, 5, 5e-3, 0.01, 0.5, 587_307),
    "nabirds_moco": Row(20, 20, 11, 0.05, 0.01, 5, 0.01, 0.01, 0.05, 677_163),
    "flowers_vit": Row(40, 10, 11, 0, 0, 1, 1e-3, 0.05, 3, 490_086),
    "flowers_mae": Row(5, 40, 5, 0.1, 0.01, 5, 5e-3, 1e-4, 0.5, 350_310),
    "flowers_moco": Row(5, 10, 3, 0.05, 0.05, 10, 0.01, 1, 0.05, 225_126),
    "dogs_vit": Row(20, 10, 11, 0, 0, 1, 2e-4, 0.05, 3, 334_968),
    "dogs_mae": Row(20, 10, 11, 0.03, 0.01, 0, 1e-3, 1e-4, 0.05, 307_320),
    "dogs_moco": Row(5, 10, 11, 0.03, 0.01, 5, 5e-3, 1e-4, 0.05, 208_248),
    "cars_vit": Row(80, 60, 11, 0.05, 0.05, 60, 1e-3, 0.05, 3, 938_692),
    "cars_mae": Row(15, 15, 4, 0.5, 0.01, 5, 5e-3, 0.05, 0.1, 326_596),
    "cars_moco": Row(10, 20, 10, 0.05, 0.05, 5, 5e-3, 0.5, 1e-4, 323_524),
}
MASKED = {"cub_vit", "cub_mae", "nabirds_mae", "flowers_mae", "flowers_moco", "cars_mae"}
GUIDES_NOTHING = {"flowers_vit", "dogs_vit", "vtab_caltech101_vit", "vtab_dtd_vit", "vtab_oxford_iiit_pet_vit"}


@cache
def on_meta(backbone: str, pooling: str) -> Backbone:
    with torch.device("meta"):
        return load_backbone(backbone, "random", pooling=pooling)


def trained(config: Config, classes: int) -> int:
    fresh = copy.deepcopy(on_meta(config.backbone.partition(".")[0], config.pooling))
    with torch.device("meta"):
        return build_model(config, fresh, classes).counts().trained


def classes_of(config: Config) -> int:
    if config.dataset.startswith("vtab_"):
        return TASKS[config.dataset.removeprefix("vtab_")].classes
    expected = DATASETS[config.dataset].expected
    assert expected is not None
    return expected.train[1]


def test_there_are_all_of_them_each_with_a_clean_sibling() -> None:
    assert {f"davpt_{name}" for name in FGVC} == {name for name in PUBLISHED if "_vtab_" not in name}
    assert len(PUBLISHED) == 15 + 46
    assert {f"{name}_clean" for name in PUBLISHED} == set(CLEAN)
    missing = {"svhn", "sun397", "kitti"}
    assert {make_config(preset=n).dataset for n in PUBLISHED if "_vtab_" in n} == {
        f"vtab_{t}" for t in TASKS.keys() - missing
    }


@pytest.mark.parametrize("name", FGVC)
def test_fgvc_as_published(name: str) -> None:
    row, config = FGVC[name], make_config(preset=f"davpt_{name}")
    assert config.guided_blocks == (row.first + 1, 12)
    assert (config.num_prompts, config.num_guided_prompts, config.guided_ratio) == (row.plain, row.guided, row.ratio)
    assert (config.guided_cls_weight, config.guided_patch_weight) == (row.cls, row.patch)
    assert (config.lr, config.weight_decay, config.weight_decay_head) == (row.lr, row.decay, row.head)
    assert trained(config, classes_of(config)) == row.trained


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_all_published_ones_have_in_common(name: str) -> None:
    config = make_config(preset=name)
    same: dict[str, Any] = {
        "epochs": 100,
        "warmup_epochs": 10,
        "schedule": "updates",
        "grad_clip_each": 10.0,
        "decay_vectors": False,
        "guided_patch": "patch_mean",
        "guided_cls": "query",
        "guided_loss": "proxy_anchor",
        "mapping_norm": "layer",
        "unseen_classes": "random",
        "track_test": True,
    }
    assert {field: getattr(config, field) for field in same} == same
    assert config.batch_size == (64 if name == "davpt_dogs_vit" else 32)
    assert config.val_fraction == (0 if "_vtab_" in name else 0.1)
    assert (config.pooling, config.pool_prompts != "none") == (("mean", True) if "_mae" in name else ("cls", False))
    assert config.pool_prompts != "see_image" or name.removeprefix("davpt_") in MASKED
    assert (config.guided_cls_weight == config.guided_patch_weight == 0) == (name[6:] in GUIDES_NOTHING)
    # as many guided prompts as classes where the file says more
    small = config.class_mapping == "identity"
    assert small == (config.num_guided_prompts == classes_of(config) < 10)
    assert config.num_guided_prompts <= classes_of(config)
    assert config.batch_size // config.images_per_class <= min(16, classes_of(config))


@pytest.mark.parametrize("name", CLEAN)
def test_clean_siblings(name: str) -> None:
    clean, published = make_config(preset=name), make_config(preset=name.removesuffix("_clean"))
    assert clean.guided_patch == "prompt_output"
    assert (clean.track_test, clean.unseen_classes, clean.mapping_images) == (False, "keep", "all")
    assert clean.val_fraction == (0.2 if "_vtab_" in name else 0.1)
    assert clean.guided_cls_weight + clean.guided_patch_weight > 0
    assert clean.guided_ratio > 0
    assert clean.tuned_parts is not None
    assert published.tuned_parts is not None
    assert set(clean.tuned_parts) == set(published.tuned_parts) - {"k_bias"}
    same = ("dataset", "backbone", "num_prompts", "num_guided_prompts", "lr", "weight_decay", "epochs", "drop_path")
    assert [getattr(clean, field) for field in same] == [getattr(published, field) for field in same]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("davpt_vtab_cifar_vit", (20, 20, (4, 12), 0.05, 1.0, 5e-3, 1.0, 20.0, 0.1, 1, 91)),
        ("davpt_vtab_cifar_vit_clean", (20, 20, (4, 8), 0.05, 1.0, 5e-3, 1.0, 20.0, 0.1, 1, 1)),
        ("davpt_vtab_dtd_moco", (0, 10, (12, 12), 0.03, 0.05, 5e-3, 1e-3, 0.05, 0.2, 1, 81)),
        ("davpt_vtab_patch_camelyon_mae", (5, 2, (12, 12), 0.01, 0.01, 1e-4, 0.5, 0.5, 0.1, 10, 81)),
        ("davpt_vtab_smallnorb_ele_vit", (5, 9, (12, 12), 0.1, 0.0, 5e-5, 0.01, 3.0, 0.0, 10, 91)),
        ("davpt_vtab_diabetic_retinopathy_moco", (0, 5, (12, 12), 0.03, 0.01, 5e-3, 1e-3, 0.01, 0.1, 1, 61)),
    ],
)
def test_some_of_vtab(name: str, expected: tuple[Any, ...]) -> None:
    c = make_config(preset=name)
    found = (c.num_prompts, c.num_guided_prompts, c.guided_blocks, c.guided_cls_weight, c.guided_patch_weight)
    assert (*found, c.lr, c.weight_decay, c.weight_decay_head, c.drop_path, c.remap_from, c.track_from) == expected
    assert trained(c, classes_of(c)) > 0
