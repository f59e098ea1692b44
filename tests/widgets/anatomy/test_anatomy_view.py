"""The anatomy's Python side: what travels to the front end, alpha and classes, links, stills, bad input."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from anatomies import some_anatomy
from markup import Markup, refused_by_sanitiser
from vptsp_widgets.anatomy import ProxyAnatomy
from vptsp_widgets.anatomy import data as anatomy_data
from vptsp_widgets.linking import link
from vptsp_widgets.space import SpaceExplorer

from vptsp.analysis.anatomy import Anatomy
from vptsp.errors import DataError, RunError
from vptsp.evaluation.ranking import unit_rows
from vptsp.runs.run import Run

EVIL = '<img src=x onerror=alert(1)> "\u202eاسم\n🌸 $x$'


def described(classes: int = 6) -> Anatomy:
    """Some anatomy whose classes have attributes and evil names."""
    whole = some_anatomy(classes=classes)
    rng = np.random.default_rng(3)
    names = tuple(f"{EVIL} {label}" for label in range(classes))
    table = pd.DataFrame({"petals": rng.integers(3, 9, classes), "colour": list("abcdef")[:classes]}, index=list(names))
    return replace(whole, class_names=names, attributes=table)


def float32(value: bytes, *shape: int) -> np.ndarray:
    return np.frombuffer(value, "<f4").reshape(shape)


def test_the_front_end_can_make_every_similarity_of_what_it_gets() -> None:
    view = ProxyAnatomy(some_anatomy())
    parts = view.parts
    learned, semantic = float32(view._dots, 2, 6, 30)
    oo, gg, og = float32(view._lengths, 3, 6)
    for alpha in (0.0, 0.3, 1.0):
        length = np.sqrt(alpha**2 * oo + 2 * alpha * (1 - alpha) * og + (1 - alpha) ** 2 * gg)
        cosines = (alpha * learned + (1 - alpha) * semantic) / length[:, None]
        np.testing.assert_allclose(cosines, parts.fused(alpha) @ parts.embeddings.T, atol=1e-5)
    assert np.frombuffer(view._rows, "<i4").tolist() == list(range(30))


def test_places_are_those_of_a_projection() -> None:
    whole = some_anatomy()
    assert whole.semantic is not None
    places = float32(ProxyAnatomy(whole)._places, 2, 2 * 30 + 4 * 6 + 2)
    learned, second = whole.learned.astype(float), whole.semantic.astype(float)
    for frame, (mean, axes) in enumerate(anatomy_data.frames(whole, learned, second)):
        images, one, other, middle = np.split(places[frame], np.cumsum([60, 12, 12]))
        np.testing.assert_allclose(images.reshape(-1, 2), (whole.embeddings - mean) @ axes.T, atol=1e-5)
        # a fused unit proxy, placed from its parts as the front end does
        length = np.linalg.norm(0.3 * learned + 0.7 * second, axis=1)[:, None]
        placed = (0.3 * one.reshape(-1, 2) + 0.7 * other.reshape(-1, 2)) / length - middle
        np.testing.assert_allclose(placed, (whole.fused(0.3) - mean) @ axes.T, atol=1e-5)


def test_alpha_and_class_are_checked_and_answered() -> None:
    view = ProxyAnatomy(some_anatomy())
    assert view.focus_class == view.gains().index[0]
    view.alpha = 0.25
    assert view.score().accuracy == view.parts.score(0.25).accuracy
    assert f"accuracy {100 * view.score().accuracy:.1f} %" in view.summary()
    view.focus_class = "class 4"
    assert view._class == 4
    view._class = 2
    assert view.focus_class == "class 2"
    with pytest.raises(DataError, match="from 0, semantic proxies only, to 1"):
        view.alpha = 1.5
    with pytest.raises(DataError, match="'nobody' is not a training class of a run"):
        view.focus_class = "nobody"
    assert (view.alpha, view.focus_class) == (0.25, "class 2")


def test_attributes_are_correlated_for_every_step_of_alpha() -> None:
    view = ProxyAnatomy(described(), alpha=0.4)
    rho = np.frombuffer(view._rho, "<f4")
    assert len(rho) == anatomy_data.STEPS + 1
    assert rho[40] == pytest.approx(view.parts.correlation_curve([0.4])[0], abs=1e-6)
    found = {line["kind"]: line for line in view.correlations}
    assert found["learned"]["rho"] == pytest.approx(rho[100], abs=1e-6)
    assert (found["semantic"]["permutations"], found["semantic"]["exact"]) == (720, True)  # 6!
    assert ProxyAnatomy(some_anatomy()).correlations == []


def test_classes_that_all_look_alike_are_said_not_to_be_ranked() -> None:
    whole = described()
    assert whole.attributes is not None
    view = ProxyAnatomy(replace(whole, attributes=whole.attributes.assign(petals=5)))  # every colour differs
    assert view.correlations == []
    assert "all equal" in view._facts["notes"][0]


def test_large_sets_are_shown_in_part_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anatomy_data, "MOST_CLASSES", 4)
    monkeypatch.setattr(anatomy_data, "MOST_CELLS", 40)
    whole = some_anatomy(classes=6, images=60)
    view = ProxyAnatomy(whole)
    assert (len(view.parts.class_names), len(view.parts.ids)) == (4, 10)
    assert view._facts["notes"] == ["4 of 6 classes and 10 of 60 images shown; every number is among these"]
    rows = np.frombuffer(view._rows, "<i4")
    assert tuple(view.ids[row] for row in rows) == view.parts.ids
    assert view.score().accuracy == view.parts.score(0.5).accuracy
    hidden = next(name for name in whole.class_names if name not in view.parts.class_names)
    with pytest.raises(DataError, match="not among the 4 classes shown"):
        view.focus_class = hidden


def test_without_semantic_proxies_the_learned_ones_stand_beside_their_images() -> None:
    whole = replace(some_anatomy(), semantic=None, alpha=1.0)
    view = ProxyAnatomy(whole)
    assert view._facts["semantic"] is False
    assert "no semantic proxies" in view._facts["notes"][0]
    own = unit_rows(np.stack([whole.embeddings[whole.labels == label].mean(axis=0) for label in range(6)]))
    np.testing.assert_allclose(float32(view._dots, 2, 6, 30)[1], own @ whole.embeddings.T, atol=1e-5)
    with pytest.raises(DataError, match="no semantic proxies"):
        view.alpha = 0.5
    text = Markup(view.still()).text
    assert "learned O alone" in text
    assert "semantic G" not in text
    assert refused_by_sanitiser(view.still()) == []


def test_an_image_focused_in_a_linked_view_shows_its_class(tiny_run: Run) -> None:
    view, space = ProxyAnatomy.of_run(tiny_run), SpaceExplorer.of_run(tiny_run, "train", "pca")
    link(view, space)
    space.focus = space.ids[-1]
    assert view.focus_class == space.saved.names[-1]
    assert view.selection == []  # looking at one image selects nothing
    view._selected = np.array([0, 1], "<i4").tobytes()
    assert space.selection == list(view.ids[:2])


def test_another_run_takes_the_place_of_the_first(tiny_run: Run, tmp_path: Path) -> None:
    view = ProxyAnatomy.of_run(tiny_run)
    view.run = str(tiny_run.path / "baselines" / "linear")
    assert view.status == ""
    assert view.parts.semantic is None
    assert view.alpha == 1.0
    view.run = str(tiny_run.path)
    assert view.parts.semantic is not None
    assert (view.alpha, view.status) == (0.5, "")
    view.run = str(tmp_path)
    assert "is not a run directory" in view.status


def test_runs_that_have_nothing_to_show_say_what_to_do(tiny_run: Run, tmp_path: Path) -> None:
    bare = shutil.copytree(tiny_run.path, tmp_path / "bare", ignore=shutil.ignore_patterns("embeddings"))
    with pytest.raises(RunError, match="vptsp evaluate"):
        ProxyAnatomy.of_run(bare)
    with pytest.raises(RunError, match="no snapshots"):
        ProxyAnatomy.of_run(tiny_run.path / "baselines" / "frozen")


@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_the_still_says_what_the_view_says(alpha: float) -> None:
    view = ProxyAnatomy(described(), alpha=alpha)
    still = Markup(view.still())
    assert refused_by_sanitiser(view.still()) == []
    assert still.all("img")[0]["alt"] == view.summary()
    for value in (0.0, alpha, 1.0):
        assert f"{100 * view.parts.score(value).map_at_r:.1f} %" in still.text
    assert f"{view.correlations[0]['rho']:.3f}" in still.text
    assert EVIL[:8] in still.text  # as text
    assert "\u202e" not in view.still()


def test_the_still_of_a_run_shows_the_images_nearest_to_each_part(tiny_run: Run) -> None:
    view = ProxyAnatomy.of_run(tiny_run)
    images: list[dict[str, Any]] = Markup(view.still()).all("img")[1:]
    assert len(images) == 3 * 8
    assert all(image["src"].startswith("data:image/jpeg") for image in images)
    label = view.parts.row_of(view.focus_class)
    nearest = view.parts.labels[(view.parts.fused(1.0)[label] @ view.parts.embeddings.T).argmax()]
    assert images[0]["alt"].endswith(", right") == (nearest == label)
