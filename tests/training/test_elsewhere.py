"""Runs whose data were moved or changed, and runs that may only be read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from trainings import silent

import vptsp
from vptsp.analysis.projection import project
from vptsp.cli import main
from vptsp.data import load_data
from vptsp.errors import ConfigError, DataError, DataWarning, RunError, UsageError
from vptsp.evaluation.evaluate import embed_folder
from vptsp.runs.data_record import data_differences, record_data
from vptsp.runs.progress import Event
from vptsp.runs.run import ELSEWHERE, Run
from vptsp.settings.config import Config
from vptsp.training.loop import train
from vptsp.training.session import Session

Tiny = Callable[..., Config]


@pytest.fixture
def photos(image_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(image_folder, tmp_path / "photos"))


def copied(run: Run, place: Path) -> Run:
    return Run(Path(shutil.copytree(run.path, place, ignore=shutil.ignore_patterns("baselines"))))


def test_a_run_is_scored_where_its_data_are_now(tiny_run: Run, photos: Path, tmp_path: Path) -> None:
    run = copied(tiny_run, tmp_path / "run")
    settings = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps(settings | {"data_root": str(tmp_path / "gone")}))
    with pytest.raises(DataError, match=r"gone is not a folder; .* moved, say where they are now with data_root=PATH"):
        vptsp.evaluate(run)
    here = vptsp.evaluate(run, data_root=photos, num_workers=0)
    assert here.metrics == {name: tiny_run.summary()["test"][tiny_run.result().selected][name] for name in here.metrics}
    for words in (["--data-root", str(photos), "--workers", "0", "--device", "cpu"], [f"data_root={photos}"]):
        result = CliRunner().invoke(main, ["evaluate", str(run.path), *words])
        assert result.exit_code == 0, result.output
    with pytest.raises(
        ConfigError, match=r"own settings; give no others \(lr\) than those of where things are now: data_root"
    ):
        vptsp.evaluate(run, lr=0.1)
    with pytest.raises(ConfigError, match="device"):
        vptsp.evaluate(run, device=3)
    assert set(ELSEWHERE) <= set(Config.model_fields)


def test_what_is_different_is_said(tiny: Tiny, tmp_path: Path) -> None:
    run = Run(tmp_path)
    splits = load_data(tiny())
    assert data_differences(run, splits) == []  # nothing is known of it
    record_data(run, splits)
    assert data_differences(run, splits) == []
    facts = json.loads((tmp_path / "data.json").read_text())
    assert facts["train"] == {"images": len(splits.train), "classes": len(splits.train.class_names)}
    fewer = replace(splits, train=splits.train.subset(range(1, len(splits.train))))
    (said,) = data_differences(run, fewer)
    assert said.startswith(f"train: 1 of {len(splits.train)} images are gone ('train/class_")
    renamed = replace(splits.test, ids=["test/new.png", *splits.test.ids[1:]])
    assert [said.split(" (")[0] for said in data_differences(run, replace(splits, test=renamed))] == [
        "test: 1 of 20 images are gone",
        "test: 1 of 20 images are new",
    ]
    labels = splits.test.labels.copy()
    labels[0] = 1
    (said,) = data_differences(run, replace(splits, test=replace(splits.test, labels=labels)))
    assert said.startswith("test: 1 of 20 images are of another class ('test/class_10/0.png')")
    flipped = splits.train.subset(range(len(splits.train) - 1, -1, -1))
    assert data_differences(run, replace(splits, train=flipped)) == ["train: the images are in another order"]
    roles = np.arange(20) % 2 == 0
    test = replace(splits.test, is_query=roles, is_gallery=~roles)
    assert data_differences(run, replace(splits, test=test)) == ["test: queries and gallery are others"]
    assert data_differences(run, replace(splits, val=None)) == ["val: there is no such part any more"]
    (tmp_path / "data_ids.json.gz").write_bytes(b"cut")
    assert data_differences(run, splits) == []


def stopped(config: Config, place: Path) -> Run:
    """A run that was stopped after its second step."""

    def stop(event: Event) -> None:
        if event.kind == "step" and event.step == 2:
            (place / "STOP").touch()

    with pytest.raises(KeyboardInterrupt, match="go on with"):
        train(config, place, observer=stop)
    return Run(place)


def test_a_run_whose_images_changed_goes_on_only_if_that_is_wanted(tiny: Tiny, photos: Path, tmp_path: Path) -> None:
    run = stopped(tiny(data_root=photos, method="linear"), tmp_path / "run")
    name = load_data(run.config).train.class_names[0]
    (photos / "train" / name / "0.png").rename(photos / "train" / name / "new.png")
    with pytest.raises(RunError, match=rf"train: 1 of \d+ images are gone .*--resume {run.path} --changed-data"):
        vptsp.train(run_dir=run.path, resume=True, observer=silent)
    moved = photos.rename(tmp_path / "moved")
    with pytest.raises(UsageError, match=r"resume=True goes on .* give no others \(lr\)"):
        vptsp.train(run_dir=run.path, resume=True, lr=0.1)
    with pytest.raises(ConfigError, match="changed_data is for resume=True"):
        vptsp.train(tiny(), changed_data=True)
    words = ["train", "--resume", str(run.path), "--changed-data", "--data-root", str(moved)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert [said.split(" (")[0][-4:] for said in run.summary()["data_changed"]] == ["gone", " new"]
    with pytest.warns(DataWarning, match=r"the data are not those that .* was trained with: train: 1 of"):
        vptsp.evaluate(run, data_root=moved)
    assert "data_changed" in json.loads((run.path / "evaluation.json").read_text())
    assert CliRunner().invoke(main, ["train", "--changed-data"]).exit_code == 1


def test_what_cannot_be_scored_is_refused_before_anything_is_written(tiny: Tiny, photos: Path, tmp_path: Path) -> None:
    for image in (photos / "test").glob("*/[1-9].png"):
        image.unlink()
    with pytest.raises(DataError, match=r"none of the 4 queries of .* so it cannot be scored"):
        train(tiny(data_root=photos, method="linear"), tmp_path / "run", observer=silent)
    assert not (tmp_path / "run").exists()


def test_a_summary_names_what_was_passed_over(tiny: Tiny, photos: Path, tmp_path: Path) -> None:
    (photos / "train" / "notes.md").write_text("")
    (photos / "test" / "class_10" / "clip.mov").write_bytes(b"")
    with pytest.warns(DataWarning, match="2 were passed over"):
        run = train(tiny(data_root=photos, method="frozen"), tmp_path / "run", observer=silent)
    passed = run.summary()["passed_over"]
    assert passed["beside the class folders"] == ["train/notes.md"]
    assert ["test/class_10/clip.mov"] in passed.values()


# --- small folders ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("classes", "batch", "val"), [(4, 4, 0.0), (6, 4, 0.2), (10, 10, 0.2), (14, 16, 0.2)])
def test_batches_fit_few_classes(classes: int, batch: int, val: float, tiny: Tiny, tmp_path: Path) -> None:
    for number in range(4 * classes):
        place = tmp_path / "photos" / f"c{number % classes}" / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(place)
    settings: dict[str, Any] = {"dataset": "photos", "data_root": tmp_path / "photos", "batch_size": 16}
    session = Session.prepare(tiny(**settings, fit_batch=True))
    assert (session.config.batch_size, session.config.val_fraction) == (batch, val)
    assert next(iter(session.loader))[0].shape[0] == batch
    if classes < 14:
        with pytest.raises(ConfigError, match=r"val_fraction=0.2 holds|set fit_batch=true"):
            Session.prepare(tiny(**settings))


# --- disks that may only be read ----------------------------------------------------------------------------
@pytest.fixture
def read_only(tiny_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A finished run in a directory whose system refuses every file that is to be made."""
    import os
    import tempfile

    run = copied(tiny_run, tmp_path / "run")
    access, make = os.access, tempfile.mkstemp

    def refused(*where: Any, **more: Any) -> Any:
        if str(run.path) in str(more.get("dir", "")):
            raise OSError(30, "Read-only file system")
        return make(*where, **more)

    def allowed(path: Any, mode: int, **more: Any) -> bool:
        return access(path, mode, **more) and not (mode & os.W_OK and str(path).startswith(str(run.path)))

    monkeypatch.setattr(tempfile, "mkstemp", refused)
    monkeypatch.setattr(os, "access", allowed)
    return run


def test_a_run_that_may_only_be_read_is_shown_and_scored(read_only: Run, tmp_path: Path) -> None:
    before = files_of(read_only)
    points = project(np.eye(12, 8), "pca", cache=read_only.path / "embeddings" / "projections")
    assert points.shape == (12, 2)
    with pytest.warns(DataWarning, match="cannot be written, so its stored embeddings stay as they are"):
        assert vptsp.evaluate(read_only).metrics
    with pytest.raises(RunError, match=rf"vptsp report {read_only.path} --out FILE"):
        vptsp.report(read_only)
    assert files_of(read_only) == before
    assert not read_only.is_in_use()


def files_of(run: Run) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file() and path.name != ".lock"}


def test_a_damaged_map_is_made_again(tmp_path: Path) -> None:
    vectors = np.eye(12, 8)
    points = project(vectors, "pca", cache=tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(b"cut off")
    np.testing.assert_array_equal(project(vectors, "pca", cache=tmp_path), points)


# --- folders of one's own -----------------------------------------------------------------------------------
def test_one_broken_photo_does_not_stop_a_folder(tiny_run: Run, photos: Path, tmp_path: Path) -> None:
    (photos / "test" / "class_10" / "0.png").write_bytes(b"")
    with pytest.raises(DataError, match="cannot read the image"):
        embed_folder(tiny_run, photos / "test", tmp_path / "kept")
    with pytest.warns(DataWarning, match=r"1 images cannot be read and are left out: 'test/class_10/0.png'"):
        saved = embed_folder(tiny_run, photos / "test", tmp_path / "kept", skip_bad=True)
    assert len(saved) == 19


def test_two_folders_of_one_name_are_two(tiny_run: Run, photos: Path, tmp_path: Path, monkeypatch: Any) -> None:
    from vptsp_widgets.sources import open_source

    monkeypatch.chdir(tmp_path)
    other = Path(shutil.copytree(photos / "train", tmp_path / "other" / "test"))
    first = open_source(str(tiny_run.path), images=str(photos / "test")).saved
    second = open_source(str(tiny_run.path), images=str(other)).saved
    assert first.folder != second.folder
    assert first.thumbnails.place.keys() == set(first.ids)
    assert set(first.ids) != set(second.ids)
