"""Names of the last release under their old places, and what their use says."""

from __future__ import annotations

import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from vptsp import moved

LINES = (Path(__file__).parent / "names_before_rooms.txt").read_text().splitlines()
NAMES = {module: names.split() for module, _, names in (line.partition(": ") for line in LINES if line[0] != "#")}

# Functions whose name is a file's now, in which they stand: the commands of the command line, which are called there.
FILES = {"vptsp.cli": "command", "vptsp.runs": "environment"}

# Names without a successor, as the change log says: a check that the loop took in, a table that became a registry, and
# what compared tables of runs before Comparison did.
GONE = {
    "vptsp.guards": {"require_finite"},
    "vptsp.units": {"UNITS"},
    "vptsp.bootstrap": {"compare_with", "score_trials"},
    "vptsp.trials": {"Row"},
    "vptsp.tiles": {"cut"},  # TilePage.cut
}


def stays(module: ModuleType, name: str) -> bool:
    """Whether a module still has a name itself, or loads it when asked."""
    return name in vars(module) or name in getattr(module, "__all__", ())


@pytest.mark.parametrize("module", NAMES)
def test_every_name_is_found_where_it_was_and_says_where_it_is(module: str) -> None:
    old = import_module(module)
    for name in NAMES[module]:
        if name in GONE.get(module, ()):
            with pytest.raises(AttributeError, match=name):
                getattr(old, name)
            continue
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                found = getattr(old, name)
            except AttributeError:
                assert module in FILES, f"{module}.{name} is gone"
                found = import_module(f"{module}.{name}")
        if isinstance(found, ModuleType) and module in FILES:
            assert hasattr(found, FILES[module])
            continue
        said = [str(one.message) for one in caught if f"{module}.{name} has moved to" in str(one.message)]
        if stays(old, name):
            assert not said
            continue
        assert [one.category for one in caught if str(one.message) in said] == [DeprecationWarning]
        place, _, there = said[0].split(" has moved to ")[1].split(";")[0].rpartition(".")
        assert getattr(import_module(place), there) is found
        assert caught[-1].filename == __file__  # the line that used the old name


def test_the_recorded_names_are_all_of_them() -> None:
    assert len(NAMES) > 140
    assert sum(map(len, NAMES.values())) > 650
    assert {"make_config", "Config"} <= set(NAMES["vptsp.config"])


def test_old_names_cost_nothing_until_they_are_used() -> None:
    code = (
        "import sys, vptsp; before = set(sys.modules); import vptsp.model, vptsp.figures, vptsp.report;"
        "print(*sorted(set(sys.modules) - before))"
    )
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["vptsp.figures", "vptsp.model", "vptsp.report"]


def test_what_was_never_there_is_refused_as_ever() -> None:
    with pytest.raises(ImportError, match=r"cannot import name 'nothing' from 'vptsp\.config'"):
        exec("from vptsp.config import nothing")
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec("from vptsp.evaluation import nothing")
    with pytest.raises(ModuleNotFoundError, match=r"vptsp\.nothing"):
        import_module("vptsp.nothing")
    with pytest.raises(AttributeError, match="no attribute '__wrapped__'"):
        import_module("vptsp.config").__wrapped__  # noqa: B018
    with pytest.raises(TypeError, match="is a module and cannot be called"):
        import_module("vptsp.config")()


def test_files_of_a_room_are_no_moved_names() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec("from vptsp.figures import gallery; from vptsp.runs import tiles; from vptsp.data import load")


def test_report_is_a_verb_also_where_the_old_module_has_been_imported() -> None:
    import vptsp
    from vptsp.errors import RunError

    import_module("vptsp.report")
    with pytest.raises(RunError, match="nowhere is not a run directory"):
        vptsp.report("nowhere")


def test_a_table_serves_any_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "other_package"
    (package / "room").mkdir(parents=True)
    (package / "left_behind").mkdir()  # what git leaves of a folder that it has moved
    (package / "__init__.py").write_text("")
    (package / "room" / "__init__.py").write_text("HERE = 1\n")
    (package / "room" / "view.py").write_text("VIEW = 2\n")
    (package / "room" / "data.py").write_text("ROWS = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(moved._FINDER, "table", dict(moved._FINDER.table))
    monkeypatch.setattr(moved._FINDER, "modules", set(moved._FINDER.modules))
    room = import_module("other_package.room")  # imported before the table is known
    table: dict[str, moved.Places] = {
        "other_package.room": "other_package.room.view",
        "other_package.left_behind": ("other_package.room.view", "other_package.room.data"),
        "other_package:Rows": "other_package.room.data:ROWS",
    }
    for _ in range(2):  # again does no harm
        moved.install(table)
    with pytest.warns(DeprecationWarning, match=r"other_package\.room\.VIEW has moved to other_package\.room\.view"):
        assert room.VIEW == 2
    with pytest.warns(DeprecationWarning, match=r"left_behind\.ROWS has moved to other_package\.room\.data\.ROWS;"):
        assert import_module("other_package.left_behind").ROWS == 3
    with pytest.warns(DeprecationWarning, match=r"other_package\.Rows has moved to other_package\.room\.data\.ROWS;"):
        assert import_module("other_package").Rows == 3
    assert room.HERE == 1
    assert sys.meta_path.count(moved._FINDER) == 1
