"""A home directory that is missing, or caches that cannot be written, stop nothing and are told of once.

Each case is a process of its own: libraries look at their folders when they are imported. /proc and /dev/null refuse
files from everybody, root as well. That the demo and JupyterLab work without a home is tested with the wheel.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from vptsp import home

ROOT = Path(__file__).parents[1]
VARIABLES = ("XDG_CACHE_HOME", home.STAND_IN, *home._WRITTEN)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc refuses files on Linux only")


def run(code: str, tmp: Path, **variables: str | None) -> subprocess.CompletedProcess[str]:
    """Run Python code with variables changed (none: without it) and ``tmp`` for temporary files."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "widgets")])
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    changed = kept | {"TMPDIR": str(tmp), "PYTHONPATH": paths} | variables
    given = {name: value for name, value in changed.items() if value is not None}
    return subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, cwd=tmp)


NO_USER = "import os, pwd\ndef unknown(*_): raise KeyError\npwd.getpwuid = unknown\n"  # as in many containers


@pytest.mark.parametrize(
    ("before", "where", "said"),
    [
        ("", "/proc/nohome", "the home directory /proc/nohome does not exist"),
        ("", "/dev/null/home", "the home directory /dev/null/home does not exist"),
        (NO_USER, None, "there is no home directory"),
    ],
)
def test_a_missing_home_has_a_stand_in(before: str, where: str | None, said: str, tmp_path: Path) -> None:
    code = before + "import os, vptsp; print(os.path.expanduser('~'))"
    done = run(code, tmp_path, HOME=where)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / f"vptsp-home-{os.getuid()}"
    assert done.stdout.strip() == str(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert done.stderr == f"vptsp: {said}; settings and caches are kept in {folder} instead\n"


def test_it_is_told_once_and_processes_started_from_there_share_it(tmp_path: Path) -> None:
    code = "import vptsp, subprocess, sys, os; print(os.environ['HOME'], flush=True)\n"
    code += "subprocess.run([sys.executable, '-c', 'import vptsp, os; print(os.environ[\"HOME\"])'], check=True)"
    done = run(code, tmp_path, HOME="/proc/nohome")
    assert len(set(done.stdout.split())) == 1
    assert len(done.stdout.split()) == 2
    assert done.stderr.count("\n") == 1, done.stderr


def test_libraries_that_write_settings_and_caches_are_imported_in_silence(tmp_path: Path) -> None:
    code = "import vptsp, matplotlib, IPython.paths, jupyter_core.paths, numba.core.config as numba\n"
    code += "import vptsp.data.omniglot as omniglot\n"
    code += "places = [matplotlib.get_configdir(), matplotlib.get_cachedir(), IPython.paths.get_ipython_dir()]\n"
    code += "places += [jupyter_core.paths.jupyter_runtime_dir(), omniglot.home_expanded(omniglot.DEFAULT_ROOT)]\n"
    code += "print(*places, numba.CACHE_DIR, sep='\\n')"
    done = run(code, tmp_path, HOME="/proc/nohome")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    *places, numba_given = done.stdout.splitlines()
    assert len(places) == 5
    assert all(Path(place).is_relative_to(tmp_path) for place in places), done.stdout
    assert numba_given == "", "numba has its own place where there is a home"


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", *home._WRITTEN])
def test_a_cache_that_cannot_be_written_is_replaced(variable: str, tmp_path: Path) -> None:
    done = run(f"import os, vptsp; print(os.environ[{variable!r}])", tmp_path, **{variable: "/proc/cache"})
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)
    assert "/proc/cache cannot be written" in done.stderr or f"{variable}=/proc/cache" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_home_that_is_only_readable_stays_home_but_caches_go_elsewhere(tmp_path: Path) -> None:
    code = "import os, vptsp; print(os.environ['HOME'], os.environ['NUMBA_CACHE_DIR'], os.environ['MPLCONFIGDIR'])"
    # root may write everywhere but where the file system is read-only, so the answer of access() is made
    refuse = (
        "import os\nmay = os.access\nos.access = lambda path, mode: '/readable' not in str(path) and may(path, mode)\n"
    )
    (tmp_path / "readable").mkdir()
    done = run(refuse + code, tmp_path, HOME=str(tmp_path / "readable"))
    assert done.returncode == 0, done.stderr
    where, *caches = done.stdout.split()
    assert where == str(tmp_path / "readable")
    assert all(Path(cache).is_relative_to(tmp_path / f"vptsp-home-{os.getuid()}") for cache in caches)


def test_a_stand_in_that_others_could_fill_is_not_used(tmp_path: Path) -> None:
    waiting = tmp_path / f"vptsp-home-{os.getuid()}"
    waiting.mkdir()
    waiting.chmod(0o777)
    done = run("import os, vptsp; print(os.environ['HOME'])", tmp_path, HOME="/proc/nohome")
    found = Path(done.stdout.strip())
    assert found.parent == tmp_path
    assert found != waiting
    assert stat.S_IMODE(found.stat().st_mode) == 0o700


def test_with_a_home_nothing_changes_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    code = "import os; before = dict(os.environ); import vptsp; print(before == dict(os.environ), os.listdir())"
    done = run(code, tmp_path, HOME=str(tmp_path / "home"))
    assert (done.stdout, done.stderr) == ("True ['home']\n", "")
    assert list((tmp_path / "home").iterdir()) == []
