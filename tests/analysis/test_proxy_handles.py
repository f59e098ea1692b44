"""Proxies as handles: predictions against brute force, forces against autograd of the losses in all dimensions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from vptsp.analysis import proxy_handles
from vptsp.analysis.proxy_forces import forces, gradients_by_cosine
from vptsp.analysis.proxy_handles import (
    Predictions,
    ProxyHandles,
    handles_of,
    mean_direction,
    nearest_after,
    nearest_proxies,
    row_of,
)
from vptsp.core.losses import make_loss
from vptsp.errors import DataError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.runs.snapshots import Snapshots
from vptsp.runs.whitening import Whitening
from vptsp.settings.config import Config

NAMES = ("oak", "elm", "ash", "fir", "yew")


def some_handles(seed: int = 0, classes: int = 5, size: int = 6, config: Config | None = None) -> ProxyHandles:
    rng = np.random.default_rng(seed)
    learned, semantic = rng.normal(size=(2, classes, size)).astype(np.float32)
    semantic /= np.linalg.norm(semantic, axis=1, keepdims=True)
    return ProxyHandles(NAMES[:classes], 3 * learned, semantic, 0.5, config)


def nearest_one_by_one(images: np.ndarray, proxies: np.ndarray) -> list[int]:
    """Brute force, in fp64."""
    cosines = [[image @ q / np.linalg.norm(image) / np.linalg.norm(q) for q in proxies] for image in images]
    return [int(np.argmax(row)) for row in cosines]


@given(st.integers(0, 2**16), st.integers(1, 40), st.floats(0, 1))
def test_the_nearest_proxy_is_that_of_brute_force(seed: int, number: int, alpha: float) -> None:
    handles = some_handles(seed)
    images = np.random.default_rng(seed + 1).normal(size=(number, 6)).astype(np.float32)
    fused = alpha * handles.learned.astype(float) + (1 - alpha) * handles.semantic.astype(float)
    found = nearest_proxies(images, handles.among_images(alpha))
    expected = nearest_one_by_one(images.astype(float), fused)
    unit = fused / np.linalg.norm(fused, axis=1, keepdims=True)
    for image, one, other in zip(images, found, expected, strict=True):
        # where two are equally near, rounding decides
        assert one == other or abs(image @ unit[one] - image @ unit[other]) < 1e-4 * np.linalg.norm(image)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).normal(size=(57, 6)).astype(np.float32)
    whole = nearest_proxies(images, some_handles().among_images())
    monkeypatch.setattr(proxy_handles, "_CELLS_AT_ONCE", 23)
    assert nearest_proxies(images, some_handles().among_images()).tolist() == whole.tolist()
    monkeypatch.setattr(proxy_handles, "_CELLS_AT_ONCE", 1)
    assert nearest_proxies(images, some_handles().among_images()).tolist() == whole.tolist()


@given(st.integers(0, 2**16), st.integers(0, 40), st.sets(st.integers(0, 4)))
def test_after_a_move_images_are_nearest_to_what_all_proxies_say(seed: int, number: int, moved: set[int]) -> None:
    handles, rng = some_handles(seed), np.random.default_rng(seed + 1)
    images = rng.normal(size=(number, 6)).astype(np.float32)
    elsewhere = {row: rng.normal(size=6).astype(np.float32) for row in moved}
    proxies = handles.among_images(0.3)
    found = nearest_after(images, proxies, nearest_proxies(images, proxies), elsewhere)
    after = handles.among_images(0.3, elsewhere)
    for image, one, other in zip(images, found, nearest_proxies(images, after), strict=True):
        assert one == other or abs(image @ after[one] - image @ after[other]) < 1e-4 * np.linalg.norm(image)


def test_both_ends_of_alpha_are_the_two_kinds_and_no_other_alpha_is_legal() -> None:
    handles = some_handles()
    unit = handles.learned / np.linalg.norm(handles.learned, axis=1, keepdims=True)
    np.testing.assert_allclose(handles.among_images(1), unit, atol=1e-6)
    np.testing.assert_allclose(handles.among_images(0), handles.semantic, atol=1e-6)
    np.testing.assert_array_equal(handles.among_images(), handles.among_images(0.5))
    alone = replace(handles, semantic=None)
    np.testing.assert_allclose(alone.among_images(0.2), unit, atol=1e-6)
    for wrong in (-0.1, 1.01, float("nan")):
        with pytest.raises(DataError, match="is no share; give 0"):
            handles.among_images(wrong)


def test_predictions_are_counted_for_images_of_classes_with_proxies_alone() -> None:
    found = Predictions(np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 2, 0]), np.array([0, 1, 0, -1, 2]))
    assert found.changed.tolist() == [False, True, False, False, True]
    assert (found.known, found.accuracy) == (4, (0.5, 0.5))
    table = found.by_class(NAMES[:3])
    assert table.loc["oak"].tolist() == [2, 1, 1, 2, 2]  # images, right before and now, nearest before and now
    assert table.loc["elm"].tolist() == [1, 0, 1, 1, 2]
    assert table["nearest"].sum() == 5
    assert Predictions(found.before, found.now, np.full(5, -1)).accuracy is None


def test_a_moved_proxy_is_the_mean_direction_of_its_images() -> None:
    images = np.random.default_rng(3).normal(size=(4, 6)).astype(np.float32)
    unit = images / np.linalg.norm(images, axis=1, keepdims=True)
    expected = unit.T @ [1, 2, 3, 4]
    mean = mean_direction(images, [1, 2, 3, 4])
    np.testing.assert_allclose(mean, expected / np.linalg.norm(expected), atol=1e-6)
    handles = some_handles()
    rows = handles.among_images(0.3, {2: mean})
    np.testing.assert_allclose(rows[2], mean, atol=1e-6)
    np.testing.assert_array_equal(np.delete(rows, 2, axis=0), np.delete(handles.among_images(0.3), 2, axis=0))
    with pytest.raises(DataError, match="none were given"):
        mean_direction(images[:0])
    with pytest.raises(DataError, match="the 2 images cancel each other out"):
        mean_direction(np.array([[1.0, 0], [-1, 0]], np.float32))
    with pytest.raises(DataError, match="'palm' has no proxy; the 5 classes that have begin with 'oak'"):
        row_of(handles, "palm")


def test_of_a_whitened_model_fusion_is_where_it_was_trained() -> None:
    rng = np.random.default_rng(5)
    matrix = (np.eye(6) + 0.2 * rng.normal(size=(6, 6))).astype(np.float32)
    offset = (0.1 * rng.normal(size=6)).astype(np.float32)
    plain = some_handles()
    whitened = replace(plain, whitening=Whitening(matrix, offset))
    fused = plain.among_images(0.3)
    moved = fused @ matrix.T + offset
    np.testing.assert_allclose(
        whitened.among_images(0.3), moved / np.linalg.norm(moved, axis=1, keepdims=True), atol=1e-5
    )
    np.testing.assert_allclose(whitened.as_trained(0.3), fused, atol=1e-6)
    elsewhere = whitened.among_images(0.9)[0]
    np.testing.assert_allclose(whitened.among_images(0.3, {1: elsewhere})[1], elsewhere, atol=1e-6)
    np.testing.assert_allclose(whitened.as_trained(0.3, {1: elsewhere})[1], plain.among_images(0.9)[0], atol=1e-4)


# --- forces -----------------------------------------------------------------------------------------
LOSSES = ("proxy_anchor", "image_anchor", "proxy_nca", "normalized_softmax", "proxy_nca_plus")


@pytest.mark.parametrize("name", LOSSES)
def test_forces_move_the_image_as_autograd_of_the_loss_does(name: str) -> None:
    """``dL/dx`` on the sphere is the sum of ``dL/ds_c (q_c - s_c x)``, which autograd finds in all dimensions."""
    handles = some_handles(1)
    loss = make_loss(name, scale=8.0, margin=0.1)
    proxies = torch.from_numpy(handles.as_trained())
    for seed, own in ((0, 0), (1, 3)):
        x = torch.randn(6, generator=torch.Generator().manual_seed(seed))
        x = F.normalize(x, dim=0).requires_grad_()
        (expected,) = torch.autograd.grad(loss(x[None], torch.tensor([own]), proxies), x)
        cosines = (proxies @ x.detach()).numpy()
        gradients = gradients_by_cosine(loss, cosines, own)
        tangents = proxies.numpy() - cosines[:, None] * x.detach().numpy()
        np.testing.assert_allclose(gradients @ tangents, expected.numpy(), atol=2e-5)
        assert gradients[own] < 0 <= np.delete(gradients, own).min()


def test_forces_of_proxy_anchor_are_its_formula(tiny: Callable[..., Config]) -> None:
    """Kim et al., eq. 5: the slopes of both terms, of one image; for an unseen class, of one class more."""
    handles = some_handles(2, config=tiny(loss_scale=12.0, loss_margin=0.2))
    image = np.random.default_rng(9).normal(size=6).astype(np.float32)
    cosines = handles.among_images() @ (image / np.linalg.norm(image))

    def slope(value: np.ndarray) -> np.ndarray:
        return 12 / (1 + np.exp(-value))

    found = forces(handles, image, 4)
    expected = slope(12 * (cosines + 0.2)) / 5
    expected[4] = -slope(-12 * (cosines[4] - 0.2))
    np.testing.assert_allclose(found.gradients, expected, rtol=1e-3)
    np.testing.assert_allclose(found.cosines, cosines, atol=1e-5)
    assert (found.loss, found.note) == ("Proxy Anchor", "")
    table = found.table(NAMES)
    assert table["gradient"].abs().is_monotonic_decreasing
    assert dict(table["effect"]) == {name: "pull" if name == "yew" else "push" for name in NAMES}

    unseen = forces(handles, image, -1)
    np.testing.assert_allclose(unseen.gradients, slope(12 * (cosines + 0.2)) / 6, rtol=1e-3)
    assert "nothing pulls" in unseen.note
    elsewhere = forces(handles, image, -1, handles.as_trained(1.0))
    np.testing.assert_allclose(
        elsewhere.cosines, handles.among_images(1.0) @ (image / np.linalg.norm(image)), atol=1e-5
    )


def test_an_image_on_its_proxy_has_finite_forces(tiny: Callable[..., Config]) -> None:
    handles = some_handles(2, config=tiny())
    for image in (handles.among_images()[1], -handles.among_images()[1]):
        assert np.isfinite(forces(handles, image, 1).gradients).all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"loss": "smooth_ap", "method": "bias"}, "loss=smooth_ap compares images with other images of the batch"),
        ({"loss": "soft_triple", "method": "bias"}, "with weights of its own for every class"),
        ({"loss": "curricular_face"}, "loss=curricular_face remembers earlier batches"),
    ],
)
def test_losses_without_forces_say_why(tiny: Callable[..., Config], changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        forces(some_handles(config=tiny(**changes)), np.ones(6, np.float32), 0)


def test_softmax_has_no_push_without_a_pull_and_arrays_have_no_loss(tiny: Callable[..., Config]) -> None:
    image = np.ones(6, np.float32)
    handles = some_handles(config=tiny(loss="normalized_softmax"))
    with pytest.raises(DataError, match="the image's class has no proxy, and normalised softmax pushes"):
        forces(handles, image, -1)
    softmax = torch.softmax(32 * torch.from_numpy(handles.among_images() @ image / np.sqrt(6)), dim=0).numpy()
    expected = 32 * (softmax - np.eye(5)[2])
    np.testing.assert_allclose(forces(handles, image, 2).gradients, expected, atol=1e-3)
    entropy = replace(handles, config=tiny(loss_scale=32.0).model_copy(update={"task": "recognition"}))
    np.testing.assert_allclose(forces(entropy, image, 2).gradients, expected, atol=1e-3)
    with pytest.raises(DataError, match="no run says by which loss"):
        forces(some_handles(), image, 0)


# --- runs -------------------------------------------------------------------------------------------
def test_the_handles_of_a_run_are_its_proxies(tiny_run: Run) -> None:
    saved = SavedEmbeddings.of_run(tiny_run, "train")
    handles = handles_of(tiny_run, saved)
    assert handles is not None
    assert saved.origin is not None
    snapshot = Snapshots(tiny_run)[saved.origin.epoch]
    fused = snapshot.fused
    assert fused is not None
    unit = fused / np.linalg.norm(fused, axis=1, keepdims=True)
    np.testing.assert_allclose(handles.among_images(), unit, atol=1e-5)
    own = handles.own_of(saved.class_names, saved.labels)
    assert [handles.class_names[row] for row in own] == [saved.class_names[label] for label in saved.labels]
    assert handles.probes is not None
    place = {name: row for row, name in enumerate(saved.ids)}
    probes = snapshot.index.probes["train"]
    rows = [place[name] for name in probes.ids]
    np.testing.assert_allclose(handles.probes.embeddings, saved.embeddings[rows], atol=1e-4)
    assert handles.probes.own.tolist() == own[rows].tolist()
    unseen = SavedEmbeddings.of_run(tiny_run, "test")
    assert set(handles.own_of(unseen.class_names, unseen.labels)) == {-1}
    found = forces(handles, saved.embeddings[0], int(own[0]))
    assert found.gradients[own[0]] < 0
