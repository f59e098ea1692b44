"""The workbench: views of a run that move together, another run in all of them, and what is left without a model."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from vptsp_widgets import WhyNeighbour, Workbench
from vptsp_widgets.run_or_folder import Source, open_source
from vptsp_widgets.workbench.awaited import Awaited

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
    assert bench.why.query == WhyNeighbour.of_run(bench.run).query  # taken for another class, as why itself begins
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


def see(bench: Workbench) -> Awaited:
    """As a page does when it shows the place of why, which is returned."""
    place = next(view for view in bench._row.children if isinstance(view, Awaited))
    place._handle({"kind": "shown"}, [])
    return place


def wait(*found: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not all(one() for one in found) and time.monotonic() < end:
        time.sleep(0.01)
    assert [one() for one in found] == [True] * len(found)


def test_map_and_gallery_do_not_wait_for_the_model(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    held, make = threading.Event(), Source.why
    monkeypatch.setattr(Source, "why", lambda *given: held.wait(60) and make(*given))
    data, _ = bench._repr_mimebundle_()
    assert "Why images are neighbours is shown when this cell is run." in data["text/html"]
    place = see(bench)
    assert place.status.startswith("The model is being loaded")
    assert bench.space.focus == bench.gallery.focus == bench.focus != ""  # a query is there, why or not
    chosen = bench.gallery.ids[3]
    bench.gallery.focus = chosen
    bench.space.selection = bench.space.ids[:2]
    held.set()
    wait(lambda: place not in bench._row.children)
    why = bench._row.children[-1]
    assert isinstance(why, WhyNeighbour)
    assert why is bench.why
    assert why.query == bench.focus == chosen
    assert why.selection == list(bench.space.ids[:2])
    why.query = bench.space.ids[5]
    assert bench.space.focus == bench.gallery.focus == bench.space.ids[5]


def test_of_why_there_is_one_whoever_asks_first(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    made, make = [], Source.why
    monkeypatch.setattr(Source, "why", lambda *given: made.append(make(*given)) or made[-1])
    place = see(bench)
    place._handle({"kind": "shown"}, [])  # by another page
    assert bench.why is bench.why is made[0]
    wait(lambda: bench._row.children[-1] is bench.why)
    assert len(made) == 1


def test_why_is_of_the_run_chosen_meanwhile(bench: Workbench, tmp_path: Path) -> None:
    bench.run = str(tmp_path / "other")
    bench.focus = "of another set"
    assert bench.why is not None
    assert bench.why.run == str(tmp_path / "other")
    assert bench.why.saved.folder.is_relative_to(tmp_path / "other")
    assert bench.why.query in bench.space.ids
    bench.gallery.focus = bench.gallery.ids[1]
    assert bench.focus == bench.space.focus == bench.why.query == bench.gallery.ids[1]


def test_confused_classes_come_when_they_are_asked_for(bench: Workbench, tmp_path: Path) -> None:
    assert bench.why is not None
    assert not bench._above.children
    bench._opener.value = True
    place, why = bench._above.children
    assert isinstance(place, Awaited)
    assert why is bench.why
    assert bench._row.children == (bench.space, bench.gallery)
    place._handle({"kind": "shown"}, [])
    wait(lambda: place not in bench._above.children)
    confused = bench.confused
    assert confused is not None
    assert bench._above.children == (confused, bench.why)
    assert bench.selection == []  # nobody has chosen a pair
    confused.pair = 1
    chosen = bench.selection
    assert bench.gallery.selection == chosen != []
    one, other, _, _ = confused._lists["images"][1]["links"][0]
    confused.look(bench.space.ids[one], bench.space.ids[other])
    assert bench.focus == bench.space.focus == bench.gallery.focus == bench.why.query == bench.space.ids[one]
    assert bench.why.neighbour == bench.space.ids[other]
    assert bench.selection == chosen
    bench.run = str(tmp_path / "other")
    assert confused.saved.folder.is_relative_to(tmp_path / "other")
    assert bench.selection == []
    bench._opener.value = False
    assert bench._above.children == ()
    assert bench._row.children == (bench.space, bench.gallery, bench.why)


def test_a_pair_that_was_clicked_before_why_is_there(bench: Workbench) -> None:
    confused = bench.confused
    assert confused is not None
    one, other, _, _ = confused._lists["images"][0]["links"][-1]
    confused.look(bench.space.ids[other], bench.space.ids[one])
    assert bench.why is not None
    assert (bench.why.query, bench.why.neighbour) == (bench.space.ids[other], bench.space.ids[one])


def test_images_of_one_class_are_not_confused_and_it_says_so(tiny_run: Run, image_folder: Path, tmp_path: Path) -> None:
    one = next(folder for folder in sorted((image_folder / "test").iterdir()) if folder.is_dir())
    shutil.copytree(one, tmp_path / "images" / one.name)
    bench = Workbench(open_source(images=str(tmp_path / "images"), model=str(tiny_run.path)), method="pca")
    bench._opener.value = True
    assert bench.confused is None
    assert "confusion takes two" in bench._above.children[0].status
    bench.close()


def test_its_page_holds_the_way_from_mistake_to_query(bench: Workbench, tmp_path: Path) -> None:
    text = bench.save_html(tmp_path / "bench.html").read_text()
    assert [name for name in ("space", "gallery", "confused", "why") if f'id="vptsp-{name}"' not in text] == []


def test_closed_while_the_model_is_loaded(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from ipywidgets.widgets import widget

    before = set(widget._instances)
    held, made, make = threading.Event(), list[WhyNeighbour](), Source.why
    monkeypatch.setattr(Source, "why", lambda *given: held.wait(60) and (made.append(make(*given)) or made[-1]))
    bench = Workbench(tiny_run, method="pca")
    see(bench)
    bench.close()
    held.set()
    wait(lambda: bool(made), lambda: set(widget._instances) == before)


def test_headless_why_is_there_from_the_beginning(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPTSP_HEADLESS", "1")
    bench = Workbench(tiny_run, method="pca")
    assert isinstance(bench._row.children[-1], WhyNeighbour)
    bench.close()


def test_a_run_without_its_model_shows_the_rest_and_says_so(tiny_run: Run, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run.path, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoint"))
    other = shutil.copytree(tiny_run.path, tmp_path / "other")
    bench = Workbench(run, method="pca")
    place = see(bench)
    wait(lambda: place.status.startswith("Why images are neighbours cannot be shown"))
    assert bench.why is None
    assert "Why images are neighbours cannot be shown" in bench.still()
    bench.gallery.focus = bench.gallery.ids[2]
    assert bench.space.focus == bench.focus == bench.gallery.ids[2]
    bench.run = str(other)  # which has one
    wait(lambda: place not in bench._row.children)
    assert bench.why is not None
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
    assert bench._row.children[-1] is not bench._why  # it comes with the still
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
