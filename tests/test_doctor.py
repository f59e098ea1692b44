"""The doctor: each finding with its failing case made real, and an exit status that tells."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vptsp import doctor, home
from vptsp.cli import main
from vptsp.doctor import Finding

ROOT = Path(__file__).parents[1]

# Refuses files from everybody, root as well.
UNWRITABLE = Path("/proc/self") if sys.platform == "linux" else Path("/")


def outside(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)


def test_every_package_that_is_asked_for_is_one_of_the_project() -> None:
    assert set(doctor.PACKAGES) <= set(doctor._required())


def test_a_package_is_there_in_its_version() -> None:
    import numpy

    assert doctor.package("numpy", "numpy") == Finding("numpy", "ok", numpy.__version__)


def test_a_package_that_is_too_old_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_required", lambda: {"numpy": ">=99"})
    found = doctor.package("numpy", "numpy")
    assert found.state == "fail"
    assert found.what.endswith(", but >=99 is needed")
    assert found.remedy == f"{sys.executable} -m pip install 'numpy>=99'"


WITHOUT = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
"""


def test_without_torch_everything_else_is_still_looked_at(tmp_path: Path) -> None:
    code = WITHOUT.format(hidden={"torch"}) + "from vptsp import doctor\n"
    code += "doctor.together.__defaults__ = ('import torch', 60)\n"  # its own process has torch
    code += "for found in doctor.run_checks(): print(found.state, found.name, found.what, sep='|')"
    done = outside(code)
    assert done.returncode == 0, done.stderr
    found = {name: (state, what) for state, name, what in (line.split("|") for line in done.stdout.splitlines())}
    assert found["torch"] == ("fail", "not installed")
    assert found["device"][0] == "fail"
    assert "No module named 'torch'" in found["device"][1]
    assert found["numpy"][0] == "ok"
    assert list(found)[-1] == "disk of temporary files"


def test_the_device_is_what_auto_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    from vptsp.machine import make_fabric

    found = doctor.device()
    assert found.state in ("ok", "warn")
    kind, precision = found.what.replace(",", "").split()[:2]
    assert kind == make_fabric().device.type
    wanted = {"fp32": "32-true", "bf16": "bf16-mixed"}[precision]
    assert make_fabric().strategy.precision.precision == wanted


def test_threads_are_counted_against_processors_of_this_process() -> None:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    code = "import torch; from vptsp import doctor; torch.set_num_threads({}); print(doctor.threads())"
    assert "state='warn'" in outside(code.format(allowed + 1)).stdout
    assert f"torch uses {allowed} of {allowed} processors" in outside(code.format(allowed)).stdout


@pytest.mark.parametrize(
    ("code", "said", "remedy"),
    [
        ("import os; os.abort()", "crash with SIGABRT", "OMP_NUM_THREADS=1"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crash with SIGSEGV", "OMP_NUM_THREADS=1"),
        ("import time; time.sleep(60)", "hang: not done after 2 seconds", "OMP_NUM_THREADS=1"),
        ("raise SystemExit('OMP: Error #15: libiomp5 already initialized')", "OMP: Error #15", "OMP_NUM_THREADS=1"),
        ("import no_such_module", "No module named 'no_such_module'", "pip install --force-reinstall"),
    ],
)
def test_libraries_that_do_not_live_together_are_found(code: str, said: str, remedy: str) -> None:
    found = doctor.together(code, seconds=2 if "sleep" in code else 60)
    assert found.state == "fail"
    assert said in found.what
    assert remedy in found.remedy


def test_torch_faiss_and_umap_live_together_here() -> None:
    assert doctor.together().state == "ok"


def test_a_browser_is_found_or_ways_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.browser().state == "warn"
    assert doctor.browser().remedy == "put one of chromium, chromium-browser, google-chrome on the PATH"
    (tmp_path / "apt-get").touch(0o755)
    assert doctor.browser().remedy == "apt-get install chromium"
    (tmp_path / "chromium").touch(0o755)
    assert doctor.browser() == Finding("browser", "ok", str(tmp_path / "chromium"))


def test_folders_are_written_into_to_see(tmp_path: Path) -> None:
    assert doctor.folder("x", tmp_path, "remedy") == Finding("x", "ok", str(tmp_path))
    assert doctor.folder("x", tmp_path / "a" / "b", "remedy").what == f"{tmp_path / 'a' / 'b'} (to be made)"
    assert list(tmp_path.iterdir()) == []
    refused = doctor.folder("x", UNWRITABLE / "runs", "do this")
    assert (refused.state, refused.remedy) == ("fail", "do this")
    assert refused.what.startswith(f"{UNWRITABLE / 'runs'} cannot be written: ")
    (tmp_path / "file").touch()
    assert doctor.folder("x", tmp_path / "file", "do this").state == "fail"


def test_a_current_folder_that_was_deleted_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert doctor.current_folder() == Finding(
        "current folder", "fail", "was deleted", "cd into a folder that you can write"
    )


def test_a_missing_home_is_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "none"))
    monkeypatch.delenv(home.STAND_IN, raising=False)
    found = doctor.home_folder()
    assert (found.state, found.what) == ("warn", f"{tmp_path / 'none'} does not exist")
    assert "set HOME" in found.remedy


def test_stand_ins_are_told_apart_from_homes() -> None:
    code = "from vptsp import doctor; print(doctor.home_folder().what); print(doctor.cache_folder().what)"
    done = outside(code, HOME="/dev/null/home")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("missing; ")
    assert lines[0].endswith(" stands in for it")
    assert lines[1].startswith("cannot be written; ")


def test_a_cache_that_cannot_be_written_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(UNWRITABLE / "cache"))
    found = doctor.cache_folder()
    assert (found.state, found.remedy) == ("warn", "set XDG_CACHE_HOME to a folder that you can write")


def test_no_place_for_temporary_files_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(UNWRITABLE))
    found = doctor.temporary_folder()
    assert (found.state, found.remedy) == ("fail", "set TMPDIR to a folder that you can write")


def test_free_space_is_measured_against_what_is_wanted(tmp_path: Path) -> None:
    assert doctor.disk("x", tmp_path / "not" / "yet", enough=1, least=0).state == "ok"
    assert doctor.disk("x", tmp_path, enough=2**60, least=1).state == "warn"
    full = doctor.disk("x", tmp_path, enough=2**61, least=2**60)
    assert full.state == "fail"
    assert full.what.startswith("only ")


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("warn", 0), ("fail", 1)])
def test_the_exit_status_tells_whether_something_fails(
    state: doctor.State, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Finding("first", "ok", "fine"), Finding("second", state, "so and so", "do that")]
    monkeypatch.setattr(doctor, "run_checks", lambda: iter(found))
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == code
    assert f"{state:<4}  second: so and so\n      do that\n" in result.output
    assert ("1 of these would stop the workbench" in result.output) == (code == 1)


def test_a_check_that_breaks_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Finding:
        raise RuntimeError("no idea")

    monkeypatch.setattr(doctor, "together", lambda: Finding("together", "ok", "not tried here"))
    monkeypatch.setattr(doctor, "threads", broken)
    found = {finding.name: finding for finding in doctor.run_checks()}
    assert found["threads"].state == "fail"
    assert "RuntimeError: no idea" in found["threads"].what
    assert len(found) == len(doctor.PACKAGES) + 13
