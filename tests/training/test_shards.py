"""Training from shards is training from the folder that they were made of, to the last bit, however it is stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trainings import PER_EPOCH, assert_identical, contents, silent
from worlds import in_world

from vptsp.data.load_splits import read_parts
from vptsp.data.write_shards import write_shards
from vptsp.files import write_json
from vptsp.runs.progress import Event
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.training.guards import TrainingStopped
from vptsp.training.loop import train

Tiny = Callable[..., Config]
pytestmark = pytest.mark.usefixtures("two_blocks")


@pytest.fixture(scope="module")
def shards(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    list(write_shards(read_parts(tiny()), folder, "folder", megabytes=1))
    return folder


@pytest.fixture
def of_shards(tiny: Tiny, shards: Path) -> Tiny:
    return lambda **changes: tiny(dataset="shards", data_root=shards, **changes)


def test_a_run_stopped_in_the_middle_of_an_epoch_ends_as_the_one_from_the_folder(
    tiny: Tiny, of_shards: Tiny, tmp_path: Path
) -> None:
    folder = train(tiny(), tmp_path / "folder", observer=silent)
    run = Run(tmp_path / "shards")

    def stop(event: Event) -> None:
        if event.kind == "step" and event.step == PER_EPOCH + 2:
            (run.path / "STOP").touch()

    with pytest.raises(TrainingStopped):
        train(of_shards(), run.path, observer=stop)
    state = json.loads((run.path / "checkpoint/last/state.json").read_text())
    assert (state["epoch"], state["batch"]) == (1, 2)
    write_json(folder.path / "summary.json", folder.summary() | {"dataset": "shards"})  # where alone it is named
    assert_identical(folder, train(None, run.path, resume=True, observer=silent, num_workers=2))


def test_two_processes_end_as_from_the_folder(tiny: Tiny, of_shards: Tiny, tmp_path: Path) -> None:
    """Of as many processes every number is the same, as all they do is."""
    for name, make in (("folder", tiny), ("shards", of_shards)):
        config = make(epochs=1, devices=2)
        in_world(2, trained_silently, config, tmp_path / name, folder=tmp_path / f"logs of {name}")
    ours, theirs = (contents(Run(tmp_path / name)) for name in ("folder", "shards"))
    assert [line["loss"] for line in ours["lines"]] == [line["loss"] for line in theirs["lines"]]
    assert ours["summary"]["test"] == theirs["summary"]["test"]


def trained_silently(config: Config, path: Path) -> Any:
    return train(config, path, observer=silent).summary()["test"]
