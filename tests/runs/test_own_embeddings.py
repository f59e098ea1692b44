"""Embeddings made elsewhere, given as arrays or files, are kept as a run's are and shown by the same views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from vptsp_widgets.gallery import RetrievalGallery
from vptsp_widgets.space import SpaceExplorer

from vptsp.errors import DataError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.own_embeddings import own
from vptsp.verbs import search

N, E = 24, 5
VECTORS = np.random.default_rng(0).normal(size=(N, E)).astype("f4")
LABELS = [("rose", "lily", "iris")[row % 3] for row in range(N)]
COLUMNS = pd.DataFrame({"camera": ["a", "b"] * (N // 2), "iso": np.arange(N) * 100.0})


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("photos")
    for row in range(N):
        (folder / LABELS[row]).mkdir(exist_ok=True)
        Image.new("RGB", (40, 30), (10 * row, 0, 0)).save(folder / LABELS[row] / f"{row}.png")
    return [str(folder / LABELS[row] / f"{row}.png") for row in range(N)]


def test_arrays_are_kept_as_given(paths: list[str], tmp_path: Path) -> None:
    saved = SavedEmbeddings.write(tmp_path / "own", VECTORS, LABELS, images=paths, columns=COLUMNS)
    again = SavedEmbeddings(tmp_path / "own")
    for one in (saved, again):
        np.testing.assert_array_equal(one.embeddings, VECTORS)
        assert one.names == LABELS
        assert one.ids[:2] == ["rose/0.png", "lily/1.png"]  # what all paths begin with says nothing
        assert one.name == "own"
        assert one.columns is not None
        assert one.columns["camera"].tolist() == COLUMNS["camera"].tolist()
        assert one.columns.loc["iris/2.png", "iso"] == 200
        assert one.thumbnails.image("iris/23.png").getpixel((32, 32))[0] == pytest.approx(230, abs=6)


def test_what_is_not_known_is_left_away(tmp_path: Path) -> None:
    saved = SavedEmbeddings.write(tmp_path / "bare", torch.from_numpy(VECTORS).double())
    np.testing.assert_allclose(saved.embeddings, VECTORS)
    assert (saved.ids[0], saved.ids[-1]) == ("00", "23")
    assert not saved.has_classes
    assert saved.columns is None
    assert not (saved.folder / "tiles.json").exists()


def test_numbers_as_classes_keep_their_order() -> None:
    saved = SavedEmbeddings.of_arrays(VECTORS, [10, 2, 1] * (N // 3))
    assert saved.no_thumbnails_note.startswith("no thumbnails: images=")  # and not a folder that nobody has seen
    assert saved.class_names == ["1", "2", "10"]
    assert saved.names[:3] == ["10", "2", "1"]


def test_classes_are_told_apart_as_every_reader_does() -> None:
    large = [1_234_567.0, 1_234_568.0, float("nan")]  # numbers of a column with a gap are floating-point ones
    saved = SavedEmbeddings.of_arrays(VECTORS, large * (N // 3))
    assert saved.names[:3] == ["1234567", "1234568", "(no class)"]
    written = SavedEmbeddings.of_arrays(VECTORS, ["caf\u00e9", "cafe\u0301", pd.NA] * (N // 3))
    assert written.class_names == ["(no class)", "caf\u00e9"]
    with pytest.raises(DataError, match="an image has one class"):
        SavedEmbeddings.of_arrays(VECTORS, [["a", "b"]] * N)


def table_of(vectors: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(vectors, columns=[f"e{column}" for column in range(E)])
    return table.assign(label=LABELS, id=[f"x{row}" for row in range(N)], camera=COLUMNS["camera"])


@pytest.mark.parametrize("kind", ["npy", "npz", "parquet", "lists.parquet", "csv", "lists.csv"])
def test_a_file_of_each_kind_says_the_same(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"own.{kind}"
    given: dict[str, Any] = {}
    if kind == "npy":
        np.save(path, VECTORS)
        given = {"labels": LABELS, "ids": [f"x{row}" for row in range(N)]}
    elif kind == "npz":
        np.savez(path, embeddings=VECTORS, labels=np.array(LABELS), ids=np.array([f"x{row}" for row in range(N)]))
    else:
        table = table_of(VECTORS)
        if "lists" in kind:
            table = table[["label", "id", "camera"]].assign(embedding=[row.tolist() for row in VECTORS])
        table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    saved = SavedEmbeddings.of_arrays(str(path), **given)
    np.testing.assert_allclose(saved.embeddings, VECTORS, rtol=1e-6)
    assert saved.names == LABELS
    assert saved.ids == [f"x{row}" for row in range(N)]
    if "np" not in kind:
        assert saved.columns is not None
        assert list(saved.columns) == ["camera"]


def test_what_is_given_wins_over_the_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", embeddings=VECTORS, labels=np.array(LABELS))
    assert SavedEmbeddings.of_arrays(tmp_path / "own.npz", ["one"] * N).class_names == ["one"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda at: (VECTORS[0],), r"shape \(5,\); give \(N, E\)"),
        (lambda at: (VECTORS, LABELS[:-1]), "24 embeddings but 23 labels"),
        (lambda at: ("own.txt",), r"none of \.npy, \.npz, \.parquet, \.csv"),
        (lambda at: (at / "none.npy",), "cannot be read as embeddings"),
    ],
)
def test_what_does_not_fit_is_one_sentence(make: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        SavedEmbeddings.write(tmp_path / "own", *make(tmp_path))
    assert not (tmp_path / "own").exists()


def test_images_that_are_not_there_and_folders_of_something_else_are_refused(paths: list[str], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1 of 24 images are no files, such as .*gone\.png"):
        SavedEmbeddings.of_arrays(VECTORS, images=[*paths[:-1], str(tmp_path / "gone.png")])
    with pytest.raises(DataError, match=r"is there twice, so it cannot name a row; give ids"):
        SavedEmbeddings.of_arrays(VECTORS, images=[paths[0]] * N)
    with pytest.raises(DataError, match="choose a new folder"):
        SavedEmbeddings.write(Path(paths[0]).parent, VECTORS)
    table_of(VECTORS).drop(columns=["e1"]).to_csv(tmp_path / "gap.csv", index=False)
    with pytest.raises(DataError, match="numbered columns such as e0, e1, e2"):
        SavedEmbeddings.of_arrays(tmp_path / "gap.csv")


def test_an_image_that_cannot_be_read_has_its_name_instead(paths: list[str], tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    saved = SavedEmbeddings.of_arrays(VECTORS, images=[str(tmp_path / "broken.png"), *paths[1:]])
    assert saved.thumbnails.image(saved.ids[0]).getpixel((1, 1)) == pytest.approx((187, 187, 187), abs=4)


def test_the_folder_of_arrays_is_gone_with_them() -> None:
    saved = SavedEmbeddings.of_arrays(VECTORS)
    folder = saved.folder
    assert folder.is_dir()
    del saved
    assert not folder.exists()


def test_views_show_them(paths: list[str]) -> None:
    space = SpaceExplorer.of_arrays(VECTORS, LABELS, images=paths, columns=COLUMNS, method="pca")
    assert [column.name for column in space.columns] == [
        "class", "nearest image", "similarity to nearest", "camera", "iso",
    ]  # fmt: skip
    assert len(space.points) == N
    gallery = RetrievalGallery.of_arrays(space.saved)
    with pytest.raises(DataError, match="have their own labels; give the vectors"):
        SpaceExplorer.of_arrays(space.saved, LABELS)
    gallery.focus = "rose/0.png"
    best = gallery.results.iloc[0]
    expected = search(space.saved, "rose/0.png", k=1).iloc[0]
    assert (best["id"], best["similarity"]) == (expected["id"], pytest.approx(expected["similarity"], abs=1e-6))
    bare = SpaceExplorer.of_arrays(VECTORS, method="pca")
    assert [column.name for column in bare.columns] == ["class"]


def test_labels_may_be_a_file_and_one_text_is_no_list(tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", np.eye(4, dtype="<f4"))
    np.save(tmp_path / "labels.npy", np.array(["a", "a", "b", "b"]))
    found = own(tmp_path / "vectors.npy", labels=str(tmp_path / "labels.npy"))
    assert found.labels == ["a", "a", "b", "b"]
    with pytest.raises(DataError, match=r"labels='aabb' is one text; give a list"):
        own(np.eye(4), labels="aabb")
    with pytest.raises(DataError, match=r"labels='.*gone\.npy' cannot be read"):
        own(np.eye(4), labels=tmp_path / "gone.npy")
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(DataError, match="cannot be read as an array"):
        own(np.eye(4), labels=tmp_path / "text.npy")
    np.save(tmp_path / "one.npy", np.array(3))
    np.save(tmp_path / "rows.npy", np.eye(4))
    for name in ("one", "rows"):
        with pytest.raises(DataError, match="holds no list; save one value for each embedding"):
            own(np.eye(4), labels=tmp_path / f"{name}.npy")
