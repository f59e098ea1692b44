"""The confused pairs' Python side: lists, links between images, choosing, stills, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from markup import Markup, refused_by_sanitiser
from PIL import Image
from vptsp_widgets.confused import ConfusedPairs
from vptsp_widgets.confused.data import HARD, MISTAKE, OTHER, Pairs
from vptsp_widgets.linking import link
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.why import WhyNeighbour

from vptsp.analysis.confusions import confused_pairs, hard_negatives, overlapping_proxies
from vptsp.data.image_set import ImageSet
from vptsp.errors import DataError
from vptsp.runs.embeddings import SavedEmbeddings, save_embeddings
from vptsp.runs.run import Run

EVIL = '<img src=x onerror=alert(1)> "\u202eاسم\n🌸'


def saved_set(folder: Path, vectors: np.ndarray, labels: list[int], attributes: bool = False) -> SavedEmbeddings:
    names = [EVIL, *(f"class {label}" for label in range(1, max(labels) + 1))]
    table = pd.DataFrame(
        {"genus": names, "petal_colour": ["red"] * len(names), "petals": range(3, 3 + len(names))}, index=names
    )
    images = ImageSet(
        "colours",
        [f"test/{label}/{row}.png" for row, label in enumerate(labels)],
        np.array(labels),
        names,
        lambda row: Image.new("RGB", (32, 32), (40 * labels[row], 90, 8 * row)),
        attributes=table if attributes else None,
    )
    save_embeddings(folder, torch.from_numpy(vectors.astype(np.float32)), images)
    return SavedEmbeddings(folder)


@pytest.fixture
def saved(tmp_path: Path) -> SavedEmbeddings:
    """Four classes of five images, of which 0 and 1 overlap."""
    labels = np.repeat(np.arange(4), 5)
    centres = np.eye(4, 6)
    centres[1] = centres[0] + 0.3 * centres[1]
    vectors = centres[labels] + 0.25 * np.random.default_rng(0).standard_normal((20, 6))
    return saved_set(tmp_path / "saved", vectors, labels.tolist(), attributes=True)


def test_the_list_is_that_of_the_core(saved: SavedEmbeddings) -> None:
    view = ConfusedPairs(saved)
    expected = confused_pairs(saved.embeddings, saved.labels)
    assert [pair["classes"] for pair in view._lists["images"]] == [[pair.first, pair.second] for pair in expected]
    assert view.pairs["mistakes"].tolist() == [pair.mistakes for pair in expected]
    assert view.pairs["hard_negatives"].tolist() == [pair.count for pair in expected]
    assert view.pairs.iloc[0][["first", "second"]].tolist() == [EVIL, "class 1"]
    assert len(ConfusedPairs(saved, most=1).pairs) == 1


def test_proxies_make_a_list_of_their_own(saved: SavedEmbeddings) -> None:
    proxies = np.random.default_rng(1).normal(size=(4, 6))
    view = ConfusedPairs(saved, proxies, order="proxies")
    expected = overlapping_proxies(proxies)
    assert [pair["classes"] for pair in view._lists["proxies"]] == [[pair.first, pair.second] for pair in expected]
    np.testing.assert_allclose(view.pairs["proxy_cosine"], [pair.cosine for pair in expected], atol=1e-6)
    counts = {(pair.first, pair.second): pair.mistakes for pair in confused_pairs(saved.embeddings, saved.labels)}
    for pair in view._lists["proxies"]:
        assert pair["mistakes"] == counts.get(tuple(pair["classes"]), 0)


def test_images_are_linked_to_their_nearest_of_the_other_class(tmp_path: Path) -> None:
    angles = np.radians([0, 40, 50, 91, 180])  # 0: two images, 1: two images, 2: one apart
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = Pairs(saved_set(tmp_path, vectors, [0, 0, 1, 1, 2])).by_images(3)
    pair = next(pair for pair in found if pair["classes"] == [0, 1])
    assert [[one, other, kind] for one, other, _, kind in pair["links"]] == [
        [1, 2, MISTAKE],  # 10 degrees apart, and 40 from their own
        [0, 2, HARD],  # the nearest wrong image of 0, whose own is nearer
        [1, 3, HARD],
    ]
    assert [cosine for *_, cosine, _ in pair["links"]] == pytest.approx(np.cos(np.radians([10, 50, 51])), abs=1e-5)
    assert pair["galleries"] == [[[1, MISTAKE], [0, HARD]], [[2, MISTAKE], [3, HARD]]]
    assert (pair["toward"], pair["mistakes"]) == ([2, 2], 2)
    apart = next(pair for pair in found if 2 in pair["classes"])
    assert OTHER in {kind for gallery in apart["galleries"] for _, kind in gallery}


def test_choosing_a_pair_selects_both_classes_in_linked_views(saved: SavedEmbeddings) -> None:
    view, space = ConfusedPairs(saved), SpaceExplorer(saved, "pca")
    link(view, space)
    assert space.selection == []  # nobody has chosen yet
    second = view.pairs.iloc[1]
    view.choose(second["second"], second["first"])
    assert view.pair == 1
    both = {second["first"], second["second"]}
    assert space.selection == [name for name, of in zip(saved.ids, saved.names, strict=True) if of in both]
    space.focus = saved.ids[3]
    assert view._focused == 3


def test_an_image_is_looked_at_beside_what_stands_in_its_way_and_back(saved: SavedEmbeddings) -> None:
    view, space = ConfusedPairs(saved), SpaceExplorer(saved, "pca")
    link(view, space)
    pair = view._lists["images"][0]
    hub, _, _, ((row, _), *_) = pair["shared"][0]
    space.selection = saved.ids[:2]
    view._on_look({"row": row, "against": hub}, [])
    assert (view.focus, view.neighbour, space.focus) == (saved.ids[row], saved.ids[hub], saved.ids[row])
    assert saved.labels[hub] != saved.labels[row]
    assert (view._focused, view._against) == (row, hub)
    view.look(saved.ids[hub])  # beside its own hard negative
    assert view._against == hard_negatives(saved.embeddings, saved.labels)[0][hub]
    view._on_return({"order": "images", "pair": 1, "row": -1, "against": -1, "selected": [3, 4]}, [])
    assert (view.pair, view.focus, view.neighbour) == (1, "", "")
    assert space.selection == view.selection == list(saved.ids[3:5])  # not the images of the pair
    view.look(saved.ids[row])
    space.focus = saved.ids[0]
    assert view.neighbour == ""  # nobody said beside which
    with pytest.raises(DataError, match="is not an image of this view"):
        view.neighbour = "nobody"


def test_why_explains_the_pair_that_was_clicked(tiny_run: Run) -> None:
    view, why = ConfusedPairs.of_run(tiny_run), WhyNeighbour.of_run(tiny_run)
    link(view, why)
    one, other, _, _ = view._lists["images"][0]["links"][-1]
    for row, against in ((one, other), (other, one)):
        view._on_look({"row": row, "against": against}, [])
        assert [why.query, why.neighbour] == [view.ids[row], view.ids[against]] == [view.focus, view.neighbour]
    another = next(name for name in why.ids if name not in (why.query, why.neighbour))
    why.neighbour = another
    assert view.neighbour == another  # chosen there


def test_what_is_not_there_cannot_be_chosen(saved: SavedEmbeddings) -> None:
    view = ConfusedPairs(saved, most=1)
    with pytest.raises(DataError, match="no class 'nobody' among the 4 classes"):
        view.choose("nobody", "class 1")
    with pytest.raises(DataError, match="not among the 1 most confused pairs; most=NUMBER"):
        view.choose("class 2", "class 3")
    with pytest.raises(DataError, match="holds 0 to 0"):
        view.pair = 1
    with pytest.raises(DataError, match="legal: images, proxies"):
        view.order = "names"
    with pytest.raises(DataError, match="proxies belong to training classes"):
        view.order = "proxies"
    assert (view.order, view.pair) == ("images", 0)
    with pytest.raises(DataError, match=r"proxies are \(3, 6\), but there are 4 classes"):
        ConfusedPairs(saved, np.zeros((3, 6)))
    with pytest.raises(DataError, match="most=0 pairs leaves nothing to show; give 1 or more"):
        ConfusedPairs(saved, most=0)


def test_one_class_cannot_be_confused(tmp_path: Path) -> None:
    alone = saved_set(tmp_path, np.eye(3, 4), [0, 0, 0])
    with pytest.raises(DataError, match="fewer than two classes"):
        ConfusedPairs(alone)


def test_a_run_brings_its_proxies_to_its_training_classes_only(tiny_run: Run) -> None:
    train, test = ConfusedPairs.of_run(tiny_run, "train", order="proxies"), ConfusedPairs.of_run(tiny_run)
    assert train._about["split"] == "train"
    assert len(train.pairs) == 20
    assert train.pairs["proxy_cosine"].is_monotonic_decreasing
    assert test._lists["proxies"] == []
    with pytest.raises(DataError, match="split='train'"):
        ConfusedPairs.of_run(tiny_run, order="proxies")
    frozen = ConfusedPairs.of_run(tiny_run.path / "baselines" / "frozen", "train")
    assert "no snapshots" in frozen._about["notes"][0]
    train.run = str(tiny_run.path / "baselines" / "frozen")
    assert (train.order, train.status, train.selection) == ("images", "", [])


@pytest.mark.parametrize("order", ["images", "proxies"])
def test_the_still_shows_the_pair_chosen(saved: SavedEmbeddings, order: str) -> None:
    view = ConfusedPairs(saved, np.random.default_rng(1).normal(size=(4, 6)), order=order)
    view.pair = 1
    still = Markup(view.still())
    assert refused_by_sanitiser(view.still()) == []
    first = view._lists[order][1]
    names = [saved.class_names[label] for label in first["classes"]]
    assert all(name[:8] in still.text for name in names)
    assert len(still.all("img")) == 2 * min(5, len(first["links"])) + 10
    assert f"{first['links'][0][2]:.3f}" in still.text
    assert "share 1 of 2 known attributes" in still.text  # no genus
    assert "\u202e" not in view.still()


def test_without_thumbnails_images_are_named(saved: SavedEmbeddings) -> None:
    (saved.folder / "tiles.json").unlink()
    view = ConfusedPairs(SavedEmbeddings(saved.folder))
    assert view._about["thumbnails"] is False
    assert refused_by_sanitiser(view.still()) == []
    assert Markup(view.still()).all("img") == []
