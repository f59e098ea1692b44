"""Views of a map kept with a run: two writers, torn lines, lines that are none, and what is brought back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vptsp.errors import DataError, RunError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.kept_views import KeptView, KeptViews
from vptsp.runs.run import Run

_WRITER = """
import sys
from pathlib import Path
from vptsp.runs.kept_views import KeptView, KeptViews
views, who = KeptViews(Path(sys.argv[1])), sys.argv[2]
for number in range(20):
    for name in (f"{who} {number}", "both"):
        views.keep(KeptView(name, {"zoom": number}, (who,)), who.encode(), b"small")
"""
RIM = KeptView("rim", {"zoom": 2.5, "colour": "class"}, ("a", "b"), "b", {"method": "pca"}, [[0.0, 1.0]], "40 images")


def test_two_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "views" / "test.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path), who]) for who in ("one", "other")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    views = KeptViews(path)
    found = views.read()
    assert found.keys() == {f"{who} {number}" for who in ("one", "other") for number in range(20)} | {"both"}
    assert found["both"].state == {"zoom": 19}  # the later word
    assert {views.picture(view) for view in found.values()} == {b"one", b"other"}
    assert len(list(path.with_suffix("").glob("*.png"))) == 80  # what was replaced can be brought back


@pytest.mark.parametrize("place", ["views.jsonl", None])
def test_kept_forgotten_replaced_and_brought_back(tmp_path: Path, place: str | None) -> None:
    views = KeptViews(tmp_path / place if place else None)
    first = views.keep(RIM, b"png", b"jpg")
    assert views.named("rim") == first
    assert (first.state, first.selection, first.focus, first.span) == (RIM.state, RIM.selection, RIM.focus, RIM.span)
    assert (views.picture(first), views.small(first)) == (b"png", b"jpg")
    views.keep(KeptView(" other ", {}), b"", b"")
    second = views.keep(KeptView("rim", {"zoom": 9}), b"png", b"jpg")
    assert second.key != first.key
    assert list(views.read()) == ["other", "rim"]
    views.restore("rim", first.key)
    assert views.named("rim") == first
    views.forget("rim")
    assert list(views.read()) == ["other"]
    views.restore("rim", first.key)
    assert views.named("rim") == first
    views.restore("rim", "")
    assert list(views.read()) == ["other"]
    with pytest.raises(DataError, match=r"no view is kept as 'othe' \(did you mean other\?\); there are: other"):
        views.named("othe")
    with pytest.raises(DataError, match="nothing that was kept as 'other' has the key 'x'; keep a view anew"):
        views.restore("other", "x")
    with pytest.raises(DataError, match="a view is kept under a name, and none was given; type one"):
        views.keep(KeptView("  ", {}), b"", b"")
    with pytest.raises(DataError, match="no view is kept as 'rim'; there are: other"):
        views.forget("rim")


def test_a_torn_line_and_lines_that_are_none_cost_themselves_only(tmp_path: Path) -> None:
    views = KeptViews(tmp_path / "views.jsonl")
    kept = views.keep(RIM, b"png", b"jpg")
    assert views.path is not None
    whole = json.loads(views.path.read_text())["kept"]
    odd = [{**whole, name: value} for name, value in (
        ("key", "../../secret"), ("selection", [1]), ("state", []), ("date", "today"), ("focus", None), ("made", 3)
    )]  # fmt: skip
    lines = [{"view": f"odd {turn}", "kept": one} for turn, one in enumerate(odd)] + [{"view": 3, "kept": whole}, []]
    with views.path.open("a") as file:
        file.write("\n".join(map(json.dumps, lines)) + '\n{"view": "torn", "kept": {"sta')  # the power goes
    later = views.keep(KeptView("later", {}, span=[]), b"", b"")
    assert views.read() == {"rim": kept, "later": later}


def test_a_run_keeps_its_own_and_what_cannot_be_written_is_said(tiny_run: Run, tmp_path: Path) -> None:
    assert KeptViews.of(SavedEmbeddings.of_run(tiny_run)).path == tiny_run.path / "views" / "test.jsonl"
    own = SavedEmbeddings.write(tmp_path / "own", np.eye(4))
    assert KeptViews.of(own).path == tmp_path / "own" / "views.jsonl"
    assert KeptViews.of(SavedEmbeddings.of_arrays(np.eye(4))).path is None
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write .*file/views/\w+.png: .*; choose a place"):
        KeptViews(tmp_path / "file" / "views.jsonl").keep(RIM, b"", b"")
    views = KeptViews(own.folder / "views.jsonl")
    kept = views.keep(RIM, b"png", b"jpg")
    (own.folder / "views" / f"{kept.key}.png").unlink()
    assert (views.picture(kept), views.small(kept)) == (b"", b"jpg")
