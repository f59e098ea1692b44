"""Density of the map from Python: the keyword, the state, and the still form."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.space.still import drawn

from tests.analysis.test_density import heaps
from tests.widgets.space.test_solid import cube_of
from tests.widgets.space.test_space import saved_images
from vptsp.errors import DataError

COUNT = 120


def heaped(folder: Path, **options: object) -> SpaceExplorer:
    saved = saved_images(folder, [row % 3 for row in range(COUNT)], ["rose", "lily", "iris"])
    return SpaceExplorer(saved, heaps(COUNT, seed=5), **options)  # type: ignore[arg-type]


def ink(space: SpaceExplorer) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(drawn(space._still_map()).png)).convert("L"))


def with_and_without(folder: Path, state: dict, selected: int) -> tuple[SpaceExplorer, np.ndarray]:
    """A map in a state, with some images selected, and its picture without lines of density."""
    space = heaped(folder)
    space.selection = space.ids[:selected]
    space.view_state = {**state, "density": ""}
    without = ink(space)
    space.view_state = state
    return space, without


def test_keyword_and_state_say_the_same(tmp_path: Path) -> None:
    assert heaped(tmp_path, density="shown").view_state == heaped(tmp_path, view_state={"density": "shown"}).view_state
    with pytest.raises(DataError, match=r"density is 'all'; it must be one of shown, categories, selection, or '' for"):
        heaped(tmp_path, density="all")
    with pytest.raises(DataError, match="'shown' is drawn on maps in two dimensions, and this one has three"):
        cube_of(tmp_path, density="shown")


@pytest.mark.parametrize(
    ("state", "selected", "said"),
    [
        ({"density": "shown"}, 0, "lines enclose 25, 50, 75 and 90 % of the 120 images shown"),
        ({"density": "shown", "solo": ["lily"]}, 0, "lines enclose 25, 50, 75 and 90 % of the 40 images shown"),
        ({"density": "shown", "find": "iris"}, 0, "lines enclose 25, 50, 75 and 90 % of the 40 images shown"),
        ({"density": "categories"}, 0, "lines enclose 50 and 90 % of the images of each of 3 categories"),
        ({"density": "selection"}, 30, "lines enclose 50 and 90 % of the 30 selected and of the 90 others"),
    ],
)
def test_the_still_has_the_lines_and_says_what_they_are(tmp_path: Path, state: dict, selected: int, said: str) -> None:
    space, without = with_and_without(tmp_path, state, selected)
    assert (ink(space) < 128).sum() > (without < 128).sum() + 500
    assert f"{said}, where the map is densest" in space.still()


@pytest.mark.parametrize(
    ("state", "selected", "said"),
    [
        ({"density": "selection"}, 1, "no lines of density: 1 is selected, and it takes 10 or more"),
        (
            {"density": "shown", "filter": [{"column": "", "text": "image 11"}], "solo": ["iris"]},
            0,
            "5 are shown, and it",
        ),
    ],
)
def test_the_still_says_why_there_are_none(tmp_path: Path, state: dict, selected: int, said: str) -> None:
    space, without = with_and_without(tmp_path, state, selected)
    assert np.array_equal(ink(space), without)
    assert said in space.still()


def test_a_view_kept_of_a_flat_map_opens_in_space(tmp_path: Path) -> None:
    space = cube_of(tmp_path, view_state={"density": "shown"})
    assert "no lines of density, which are of maps in two dimensions" in space.still()
