"""Notebooks listed and copied: all or none, never over a file, and without waiting for any library."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ipykernel.ipkernel import IPythonKernel
from notebook_heads import written

from vptsp.cli import main
from vptsp.cli.lab import lab_command
from vptsp.core.losses import LOSSES
from vptsp.errors import UsageError
from vptsp.notebooks import library
from vptsp.notebooks.library import copy_notebooks, find_notebook, list_notebooks, split_names
from vptsp.project import VARIABLE
from vptsp.settings.methods import METHODS

ROOT = Path(__file__).parents[2]
OWN = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def vptsp(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_each_notebook_is_listed_with_a_title_and_a_purpose_of_its_own() -> None:
    found = list_notebooks()
    assert [notebook.path for notebook in found] == OWN
    assert all(notebook.purpose.endswith((".", "?", "!")) for notebook in found)
    assert not any(mark in notebook.title + notebook.purpose for notebook in found for mark in ("*", "`", "]("))
    train = next(notebook for notebook in found if notebook.name == "01_train")
    text = "".join(json.loads(train.path.read_text())["cells"][0]["source"])
    assert text.startswith(f"# {train.title}\n\n{train.purpose}")


ABOUT = {"vptsp": {"minutes": 1, "learn": "something", "needs": "nothing"}}


def test_a_notebook_is_described_by_its_heading_and_first_sentence(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ["# A *title*\n", "\n", "See [the paper](https://a.b/c.d) on `x.y`\n", "first. Then more."]
    (here / "x.ipynb").write_text(
        json.dumps({"cells": [{"cell_type": "markdown", "source": source}], "metadata": ABOUT})
    )
    monkeypatch.setattr(library, "_paths", lambda: [here / "x.ipynb"])
    [found] = list_notebooks()
    assert (found.name, found.title, found.purpose) == ("x", "A title", "See the paper on x.y first.")


def test_the_list_of_the_command_line() -> None:
    lines = vptsp("notebooks").output.splitlines()
    assert [line.split()[0] for line in lines if line[:2].isdigit()] == [path.stem for path in OWN]


def test_listing_and_copying_import_no_library(here: Path) -> None:
    code = "import sys; from vptsp.notebooks import list_notebooks, copy_notebooks\n"
    code += "copy_notebooks([list_notebooks()[0].name], __import__('pathlib').Path('out')); print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    heavy = {"torch", "pandas", "numpy", "papermill", "nbformat", "pydantic", "IPython", "jupyter_core"}
    assert set(done.stdout.split()) & heavy == set()
    assert len(list((here / "out").iterdir())) == 1


def test_all_are_copied_where_no_name_is_given(here: Path) -> None:
    assert vptsp("notebooks", "copy").exit_code == 0
    copies = [json.loads(path.read_bytes()) for path in sorted((here / "notebooks").iterdir())]
    originals = [json.loads(path.read_bytes()) for path in OWN]
    for copy, original in zip(copies, originals, strict=True):
        assert copy["metadata"].pop("language_info") == IPythonKernel.language_info
        assert original["metadata"].pop("language_info") == {"name": "python"}, "in git, of no one's version"
    assert copies == originals


@pytest.mark.parametrize(
    ("words", "names", "folder"),
    [
        ((), None, "notebooks"),
        (("mine",), None, "mine"),
        (("01_train",), ["01_train"], "notebooks"),
        (("01", "05_compare_methods.ipynb", "."), ["01", "05_compare_methods.ipynb"], "."),
        (("01_train", "./01_train"), ["01_train"], "./01_train"),
    ],
)
def test_the_last_word_is_the_folder_unless_it_is_a_notebook(
    words: tuple[str, ...], names: list[str] | None, folder: str
) -> None:
    wanted = names or [path.stem for path in OWN]
    assert split_names(words, Path("notebooks")) == (wanted, Path(folder))


@pytest.mark.parametrize("word", ["01_trian", "1_train", "12_none.ipynb", "99", "exlpore"])
def test_what_looks_like_a_misspelt_name_is_no_folder(word: str, here: Path) -> None:
    result = vptsp("notebooks", "copy", word)
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: notebook '{word}' does not exist; there are: 00_start_here, ")
    assert list(here.iterdir()) == []


def test_a_file_that_exists_is_named_and_nothing_is_copied(here: Path) -> None:
    (here / "02_explore_embeddings.ipynb").write_text("mine")
    result = vptsp("notebooks", "copy", "01", "02", ".")
    assert result.exit_code == 1
    assert result.output == (
        "Error: 02_explore_embeddings.ipynb already exists; nothing was copied, choose another folder or move it away\n"
    )
    assert [path.read_text() for path in here.iterdir()] == ["mine"]


def test_a_file_that_comes_meanwhile_is_not_written_over(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_bytes

    def slow(path: Path) -> bytes:
        (here / "out" / "02_explore_embeddings.ipynb").write_text("mine")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", slow)
    with pytest.raises(UsageError, match=r"02_explore_embeddings.ipynb already exists; nothing was copied"):
        copy_notebooks(["01", "02"], Path("out"))
    assert [path.read_text() for path in (here / "out").iterdir()] == ["mine"]


@pytest.mark.parametrize("stop", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_half_copied_is_left(here: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException) -> None:
    read = Path.read_bytes

    def failing(path: Path) -> bytes:
        if path.stem == "02_explore_embeddings":
            raise stop
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", failing)
    with pytest.raises((UsageError, KeyboardInterrupt)) as caught:
        copy_notebooks(["01", "02", "03"], Path("a/b"))
    assert list(here.iterdir()) == []
    if isinstance(stop, OSError):
        assert "cannot copy notebooks into a/b: No space left on device; nothing was copied" in str(caught.value)


def test_a_folder_that_cannot_be_is_one_sentence(here: Path) -> None:
    (here / "file").write_text("mine")
    for folder in ("file", "file/below", "/proc/self/notebooks"):
        result = vptsp("notebooks", "copy", "01", folder)
        assert result.exit_code == 1
        assert "nothing was copied" in result.output
        assert len(result.output.splitlines()) == 1
    assert (here / "file").read_text() == "mine"


def test_a_notebook_is_found_by_path_before_name(here: Path) -> None:
    (here / "01_train.ipynb").write_text("mine")
    assert find_notebook("01_train.ipynb") == Path("01_train.ipynb")
    assert find_notebook("01_train") == ROOT / "notebooks" / "01_train.ipynb"
    assert find_notebook("elsewhere/01_train.ipynb") == ROOT / "notebooks" / "01_train.ipynb"
    with pytest.raises(UsageError, match=r"notebook '99' does not exist; there are: .*, or pass the path of an .ipynb"):
        find_notebook("99")


def root(monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user, raising=False)


def test_lab_opens_the_first_notebook_in_the_current_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root(monkeypatch, 1000)
    copy_notebooks(["00", "01"], Path("notebooks"))
    start = [sys.executable, "-m", "jupyterlab", "--notebook-dir=."]
    at = "--LabApp.default_url=/lab/tree/"  # also what JupyterLab prints, for whoever has no browser there
    assert lab_command(("--no-browser",)) == [*start, f"{at}notebooks/00_start_here.ipynb", "--no-browser"]
    (here / "notebooks" / "00_start_here.ipynb").rename(here / "notebooks" / "00 old.ipynb")
    assert lab_command(()) == [*start, f"{at}notebooks/00%20old.ipynb"]


def test_lab_lets_the_user_say_what_to_open_and_where(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root(monkeypatch, 0)
    copy_notebooks(["01", "02"], Path("notebooks"))
    start = [sys.executable, "-m", "jupyterlab"]
    other = "notebooks/02_explore_embeddings.ipynb"
    assert lab_command((other,)) == [*start, "--notebook-dir=.", "--allow-root", other]
    assert lab_command(("--notebook-dir=/x", "--allow-root")) == [*start, "--notebook-dir=/x", "--allow-root"]


def test_lab_copies_only_where_there_are_none(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, command: started.append(command))
    monkeypatch.setattr(os, "name", "posix")
    monkeypatch.setenv(VARIABLE, "")  # so that what is set here is forgotten
    monkeypatch.delenv(VARIABLE)
    first = vptsp("lab", "--port", "9999")
    told = f"runs: {here / 'runs'}\n"
    assert first.output == f"copied {len(OWN)} notebooks into {here / 'notebooks'}; they are yours to change\n{told}"
    assert os.environ[VARIABLE] == str(here), "kernels, which start in notebooks/, mean the same runs/"
    (here / "notebooks" / "01_train.ipynb").write_text("mine")
    (here / "notebooks" / "02_explore_embeddings.ipynb").unlink()
    assert vptsp("lab").output == told
    assert (here / "notebooks" / "01_train.ipynb").read_text() == "mine"
    (here / "notebooks" / "00_start_here.ipynb").unlink()  # as copies of a version that had none
    assert vptsp("lab").output.startswith("copied 1 notebooks")
    assert [command[2] for command in started] == ["jupyterlab"] * 3
    assert started[0][-2:] == ["--port", "9999"]


def test_lab_leaves_the_originals_of_a_clone_alone(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "execv", lambda program, command: None)
    monkeypatch.setenv(VARIABLE, str(here))
    copy_notebooks(["00", "01"], Path("notebooks"))
    monkeypatch.setattr(library, "_paths", lambda: sorted((here / "notebooks").glob("*.ipynb")))
    assert "copied 2 notebooks into" in vptsp("lab").output
    assert [path.name for path in sorted((here / "my_notebooks").iterdir())] == [
        "00_start_here.ipynb",
        "01_train.ipynb",
    ]
    assert "--LabApp.default_url=/lab/tree/my_notebooks/00_start_here.ipynb" in lab_command(())
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "my_notebooks/" in ignored


def test_the_first_notebook_leads_to_all_others() -> None:
    cells = json.loads((ROOT / "notebooks" / "00_start_here.ipynb").read_text())["cells"]
    (table,) = ["".join(cell["source"]) for cell in cells if cell["id"] == "notebooks"]
    rows = re.findall(r"^\| \[(.+?)\]\((.+?)\.ipynb\) \| (.+?) \| (\d+)\xa0min \| (.+?) \|$", table, re.MULTILINE)
    assert [name for name, *_ in rows] == [path.stem for path in OWN if path.stem != "00_start_here"]
    assert all(name == target for name, target, *_ in rows)


def test_the_heads_of_notebooks_are_what_their_metadata_and_the_settings_say() -> None:
    for notebook in list_notebooks():
        assert json.loads(notebook.path.read_text(encoding="utf-8")) == written(notebook), (
            "python tests/notebook_heads.py"
        )
    (cell,) = [cell for cell in json.loads(OWN[1].read_text())["cells"] if cell["id"] == "parameters"]
    comments = dict(re.findall(r"^(\w+): .*?  # (.*)$", "".join(cell["source"]), re.MULTILINE))
    assert f"one of {len(METHODS)};" in comments["method"]
    assert f"one of {len(LOSSES)} or pml:NAME;" in comments["loss"]


def test_a_notebook_is_known_by_the_name_that_it_had() -> None:
    assert find_notebook("00_pretrain_backbone").stem == "11_pretrain_backbone"
    assert find_notebook("00").stem == "00_start_here"


def test_lab_without_jupyterlab_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"JupyterLab is not installed; install it: .* -m pip install jupyterlab"):
        lab_command(())
