"""The time machine's Python side: what it sends, what may be set, following a run, its still and its block."""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from vptsp_widgets import report_blocks
from vptsp_widgets.linking import link
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.timemachine import TimeMachine, part

from tests.markup import Markup, outside_references, refused_by_sanitiser
from vptsp.analysis.replay import replay
from vptsp.errors import DataError, RunError
from vptsp.files import write_json
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run

EVIL = '<img src=x onerror="boom()"> $x$ فراشة'


@pytest.fixture
def run(tiny_run: Run, tmp_path: Path) -> Run:
    shutil.copytree(tiny_run.path, tmp_path / "run")
    return Run.open(tmp_path / "run")


def test_the_browser_gets_every_epoch(tiny_run: Run) -> None:
    view, shown = TimeMachine.of_run(tiny_run), replay(tiny_run)
    points = 8 + 3 * len(shown.proxy_labels)
    places = np.frombuffer(view._places, dtype="<f4").reshape(1, 3, points, 2)
    np.testing.assert_array_equal(places[0, :, :8], shown.images)
    np.testing.assert_array_equal(places[0, :, 8:], np.concatenate(list(shown.proxies.values()), axis=1))
    labels = np.frombuffer(view._labels, dtype="<i4")
    expected = [*shown.labels, *shown.proxy_labels]
    assert [view._names[label] for label in labels] == [shown.class_names[label] for label in expected]
    assert view.ids == shown.ids
    assert view._atlas["places"] == list(range(8))  # train and test images on one page
    assert view._tiles[:2] == b"\xff\xd8"
    titles = [curve["title"] for curve in view._content["curves"]]
    assert titles[0] == "Validation R@1"
    assert all(title.startswith("R@1 among the 4 ") for title in titles[1:])
    assert view._content["curves"][0]["values"][0] is None
    json.dumps(view._content, allow_nan=False)
    assert "epochs 0 to 2, 8 probe images" in view.summary()


def test_snapshots_alone_are_enough(run: Run) -> None:
    for folder in ("embeddings", "checkpoint", "baselines"):
        shutil.rmtree(run.path / folder)
    (run.path / "summary.json").unlink()
    (run.path / "metrics.jsonl").unlink()
    view = TimeMachine.of_run(run)
    assert (view._tiles, view._atlas) == (b"", {})
    assert "Validation" not in str(view._content["curves"])
    assert Markup(view.still()).all("img")


def test_epoch_frame_and_classes_can_be_set_and_are_checked(tiny_run: Run) -> None:
    first = replay(tiny_run)
    view = TimeMachine([first, replace(first, frame="aligned", shares={})])
    assert (view.epoch, view.frame) == (2, "pca")
    assert len(view.classes) == 3
    view.epoch, view.frame = 1, "aligned"
    with pytest.raises(DataError, match="there is no epoch 7; the run has snapshots of epochs 0 to 2"):
        view.epoch = 7
    with pytest.raises(DataError, match="there is no frame 'umap'; this time machine has pca, aligned"):
        view.frame = "umap"
    with pytest.raises(DataError, match=r"there is no class 'rose' among the \d+ shown"):
        view.classes = ["rose"]
    with pytest.raises(DataError, match="8 classes are too many for trails that can be told apart; give 7"):
        view.classes = [first.class_names[label] for label in first.proxy_labels[:8]]
    assert (view.epoch, view.frame) == (1, "aligned")
    view.classes = [first.class_names[label] for label in first.proxy_labels[[4, 1]]]
    assert [view._names[row] for row in view._trails] == view.classes
    view._trails = view._trails[:1]  # as the browser does
    assert view.classes == [first.class_names[first.proxy_labels[4]]]


def test_replays_must_be_of_one_run(tiny_run: Run) -> None:
    with pytest.raises(DataError, match="there is no replay to show"):
        TimeMachine([])
    first = replay(tiny_run)
    with pytest.raises(DataError, match="the replays are of different runs or classes"):
        TimeMachine([first, replay(tiny_run, classes=list(first.class_names[:3]))])
    with pytest.raises(DataError, match=r"no run to read again; use TimeMachine\.of_run"):
        TimeMachine(first).refresh()


def test_more_than_can_be_shown_is_sampled_and_said(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "MOST_IMAGES", 5)
    view = TimeMachine.of_run(tiny_run, most=6)
    total = len(replay(tiny_run).proxy_labels)
    assert view.counts() == (
        f"5 of 8 probe images shown; learned, semantic, fused proxies of 6 of {total} training classes shown"
    )
    assert len(view.ids) == 5
    assert view.counts() in view.still()


def test_a_training_run_is_followed(run: Run) -> None:
    last = run.snapshot_path(2).rename(run.path / "later")
    view = TimeMachine.of_run(run)
    sent: list[dict[str, object]] = []
    view.send = lambda content, buffers=None: sent.append(content)
    view.classes = view.classes[:1]
    kept = view.classes
    assert (view.epoch, view.epochs) == (1, (0, 1))
    last.rename(run.snapshot_path(2))
    view._handle({"kind": "refresh"}, [])
    assert (view.epoch, view.epochs, view.classes, view.status) == (2, (0, 1, 2), kept, "")
    assert np.frombuffer(view._places, dtype="<f4").reshape(3, -1, 2).shape[0] == 3
    view.epoch = 0
    view.refresh()
    assert view.epoch == 0  # whoever looks at an earlier epoch stays there
    run.snapshot_path(2).write_bytes(b"cut")
    view._handle({"kind": "refresh"}, [])
    assert "damaged or cut off" in view.status
    assert view.epochs == (0, 1, 2)  # what was read stays
    assert sent == [{"kind": "refreshed"}] * 2


def test_another_run_can_be_shown_and_views_linked(tiny_run: Run, run: Run) -> None:
    run.snapshot_path(1).unlink()
    view, space = TimeMachine.of_run(tiny_run), SpaceExplorer.of_run(tiny_run, method="pca")
    link(view, space)
    test = [name for name, of_test in zip(view.ids, view.replays[0].is_test, strict=True) if of_test]
    space.focus = test[0]
    assert view.focus == test[0]
    view.selection = [*view.ids[:1], *test[:2]]  # the map has no training images
    assert space.selection == test[:2]
    view.run = str(run.path)
    assert view.epochs == (0, 2)
    view.run = str(run.path / "baselines" / "frozen")
    assert "has no snapshots to play" in view.status
    assert view.epochs == (0, 2)


def test_a_run_without_snapshots_has_no_time_machine_and_no_block(tiny_run: Run) -> None:
    frozen = Run.open(tiny_run.path / "baselines" / "frozen")
    with pytest.raises(RunError, match="has no snapshots to play"):
        TimeMachine.of_run(frozen)
    assert report_blocks.timemachine_block(frozen, "pca") == ""


def test_the_still_is_a_picture_and_a_table_for_untrusted_notebooks(tiny_run: Run) -> None:
    view = TimeMachine.of_run(tiny_run)
    still = view.still()
    assert refused_by_sanitiser(still) == []
    assert outside_references(still) == []
    markup = Markup(still)
    (image,) = markup.all("img")
    assert image["alt"] == f"Proxies and probe images of {tiny_run.name} after epochs 0, 1, 2, in one frame"
    for line in tiny_run.metrics():
        assert f"{100 * line['val_recall_at_1']:.1f} %" in markup.text
    turned = view.replays[0].turned["semantic"][2].mean()
    assert f"{turned:.1f}°" in markup.text
    assert all(name in markup.text for name in view.classes)


def test_hostile_names_are_text_everywhere(run: Run) -> None:
    path = run.path / "snapshots" / "probes.json"
    index = json.loads(path.read_text())
    index["proxy_class_names"] = [f"{EVIL}{turn}" for turn in range(len(index["proxy_class_names"]))]
    write_json(path, index)
    view = TimeMachine.of_run(run)
    block = report_blocks.timemachine_block(run, "pca")
    assert "<img src=x" not in view.still() + block
    assert refused_by_sanitiser(view.still()) == []


def test_the_block_names_images_as_the_other_blocks_do(run: Run) -> None:
    block = report_blocks.timemachine_block(run, "pca")
    assert '<div id="vptsp-timemachine"></div>' in block
    assert outside_references(block) == []
    assert len(Markup(block).all("script")) == 2  # the state, and the view
    assert len(block) < 2e6
    data = block.split('<script type="application/json"')[1].split(">", 1)[1].split("</script>")[0]
    state = json.loads(data)["state"]
    rows = np.frombuffer(base64.b64decode(state["_rows"]["bytes"]), dtype="<i4")
    saved = SavedEmbeddings.of_run(run)
    ids = state["_ids"]
    assert rows[:4].tolist() == [-1] * 4
    assert [saved.ids[row] for row in rows[4:]] == ids[4:]
    run.snapshot_path(1).write_bytes(b"cut")
    assert "The epochs cannot be shown: " in report_blocks.timemachine_block(run, "pca")
