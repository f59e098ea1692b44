from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markup import Markup, refused_by_sanitiser
from sklearn.decomposition import PCA
from vptsp_widgets.sandbox import ProxySandbox
from vptsp_widgets.sandbox.gradients import fused_proxies
from vptsp_widgets.sandbox.presets import presets
from vptsp_widgets.sandbox.state import LOSSES, to_json

from vptsp.errors import DataError, RunError
from vptsp.runs.run import Run

POINTS: dict[str, Any] = {"samples": [[1, 0], [0, 2], [-1, 1]], "labels": [0, 1, 1], "proxies": [[1, 1], [0, -3]]}


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# --- stories and state ------------------------------------------------------------------------------
@pytest.mark.parametrize("name", list(presets()))
def test_every_story_is_told_in_two_sentences_and_stands_on_the_sphere(name: str) -> None:
    view = ProxySandbox(name)
    story = view._stories[name]
    assert len(re.findall(r"[.?!](?= [A-Z]|$)", story["caption"])) == 2
    state = view.state
    assert view.preset == state["preset"] == name
    assert np.linalg.norm(state["samples"], axis=1) == pytest.approx(1)
    assert all(state[key].dtype == np.float64 for key in ("samples", "proxies"))
    assert view.loss > 1  # there is something to look at
    assert json.loads(json.dumps(view._state)) == view._state


def cosine_with_own(view: ProxySandbox) -> float:
    state = view.state
    return float((state["samples"] * unit(fused_proxies(state))[state["labels"]]).sum(axis=1).mean())


def test_stories_show_what_they_say() -> None:
    assert cosine_with_own(ProxySandbox("random")) < 0
    near = ProxySandbox("semantic")
    assert cosine_with_own(near) > 0.8
    losses = []
    for alpha in (0, 0.25, 0.5, 0.75, 1):
        near.state = {"alpha": alpha}
        losses.append(near.loss)
    assert losses == sorted(losses)  # the further from G, the worse

    outlier = ProxySandbox("outlier")
    anchor = np.linalg.norm(outlier.gradients()["proxies"][0])
    outlier.state = {"loss": "normalized_softmax"}
    assert np.linalg.norm(outlier.gradients()["proxies"][0]) < anchor / 2

    absent = ProxySandbox("absent")
    assert len(np.unique(absent.state["labels"])) * 3 == len(absent.state["proxies"])  # so the pull falls to a third

    crowd = ProxySandbox("orthant")
    assert (crowd.state["semantic"] >= 0).all()
    before = crowd.loss
    crowd.state = {"alpha": 0.6}
    assert crowd.loss < before


def test_state_is_set_in_part_and_points_become_unit_vectors() -> None:
    view = ProxySandbox(**POINTS, class_names=["rose", "lily"], scale=8)
    assert view.preset == "own"
    np.testing.assert_allclose(view.state["samples"][2], [-(0.5**0.5), 0.5**0.5])
    np.testing.assert_allclose(view.state["proxies"][1], [0, -1])
    seen: list[Any] = []
    view.observe(lambda change: seen.append(change["new"]["margin"]), "state")
    view.state = {"margin": 0.3}
    assert seen == [0.3]
    assert (view.state["scale"], view.state["class_names"]) == (8, ["rose", "lily"])
    assert view._state["margin"] == 0.3
    view.state = {"proxies": np.eye(2), "semantic": np.eye(2)[::-1] * 4, "alpha": 0.25}
    np.testing.assert_array_equal(view.state["semantic"], np.eye(2)[::-1])
    view.state = {"proxies": 0.2 * np.eye(2)}  # beside semantic proxies the length is a weight, and stays
    np.testing.assert_array_equal(view.state["proxies"], 0.2 * np.eye(2))
    view.preset = "orthant"
    assert view.state["samples"].shape[1] == 3
    view.preset = "own"
    np.testing.assert_array_equal(view.state["proxies"][1], [0, -1])


def test_the_front_end_and_python_hold_the_same_numbers() -> None:
    view = ProxySandbox("orthant")
    moved = json.loads(json.dumps(view._state))
    moved["samples"][0] = unit(np.array([[0.3, 0.1, 0.7]]))[0].tolist()
    moved["scale"] = 20
    told: list[str] = []
    view.observe(lambda change: told.append(change["name"]), ["_state", "state"])
    view._state = moved
    assert view.state["samples"][0].tolist() == moved["samples"][0]  # to the last bit
    assert view._state == moved == to_json(view.state)
    assert sorted(told) == ["_state", "state"]  # nothing is sent back

    before = view.state
    view._state = {**moved, "labels": [9] * 12}
    assert "label 9 has no proxy" in view.status
    assert view.state is before


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_pass_through_the_normalisation(loss: str) -> None:
    view = ProxySandbox("semantic", loss=loss, alpha=0.7)
    gradients, state = view.gradients(), view.state
    np.testing.assert_allclose((gradients["samples"] * state["samples"]).sum(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(gradients["proxies"], 0.7 * gradients["fused"], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(gradients["semantic"], 0.3 * gradients["fused"], rtol=1e-6, atol=1e-9)
    assert np.abs(gradients["samples"]).max() > 0.1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"preset": "nonesuch"}, "'nonesuch' is unknown; choose one of random, semantic"),
        ({"preset": ["random"]}, "is unknown; choose one of random, semantic"),
        ({"preset": "random", **POINTS}, "given; a sandbox shows one of them"),
        ({"samples": [[1, 0]]}, "labels and proxies not given"),
        ({**POINTS, "samples": [1, 2, 3]}, r"shape \(3,\); give \(points, 2\) for the circle"),
        ({**POINTS, "samples": np.ones((3, 4))}, r"shape \(3, 4\)"),
        ({**POINTS, "samples": "abc"}, "not an array of numbers"),
        ({**POINTS, "samples": np.ones((99, 2))}, "99 samples given; the sandbox draws 1 to 60"),
        ({**POINTS, "samples": [[1, 0], [0, np.nan], [1, 1]]}, "not finite"),
        ({**POINTS, "samples": [[1, 0], [0, 0], [1, 1]]}, "at the origin"),
        ({**POINTS, "proxies": np.ones((2, 3))}, "3 coordinates and the samples 2"),
        ({**POINTS, "semantic": np.ones((3, 2))}, "3 semantic proxies for 2 proxies"),
        ({**POINTS, "labels": [0, 1]}, r"labels have shape \(2,\)"),
        ({**POINTS, "labels": [0.0, 1.0, 1.0]}, "float64; give one integer"),
        ({**POINTS, "labels": [0, 1, 2]}, "label 2 has no proxy; with 2 proxies labels are 0 to 1"),
        ({**POINTS, "labels": [0, -1, 1]}, "label -1 has no proxy"),
        ({**POINTS, "class_names": ["one"]}, "1 class names for 2 proxies"),
        ({"loss": "triplet"}, "loss='triplet' is unknown; choose one of proxy_anchor"),
        ({"positive_mean": "some"}, "positive_mean='some' is unknown"),
        ({"scale": 0}, "scale=0 is not a number from 0.1 to 512"),
        ({"alpha": "half"}, "alpha=half is not a number from 0 to 1"),
        ({"moves": ["images"]}, "choose among samples, proxies, semantic"),
        ({"preset": "orthant", "turn": np.ones((3, 3))}, "not a rotation"),
        ({"colour": "red"}, "'colour' is not part of a sandbox's state"),
    ],
)
def test_bad_input_is_one_clear_sentence(given: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        ProxySandbox(**given)
    assert "\n" not in str(caught.value)


# --- runs -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dimension", [2, 3])
def test_a_run_is_projected_by_pca_with_its_mixtures(tiny_run: Run, dimension: int) -> None:
    index = json.loads((tiny_run.path / "snapshots" / "probes.json").read_text())
    names, labels = index["proxy_class_names"], np.array(index["train"]["labels"])
    rows = np.unique(labels)[::-1]  # with images; tiny runs have few
    view = ProxySandbox.of_run(tiny_run, [names[rows[0]], *rows[1:]], dimension)
    state = view.state
    assert state["class_names"] == [names[row] for row in rows]
    assert (state["alpha"], state["scale"]) == (tiny_run.config.alpha, tiny_run.config.loss_scale)
    tensors = {name: value.numpy().astype(np.float64) for name, value in tiny_run.snapshot(2).items()}
    images = np.concatenate([tensors["probe_train"][labels == row] for row in rows])
    axes = PCA(dimension).fit(images).components_.T  # up to signs, which cosines do not see
    np.testing.assert_allclose(
        state["samples"] @ unit(fused_proxies(state)).T,
        unit(images @ axes) @ unit(tensors["fused"][rows] @ axes).T,
        atol=1e-5,
    )
    said = view._stories["own"]
    assert "projection of epoch 2" in said["caption"]
    assert tiny_run.name in said["title"]
    view.still()


def test_runs_and_classes_that_cannot_be_shown(tiny_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = json.loads((tiny_run.path / "snapshots" / "probes.json").read_text())["proxy_class_names"]
    with pytest.raises(DataError, match=f"'rose' is not a training class of the run; give names such as '{names[0]}'"):
        ProxySandbox.of_run(tiny_run, ["rose", names[0]])
    for odd in (None, 0.5, True, len(names), -1):
        with pytest.raises(DataError, match=f"'{odd}' is not a training class of the run"):
            ProxySandbox.of_run(tiny_run, [odd, 1])  # type: ignore[list-item]
    with pytest.raises(DataError, match="3 classes given; give 2 to 8 different ones"):
        ProxySandbox.of_run(tiny_run, [0, 1, 0])
    with pytest.raises(DataError, match="dimension=4 is neither"):
        ProxySandbox.of_run(tiny_run, dimension=4)
    shutil.copytree(tiny_run.path, tmp_path / "bare", ignore=shutil.ignore_patterns("epoch_*"))
    with pytest.raises(RunError, match="no snapshots yet"):
        ProxySandbox.of_run(tmp_path / "bare")
    whole = tiny_run.snapshot_arrays(2)
    monkeypatch.setattr(
        Run, "snapshot_arrays", lambda *_: {name: rows[..., :2] if rows.ndim else rows for name, rows in whole.items()}
    )
    assert ProxySandbox.of_run(tiny_run).state["samples"].shape[1] == 2
    with pytest.raises(DataError, match="embeddings of size 2 have no 3 main axes; give dimension=2"):
        ProxySandbox.of_run(tiny_run, dimension=3)


# --- display ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["outlier", "semantic", "orthant"])
def test_still_is_plain_html_with_the_numbers(name: str) -> None:
    view = ProxySandbox(name)
    page = view.still()
    assert refused_by_sanitiser(page) == []
    markup = Markup(page)
    assert f"loss {view.loss:.4g}" in markup.all("img")[0]["alt"]
    assert markup.all("img")[0]["src"].startswith("data:image/png;base64,")
    assert len(markup.all("tr")) == 1 + len(view.state["proxies"])
    slope = np.linalg.norm(view.gradients()["fused"][0])
    assert f"{slope:.3g}" in markup.text
    assert view._stories[name]["caption"] in markup.text


def test_names_stay_text_and_a_bundle_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    view = ProxySandbox(**POINTS, class_names=["<b>x</b>", "$y_1$"], loss="proxy_nca")
    assert "<b>x" not in view.still()
    assert view.summary() == f"ProxySandbox: 3 samples and 2 proxies on the circle, Proxy-NCA {view.loss:.4g}"
    monkeypatch.setenv("VPTSP_HEADLESS", "1")
    assert set(view._repr_mimebundle_()) == {"text/html", "text/plain"}
