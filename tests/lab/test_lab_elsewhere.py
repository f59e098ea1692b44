"""Views outside JupyterLab: a real marimo and a real nbclassic, light both, in a Chromium of a dark system."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page

from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run

pytestmark = [pytest.mark.browser, pytest.mark.notebooks]
_NOISE = ("Host is not attached.",)  # nbclassic's own, where it loses a widget
SIZE = {"width": 1400, "height": 1800}


@contextmanager
def served(folder: Path, *command: str) -> Iterator[str]:
    """Address of what a command serves; it ends with the block. ``{port}`` in the command is a free one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "XDG_CONFIG_HOME")}
    own |= {"JUPYTER_RUNTIME_DIR": str(folder / "runtime"), "IPYTHONDIR": str(folder / "ipython")}
    environment = {name: value for name, value in os.environ.items() if name != "VPTSP_HEADLESS"} | own
    words = [sys.executable, "-m", *(word.format(port=port) for word in command)]
    log = folder / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        for _ in range(900):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, log.read_text()[-3000:]
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            server.wait(20)
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(10)


@pytest.fixture
def dark_page(browser: Browser) -> Iterator[Page]:
    """A page of a system that is set to dark. What its scripts stumble over fails the test."""
    context = browser.new_context(viewport=SIZE, color_scheme="dark")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(90_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    assert [text for text in wrong if text not in _NOISE] == []


def select_all(view: Locator) -> None:
    """A lasso around the whole map, by the mouse."""
    over = view.locator(".vptsp-space-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box
    page = over.page
    corners = [(2, 2), (box["width"] - 2, 2), (box["width"] - 2, box["height"] - 2), (2, box["height"] - 2), (2, 2)]
    page.keyboard.down("Shift")
    for turn, (x, y) in enumerate(corners):
        page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
        if turn == 0:
            page.mouse.down()
    page.mouse.up()
    page.keyboard.up("Shift")


def is_light(view: Locator) -> bool:
    return not view.evaluate("view => view.classList.contains('vptsp-dark')")


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.1)
    assert true()


def test_in_marimo_views_are_cells_that_others_depend_on(dark_page: Page, tiny_run: Run, tmp_path: Path) -> None:
    run = str(tiny_run.path)
    cells = [
        "import marimo as mo\nfrom vptsp_widgets.gallery import RetrievalGallery\n"
        "from vptsp_widgets.space import SpaceExplorer",
        f"space = mo.ui.anywidget(SpaceExplorer.of_run({run!r}, method='pca'))\nspace",
        "f'{len(space.selection)} of {len(space.ids)} selected'",
        f"gallery = RetrievalGallery.of_run({run!r})\ngallery",
    ]
    source = "import marimo\n\napp = marimo.App()\n"
    for cell in cells:
        source += "\n\n@app.cell\ndef _():\n" + textwrap.indent(cell, "    ") + "\n    return\n"
    (tmp_path / "app.py").write_text(source)
    quiet = ("--headless", "--no-token")
    with served(tmp_path, "marimo", "run", "app.py", *quiet, "--host", "127.0.0.1", "-p", "{port}") as url:
        dark_page.goto(url)
        view = dark_page.locator(".vptsp:has(.vptsp-space-over)").first
        view.locator(".vptsp-space-over").wait_for()
        count = len(tiny_run_ids(tiny_run))
        dark_page.get_by_text(f"0 of {count} selected").wait_for()
        assert is_light(view), "the page is light, the system dark"
        select_all(view)
        dark_page.get_by_text(f"{count} of {count} selected").wait_for()  # the cell that reads it ran by itself
        gallery = dark_page.locator(".vptsp:has(.vg-tiles), .vptsp:has([class^=vg-])").first
        gallery.get_by_role("button", name="Random", exact=True).click()
        gallery.locator("img, canvas").first.wait_for()
        gallery.locator(".vg-facts").first.wait_for()
        dark_page.goto("about:blank")  # or it would miss its server


def test_in_nbclassic_views_work_and_keep_their_keys(dark_page: Page, tiny_run: Run, tmp_path: Path) -> None:
    run = str(tiny_run.path)
    cells = [
        f"from vptsp_widgets.space import SpaceExplorer\nspace = SpaceExplorer.of_run({run!r}, method='pca')\nspace",
        "print(len(space.selection), 'selected')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
    nbformat.write(notebook, tmp_path / "views.ipynb")
    quiet = ("--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=")
    free = ("--ServerApp.password=", "--ServerApp.disable_check_xsrf=True")
    with served(tmp_path, "nbclassic", *quiet, *free, "--ServerApp.port={port}", "--ServerApp.port_retries=0") as url:
        dark_page.goto(f"{url}/notebooks/views.ipynb")
        dark_page.wait_for_function(
            "window.Jupyter?.notebook?.kernel?.widget_manager && Jupyter.notebook.kernel.is_connected()"
        )
        view = dark_page.locator(".vptsp:has(.vptsp-space-over)").first
        # It loses the widgets of a cell that runs while its own parts are still loading, and does not say when that is
        # over. Whoever sees an empty output runs the cell again.
        for _ in range(6):
            dark_page.evaluate("Jupyter.notebook.execute_cells([0])")
            dark_page.wait_for_function("Jupyter.notebook.get_cell(0).output_area.outputs.length")
            dark_page.wait_for_timeout(3000)
            if view.count():
                break
        assert is_light(view), "the page is light, the system dark"
        select_all(view)
        count = len(tiny_run_ids(tiny_run))
        view.get_by_text(f"{count} images selected").first.wait_for()

        def printed() -> bool:
            dark_page.evaluate("Jupyter.notebook.execute_cells([1])")
            time.sleep(0.3)
            return f"{count} selected" in dark_page.locator(".output_stdout").last.inner_text()

        until(printed)
        view.locator(".vptsp-space-over").focus()
        for key in ("d", "d", "x", "b"):  # the notebook's keys for cells: delete, cut, insert below
            dark_page.keyboard.press(key)
        assert dark_page.evaluate("Jupyter.notebook.get_cells().length") == 2
        dark_page.evaluate("Jupyter.notebook.set_dirty(false)")
        dark_page.goto("about:blank")


def tiny_run_ids(run: Run) -> list[str]:
    return list(SavedEmbeddings.of_run(run, "test").ids)
