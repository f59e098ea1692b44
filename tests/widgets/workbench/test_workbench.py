"""The workbench: views of a run that move together, another run in all of them, and what is left without a model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from vptsp_widgets import Workbench
from vptsp_widgets.run_or_folder import open_source

from tests.markup import Markup, refused_by_sanitiser
from vptsp.errors import RunError
from vptsp.runs.run import Run


@pytest.fixture
def bench(tiny_run: Run, tmp_path: Path) -> Iterator[Workbench]:
    """Of a copy of the run, beside which there is another."""
    for name in ("one", "other"):
        shutil.copytree(tiny_run.path, tmp_path / name)
    bench = Workbench(tmp_path / "one", method="pca")
    yield bench
    bench.close()


def test_what_is_chosen_in_one_view_is_in_the_others(bench: Workbench) -> None:
    assert bench.why is not None
    assert bench.focus == bench.space.focus == bench.gallery.focus == bench.why.query != ""
    ids = list(bench.space.ids)
    bench.space.selection = ids[:3]
    assert bench.selection == bench.gallery.selection == bench.why.selection == ids[:3]
    bench.gallery.focus = ids[7]
    assert bench.space.focus == bench.why.query == bench.focus == ids[7]
    bench.selection = ["of another set", ids[1]]
    assert bench.space.selection == [ids[1]]


def test_the_picker_shows_another_run_in_all_views(bench: Workbench, tmp_path: Path) -> None:
    assert bench.picker is not None
    assert bench.why is not None
    assert bench.picker.run == bench.run == str(tmp_path / "one")
    bench.space.selection = bench.space.ids[:3]
    bench.picker.run = str(tmp_path / "other")
    views = (bench.space, bench.gallery, bench.why)
    assert [view.saved.folder.parent.parent.name for view in views] == ["other"] * 3
    assert bench.run == str(tmp_path / "other")
    assert bench.selection == []
    assert bench.focus == bench.space.focus == bench.gallery.focus == bench.why.query != ""
    assert "other" in bench.children[0].titles[0]


def test_a_run_without_its_model_shows_the_rest_and_says_so(tiny_run: Run, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run.path, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoint"))
    bench = Workbench(run, method="pca")
    assert bench.why is None
    assert "Why images are neighbours cannot be shown" in bench.children[-1].value
    bench.gallery.focus = bench.gallery.ids[2]
    assert bench.space.focus == bench.focus == bench.gallery.ids[2]
    bench.close()


def test_a_folder_of_ones_own_has_no_runs_to_choose_from(
    tiny_run: Run, image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bench = Workbench(open_source(images=str(image_folder / "test"), model=str(tiny_run.path)), method="pca")
    assert bench.picker is None
    assert len(bench.space.ids) == 20
    assert "20 images" in bench.summary()
    bench.close()


def test_what_cannot_be_shown_is_refused(tiny_run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run directory"):
        Workbench(tmp_path / "nothing")
    bare = shutil.copytree(tiny_run.path, tmp_path / "bare", ignore=shutil.ignore_patterns("embeddings"))
    with pytest.raises(RunError, match="vptsp evaluate"):
        Workbench(bare)


def test_without_scripts_all_views_are_seen(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    still = bench.still()
    assert refused_by_sanitiser(still) == []
    assert bench.why is not None
    assert all(view.still() in still for view in (bench.space, bench.gallery, bench.why))
    assert all(image["alt"] for image in Markup(still).all("img"))
    monkeypatch.setenv("VPTSP_HEADLESS", "1")
    bundle = bench._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    monkeypatch.delenv("VPTSP_HEADLESS")
    data, _ = bench._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data


def test_closed_it_leaves_no_widget_behind(tiny_run: Run) -> None:
    from ipywidgets.widgets import widget

    before = set(widget._instances)
    Workbench(tiny_run, method="pca").close()
    assert set(widget._instances) == before
