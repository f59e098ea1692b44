"""SimilarityHistogram's Python side: its numbers, the threshold, the pairs it gets wrong, stills, bad input."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from markup import Markup, refused_by_sanitiser
from PIL import Image
from vptsp_widgets.linking import link
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.verification import SimilarityHistogram
from vptsp_widgets.verification.words import percent

from vptsp.analysis.verification import verification
from vptsp.errors import ConfigError, DataError
from vptsp.evaluation.ranking import unit_rows
from vptsp.runs.run import Run

EVIL = '<img src=x onerror=alert(1)> "\u202eاسم\n🌸'
LABELS = np.repeat(np.arange(6), 5)
NAMES = [EVIL if label == 0 else f"class {label}" for label in LABELS]
CENTRES = np.random.default_rng(1).standard_normal((6, 8))
VECTORS = CENTRES[LABELS] + 0.6 * np.random.default_rng(0).standard_normal((30, 8))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for row in range(30):
        Image.new("RGB", (24, 24), (40 * LABELS[row], 90, 8 * row)).save(tmp_path / f"{row}.png")
    return [tmp_path / f"{row}.png" for row in range(30)]


def test_it_begins_where_both_mistakes_are_equally_frequent() -> None:
    view = SimilarityHistogram.of_arrays(VECTORS, NAMES)
    found = verification(VECTORS, LABELS)
    assert view.threshold == pytest.approx(found.equal_error.threshold, abs=found.width / 2)
    counts = [np.frombuffer(sent, dtype="<f8") for sent in (view._genuine, view._impostors)]
    np.testing.assert_array_equal(counts, [found.genuine, found.impostors])
    assert view.at == found.at(found.equal_error.threshold)
    at = found.at_false_accept_rate(0.01)
    assert at is not None
    line = view.rates.loc["FAR 0.01"]
    assert line["true_accept_rate"] == at.true_accept_rate
    assert line["threshold"] == at.threshold
    assert view.rates.loc["FAR 0.0001"].isna().all()  # of 375 impostors
    assert [edge is None for _, edge in view._about["false_accepts"]] == [False, True, True]


def test_the_threshold_is_kept_at_edges_and_within_cosines() -> None:
    view = SimilarityHistogram.of_arrays(VECTORS, NAMES, threshold=0.50017)
    assert view.threshold == 0.5
    view.threshold = 0.4999
    assert view.threshold == 0.5
    with pytest.raises(DataError, match=r"a threshold of 1\.2 is no cosine; give a number from -1 to 1"):
        view.threshold = 1.2
    with pytest.raises(DataError, match="order='most' is unknown; legal: worst, nearest"):
        view.order = "most"
    with pytest.raises(ConfigError, match="SimilarityHistogram has no option treshold; perhaps threshold was meant"):
        SimilarityHistogram.of_arrays(VECTORS, NAMES, treshold=0.5)
    assert (view.threshold, view.order) == (0.5, "worst")


def test_mistakes_are_on_the_wrong_side_of_the_threshold() -> None:
    view = SimilarityHistogram.of_arrays(VECTORS, NAMES)
    unit = unit_rows(VECTORS)
    cosines, same = unit @ unit.T, LABELS[:, None] == LABELS
    for threshold in (0.2, view.threshold, 0.8):
        view.threshold = threshold
        for order in ("worst", "nearest"):
            view.order = order
            table = view.mistakes
            assert ((table["cosine"] < view.threshold) == table["same"]).all()
            assert ((table["first_class"] == table["second_class"]) == table["same"]).all()
            accepted, rejected = (table["cosine"][table["same"] == kind] for kind in (False, True))
            wrong = cosines[~same & (cosines >= view.threshold)], cosines[same & (cosines < view.threshold)]
            ends = (wrong[0].max(), wrong[1].min()) if order == "worst" else (wrong[0].min(), wrong[1].max())
            assert (accepted.iloc[0], rejected.iloc[0]) == pytest.approx(ends, abs=1e-6)
    assert view._near["edge"] == view.verification.edge(0.8)


def test_a_pair_that_is_looked_at_is_selected_in_linked_views(tiny_run: Run) -> None:
    view, space = SimilarityHistogram.of_run(tiny_run), SpaceExplorer.of_run(tiny_run, method="pca")
    link(view, space)
    one, other = view._worst["impostors"][0][:2]
    view._selected = np.array([one, other], dtype="<i4").tobytes()
    view._focused = other
    assert space.focus == view.ids[other]
    assert set(space.selection) == {view.ids[one], view.ids[other]}
    assert SimilarityHistogram.of_run(tiny_run, "train", threshold=0.25).threshold == 0.25


def test_the_still_shows_histograms_numbers_and_mistakes(files: list[Path]) -> None:
    view = SimilarityHistogram.of_arrays(VECTORS, NAMES, images=files)
    for log in (False, True):
        view.log = log
        still, markup = view.still(), Markup(view.still())
        assert refused_by_sanitiser(still) == []
        assert "\u202e" not in still
        picture, *faces = markup.all("img")
        drawn = base64.b64decode(picture["src"].removeprefix("data:image/svg+xml;base64,")).decode()
        assert f"threshold {view.threshold:.3f}" in drawn
        assert drawn.count("<path") > 5
        assert len(faces) == 2 * min(4, len(view.mistakes) - view.mistakes["same"].sum()) + 2 * min(
            4, view.mistakes["same"].sum()
        )
        assert f"accepts {percent(view.at.true_accept_rate)} of same-class pairs" in markup.text
        assert "0.1 % false accepts" in markup.text
        assert "too few pairs" in markup.text
    assert f"a threshold of {view.threshold:.3f} accepts" in view.summary()
    assert "no thumbnails" in Markup(SimilarityHistogram.of_arrays(VECTORS, NAMES).still()).text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.0 %"), (1, "100.0 %"), (0.912, "91.2 %"), (0.0008, "0.080 %"), (1e-7, "< 0.001 %"), (0.9997, "99.970 %")],
)
def test_shares_near_to_none_and_all_keep_their_digits(share: float, text: str) -> None:
    assert percent(share) == text


def test_without_classes_there_is_nothing_to_tell_apart() -> None:
    with pytest.raises(DataError, match="nobody said which classes the images of own embeddings are of; pairs of one"):
        SimilarityHistogram.of_arrays(VECTORS)
    with pytest.raises(DataError, match="all pairs among 30 images are of one class"):
        SimilarityHistogram.of_arrays(VECTORS, ["one"] * 30)
    with pytest.raises(DataError, match="no pair among 30 images is of one class"):
        SimilarityHistogram.of_arrays(VECTORS, [str(row) for row in range(30)])
    with pytest.raises(DataError, match="no image of own embeddings can be compared: 30 left"):
        SimilarityHistogram.of_arrays(VECTORS * float("nan"), ["one", "two"] * 15)
