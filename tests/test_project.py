"""One ``runs/`` for a project: a notebook in ``notebooks/`` means the same by ``runs/demo-1`` as the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from vptsp.errors import RunError, UsageError
from vptsp.project import VARIABLE, existing, placed, project_root
from vptsp.runs.run import Run, list_runs, newest_finished
from vptsp.settings.config import Config


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with notebooks/, in which a kernel works."""
    monkeypatch.delenv(VARIABLE, raising=False)
    notebooks = tmp_path / "project" / "notebooks"
    notebooks.mkdir(parents=True)
    monkeypatch.chdir(notebooks)
    return tmp_path / "project"


def test_a_run_beside_the_notebooks_is_found_from_within_them(project: Path) -> None:
    made = Run.create(project / "runs" / "demo-1", Config())
    assert project_root() == project
    assert Run.open("runs/demo-1").path == made.path
    assert [run.path for run in list_runs()] == [made.path]


def test_new_runs_go_where_the_others_are(project: Path) -> None:
    Run.create(project / "runs" / "demo-1", Config())
    assert Run.create(None, Config()).path == project / "runs" / "blossoms-vptsp_g-1"
    assert Run.create("runs/mine", Config()).path == project / "runs" / "mine"
    assert not (project / "notebooks" / "runs").exists()


@pytest.mark.parametrize("mark", [".git", "pyproject.toml"])
def test_the_first_run_of_a_project_is_made_at_its_top(project: Path, mark: str) -> None:
    (project / mark).touch()
    Run.create(project.parent / "runs" / "other", Config())
    assert Run.create(None, Config()).path == project / "runs" / "blossoms-vptsp_g-1"


def test_without_a_sign_of_a_project_the_working_folder_is_one(project: Path) -> None:
    assert Run.create(None, Config()).path == Path("runs/blossoms-vptsp_g-1")
    assert (project / "notebooks" / "runs").is_dir()


def test_a_runs_folder_of_another_program_is_no_sign(project: Path) -> None:
    (project / "runs" / "Nov28_host").mkdir(parents=True)
    (project / "runs" / "Nov28_host" / "events.out.tfevents").touch()
    assert project_root() == project / "notebooks"


def test_the_home_directory_is_never_a_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Run.create(project / "runs" / "demo-1", Config())
    monkeypatch.setenv("HOME", str(project))
    assert project_root() == project / "notebooks"


def test_the_variable_decides(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = project.parent / "scratch"
    elsewhere.mkdir()
    Run.create(project / "runs" / "demo-1", Config())
    monkeypatch.setenv(VARIABLE, str(elsewhere))
    assert Run.create(None, Config()).path == elsewhere / "runs" / "blossoms-vptsp_g-1"
    with pytest.raises(
        RunError, match=rf"no finished run in {elsewhere / 'runs'} \(the project's, as {VARIABLE} says\), only"
    ):
        newest_finished()
    monkeypatch.setenv(VARIABLE, str(elsewhere / "none"))
    with pytest.raises(UsageError, match=f"{VARIABLE}=.*none is not a folder; make it"):
        list_runs()


def test_what_is_in_the_working_folder_stays_what_is_meant(project: Path) -> None:
    Run.create(project / "runs" / "demo-1", Config())
    Run.create(Path("runs/demo-1").absolute(), Config())
    assert placed("runs/demo-1") == Path("runs/demo-1")
    assert placed("demo-1") == Path("demo-1")
    assert placed(project / "runs") == project / "runs"


def test_a_missing_run_is_explained_with_the_places_looked_at_and_the_runs_found(project: Path) -> None:
    with pytest.raises(RunError, match=rf"there is no run in {project / 'notebooks' / 'runs'} \(looked for from"):
        Run.open("runs/demo-1")
    with pytest.raises(RunError) as nothing:
        newest_finished()
    assert f"no finished run in {project / 'notebooks' / 'runs'} (looked for from" in str(nothing.value)
    assert "nor any other run; vptsp demo makes one" in str(nothing.value)
    Run.create(project / "runs" / "demo-1", Config()).write_progress(state="stopped")
    with pytest.raises(RunError, match=r"only demo-1 \(stopped\); vptsp train --resume RUN"):
        newest_finished()
    with pytest.raises(RunError, match=f"runs near it: {project / 'runs' / 'demo-1'}"):
        Run.open("runs/demo-2")


def test_a_run_is_found_by_its_name_alone_and_a_folder_of_that_name_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "demo-1").mkdir(parents=True)
    assert existing("demo-1").resolve() == tmp_path / "runs" / "demo-1"
    assert existing("demo-2") == Path("demo-2")
    assert existing("deeper/demo-1") == Path("deeper/demo-1")
    (tmp_path / "demo-1").mkdir()
    assert existing("demo-1") == Path("demo-1")
