"""Recipe cards: what a preset needs, what it is expected to give, what it gave, and how it is chosen and differs.

Everything is read from the preset, the data sets' descriptions, the published configurations and the recorded runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vptsp.core.backbones import BUNDLED_BACKBONE
from vptsp.core.losses.catalogue import PREFIX
from vptsp.data.locate import find_source
from vptsp.runs.recorded_results import Recorded, recorded
from vptsp.settings import published, published_vpt
from vptsp.settings.config import Config, make_config
from vptsp.settings.methods import METHODS
from vptsp.settings.presets import about_preset, preset_notes
from vptsp.settings.tasks import TASKS

# Settings that are as a published code has them and not as its paper says: the paper's value, and what the code does.
DEVIATIONS: dict[str, tuple[Any, str]] = {
    "positive_mean": ("present", "the positive term is a mean over all classes, in the paper over those of the batch"),
    "class_prompt_init": ("shared", "class prompts start with a spread that shrinks with the number of classes"),
    "store_dropped_state": (False, "the GRU's state is stored after dropout"),
    "unseen_classes": ("keep", "classes that an epoch has not seen get a random prompt"),
    "mapping_feature": ("pooled", "under mean pooling the first mapping's feature is another one than the later ones'"),
}


@dataclass(frozen=True)
class Recipe:
    """One card. ``expected`` are published numbers as shares by metric or task; ``source`` says whose, and where."""

    preset: str
    about: str
    config: Config
    needs: tuple[str, ...]
    expected: Mapping[str, float]
    source: str
    ours: tuple[Recorded, ...]
    chosen_by: str
    differs: tuple[str, ...]

    @property
    def method(self) -> str:
        """The method's title, as the literature writes it."""
        return METHODS[self.config.method].title_with(self.config.bitfit)


def recipe(preset: str) -> Recipe:
    """The card of a preset that ships, or of a file of one's own. Raises ConfigError for one that does not exist."""
    config, notes = make_config(preset=preset), preset_notes(preset)
    expected = dict(notes.get("expected", {}))
    source = str(expected.pop("source", ""))
    return Recipe(
        preset=preset,
        about=about_preset(preset),
        config=config,
        needs=_needs(config),
        expected={name: value for name, value in expected.items() if isinstance(value, float)},
        source=source,
        ours=tuple(recorded(preset)),
        chosen_by=chosen_by(config),
        differs=_differs(config, notes),
    )


def chosen_by(config: Config) -> str:
    """What decides which epoch is the result, in words."""
    if not METHODS[config.method].trains:
        return "nothing to choose: nothing is trained"
    task = TASKS[config.task]
    if config.val_fraction:
        what = "classes" if config.task == "retrieval" else "images"
        metric = task.title if config.selection_metric == task.metric else task.second_title
        chosen = f"{100 * config.val_fraction:.0f} % of the training {what}, held out, by {metric}"
        if config.track_test:
            return f"{chosen}; the best test epoch, as published, stands beside it as max_over_test_epochs"
        return f"{chosen}; the test set is scored for the result alone"
    if config.track_test:
        return (
            f"the last epoch; nothing is held out. The published number is the best {task.title} of all test epochs, "
            "which the summary has as max_over_test_epochs and no fair result is"
        )
    return "the last epoch; nothing is held out, and the test set is scored once"


def _needs(config: Config) -> tuple[str, ...]:
    source = find_source(config.dataset)
    found = []
    if source.root == "none":
        found.append(f"data: {source.title}; nothing to fetch")
    else:
        held = f", which must hold {source.layout}" if source.layout else ""
        found.append(f"data: {source.title}, with data_root={source.root.upper()}{held}")
        if source.where:
            found.append(f"from: {source.where}{'; vptsp data download' if source.archives else ''}")
    if source.expected is not None:
        found.append(f"images: {source.expected}")
    bundled = config.backbone == BUNDLED_BACKBONE
    found.append(f"backbone: {config.backbone}" + ("; bundled" if bundled else f", weights {config.backbone_weights}"))
    if config.loss.startswith(PREFIX):
        found.append("package: pip install 'vptsp-workbench[losses]'")
    if config.precision == "fp16":
        found.append("a GPU: precision=fp16")
    return tuple(found)


def _differs(config: Config, notes: Mapping[str, Any]) -> tuple[str, ...]:
    """Where a preset, or this code under it, is not what the paper says."""
    found = [
        f"{name}={getattr(config, name)}: {what}, as in the published code"
        for name, (paper, what) in DEVIATIONS.items()
        if getattr(config, name) != paper and name in config.model_fields_set
    ]
    if config.cosine_length and config.cosine_length != config.epochs:
        found.append(f"cosine_length={config.cosine_length} over epochs={config.epochs}, as in the published file")
    if "published" in notes:
        of = published_vpt if config.method.startswith("vpt_") and config.task == "recognition" else published
        found += of.STILL_DIFFERS
    return tuple(found)
