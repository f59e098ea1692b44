"""Live pages of a run by command: one file each, that asks no network for anything."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner
from markup import outside_references

from vptsp.cli import main, page
from vptsp.errors import UsageError
from vptsp.reports.pages import KINDS, WITHOUT_A_RUN, write_page
from vptsp.runs.run import Run


def test_kinds_are_those_of_the_command_and_of_the_widgets() -> None:
    assert tuple(KINDS) == page.KINDS
    assert set(KINDS) == {entry.name for entry in metadata.entry_points(group="vptsp.pages")}


def test_each_kind_is_one_file_that_loads_nothing(tiny_run: Run, tmp_path: Path) -> None:
    run = Run(Path(shutil.copytree(tiny_run.path, tmp_path / "run")))
    for kind in KINDS:
        out = tmp_path / f"{kind}.html"
        words = [
            "page",
            kind,
            *([] if kind in WITHOUT_A_RUN else [str(run.path)]),
            "-o",
            str(out),
            "--projection",
            "pca",
        ]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
        assert result.output.strip() == str(out)
        text = out.read_text(encoding="utf-8")
        assert outside_references(text) == []
        assert 'id="vptsp-' in text


def test_what_cannot_be_shown_is_refused_before_anything_is_written(tiny_run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the page map shows a run and none is given; name one: vptsp page map RUN"):
        write_page("map", tmp_path / "map.html")
    with pytest.raises(UsageError, match=r"'maps' is not a kind of page; choose one of sandbox, presenter"):
        write_page("maps", tmp_path / "map.html", tiny_run)
    with pytest.raises(UsageError, match=r"map\.pdf is not the name of a page"):
        write_page("map", tmp_path / "map.pdf", tiny_run)
    with pytest.raises(UsageError, match=r"tells stories, and none of a run; leave RUN out"):
        write_page("presenter", tmp_path / "page.html", tiny_run)
    result = CliRunner().invoke(main, ["page", "gallery", "-o", str(tmp_path / "page.html")])
    assert result.exit_code == 1
    assert "the page gallery shows a run and none is given" in result.output
    assert list(tmp_path.iterdir()) == []
