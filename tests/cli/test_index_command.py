"""``vptsp index``: build, add, remove, search and check, from every kind of source."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from small_indexes import clustered, names

from vptsp.cli import main
from vptsp.cli.index import _ENGINES
from vptsp.errors import DataWarning
from vptsp.evaluation.index import ENGINES, StoredIndex
from vptsp.evaluation.ranking import search
from vptsp.runs.checkpoints import fingerprint_of
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run


def said(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["index", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def found(output: str) -> list[str]:
    return [line.split("\t")[2] for line in output.splitlines() if re.match(r"\d+\t", line)]


def test_the_help_lists_every_engine() -> None:
    assert (*ENGINES, "lance") == _ENGINES


def test_the_whole_way_with_a_run_s_images(tiny_run: Run, image_folder: Path, tmp_path: Path) -> None:
    folder, saved = tmp_path / "index", SavedEmbeddings.of_run(tiny_run)
    output = said("build", folder, tiny_run.path)
    assert output.startswith(f"{len(saved)} images of {saved.embeddings.shape[1]} numbers each, engine exact: exact")
    assert "columns: class" in output
    true = search(saved.embeddings, saved.labels, k=3).neighbor_positions[0]
    assert found(said("search", folder, saved.ids[0], "-k", 3)) == [saved.ids[row] for row in true]
    own_class = saved.names[0]
    among = said("search", folder, saved.ids[0], "-k", 99, "--where", f"class = '{own_class}'")
    assert found(among)
    assert all(line.endswith(f"\t{own_class}") for line in among.splitlines() if re.match(r"\d+\t", line))
    # the folder's own images, embedded by the same run
    assert "ids are in the index already" in said("add", folder, tiny_run.path, code=1)
    assert "images added" in said("add", folder, tiny_run.path, "--replace")
    photo = next((image_folder / "test").rglob("*.png"))
    (nearest, *_) = found(said("search", folder, photo, "--run", tiny_run.path, "-k", 1))
    assert nearest.endswith(photo.name)
    before = len(StoredIndex.load(folder))
    output = said("add", folder, image_folder / "train", "--run", tiny_run.path)
    assert f"{len(StoredIndex.load(folder)) - before} images added" in output
    said("remove", folder, "--where", f"class NOT IN ({', '.join(repr(name) for name in saved.class_names)})")
    assert StoredIndex.load(folder).ids == saved.ids
    said("remove", folder, saved.ids[0])
    assert "1 of 1 ids are not in the index" in said("remove", folder, saved.ids[0], code=1)
    said("remove", folder, "--where", f"class = '{own_class}'")
    assert len(StoredIndex.load(folder)) == sum(name != own_class for name in saved.names)
    assert "every byte is as it was written" in said("check", folder)


def test_an_unreadable_photo_of_a_folder_is_left_out(tiny_run: Run, image_folder: Path, tmp_path: Path) -> None:
    mine, source = tmp_path / "mine", image_folder / "test" / "class_11"
    mine.mkdir()
    shutil.copy(source / "3.png", mine / "good.png")
    (mine / "broken.png").write_text("no image")
    with pytest.warns(DataWarning, match="1 images cannot be read and are left out: .*broken.png"):
        assert said("build", tmp_path / "index", mine, "--run", tiny_run.path).startswith("1 images")
    assert [Path(name).name for name in StoredIndex.load(tmp_path / "index").ids] == ["good.png"]


def test_embeddings_of_another_model_are_refused(tiny_run: Run, image_folder: Path, tmp_path: Path) -> None:
    folder, other = tmp_path / "index", tmp_path / "other"
    said("build", folder, tiny_run.path)
    assert (
        StoredIndex.load(folder).model == fingerprint_of(tiny_run) == fingerprint_of(SavedEmbeddings.of_run(tiny_run))
    )
    shutil.copytree(tiny_run.path, other)
    for file in (other / "checkpoint").glob("inference_*.safetensors"):
        data = bytearray(file.read_bytes())
        data[-1] ^= 1  # another weight
        file.write_bytes(data)
    assert "similarities between two models mean nothing" in said("add", folder, other, code=1)
    photo = next((image_folder / "test").rglob("*.png"))
    assert "similarities between two models mean nothing" in said("search", folder, photo, "--run", other, code=1)
    assert len(StoredIndex.load(folder)) == len(SavedEmbeddings.of_run(tiny_run))


def test_files_of_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", clustered(2500))
    np.save(tmp_path / "b.npy", clustered(3, seed=1))
    (tmp_path / "ids.txt").write_text("\n".join(names(3)))
    output = said("build", tmp_path / "index", tmp_path / "a.npy", "--engine", "ivf", "--dtype", "float16")
    assert re.match(r"2,500 images of 16 numbers each, engine ivf: finds \d+\.\d % of the true ten", output)
    assert "ids are in the index already, the first is '0'" in said(
        "add", tmp_path / "index", tmp_path / "b.npy", code=1
    )
    said("add", tmp_path / "index", tmp_path / "b.npy", "--ids", tmp_path / "ids.txt")
    assert "1 images removed; 2,502 images" in said("remove", tmp_path / "index", "7", "7")
    output = said("search", tmp_path / "index", "image 1", "-k", 4)
    assert len(found(output)) == 4
    assert "% of the true ten (of 2,502 images)" in output
    assert "finds" in said("check", tmp_path / "index", "--measure")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("search", "{}/none", "x"), "holds no index; vptsp index build"),
        (("build", "{}/new", "{}/nothing"), "is no run, no folder of embeddings and no file of them"),
        (("build", "{}/new", "{}/cat.npy"), "cannot be read as embeddings"),
        (("build", "{}", "{}/cat.npy"), "exists already; choose another folder"),
        (("build", "{}/new", "{}/a.npy", "--ids", "{}/none.txt"), "give a text file with an id a line"),
        (("build", "{}/new", "{}/a.npy", "--ids", "{}/ids.txt"), "4 embeddings but 1 ids"),
        (("build", "{}/new", "{}/a.npy", "--ids", "{}/gap.txt"), "line 2 of"),
        (("build", "{}/new", "{}/words.npy"), "embeddings are of the kind <U4; they must be numbers"),
        (("build", "{}/new", "{}/complex.npy"), "embeddings are of the kind complex128; they must be numbers"),
        (("build", "mysql://host/photos", "{}/a.npy"), "mysql:// is no server that is known; legal: postgresql://"),
        (("search", "{}/none", "x", "--where", " "), "--where is blank; write SQL over the columns"),
        (("check", "{}/foreign"), "is damaged or no index"),
    ],
)
def test_bad_input_is_one_sentence(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "cat.npy").write_bytes(b"meow")
    np.save(tmp_path / "a.npy", clustered(4))
    np.save(tmp_path / "words.npy", np.full((2, 2), "four"))
    np.save(tmp_path / "complex.npy", np.ones((2, 2), dtype=complex))
    (tmp_path / "ids.txt").write_text("one")
    (tmp_path / "gap.txt").write_text("one\n\nthree\nfour")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "index.sqlite").write_bytes(b"meow" * 999)
    output = said(*(word.format(tmp_path) for word in words), code=1)
    assert output.startswith("Error: ")
    assert sentence in output
    assert "Traceback" not in output
    assert not (tmp_path / "new").exists()


def test_a_damaged_index_is_told_with_what_is_wrong(tmp_path: Path) -> None:
    StoredIndex.build(tmp_path / "index", clustered(9), names(9))
    data = bytearray((tmp_path / "index" / "vectors").read_bytes())
    data[2] ^= 1
    (tmp_path / "index" / "vectors").write_bytes(data)
    output = said("check", tmp_path / "index", code=1)
    assert "is not as it was written: its checksum is another" in output
    assert "is not whole; build the index again" in output
