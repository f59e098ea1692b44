from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from markup import Markup, outside_references

from vptsp.errors import RunError
from vptsp.reports.report import write_report
from vptsp.runs.run import Run
from vptsp.training.baselines import compared


@pytest.fixture
def run(tiny_run: Run, tmp_path: Path) -> Run:
    shutil.copytree(tiny_run.path, tmp_path / "run")
    return Run.open(tmp_path / "run")


@pytest.fixture(scope="module")
def page(tiny_run: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report") / "run"
    shutil.copytree(tiny_run.path, folder)
    path = write_report(Run.open(folder), projection="pca")
    assert path == folder / "report.html"
    assert path.stat().st_size < 15e6
    return path.read_text(encoding="utf-8")


def change(run: Run, file: str, **values: object) -> None:
    path = run.path / file
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_page_asks_for_nothing_outside_itself(page: str) -> None:
    assert outside_references(page) == []
    (policy,) = [m for m in Markup(page).all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy["content"]
    assert not re.search(r"https?:", policy["content"])


def test_plotly_is_inlined_once_and_every_figure_has_its_data(page: str) -> None:
    markup = Markup(page)
    plots = [attributes["id"] for attributes in markup.all("div") if attributes.get("class") == "plot"]
    data = [script["id"] for script in markup.all("script") if script.get("type") == "application/json"]
    assert plots == ["curves"]
    assert [name for name in data if not name.startswith("vptsp-")] == ["curves-data"]  # others are states of views
    assert page.count("plotly.js v") == 1
    for name in plots:
        text = re.search(f'id="{name}-data">(.*?)</script>', page, re.S)
        assert text is not None
        assert json.loads(text[1])["data"]


def test_numbers_are_those_of_the_summaries(page: str, tiny_run: Run) -> None:
    text = Markup(page).text
    results = compared(tiny_run)
    for result in results:
        assert f"{100 * result.test['recall_at_1']:.1f} %" in text
        assert f"{result.result.counts['trained']:,}" in text
    best = tiny_run.summary()["best_val"]["epoch"]
    assert f"selected epoch ({best}, by validation R@1)" in text
    assert "last epoch (2)" in text
    assert "best over test epochs" not in text


def test_images_and_figures_have_words(page: str) -> None:
    markup = Markup(page)
    assert markup.all("img")
    assert all(image["alt"] for image in markup.all("img"))
    assert all(div["aria-label"] for div in markup.all("div") if div.get("class") == "plot")


def test_report_without_baselines_with_skipped_images_and_tracked_test(run: Run) -> None:
    shutil.rmtree(run.path / "baselines")
    skipped = ["train/a/<b>.png"]
    change(run, "summary.json", skipped=skipped, max_over_test_epochs={"recall_at_1": 0.98765})
    page = write_report(run, projection="pca").read_text(encoding="utf-8")
    text = Markup(page).text
    assert "1 unreadable image was left out" in text
    assert skipped[0] in text
    assert "best over test epochs (not a fair result)" in text
    assert "98.77 %" in text
    assert "linear probe" not in text.replace("a linear probe and the frozen backbone in", "")


def test_report_of_the_frozen_backbone(run: Run) -> None:
    frozen = Run.open(run.path / "baselines" / "frozen")
    page = write_report(frozen, projection="pca").read_text(encoding="utf-8")
    assert 'id="vptsp-space"' in page
    assert 'id="curves-data"' not in page


def test_hostile_class_names_stay_text(run: Run, page: str) -> None:
    path = run.path / "embeddings" / "test" / "index.json"
    index = json.loads(path.read_text())
    index["class_names"] = [f"</script><script>alert({i})</script>" for i in range(len(index["class_names"]))]
    path.write_text(json.dumps(index))
    hostile = write_report(run, projection="pca").read_text(encoding="utf-8")
    assert "<script>alert(" not in hostile
    assert len(Markup(hostile).all("script")) == len(Markup(page).all("script")) > 4


def test_unfinished_run_has_no_report(run: Run) -> None:
    (run.path / "summary.json").unlink()
    with pytest.raises(RunError, match=r"summary\.json does not exist; the run's state is 'done'"):
        write_report(run)
    assert not (run.path / "report.html").exists()
