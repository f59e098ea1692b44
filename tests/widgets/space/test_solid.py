"""Maps in three dimensions: what they are made of, what is seen of them, and what is said of them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.space.turning import matrix, sight

from tests.widgets.space.test_space import saved_images
from vptsp.analysis.distortion import distortion
from vptsp.analysis.projection import project
from vptsp.errors import ConfigError, DataError
from vptsp.runs.run import Run

NAMES = ["rose", "lily", "iris"]
TURN = [0.1, -0.3, 0.2, 0.9]
CUBE = np.stack(np.meshgrid(*3 * [np.arange(3.0)]), axis=-1).reshape(-1, 3)


def cube_of(folder: Path, **options: Any) -> SpaceExplorer:
    return SpaceExplorer(saved_images(folder, [row % 3 for row in range(27)], NAMES), CUBE, **options)


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda parts: np.linalg.norm(parts) > 0.1))
def test_a_quaternion_turns_as_scipy_has_it(turn: list[float]) -> None:
    assert np.allclose(matrix(turn), Rotation.from_quat(turn).as_matrix(), atol=1e-12)


def test_what_is_seen_is_turned_about_the_middle_and_not_stretched() -> None:
    seen = sight(CUBE, {"fused": CUBE[:2]}, TURN)
    expected = (CUBE - 1) @ Rotation.from_quat(TURN).as_matrix().T
    assert np.allclose(seen.points, expected[:, :2] + 1)
    assert np.allclose(seen.glyphs["fused"], seen.points[:2])
    assert np.array_equal(np.argsort(seen.depths), np.argsort(expected[:, 2]))
    assert (seen.depths.min(), seen.depths.max()) >= (0, 0)
    assert seen.depths.max() <= 1
    assert np.allclose(seen.extent, 2 * np.sqrt(3))  # the ball around the cube, from whatever side
    flat = sight(CUBE, {}, [])
    assert np.allclose(flat.points, CUBE[:, :2])
    assert np.allclose(flat.axes, [[1, 0], [0, 1], [0, 0]])


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_projected_in_space_with_proxies_as_guests(tmp_path: Path, method: Any) -> None:
    saved = saved_images(tmp_path, [row % 3 for row in range(12)], NAMES)
    proxies = {"fused": np.eye(4)[:3].astype("f4")}
    space = SpaceExplorer(saved, method, proxies, NAMES, dimensions=3)
    expected = project(saved.embeddings, method, guests=proxies["fused"], dimensions=3)
    assert np.array_equal(space.points, expected[:12])
    assert np.array_equal(space.glyphs["fused"], expected[12:])
    axis = "UMAP" if method == "umap" else "principal component"
    assert space._axes == [f"{axis} {number}" for number in (1, 2, 3)]
    assert np.array_equal(np.frombuffer(space._depths, "<f4"), space.points[:, 2])
    assert np.array_equal(np.frombuffer(space._points, "<f4").reshape(-1, 2), space.points[:, :2])
    assert np.array_equal(np.frombuffer(space._glyph_depths, "<f4"), space.glyphs["fused"][:, 2].astype("<f4"))


def test_a_plane_has_no_depths_and_the_places_it_had(tmp_path: Path) -> None:
    saved = saved_images(tmp_path, [row % 3 for row in range(12)], NAMES)
    plane, solid = SpaceExplorer(saved, "pca"), SpaceExplorer(saved, "pca", dimensions=3)
    assert plane._depths == plane._glyph_depths == b""
    assert np.allclose(solid.points[:, :2], plane.points)  # the first two components are the same
    assert SpaceExplorer(saved, solid.points).dimensions == 3  # an array says it by itself


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    saved = saved_images(tmp_path, [0, 1, 2], NAMES)
    with pytest.raises(ConfigError, match="dimensions=4 make no map; legal: 2, a plane, and 3"):
        SpaceExplorer(saved, "pca", dimensions=4)
    with pytest.raises(DataError, match=r"coordinates are \(3, 2\), but there are 3 images; give \(3, 3\)"):
        SpaceExplorer(saved, np.zeros((3, 2)), dimensions=3)
    with pytest.raises(
        DataError, match=r"proxies are \(3, 2\); on a map of given coordinates they must be \(classes, 3"
    ):
        SpaceExplorer(saved, np.zeros((3, 3)), {"fused": np.zeros((3, 2))}, NAMES)
    space = SpaceExplorer(saved, "pca", dimensions=3)
    for turn in ([1, 2], [0, 0, 0, 0], "north", [np.nan, 0, 0, 1]):
        with pytest.raises(DataError, match="view_state turn is"):
            space.view_state = {"turn": turn}


def test_trust_is_that_of_the_space_and_says_so(tmp_path: Path) -> None:
    space = cube_of(tmp_path)
    space.view_state = {"truth": True, "turn": TURN}
    expected = distortion(space.saved.embeddings, CUBE)
    assert np.allclose(space.table["map trustworthiness"], expected.trustworthiness)
    assert space.status.endswith("nearest on the map in three dimensions, not on what is seen of it")


def test_some_images_alone_have_a_space_of_their_own(tmp_path: Path) -> None:
    saved = saved_images(tmp_path, [row % 3 for row in range(12)], NAMES)
    space = SpaceExplorer(saved, "pca", {"fused": np.eye(4)[:3]}, NAMES, dimensions=3)
    space.map_alone(space.ids[:6])
    assert np.allclose(space.points[:6], project(saved.embeddings[:6], "pca", guests=np.eye(4)[:3], dimensions=3)[:6])
    assert np.isnan(np.frombuffer(space._depths, "<f4")[6:]).all()
    space.map_all()
    assert np.isfinite(space.points).all()


def test_a_kept_view_has_its_angle_and_its_dimensions(tiny_run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "run"))  # views are kept with it
    space = SpaceExplorer.of_run(run, method="pca", dimensions=3)
    space.view_state = {"turn": TURN, "zoom": 2.0}
    space.keep_view("from the side")
    again = SpaceExplorer.of_run(run, view="from the side")
    assert (again.dimensions, again.view_state, again.status) == (3, space.view_state, "")
    plane = SpaceExplorer.of_run(run, view="from the side", dimensions=2)
    assert plane.view_state["turn"] == []
    assert "its place, which is on a map in three dimensions by PCA that was another" in plane.status


def test_the_still_is_from_the_same_angle(tmp_path: Path) -> None:
    space = cube_of(tmp_path)

    def picture() -> str:
        found = re.search(r"base64,([^\"]+)", space.still())
        assert found is not None
        return found[1]

    flat = picture()
    space.view_state = {"turn": TURN}
    assert picture() != flat
    longer = sight(CUBE, {}, [3 * part for part in TURN])  # a quaternion of any length
    assert np.allclose(space._still_map().points, longer.points)
