"""The first hour of a newcomer, played and timed: a clone, a run, JupyterLab in Chromium, notebooks cell by cell.

Run as ``python -m benchmarks.first_hour [--run RUN] [--pictures FOLDER] [NAME ...]``; needs git and Chromium
(``python tests/browsers.py``). The clone is of HEAD, with the packages of this environment. ``--run`` is a finished
demo to look at; without it, ``vptsp demo`` trains one in small. ``NAME`` chooses among the notebooks, by how their
names begin. Seconds are of the wall and of the processors, those of the browser left out. A step fails on a traceback,
a warning, an output with nothing in it or an error in the browser's console; the others go on, and the exit status
is 1.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
import psutil
from playwright.sync_api import Error, Page, sync_playwright

from tests import browsers
from tests.lab.conftest import Notebook

SMALL = ("epochs=1", "blossoms_classes=24", "blossoms_images=8", "batch_size=16")
NOTEBOOKS = {  # and what a hasty newcomer changes in them
    "00_start_here": {},
    "01_train": {"epochs": 1, "blossoms_classes": 24, "blossoms_images": 8, "batch_size": 16},
    "02_explore_embeddings": {},
    "03_retrieval_gallery": {},
    "04_proxy_geometry": {"epochs": 2, "blossoms_classes": 24, "blossoms_images": 8, "batch_size": 16},
    "10_your_own_images": {"epochs": 1},
}
OWN = """\
import numpy as np
from vptsp_widgets import SpaceExplorer

rng = np.random.default_rng(0)
labels = np.repeat(["robin", "wren", "finch"], 40)
vectors = rng.normal(size=(120, 16)) + 3 * np.eye(16)[np.repeat([0, 1, 2], 40)]
SpaceExplorer.of_arrays(vectors, labels)
"""
SECONDS = 900  # that a step may take
_CELL = ".jp-Notebook .jp-Cell[data-windowed-list-index='{}'] .jp-OutputArea-output"
# Outputs that show nothing: no size, or neither words nor a picture.
_EMPTY = """(outputs) => outputs.filter((output) => !output.getBoundingClientRect().height
    || !(output.innerText.trim() || output.querySelector("img, svg, canvas"))).length"""

# How many thumbnails in sight have not come yet.
_WAITING = """() => [...document.querySelectorAll("canvas.vptsp-waiting")].filter((one) => {
    const { top, bottom } = one.getBoundingClientRect();
    return one.checkVisibility() && bottom > 0 && top < innerHeight;
}).length"""


class Steps:
    """What was done, how long it took, and what was wrong with it. A row is printed when its step is over."""

    def __init__(self, pictures: Path) -> None:
        self.pictures, self.wrong = pictures, list[str]()
        self.console: list[str] = []  # errors since the last step
        self.watched: psutil.Process | None = None
        self.page: Page | None = None
        self._count = 0
        print(f"{'step':<62}{'wall s':>8}{'cpu s':>8}")

    def _processor(self) -> float:
        """Seconds of processes that have ended, and of the watched one with its children."""
        ended = os.times()
        seconds = ended.children_user + ended.children_system
        if self.watched is not None:
            for process in [self.watched, *self.watched.children(recursive=True)]:
                with suppress(psutil.Error):
                    seconds += sum(process.cpu_times()[:4])
        return seconds

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        began, used, wrong = time.monotonic(), self._processor(), ""
        try:
            yield
        except (AssertionError, Error, OSError) as error:
            wrong = str(error) or type(error).__name__
        wall, used = time.monotonic() - began, self._processor() - used
        wrong = "\n".join([wrong, *self.console]).strip()
        self.console.clear()
        print(f"{title:<62}{wall:8.1f}{used:8.1f}{'  FAILED' if wrong else ''}", flush=True)
        if wrong:
            print(f"    {wrong[-2000:]}")
            self.wrong.append(title)
        self._count += 1
        if self.page is not None:
            self.page.screenshot(path=self.pictures / f"{self._count:03} {title.replace('/', ' ')[:60]}.png")


# --- what is typed ------------------------------------------------------------------------------------
def vptsp(words: str, where: Path, expected: int = 0) -> str:
    """What a command printed."""
    command = [sys.executable, "-m", "vptsp.cli", *words.split()]
    done = subprocess.run(command, cwd=where, env=_environment(where), capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == expected, f"vptsp {words} ended with {done.returncode}: {said}"
    assert "Traceback" not in said, said
    assert said.strip(), f"vptsp {words} said nothing"
    return said


def _environment(clone: Path) -> dict[str, str]:
    left_out = ("VPTSP_", "JUPYTER")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    paths = os.pathsep.join(map(str, (clone, clone / "widgets")))
    home = clone.parent / "jupyter"
    own = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_SETTINGS_DIR")
    own = (*own, "JUPYTERLAB_WORKSPACES_DIR")
    return kept | {"PYTHONPATH": paths} | {name: str(home / name) for name in own}


def start_lab(clone: Path) -> tuple[subprocess.Popen[bytes], str]:
    """``vptsp lab`` without a browser of its own; its process and address."""
    settings = clone.parent / "jupyter/JUPYTERLAB_SETTINGS_DIR/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vptsp.cli", "lab", "--no-browser", "--expose-app-in-browser"]
    command += [f"--ServerApp.port={port}", "--IdentityProvider.token=", "--ServerApp.password="]
    with (clone.parent / "lab.log").open("w") as log:
        lab = subprocess.Popen(
            command, cwd=clone, env=_environment(clone), stdout=log, stderr=log, start_new_session=True
        )
    address, end = f"http://127.0.0.1:{port}", time.monotonic() + 120
    while time.monotonic() < end and lab.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{address}/api/status", timeout=5):
            return lab, address
        time.sleep(0.05)
    raise SystemExit(f"JupyterLab did not start: {(clone.parent / 'lab.log').read_text()[-3000:]}")


# --- what is clicked ----------------------------------------------------------------------------------
def play(steps: Steps, page: Page, path: str, file: Path) -> None:
    """Open a notebook and run it cell by cell, as Shift and Enter do."""
    name = file.stem
    with steps.step(f"{name}: open, kernel ready"):
        notebook = Notebook(page, path)
    cells = nbformat.read(file, 4).cells
    for place, cell in enumerate(cells):
        if cell.cell_type == "code":
            with steps.step(f"{name}: {cell.get('id', place)}"):
                _run(notebook, place, cell.source)
            if page.evaluate(_WAITING):
                with steps.step(f"{name}: {cell.id}, thumbnails"):
                    page.wait_for_function(f"() => !({_WAITING})()")
            if page.locator(_CELL.format(place)).locator(".vptsp-workbench").count():
                with steps.step(f"{name}: {cell.id}, why comes"):
                    why = notebook.output(place).locator(".vptsp-why")
                    why.wait_for(timeout=SECONDS * 1000)
                    page.wait_for_function("() => !document.querySelector('.vptsp-why-pending')")
                    why.scroll_into_view_if_needed()
    page.evaluate("async () => { const app = window.jupyterapp; await app.commands.execute('docmanager:save'); }")


def _run(notebook: Notebook, place: int, source: str) -> None:
    page = notebook.page
    page.set_default_timeout(SECONDS * 1000)
    notebook.run(place)
    outputs = page.evaluate(
        "(cell) => jupyterapp.shell.currentWidget.content.widgets[cell].model.outputs.toJSON()", place
    )
    warned = "".join("".join(output["text"]) for output in outputs if output.get("name") == "stderr")
    assert not warned, f"on red, as errors are: {warned}"
    page.evaluate("(cell) => jupyterapp.shell.currentWidget.content.scrollToItem(cell, 'start')", place)
    if _shows(source):
        page.wait_for_function(
            f"""() => {{
                const outputs = [...document.querySelectorAll("{_CELL.format(place)}")];
                const empty = {_EMPTY};
                return outputs.length && !empty(outputs);
            }}""",
            timeout=30_000,
        )


def _shows(source: str) -> bool:
    """Whether the cell ends in something to look at: an expression that is no assignment and no call for its effect."""
    body = ast.parse(source).body
    if not body or not isinstance(body[-1], ast.Expr):
        return False
    return not (isinstance(body[-1].value, ast.Call) and getattr(body[-1].value.func, "id", "") in ("link",))


def watch(page: Page, steps: Steps) -> None:
    """Errors of the page are the step's."""

    def hear(message: Any) -> None:
        if message.type == "error" and "favicon" not in message.text:
            steps.console.append(f"console: {message.text}")

    page.on("console", hear)
    page.on("pageerror", lambda error: steps.console.append(f"page: {error}"))


# --- the hour -----------------------------------------------------------------------------------------
def hour(steps: Steps, place: Path, run: Path | None, chosen: Callable[[str], bool]) -> None:
    clone = place / "workbench"
    here = Path(__file__).resolve().parent.parent
    with steps.step("git clone"):
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", here, clone], check=True)
    with steps.step("a typo: vptsp train epoch=3"):
        assert "epochs" in vptsp("train epoch=3", clone, expected=1)
    with steps.step("vptsp doctor"):
        vptsp("doctor", clone)
    if run is None:
        with steps.step(f"vptsp demo {' '.join(SMALL)}"):
            vptsp(f"demo {' '.join(SMALL)}", clone)
    else:
        shutil.copytree(run, clone / "runs" / "demo-1")
    with steps.step("vptsp runs"):
        assert "demo-1" in vptsp("runs", clone)
    with steps.step("what a map imports, in a fresh Python"):
        code = "import vptsp.notebooks, vptsp_widgets.run_or_folder, vptsp_widgets.workbench"
        subprocess.run([sys.executable, "-c", code], cwd=clone, env=_environment(clone), check=True)
    with steps.step("vptsp lab, until it answers"):
        lab, address = start_lab(clone)
        steps.watched = psutil.Process(lab.pid)
    try:
        with sync_playwright() as driver:
            environment = os.environ | browsers.font_settings()
            browser = driver.chromium.launch(
                executable_path=browsers.find(), args=list(browsers.ARGUMENTS), env=environment
            )
            page = steps.page = browser.new_page(viewport={"width": 1400, "height": 1000})
            watch(page, steps)
            with steps.step("JupyterLab in the browser"):
                page.goto(f"{address}/lab/tree/my_notebooks/00_start_here.ipynb")
                page.wait_for_function("window.jupyterapp?.started.then(() => true)", timeout=90_000)
                page.get_by_role("heading", name="Start here").wait_for(timeout=90_000)
            for name, changes in NOTEBOOKS.items():
                if chosen(name):
                    file = clone / "my_notebooks" / f"{name}.ipynb"
                    _change(file, changes)
                    play(steps, page, f"my_notebooks/{file.name}", file)
                    _end_kernels(page)
            if chosen("own_embeddings"):
                file = clone / "my_notebooks" / "own_embeddings.ipynb"
                content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(OWN, id="of_arrays")])
                content.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
                nbformat.write(content, file)
                play(steps, page, f"my_notebooks/{file.name}", file)
            with steps.step("git status is clean"):
                changed = subprocess.run(["git", "status", "--short"], cwd=clone, capture_output=True, text=True)
                assert changed.stdout == "", changed.stdout
            steps.page = None
            browser.close()
    finally:
        steps.watched = None
        lab.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            lab.wait(20)
        if lab.poll() is None:
            os.killpg(lab.pid, signal.SIGKILL)


def _change(file: Path, changes: dict[str, Any]) -> None:
    content = nbformat.read(file, 4)
    cell = next((cell for cell in content.cells if "parameters" in cell.metadata.get("tags", [])), None)
    if cell is not None and changes:
        cell.source += "".join(f"\n{name} = {value!r}" for name, value in changes.items())
        nbformat.write(content, file)


def _end_kernels(page: Page) -> None:
    page.evaluate(
        """async () => {
            const documents = [...jupyterapp.shell.widgets("main")].filter((widget) => widget.context);
            for (const widget of documents) {
                widget.context.model.dirty = false;
                widget.close();
            }
            while (!documents.every((widget) => widget.isDisposed)) await new Promise(requestAnimationFrame);
            await jupyterapp.serviceManager.sessions.shutdownAll();
        }"""
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, help="a finished run to look at; without one, one is trained in small")
    parser.add_argument("--pictures", type=Path, help="a folder for a picture of every step; default: a temporary one")
    parser.add_argument("names", nargs="*", metavar="NAME", help="notebooks, by how their names begin; default: all")
    options = parser.parse_args()
    if browsers.find() is None:
        parser.error("Chromium is needed; python tests/browsers.py installs it")
    pictures = (options.pictures or Path(tempfile.mkdtemp(prefix="first-hour-"))).resolve()
    pictures.mkdir(parents=True, exist_ok=True)
    steps = Steps(pictures)
    with tempfile.TemporaryDirectory(prefix="first-hour-", ignore_cleanup_errors=True) as place:
        run = options.run.resolve() if options.run else None
        hour(steps, Path(place), run, lambda name: not options.names or name.startswith(tuple(options.names)))
    print(f"pictures: {pictures}")
    print(f"failed: {', '.join(steps.wrong)}" if steps.wrong else "nothing failed")
    return 1 if steps.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
