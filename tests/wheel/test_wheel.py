"""The packages as users get them: built from a clean clone, installed by uv into an empty environment, far from here.

What is installed runs in empty folders, and as in many containers there is no home directory.

Dependencies are installed for real, in the versions of uv.lock: seconds when uv has them in its cache (a developer's
environment put them there), else gigabytes from PyPI.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.wheel

ROOT = Path(__file__).parents[2]
CLUTTER = (
    "notebooks/11_mine.ipynb",
    "notebooks/.ipynb_checkpoints/01_train-checkpoint.ipynb",
    "vptsp/stray.py",
    "vptsp/__pycache__/cli.cpython-311.pyc",
    "widgets/vptsp_widgets/notes.txt",
    "runs/demo-1/config.json",
)
NO_HOME = "/dev/null/home"
SAYS = f"vptsp: the home directory {NO_HOME} does not exist; settings and caches are kept in "
TINY = ("epochs=1", "blossoms_classes=12", "blossoms_images=4", "batch_size=8", "baselines=false", "projection=pca")


def uv(*arguments: object, cwd: Path = ROOT) -> str:
    tool = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".tools/bin/uv")
    done = subprocess.run([tool, *map(str, arguments)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def git(*arguments: object, cwd: Path) -> list[str]:
    done = subprocess.run(["git", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@dataclass(frozen=True)
class Built:
    """``tracked``: the files of the clone. ``direct``: the wheel built beside git; the other one is from the sdist."""

    tracked: set[str]
    sdist: Path
    wheel: Path
    direct: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    clone, out = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("dist")
    git("clone", "--quiet", ROOT, clone, cwd=ROOT)
    assert git("rev-parse", "HEAD", cwd=clone) == git("rev-parse", "HEAD", cwd=ROOT)
    tracked = set(git("ls-files", cwd=clone))
    for name in CLUTTER:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text("{}")
    uv("build", "--out-dir", out, cwd=clone)
    uv("build", "--wheel", "--out-dir", out / "direct", cwd=clone)
    return Built(tracked, next(out.glob("*.tar.gz")), next(out.glob("*.whl")), next((out / "direct").glob("*.whl")))


@dataclass(frozen=True)
class Installed:
    """An environment that holds the wheel and what it depends on."""

    environment: Path
    variables: dict[str, str]

    def run(self, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=cwd, env=self.variables, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    locked, environment = folder / "locked.txt", folder / "venv"
    locked.write_text(uv("export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--quiet"))
    uv("venv", "--quiet", "--python", sys.executable, environment)
    uv("pip", "install", "--quiet", "--python", environment, "--constraints", locked, built.wheel)
    dropped = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    variables = {name: value for name, value in os.environ.items() if name not in dropped}
    variables |= {
        "PATH": os.pathsep.join([str(environment / "bin"), os.environ["PATH"]]),
        "HOME": NO_HOME,
        "TMPDIR": str(folder),
        "OMP_NUM_THREADS": "1",
    }
    return Installed(environment, variables)


def test_the_packages_hold_what_git_tracks_and_nothing_else(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    assert in_sdist == built.tracked | {"PKG-INFO"}

    wanted = {name for name in built.tracked if name.startswith("vptsp/")}
    wanted |= {name.removeprefix("widgets/") for name in built.tracked if name.startswith("widgets/vptsp_widgets/")}
    wanted |= {f"vptsp/_{name}" for name in built.tracked if name.startswith("notebooks/")}
    for wheel in (built.wheel, built.direct):
        names = set(zipfile.ZipFile(wheel).namelist())
        assert {name for name in names if ".dist-info/" not in name} == wanted
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_it_is_the_installed_one_that_is_imported(installed: Installed, tmp_path: Path) -> None:
    code = "import vptsp, vptsp_widgets; print(vptsp.__file__, vptsp_widgets.__file__, sep='\\n')"
    done = installed.run("python", "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(Path(line).is_relative_to(installed.environment) for line in done.stdout.splitlines())


def test_notebooks_are_listed_and_copied(installed: Installed, built: Built, tmp_path: Path) -> None:
    names = sorted(Path(name).stem for name in built.tracked if name.startswith("notebooks/"))
    listed = installed.run("vptsp", "notebooks", cwd=tmp_path)
    assert [line.split()[0] for line in listed.stdout.splitlines() if re.match(r"\d\d_", line)] == names
    copied = installed.run("vptsp", "notebooks", "copy", cwd=tmp_path)
    assert copied.returncode == 0, copied.stderr
    assert sorted(path.stem for path in (tmp_path / "notebooks").iterdir()) == names
    again = installed.run("vptsp", "notebooks", "copy", "01_train", cwd=tmp_path)
    assert again.returncode == 1
    assert "notebooks/01_train.ipynb already exists" in again.stderr


def test_the_demo_trains_and_reports_without_the_repository(installed: Installed, tmp_path: Path) -> None:
    done = installed.run("vptsp", "demo", *TINY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"VPTSP-G R@1 [\d.]+ %", done.stdout)
    run = tmp_path / "runs" / "demo-1"
    assert json.loads((run / "config.json").read_text())["blossoms_classes"] == 12
    report = (run / "report.html").read_text()
    assert "gallery" in report, "the views of vptsp_widgets were not found"
    assert [line.startswith(SAYS) for line in done.stderr.splitlines()] == [True], done.stderr


def test_lab_opens_jupyterlab_on_copies(installed: Installed, tmp_path: Path) -> None:
    browser, opened, user = tmp_path / "browser", tmp_path / "opened.html", tmp_path / "user"
    browser.write_text(f'#!/bin/sh\ncp "${{1#file://}}" {opened}.part && mv {opened}.part {opened}\n')
    browser.chmod(0o755)
    user.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            ["vptsp", "lab", f"--ServerApp.port={address.rpartition(':')[2]}", "--IdentityProvider.token=word"],
            cwd=user,
            env=installed.variables | {"BROWSER": f"{browser} %s"},
            stdout=log,
            stderr=log,
        )
    try:
        until = time.monotonic() + 120
        while not opened.exists():
            assert server.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < until, (tmp_path / "log").read_text()
            time.sleep(0.2)
        assert "/lab/tree/notebooks/00_start_here.ipynb?token=word" in opened.read_text()
        with urllib.request.urlopen(f"{address}/api/contents/notebooks?token=word", timeout=30) as answer:
            listed = {entry["name"] for entry in json.load(answer)["content"]}
        assert listed == {path.name for path in (user / "notebooks").glob("*.ipynb")}
    finally:
        server.terminate()
        server.wait(30)
    said = (tmp_path / "log").read_text().splitlines()
    assert said[0].startswith(SAYS)
    assert said[1].startswith(f"copied {len(listed)} notebooks into {user / 'notebooks'}; ")
    assert not any("Traceback" in line for line in said)
