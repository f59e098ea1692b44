"""The search against a brute-force oracle that orders by (fp32 cosine descending, row ascending)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vptsp.errors import DataError
from vptsp.evaluation import ranking as retrieval
from vptsp.evaluation.ranking import RetrievalResults, search
from vptsp.evaluation.torch_products import TorchProducts


def oracle(embeddings, labels, is_query, is_gallery, k):
    """Neighbour rows (Q, k) and R (Q,), one query at a time."""
    norms = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
    unit = (embeddings / np.maximum(norms, 1e-300)).astype(np.float32).astype(np.float64)
    query_rows, gallery_rows = np.flatnonzero(is_query), np.flatnonzero(is_gallery)
    cosines = (unit[query_rows] @ unit[gallery_rows].T).astype(np.float32)
    ranked, relevant = np.full((len(query_rows), k), -1), []
    for query, row, cosine in zip(range(len(query_rows)), query_rows, cosines, strict=True):
        order = gallery_rows[np.argsort(-cosine, kind="stable")]
        others = order[order != row]
        ranked[query, : len(others)] = others[:k]
        relevant.append((labels[others] == labels[row]).sum())
    return ranked, np.array(relevant)


def on_torch(queries, gallery):
    return TorchProducts(queries, gallery, "cpu")


@pytest.fixture(params=["faiss", "torch"])
def candidates(request, monkeypatch):
    """Both sources of products; CUDA takes the torch one, which runs on any device."""
    if request.param == "torch":
        monkeypatch.setattr(retrieval, "_FaissProducts", on_torch)
    return request.param


@st.composite
def problems(draw):
    """Small integer embeddings: many duplicates, ties and zero vectors."""
    images, width = draw(st.integers(2, 30)), draw(st.integers(1, 4))
    embeddings = draw(hnp.arrays(np.float32, (images, width), elements=st.integers(-2, 2).map(float)))
    labels = draw(hnp.arrays(np.int64, images, elements=st.integers(0, 4)))
    masks = hnp.arrays(bool, images).filter(np.any)
    return (
        embeddings,
        labels,
        draw(masks),
        draw(masks),
        draw(st.integers(1, images + 3)),
        draw(st.integers(1, 40)),
    )


@pytest.mark.parametrize("source", ["faiss", "torch"])
@settings(max_examples=150, deadline=None)
@given(problem=problems())
def test_search_equals_the_oracle(source, problem):
    embeddings, labels, is_query, is_gallery, k, block = problem
    with pytest.MonkeyPatch.context() as patch:
        if source == "torch":
            patch.setattr(retrieval, "_FaissProducts", on_torch)
        results = search(embeddings, labels, is_query, is_gallery, k=k, block=block)
    expected, relevant = oracle(embeddings, labels, is_query, is_gallery, k)
    np.testing.assert_array_equal(results.neighbor_positions, expected)
    np.testing.assert_array_equal(results.query_positions, np.flatnonzero(is_query))
    np.testing.assert_array_equal(results.relevant, relevant)
    present = expected >= 0
    np.testing.assert_array_equal(results.neighbor_labels, np.where(present, labels[expected], -1))
    same_class = labels[np.flatnonzero(is_query)][:, None] == labels[expected]
    np.testing.assert_array_equal(results.matches, present & same_class)
    assert (np.isneginf(results.similarities) == ~present).all()


def test_duplicates_tie_exactly_where_matrix_products_do_not(candidates):
    rng = np.random.default_rng(0)
    distinct = rng.standard_normal((300, 96), dtype=np.float32)
    embeddings = distinct[rng.integers(0, 300, 2000)]
    everything = np.ones(2000, dtype=bool)
    for k in (3, 9, 40):  # the k-th rank falls inside a group of duplicates
        results = search(embeddings, np.zeros(2000, dtype=np.int64), k=k, block=512)
        expected, _ = oracle(embeddings, np.zeros(2000), everything, everything, k)
        np.testing.assert_array_equal(results.neighbor_positions, expected)
        assert (np.diff(results.similarities, axis=1) <= 0).all()


def test_collapsed_embeddings_are_ranked_by_row(candidates):
    embeddings = np.tile(np.random.default_rng(1).standard_normal(384), (700, 1))
    results = search(embeddings, np.zeros(700, dtype=np.int64), k=5)
    np.testing.assert_array_equal(results.neighbor_positions[3], [0, 1, 2, 4, 5])
    np.testing.assert_array_equal(results.neighbor_positions[600], [0, 1, 2, 3, 4])


def test_permuting_the_images_permutes_the_neighbours(candidates):
    rng = np.random.default_rng(2)
    embeddings, order = rng.standard_normal((400, 48)), rng.permutation(400)
    labels = rng.integers(0, 20, 400)
    plain, permuted = search(embeddings, labels), search(embeddings[order], labels[order])
    np.testing.assert_array_equal(order[permuted.neighbor_positions], plain.neighbor_positions[order])
    np.testing.assert_array_equal(permuted.relevant, plain.relevant[order])


def test_similarities_are_cosines_whatever_the_scale_type_and_precision_settings():
    rng = np.random.default_rng(3)
    embeddings = rng.standard_normal((60, 32))
    labels = np.arange(60) // 3
    plain = search(embeddings, labels, k=10)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    expected = (unit[:, None] * unit[plain.neighbor_positions]).sum(axis=2)
    np.testing.assert_allclose(plain.similarities, expected, atol=1e-6)
    scales = 10.0 ** rng.integers(-30, 30, 60)[:, None]
    scaled = search(embeddings * scales, labels, k=10)
    np.testing.assert_array_equal(scaled.neighbor_positions, plain.neighbor_positions)

    tensor = torch.tensor(embeddings, dtype=torch.float32, requires_grad=True)
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16), pytest.MonkeyPatch.context() as patch:
            patch.setattr(retrieval, "_FaissProducts", on_torch)
            careless = search(tensor, torch.as_tensor(labels), k=10)
        assert torch.backends.cuda.matmul.fp32_precision == "tf32"
    finally:
        torch.backends.cuda.matmul.fp32_precision = "ieee"
    np.testing.assert_allclose(careless.similarities, plain.similarities, atol=1e-6)


def test_default_k_reaches_one_rank_beyond_the_largest_class():
    embeddings, labels = np.eye(9, dtype=np.float32), np.array([0] * 5 + [1] * 4)
    assert search(embeddings, labels).k == 5
    assert search(embeddings, labels, at_least=8).k == 8
    assert search(embeddings, labels, at_least=2).k == 5


def test_unusable_input_is_refused_with_what_was_given():
    embeddings, labels = np.ones((4, 2), dtype=np.float32), np.zeros(4, dtype=np.int64)
    nobody, broken = np.zeros(4, dtype=bool), embeddings.copy()
    broken[1, 0], broken[3, 1] = np.nan, np.inf
    with pytest.raises(DataError, match="2 of 4 embeddings hold NaN or infinity"):
        search(broken, labels)
    with pytest.raises(DataError, match="query set is empty"):
        search(embeddings, labels, is_query=nobody)
    with pytest.raises(DataError, match="gallery set is empty"):
        search(embeddings, labels, is_gallery=nobody)
    with pytest.raises(DataError, match="4 embeddings but labels of shape"):
        search(embeddings, labels[:3])
    with pytest.raises(DataError, match="must be integers"):
        search(embeddings, labels.astype(float))
    with pytest.raises(DataError, match="is_query is int64"):
        search(embeddings, labels, is_query=labels)
    with pytest.raises(DataError, match="embeddings have shape"):
        search(embeddings[0], labels)
    with pytest.raises(DataError, match="k is 0"):
        search(embeddings, labels, k=0)


def test_results_are_validated():
    good = search(np.eye(4, dtype=np.float32), np.zeros(4, dtype=np.int64), k=2)
    with pytest.raises(ValueError, match="relevant must be int64"):
        replace(good, relevant=good.relevant.astype(float))
    with pytest.raises(ValueError, match="similarities must be float32"):
        replace(good, similarities=good.similarities[:, :1])
    with pytest.raises(ValueError, match="among its own neighbours"):
        replace(good, neighbor_positions=good.neighbor_positions[::-1].copy())
    with pytest.raises(ValueError, match="not empty"):
        RetrievalResults(*(array[:0] for array in vars(good).values()))


# --- the room's door ------------------------------------------------------------------------------
def test_the_room_gives_its_public_names_and_search_stays_a_module():
    import vptsp.evaluation
    from vptsp.evaluation import evaluate_retrieval, metrics
    from vptsp.evaluation import ranking as module

    assert evaluate_retrieval is metrics.evaluate_retrieval
    assert module.search is search
    assert {name for name in vptsp.evaluation.__all__ if not callable(getattr(vptsp.evaluation, name))} == set()
    with pytest.raises(AttributeError, match="has no attribute 'serach'"):
        vptsp.evaluation.serach  # noqa: B018
