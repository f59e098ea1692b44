"""The names of `vptsp` itself: four verbs, and what stands beside them."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import vptsp
from vptsp.errors import ConfigError, DataError, DataWarning, RunError, UsageError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.settings.config import Config

Tiny = Callable[..., Config]


def silent(event: object) -> None:
    """An observer for runs that nobody watches."""


# --- names ---------------------------------------------------------------------------------------------
def test_every_name_of_the_front_door_is_there_and_says_what_it_is() -> None:
    verbs = {"train", "evaluate", "search", "report"}
    assert verbs | {"make_config", "Config", "METHODS", "Run", "list_runs", "load_inference", "core"} <= set(dir(vptsp))
    for name in vptsp.__all__:
        assert getattr(vptsp, name) is not None
    for verb in verbs:
        assert callable(getattr(vptsp, verb))
        assert "Raises" in (getattr(importlib.import_module("vptsp.verbs"), verb).__doc__ or "")
    with pytest.raises(AttributeError, match="module 'vptsp' has no attribute 'nothing'"):
        vptsp.nothing  # noqa: B018


def test_the_version_is_the_packages() -> None:
    assert vptsp.__version__ == metadata.version("vptsp-workbench")


def test_names_load_what_they_need_and_no_more() -> None:
    code = (
        "import sys, vptsp; vptsp.Config, vptsp.METHODS, vptsp.Run, vptsp.train, vptsp.search, vptsp.report;"
        "print('torch' in sys.modules, 'plotly' in sys.modules, 'importlib.metadata' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split()[:2] == ["False", "False"]


@pytest.mark.parametrize("package", ["vptsp", "vptsp_widgets"])
def test_type_checkers_are_told_that_the_packages_are_typed(package: str) -> None:
    assert Path(importlib.import_module(package).__file__ or "").with_name("py.typed").is_file()


# --- train ---------------------------------------------------------------------------------------------
def test_settings_by_name_win_over_the_configuration(tiny: Tiny, tmp_path: Path) -> None:
    run = vptsp.train(tiny(), tmp_path / "run", observer=silent, epochs=1, method="linear")
    assert (run.config.epochs, run.config.method) == (1, "linear")
    assert run.config.batch_size == tiny().batch_size
    assert run.is_finished()
    assert vptsp.train(run_dir=run.path, resume=True).path == run.path


def test_settings_come_as_a_dictionary_too(tiny: Tiny, tmp_path: Path) -> None:
    settings = tiny(epochs=1).model_dump(exclude_unset=True)
    run = vptsp.train(settings, tmp_path / "run", preset="demo", observer=silent)
    assert run.config.epochs == 1
    assert run.config.dataset == "folder"  # the preset's is another


def test_settings_that_cannot_be_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="epoch is not a setting; did you mean epochs"):
        vptsp.train(run_dir=tmp_path / "run", epoch=3)
    with pytest.raises(UsageError, match=r"7 is not a configuration; give what vptsp\.make_config returns"):
        vptsp.train(7, tmp_path / "run")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="goes on with the run's own settings; give no others"):
        vptsp.train(run_dir=tmp_path / "run", resume=True, epochs=3)
    assert not (tmp_path / "run").exists()


# --- evaluate and report -------------------------------------------------------------------------------
@pytest.fixture
def own_run(tiny_run: Run, tmp_path: Path) -> Run:
    """A copy of the run that may be written to."""
    return Run(Path(shutil.copytree(tiny_run.path, tmp_path / "own")))


def test_evaluate_gives_the_numbers_of_the_summary(own_run: Run) -> None:
    summary = own_run.summary()
    expected = summary["test"][summary["selected"]]
    metrics = vptsp.evaluate(str(own_run.path)).metrics
    assert metrics["recall_at_1"] == pytest.approx(expected["recall_at_1"])
    with pytest.raises(RunError, match="is not a run directory"):
        vptsp.evaluate("nowhere")


def test_report_takes_a_path_and_returns_one(own_run: Run) -> None:
    page = vptsp.report(own_run.path, projection="pca")
    assert page == own_run.path / "report.html"
    assert own_run.name in page.read_text(encoding="utf-8")


# --- search --------------------------------------------------------------------------------------------
def by_hand(saved: SavedEmbeddings, row: int) -> list[str]:
    """Ids by similarity to an image, itself left out."""
    vectors = saved.embeddings.astype(np.float64)
    order = np.argsort(-(vectors @ vectors[row]), kind="stable")
    return [saved.ids[other] for other in order if other != row]


def test_search_finds_the_nearest_images_of_ids(tiny_run: Run) -> None:
    saved = SavedEmbeddings.of_run(tiny_run)
    found = vptsp.search(tiny_run, [saved.ids[3], saved.ids[0]], k=4)
    assert list(found.columns) == ["query", "rank", "id", "class_name", "similarity"]
    assert found["query"].tolist() == [saved.ids[3]] * 4 + [saved.ids[0]] * 4
    assert found["rank"].tolist() == [1, 2, 3, 4] * 2
    similar = saved.embeddings.astype(np.float64) @ saved.embeddings[[3, 0]].T.astype(np.float64)
    for column, row in enumerate((3, 0)):  # images may be as similar to the last digit, in either order
        ids = found["id"].tolist()[4 * column : 4 * column + 4]
        assert len({*ids, saved.ids[row]}) == 5
        ours = [similar[saved.ids.index(name), column] for name in ids]
        theirs = [similar[saved.ids.index(name), column] for name in by_hand(saved, row)[:4]]
        assert ours == pytest.approx(theirs, abs=1e-6)
    assert found["class_name"].tolist() == [saved.names[saved.ids.index(name)] for name in found["id"]]
    one = vptsp.search(saved, saved.ids[3], k=4)
    assert one["id"].tolist() == by_hand(saved, 3)[:4]


def test_search_takes_embeddings_and_leaves_nothing_out_for_them(tiny_run: Run) -> None:
    saved = SavedEmbeddings.of_run(tiny_run)
    found = vptsp.search(tiny_run.path, 2 * saved.embeddings[:2], k=1)
    assert found["query"].tolist() == [0, 1]
    assert found["id"].tolist() == saved.ids[:2]
    assert found["similarity"].tolist() == pytest.approx([1, 1])
    whole = vptsp.search(saved, saved, k=1)  # its own images are its queries: none finds itself
    assert (whole["query"] != whole["id"]).all()
    other = vptsp.search(saved, SavedEmbeddings.of_run(tiny_run), k=1)  # a set of its own
    assert (other["query"] == other["id"]).all()


def test_search_takes_files(tiny_run: Run, image_folder: Path, tmp_path: Path) -> None:
    saved = SavedEmbeddings.of_run(tiny_run)
    files = [image_folder / "test" / "class_11" / "3.png", image_folder / "test" / "class_10" / "2.png"]
    found = vptsp.search(tiny_run, files, k=2)
    assert found["query"].tolist() == [str(files[0])] * 2 + [str(files[1])] * 2
    best = found[found["rank"] == 1]
    assert [name.split("/")[-2:] for name in best["id"]] == [["class_11", "3.png"], ["class_10", "2.png"]]
    assert best["similarity"].tolist() == pytest.approx([1, 1], abs=1e-4)
    assert vptsp.search(str(tiny_run.path), str(files[0]), k=1)["id"].tolist() == best["id"].tolist()[:1]
    with pytest.raises(DataError, match="is a file and no id of these images; to search with files give the run"):
        vptsp.search(saved, files[0])
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(DataError, match=r"text\.jpg"):
        vptsp.search(tiny_run, tmp_path / "text.jpg")


def test_search_takes_folders_however_deep(tiny_run: Run, image_folder: Path, tmp_path: Path) -> None:
    source, mine = image_folder / "test" / "class_11", tmp_path / "mine"
    files = ["b/deep/er/0.png", "a/1.png", "2.PNG"]
    for file in files:
        (mine / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / f"{Path(file).stem}.png", mine / file)
    (mine / ".hidden.png").write_bytes(b"")
    found = vptsp.search(tiny_run, mine, k=1)
    assert found["query"].tolist() == sorted(str(mine / file) for file in files)
    assert found["similarity"].tolist() == pytest.approx([1, 1, 1], abs=1e-4)
    one = vptsp.search(tiny_run, [source / "3.png", str(mine / "a")], k=1)
    assert one["query"].tolist() == [str(source / "3.png"), str(mine / "a" / "1.png")]
    (mine / "a" / "notes.txt").write_text("mine")
    with pytest.warns(
        DataWarning, match=r"1 was passed over: 'a/notes.txt' \(its ending is none of an image\)"
    ) as told:
        assert vptsp.search(tiny_run, mine, k=1).equals(found)
    assert told[0].filename == __file__
    (mine / "a" / "notes.txt").unlink()


def test_an_unreadable_image_in_a_folder_is_passed_over(tiny_run: Run, image_folder: Path, tmp_path: Path) -> None:
    source, mine = image_folder / "test" / "class_11", tmp_path / "mine"
    (mine / "a").mkdir(parents=True)
    shutil.copy(source / "3.png", mine / "good.png")
    whole = (source / "3.png").read_bytes()
    (mine / "a" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (mine / "text.JPG").write_text("no image")
    (mine / "notes.txt").write_text("mine")
    with pytest.warns(DataWarning) as told:
        found = vptsp.search(tiny_run, mine, k=1)
    assert found["query"].tolist() == [str(mine / "good.png")]
    assert [str(one.message).removeprefix(f"{mine}: ") for one in told] == [
        "3 were passed over: 'notes.txt' (its ending is none of an image); 'a/cut.png', 'text.JPG' (cannot be read)"
    ]
    with pytest.raises(DataError, match=r"cannot read the image .*text\.JPG"):  # one that is named is meant
        vptsp.search(tiny_run, [mine / "text.JPG", mine / "good.png"])
    (mine / "good.png").unlink()
    with pytest.raises(DataError, match=r"none of the 2 images in .*mine can be read .*'a/cut.png'.*; give a folder"):
        vptsp.search(tiny_run, mine)


def test_search_says_what_is_wrong_with_a_folder(tiny_run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no images; give a folder of images, or files"):
        vptsp.search(tiny_run, tmp_path / "empty")
    (tmp_path / "empty" / "list.txt").write_text("a.png")
    with pytest.raises(DataError, match=r"holds no images \(.*1 was passed over: 'list.txt'.*; give a folder"):
        vptsp.search(tiny_run, str(tmp_path / "empty"))
    Image.new("RGB", (9, 9)).save(tmp_path / "one.png")
    with pytest.raises(DataError, match=r"one.png is a file, and not all of the queries are; search with files, or"):
        vptsp.search(tiny_run, [tmp_path / "one.png", "nobody"])
    with pytest.raises(DataError, match="'nobody' is no file and is not among the 20 images"):
        vptsp.search(tiny_run, ["nobody"])


def test_search_takes_names_however_they_come(tiny_run: Run, image_folder: Path) -> None:
    saved = SavedEmbeddings.of_run(tiny_run)
    expected = vptsp.search(saved, saved.ids[:2], k=3)
    for names in (iter(saved.ids[:2]), pd.Series(saved.ids[:2]), np.array(saved.ids[:2]), dict.fromkeys(saved.ids[:2])):
        assert vptsp.search(saved, names, k=3).equals(expected)
    files = sorted((image_folder / "test" / "class_11").glob("*.png"))
    found = vptsp.search(tiny_run, (image_folder / "test" / "class_11").glob("*.png"), k=1)
    assert sorted(found["query"]) == list(map(str, files))
    assert vptsp.search(tiny_run, [], k=3).empty
    vectors = vptsp.search(saved, list(saved.embeddings[:2]), k=1)
    assert vectors["id"].tolist() == saved.ids[:2]


def test_a_small_gallery_has_fewer_ranks(tiny_run: Run) -> None:
    saved = SavedEmbeddings.of_run(tiny_run)
    assert vptsp.search(saved, saved.ids[0], k=1000)["rank"].tolist() == list(range(1, len(saved)))
    saved.is_gallery = np.arange(len(saved)) < 3
    assert set(vptsp.search(saved, saved.ids[5], k=9)["id"]) == set(saved.ids[:3])


def test_search_says_what_it_cannot_find(tiny_run: Run) -> None:
    saved = SavedEmbeddings.of_run(tiny_run)
    with pytest.raises(DataError, match=f"is not among the {len(saved)} images of .*; ids are like "):
        vptsp.search(saved, "nobody")
    with pytest.raises(DataError, match="the queries have 3 numbers each, the index holds 16"):
        vptsp.search(saved, np.ones((1, 3)))
    with pytest.raises(DataError, match="k is 0; it must be at least 1"):
        vptsp.search(saved, saved.ids[0], k=0)
