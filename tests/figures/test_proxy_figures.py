from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from markup import refused_by_sanitiser
from PIL import Image

from vptsp.errors import DataError
from vptsp.evaluation.ranking import RetrievalResults, search
from vptsp.figures.embedding_map import embedding_map
from vptsp.figures.proxies import proxy_similarity, recall_bars, recall_by_class
from vptsp.figures.stills import image_html, png
from vptsp.text import safe

HOSTILE = ['<script>alert("x")</script>', "<b>a</b>", "$x_1$", "ورد", "12", "2024-01-01", "same", "same"]


def ranked(hits: Sequence[Sequence[bool]]) -> RetrievalResults:
    """Queries of class 0, 1, ...: for each class whether each of its queries has a right nearest neighbour."""
    labels = np.array([label for label, right in enumerate(hits) for _ in right], dtype=np.int64)
    right = np.array([hit for row in hits for hit in row], dtype=bool)
    return RetrievalResults(
        query_positions=np.arange(len(labels)),
        query_labels=labels,
        neighbor_positions=np.arange(len(labels))[:, None] + 1000,
        neighbor_labels=np.where(right, labels, labels + 1)[:, None],
        similarities=np.zeros((len(labels), 1), dtype=np.float32),
        relevant=np.ones(len(labels), dtype=np.int64),
    )


def test_heat_map_holds_the_cosines_with_like_classes_side_by_side() -> None:
    rng = np.random.default_rng(0)
    proxies = np.eye(4)[np.arange(12) % 4] + 0.05 * rng.standard_normal((12, 4))
    names = [f"{number % 4} of {number}" for number in range(12)]
    figure = proxy_similarity(proxies, names)
    (heat,) = figure.data
    assert sorted(heat.x) == sorted(names)
    assert list(heat.x) == list(heat.y)
    groups = [name[0] for name in heat.x]
    assert sum(a != b for a, b in pairwise(groups)) == 3
    unit = proxies / np.linalg.norm(proxies, axis=1, keepdims=True)
    rows = [names.index(name) for name in heat.x]
    off = ~np.eye(12, dtype=bool)
    np.testing.assert_allclose(heat.z[off], (unit @ unit.T)[np.ix_(rows, rows)][off], atol=1e-5)
    assert np.isnan(np.diagonal(heat.z)).all()
    assert not figure.layout.annotations


def test_heat_map_of_many_classes_shows_the_most_alike_and_says_so() -> None:
    proxies = np.random.default_rng(0).standard_normal((70, 50))
    proxies[[7, 33]] = proxies[[60, 61]] + 0.01
    figure = proxy_similarity(proxies, [str(number) for number in range(70)], most=6)
    assert len(figure.data[0].x) == 6
    assert {"7", "33", "60", "61"} <= set(figure.data[0].x)
    assert figure.layout.annotations[0].text == "6 of 70 classes shown: those with the most similar proxies"


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_heat_map_of_few_classes(classes: int) -> None:
    assert len(proxy_similarity(np.eye(classes, 4), ["a", "b", "c"]).data[0].x) == classes


def test_bars_are_the_recalls_worst_first() -> None:
    figure = recall_bars(ranked([[True, True], [False, False], [True, False]]), ["all", "none", "half"])
    (bars,) = figure.data
    assert list(bars.x) == ["none", "half", "all"]
    assert list(bars.y) == [0, 50, 100]
    assert list(bars.customdata) == [2, 2, 2]
    assert not figure.layout.annotations


def test_bars_agree_with_the_search_and_leave_out_queries_without_an_answer() -> None:
    rng = np.random.default_rng(0)
    vectors, labels = rng.standard_normal((40, 3)), np.append(rng.integers(0, 5, 39), 5)  # class 5 has one image
    results = search(vectors, labels)
    found, recalls, queries = recall_by_class(results)
    assert found.tolist() == [0, 1, 2, 3, 4]
    kept = results.relevant > 0
    assert (recalls * queries).sum() / queries.sum() == pytest.approx(results.matches[kept, 0].mean())


def test_bars_of_many_classes_are_the_worst_and_the_best() -> None:
    hits = [[position < right for position in range(10)] for right in range(11)]
    figure = recall_bars(ranked(hits), [f"c{number}" for number in range(11)], most=4)
    assert list(figure.data[0].x) == ["c0", "c1", "c9", "c10"]
    assert len(set(figure.data[0].marker.color)) == 2
    assert figure.layout.annotations[0].text.startswith("4 of 11 classes shown: the 2 worst (orange) and the 2 best")


def test_hostile_names_stay_text_and_equal_names_stay_apart() -> None:
    count = len(HOSTILE)
    heat = proxy_similarity(np.random.default_rng(0).standard_normal((count, 4)), HOSTILE)
    bars = recall_bars(ranked([[True]] * count), HOSTILE)
    for figure in (heat, bars):
        names = list(figure.data[0].x)
        assert set(names) == {*(safe(name) for name in HOSTILE), "same (2)"}
        assert figure.layout.xaxis.type == "category"
        assert Image.open(io.BytesIO(png(figure))).size[0] > 400
        assert not refused_by_sanitiser(image_html(figure, "classes"))
    assert "&quot;" not in "".join(heat.data[0].x)  # plotly would show it as it stands


def test_still_of_many_bars_has_room_for_their_names() -> None:
    """Names are turned upright, so that a longer one makes the picture's axis lower and not the names overlap."""
    short, long = (
        recall_bars(ranked([[True]] * 20), [f"{number}" + " flower" * words for number in range(20)])
        for words in (0, 3)
    )

    def bar_height(data: bytes) -> int:
        picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=int)
        return int((np.abs(picture - [0x3B, 0x82, 0xF6]).max(axis=2) < 12).any(axis=1).sum())

    assert bar_height(png(long)) < 0.9 * bar_height(png(short))


def test_too_few_names_are_refused() -> None:
    with pytest.raises(DataError, match="3 proxies but 2 class names"):
        proxy_similarity(np.eye(3), ["a", "b"])
    with pytest.raises(DataError, match="2 classes but 1 class names"):
        recall_bars(ranked([[True], [True]]), ["a"])


def test_hovering_over_a_proxy_says_its_class_and_its_kind() -> None:
    points = np.random.default_rng(0).random((3, 2))
    figure = embedding_map(
        points, np.arange(3), ["x", "y", "z"], {"learned": points, "semantic": points, "fused": points}, HOSTILE[:3]
    )
    for kind in ("learned O", "semantic G", "fused q"):
        (trace,) = (trace for trace in figure.data if trace.name == kind)
        assert list(trace.text) == [safe(name) for name in HOSTILE[:3]]
        assert trace.hovertemplate.startswith(f"%{{text}}<br>{kind}")
