"""Runs that differ in what comes after a frozen backbone share what it says of augmented images, to the same bits."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
from safetensors.torch import save_file
from trainings import assert_identical, silent

from vptsp.core.model import EmbeddingModel
from vptsp.data import transforms
from vptsp.data.image_set import ImageSet
from vptsp.errors import ConfigError
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.training import shared_features
from vptsp.training.guards import TrainingStopped
from vptsp.training.loop import train
from vptsp.training.shared_features import folder

Tiny = Callable[..., Config]
OTHERS: list[dict[str, Any]] = [
    {"seed": 1},
    {"augment": "crop"},
    {"crop_min": 0.9},
    {"image_size": 48},
    {"backbone": "test_vit2"},
    {"batch_size": 4},
    {"images_per_class": 4},
    {"val_fraction": 0.4},
    {"precision": "bf16"},
    {"attention": "matmul"},
]
pytestmark = pytest.mark.usefixtures("two_blocks")


@pytest.fixture(autouse=True)
def computed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """An empty folder of kept features, and the sizes of the batches that a backbone has computed in training."""
    monkeypatch.setenv("VPTSP_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VPTSP_SHARED_FEATURES")
    seen: list[int] = []
    compute = EmbeddingModel.backbone_features

    def counted(model: EmbeddingModel, images: Any) -> Any:
        seen.append(len(images))
        return compute(model, images)

    monkeypatch.setattr(EmbeddingModel, "backbone_features", counted)
    return seen


@pytest.fixture
def trained(tmp_path: Path) -> Callable[[Config, str], Run]:
    return lambda config, name: train(config, tmp_path / name, observer=silent)


def without_store(config: Config, place: Path, patch: pytest.MonkeyPatch) -> Run:
    with patch.context() as off:
        off.setenv("VPTSP_SHARED_FEATURES", "off")
        return train(config, place, observer=silent)


def assert_same(shared: Run, alone: Run, epochs_read: int) -> None:
    """The same run, but for what it says of where features came from."""
    assert shared.summary().get("epochs_of_kept_features", 0) == epochs_read
    assert sum(line.get("kept_features", 0) for line in shared.metrics()) == epochs_read
    assert all((line["images_per_second"] is None) == ("kept_features" in line) for line in shared.metrics())
    for path in (shared.path / "summary.json", shared.path / "checkpoint/last/state.json"):
        stored = json.loads(path.read_text())
        stored.pop("epochs_of_kept_features", None)
        for line in stored.get("lines", []):
            line.pop("kept_features", None)
        path.write_text(json.dumps(stored))
    lines = [{k: v for k, v in line.items() if k != "kept_features"} for line in shared.metrics()]
    shared.write_metrics(lines)
    assert_identical(shared, alone)


@pytest.mark.parametrize(
    "changes",
    [
        {"lr": 0.02, "weight_decay": 0.1},
        {"loss": "proxy_nca"},
        {"method": "mlp", "mlp_layers": 2},
        {"embedding_size": 8, "epochs": 1, "optimizer": "sgd"},
    ],
)
def test_another_head_reads_what_the_first_run_computed(
    tiny: Tiny,
    trained: Callable[..., Run],
    computed: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:
    first = tiny(method="linear")
    writing = trained(first, "first")
    assert computed
    assert "epochs_of_kept_features" not in writing.summary()
    assert len(list(folder().iterdir())) == first.epochs
    assert_same(writing, without_store(first, tmp_path / "first_alone", monkeypatch), 0)

    computed.clear()
    second = first.changed(**changes)
    monkeypatch.setattr(transforms.v2.Compose, "forward", _counted(transforms.v2.Compose.forward, augmented := []))
    reading = trained(second, "second")
    assert computed == []
    assert not any("Random" in name for name in augmented)
    assert_same(reading, without_store(second, tmp_path / "second_alone", monkeypatch), second.epochs)


def _counted(compose: Any, names: list[str]) -> Any:
    def forward(self: Any, image: Any) -> Any:
        names.extend(type(step).__name__ for step in self.transforms)
        return compose(self, image)

    return forward


@pytest.mark.parametrize(
    ("precision", "method", "task"),
    [("bf16", "linear", "retrieval"), ("bf16", "mlp", "retrieval"), ("fp32", "linear", "recognition")],
)
def test_in_every_precision_and_task(
    tiny: Tiny,
    trained: Callable[..., Run],
    computed: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    method: str,
    task: str,
) -> None:
    config = tiny(method=method, precision=precision, task=task, epochs=1)
    alone = without_store(config, tmp_path / "alone", monkeypatch)
    assert_same(trained(config, "first"), alone, 0)
    computed.clear()
    assert_same(trained(config, "second"), alone, 1)
    assert computed == []


def test_a_run_that_was_stopped_goes_on_with_kept_features(
    tiny: Tiny, trained: Callable[..., Run], computed: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(method="linear")
    alone = without_store(config, tmp_path / "alone", monkeypatch)
    with pytest.raises(TrainingStopped):
        train(config, tmp_path / "stopped", observer=_stop_after(tmp_path / "stopped", step=2))
    assert not folder().exists() or not list(folder().iterdir())  # not of a part of an epoch
    trained(config.changed(lr=0.02), "other")
    computed.clear()
    resumed = train(run_dir=tmp_path / "stopped", resume=True, observer=silent)
    assert computed == []
    assert_same(resumed, alone, 2)


def test_an_epoch_that_was_read_is_gone_on_with_where_nothing_is_kept_any_more(
    tiny: Tiny, trained: Callable[..., Run], computed: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(method="linear")
    alone = without_store(config, tmp_path / "alone", monkeypatch)
    trained(config, "first")
    computed.clear()
    with pytest.raises(TrainingStopped):
        train(config, tmp_path / "stopped", observer=_stop_after(tmp_path / "stopped", step=2))
    assert computed == []
    for path in folder().iterdir():
        path.unlink()
    assert_same(train(run_dir=tmp_path / "stopped", resume=True, observer=silent), alone, 0)
    assert computed


def _stop_after(place: Path, step: int) -> Callable[[Any], None]:
    def watch(event: Any) -> None:
        if event.kind == "step" and event.step == step:
            (place / "STOP").touch()

    return watch


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_damaged_file_is_not_used(
    tiny: Tiny,
    trained: Callable[..., Run],
    computed: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: str,
) -> None:
    config = tiny(method="linear", epochs=1)
    trained(config, "first")
    (path,) = folder().iterdir()
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    path.write_bytes({"cut": whole[:-9], "flipped": flipped, "emptied": b""}[damage])
    computed.clear()
    assert_same(trained(config, "second"), without_store(config, tmp_path / "alone", monkeypatch), 0)
    assert computed
    assert path.read_bytes() == whole  # written anew


def test_other_images_or_another_backbone_are_computed(
    tiny: Tiny, trained: Callable[..., Run], computed: list[int]
) -> None:
    config = tiny(method="linear", epochs=1)
    trained(config, "first")
    for number, changes in enumerate(OTHERS):
        computed.clear()
        assert "epochs_of_kept_features" not in trained(config.changed(**changes), f"other{number}").summary()
        assert computed, changes


def test_an_image_that_changed_is_seen(tiny: Tiny, trained: Callable[..., Run], computed: list[int]) -> None:
    config = tiny(method="linear", epochs=1)
    images = sorted(path for path in Path(str(config.data_root)).rglob("*") if path.is_file())
    trained(config, "first")
    before = [path.stat() for path in images]
    try:
        for path in images:
            path.touch()
        computed.clear()
        trained(config, "second")
        assert computed
    finally:
        for path, known in zip(images, before, strict=True):
            os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))


def test_other_biases_of_the_backbone_are_seen(
    tiny: Tiny, trained: Callable[..., Run], computed: list[int], tmp_path: Path
) -> None:
    weights = tmp_path / "weights.safetensors"
    vit = timm.create_model("test_vit", num_classes=0, img_size=32)
    known = {name: value.contiguous() for name, value in vit.state_dict().items()}
    save_file(known, weights)
    config = tiny(method="linear", epochs=1, backbone_weights=str(weights))
    trained(config, "first")
    save_file({name: value + float("bias" in name) for name, value in known.items()}, weights)
    computed.clear()
    trained(config, "second")  # a file of the same name, and weights that are called the same backbone
    assert computed


def test_images_that_may_not_be_mirrored_any_longer_are_seen(
    tiny: Tiny, trained: Callable[..., Run], computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(method="linear", epochs=1)
    trained(config, "first")
    computed.clear()
    monkeypatch.setattr(ImageSet, "mirror_ok", property(lambda images: False, lambda images, value: None))
    trained(config, "second")  # as a data set's own file may say, whose images are the same
    assert computed


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "vpt_deep"},
        {"method": "linear", "bitfit": True},
        {"method": "lora"},
        {"method": "linear", "drop_path": 0.2},
        {"method": "linear", "images_per_pass": 4},
    ],
)
def test_what_trains_or_draws_before_the_head_shares_nothing(
    tiny: Tiny, trained: Callable[..., Run], changes: dict[str, Any]
) -> None:
    trained(tiny(epochs=1, **changes), "run")
    assert not folder().exists()


def test_the_longest_unused_make_room(
    tiny: Tiny, trained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, computed: list[int]
) -> None:
    config = tiny(method="linear", epochs=1)
    trained(config, "first")
    (first,) = folder().iterdir()
    # Room on the disk is asked by the same number.
    monkeypatch.setattr(shared_features, "MOST_OF_ALL", int(2.5 * first.stat().st_size))
    trained(config.changed(seed=1), "second")
    (second,) = set(folder().iterdir()) - {first}
    trained(config, "again")  # the first is used
    trained(config.changed(seed=2), "third")
    left = set(folder().iterdir())
    assert first in left
    assert second not in left
    assert len(left) == 2


def test_only_first_epochs_of_a_long_run_are_kept(
    tiny: Tiny, trained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(method="linear", epochs=1)
    trained(config, "first")
    (path,) = folder().iterdir()
    monkeypatch.setattr(shared_features, "MOST_OF_A_RUN", 2 * path.stat().st_size)
    long = config.changed(epochs=4)
    trained(long, "long")
    assert len(list(folder().iterdir())) == 2
    assert trained(long.changed(lr=0.02), "again").summary()["epochs_of_kept_features"] == 2
    monkeypatch.setattr(shared_features, "MOST_OF_AN_EPOCH", path.stat().st_size // 2)
    trained(config.changed(seed=3), "large")
    assert len(list(folder().iterdir())) == 2


def test_where_nothing_can_be_written_nothing_is_kept(
    tiny: Tiny, trained: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VPTSP_CACHE", str(tmp_path / "file"))
    config = tiny(method="linear", epochs=1)
    assert_same(trained(config, "run"), without_store(config, tmp_path / "alone", monkeypatch), 0)


def test_off_and_nothing_else_turns_it_off(
    tiny: Tiny, trained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VPTSP_SHARED_FEATURES", "off")
    trained(tiny(method="linear", epochs=1), "run")
    assert not folder().exists()
    monkeypatch.setenv("VPTSP_SHARED_FEATURES", "maybe")
    with pytest.raises(ConfigError, match="VPTSP_SHARED_FEATURES='maybe' in the environment is unknown; legal: off"):
        trained(tiny(method="linear", epochs=1), "other")


def test_settings_that_come_after_the_backbone_are_settings() -> None:
    assert set(Config.model_fields) >= shared_features._AFTER
