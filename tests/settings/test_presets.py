"""The shipped presets: every one resolves, fits its backbone, and has the published sizes."""

from __future__ import annotations

import copy
from functools import cache

import pytest
import torch

from vptsp.core.backbones.load import Backbone, load_backbone
from vptsp.data import DATASETS
from vptsp.data.sources.vtab_tasks import TASKS
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import make_config
from vptsp.settings.presets import preset_names, preset_notes, read_preset
from vptsp.settings.published import BECAME, IGNORED, settings_of
from vptsp.settings.published_vpt import BECAME as VPT_BECAME
from vptsp.settings.published_vpt import IGNORED as VPT_IGNORED

CLASSES = {"cub": 100, "cars": 98, "sop": 11_318, "inshop": 3_997, "inaturalist": 5_690}
MILLION = 10**6

# shared prompts per image, class prompts per image, then in millions as the published code counts: bank, all trained,
# trained when only the classes of one batch are counted in the bank, kept at inference. Where prompts grow fewer from
# block to block that code allocates them all the same and never uses the rest; here they do not exist.
SIZES = {
    "cub_vit_s": (120, 36, 1.38, 2.70, 1.76, 0.246),
    "cub_vit_b": (240, 5, 1.54, 4.24, 3.20, 0.682),
    "cars_vit_s": (770, 344, 15.1, 16.7, 6.5, 0.538),
    "cars_vit_b": (710, 344, 30.1, 33.2, 13.0, 1.113),
    "sop_vit_s": (1080, 60, 260.8, 266.8, 6.7, 0.615),
    "sop_vit_b": (750, 40, 347.7, 356.8, 10.1, 1.328),
    "inshop_vit_s": (1080, 960, 1473, 1477, 15.0, 0.615),
    "inshop_vit_b": (1080, 720, 2210, 2216, 23.0, 1.328),
    "inaturalist_vit_b": (750, 120, 524, 531, 12.1, 1.328),
}
PUBLISHED = sorted(SIZES)
CLEAN = [f"{name}_clean" for name in PUBLISHED]

# rate, weight decay and classes in the published file; top-1 in percent, deep and shallow, in Table 1 per task
VPT = {
    "vpt_cub": (0.1, 0.01, 200, 88.5, 86.7),
    "vpt_nabirds": (0.1, 0.01, 555, 84.2, 78.8),
    "vpt_flowers": (0.001, 0.0001, 102, 99.0, 98.4),
    "vpt_dogs": (0.001, 0.0001, 120, 90.2, 90.7),
    "vpt_cars": (0.001, 0.0001, 196, 83.6, 68.7),
}
FORMS = ("deep", "shallow")


@cache
def on_meta(backbone: str) -> Backbone:
    with torch.device("meta"):
        return load_backbone(backbone, "random")


def build(preset: str, classes: int | None = None) -> ConfiguredModel:
    config = make_config(preset=preset)
    fresh = copy.deepcopy(on_meta(config.backbone.partition(".")[0]))
    with torch.device("meta"):
        return build_model(config, fresh, classes or CLASSES[config.dataset])


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_resolves(name: str) -> None:
    config = make_config(preset=name)
    assert config.dataset in DATASETS
    assert config.model_fields_set <= read_preset(name).keys()


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_keys_are_settings(name: str) -> None:
    config, notes = make_config(preset=name), preset_notes(name)
    for field, value in settings_of(notes["published"]).items():
        assert getattr(config, field) == value, field
    assert config.method == "vptsp_g"
    assert notes["published"]["semantic_mix_type"] == f"gru_{config.gru_activation}"
    assert not notes["published"].get("feature_dropout")  # ignored only because it is nowhere used
    assert notes["published"]["scheduler"] == "cosine"
    deviations = (config.positive_mean, config.class_prompt_init, config.store_dropped_state, config.val_fraction)
    assert deviations == ("all", "published", True, 0)
    assert config.track_test
    assert config.class_prompt_updates == ("rows" if config.class_prompts_on == "host" else "dense")


@pytest.mark.parametrize("name", PUBLISHED)
def test_expected_results_can_be_compared(name: str) -> None:
    config, expected = make_config(preset=name), preset_notes(name)["expected"]
    assert "arXiv" in expected["source"]
    recalls = [expected[f"recall_at_{k}"] for k in config.recall_ks if f"recall_at_{k}" in expected]
    assert len(recalls) >= 3
    assert recalls == sorted(recalls)
    assert all(0.5 < recall < 1 for recall in recalls)


@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_are_the_published_ones(name: str) -> None:
    shared, per_image, bank, trained, in_batch, kept = SIZES[name]
    model = build(name)
    counts, config = model.counts(), model.config
    width = model.backbone.width
    assert model.prompts.counts == _per_block(config.num_prompts, config.prompt_depth, config.prompt_step)
    assert sum(model.prompts.counts) == shared
    assert counts.bank == per_image * width * CLASSES[config.dataset]
    share = config.batch_size // config.images_per_class / CLASSES[config.dataset]
    unused = width * (config.num_prompts * _depth(config.prompt_depth) - shared)
    rows = width * config.num_class_prompts * _depth(config.class_prompt_depth) * CLASSES[config.dataset]
    trained_there = counts.trained - counts.bank + unused
    assert _close(rows, bank)
    assert _close(trained_there + rows, trained)
    assert _close(trained_there + rows * share, in_batch)
    assert _close(counts.kept + unused, kept)


@pytest.mark.parametrize("name", CLEAN)
def test_clean_siblings_follow_the_paper(name: str) -> None:
    clean, published = make_config(preset=name), make_config(preset=name.removesuffix("_clean"))
    assert preset_notes(name) == {}
    assert (clean.positive_mean, clean.class_prompt_init, clean.store_dropped_state) == ("present", "shared", False)
    assert clean.val_fraction > 0
    assert not clean.track_test
    assert clean.cosine_length is None
    same = ("dataset", "backbone", "embedding_size", "num_prompts", "num_class_prompts", "alpha", "epochs", "lr")
    assert [getattr(clean, field) for field in same] == [getattr(published, field) for field in same]
    assert build(name).counts().trained == build(name.removesuffix("_clean")).counts().trained


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", VPT)
def test_recipes_of_vpt_are_the_published_files(name: str, form: str) -> None:
    lr, decay, classes, *results = VPT[name]
    config, notes = make_config(preset=f"{name}_{form}"), preset_notes(f"{name}_{form}")
    for field, value in settings_of(notes["published"], VPT_BECAME, VPT_IGNORED).items():
        assert getattr(config, field) == value, field
    assert (config.lr, config.weight_decay, config.dataset) == (lr, decay, name.replace("vpt", "fgvc"))
    assert DATASETS[config.dataset].expected.train[1] == classes == notes["published"]["DATA.NUMBER_CLASSES"]  # type: ignore[union-attr]
    assert (config.task, config.method, config.augment) == ("recognition", f"vpt_{form}", "crop")
    assert (config.epochs, config.warmup_epochs, config.batch_size, config.cosine_min) == (100, 10, 128, 0)
    assert notes["expected"]["top1"] == pytest.approx(results[FORMS.index(form)] / 100)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [*VPT, "vpt_vtab"])
def test_recipes_of_vpt_build_on_the_papers_weights(name: str, form: str) -> None:
    config = make_config(preset=f"{name}_{form}")
    assert config.backbone == "vit_base_patch16_224.orig_in21k"
    classes = 10
    counts = build(f"{name}_{form}", classes).counts()
    assert counts.trained == 768 * 5 * (12 if form == "deep" else 1) + 768 * classes + classes


@pytest.mark.parametrize(("form", "means"), [("deep", (78.48, 82.43, 54.98)), ("shallow", (76.81, 79.66, 46.98))])
def test_expected_vtab_results_average_to_the_printed_groups(form: str, means: tuple[float, ...]) -> None:
    expected = preset_notes(f"vpt_vtab_{form}")["expected"]
    assert expected.keys() - {"source"} == {name for name in DATASETS if name.startswith("vtab_")}
    for group, mean in zip(("natural", "specialized", "structured"), means, strict=True):
        tasks = [100 * expected[f"vtab_{task}"] for task, about in TASKS.items() if about.group == group]
        assert sum(tasks) / len(tasks) == pytest.approx(mean, abs=0.03)


def test_no_published_key_is_both_read_and_ignored() -> None:
    assert not BECAME.keys() & IGNORED.keys()
    assert not VPT_BECAME.keys() & VPT_IGNORED.keys()
    with pytest.raises(KeyError, match="without a meaning"):
        settings_of({"embed_dimension": 384})


def _per_block(first: int, depth: int | None, step: int) -> list[int]:
    return [first - block * step for block in range(_depth(depth))]


def _depth(depth: int | None) -> int:
    assert depth is not None
    return depth


def _close(count: float, printed: float) -> bool:
    """Whether a count rounds to the printed millions, whose last digit may be cut instead."""
    digits = len(str(printed).partition(".")[2]) if isinstance(printed, float) else 0
    return abs(count / MILLION - printed) <= 10**-digits
