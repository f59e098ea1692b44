"""A real JupyterLab, driven in Chromium as a person drives it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Error, Locator, Page, ViewportSize

_PANEL = "window.jupyterapp.shell.currentWidget"
_SIZE = ViewportSize(width=1400, height=1000)
_NOISE = (  # what JupyterLab itself says in a browser without a GPU or on its first start
    "favicon",
    "Blocked script execution in 'blob:",  # of a page in its viewer that nobody trusts yet
)


class Lab:
    """A JupyterLab server of its own, in ``folder``: no token, no news, no settings but those given."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.root = folder / "notebooks"
        self.root.mkdir(parents=True)
        own = {name: folder / name for name in ("config", "data", "runtime", "settings", "workspaces", "ipython")}
        settings = own["settings"] / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
        left_out = ("VPTSP_HEADLESS", "JUPYTER_PATH")
        environment = {name: value for name, value in os.environ.items() if name not in left_out} | environment
        environment |= {
            "JUPYTER_CONFIG_DIR": str(own["config"]),
            "JUPYTER_DATA_DIR": str(own["data"]),
            "JUPYTER_RUNTIME_DIR": str(own["runtime"]),
            "JUPYTERLAB_SETTINGS_DIR": str(own["settings"]),
            "JUPYTERLAB_WORKSPACES_DIR": str(own["workspaces"]),
            "IPYTHONDIR": str(own["ipython"]),
            "OMP_NUM_THREADS": "1",
        }
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "server.log"
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"),
            *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
            *(f"--ServerApp.root_dir={self.root}", "--IdentityProvider.token=", "--ServerApp.password="),
            *("--ServerApp.disable_check_xsrf=True", "--LabApp.extension_manager=readonly"),
        ]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=self.root, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self._wait()

    def _wait(self) -> None:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.url}/api/status", timeout=5):
                    return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        self.close()
        pytest.fail(f"JupyterLab did not start:\n{self.log.read_text()[-3000:]}")

    def write(self, name: str, cells: list[str]) -> str:
        """A new notebook of code cells; its path as the server knows it."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata.language_info = {"name": "python"}
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
        nbformat.write(notebook, self.root / name)
        return name

    def close(self) -> None:
        """End the server, which ends its kernels; whatever is left of its process group is killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


class Window:
    """A page of JupyterLab. It takes seconds of processor time to load, so tests use it one after the other."""

    def __init__(self, browser: Browser, lab: Lab) -> None:
        self.lab, self.wrong = lab, list[str]()
        self.context = browser.new_context(viewport=_SIZE)
        self.page = page = self.context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.wrong.append(f"{error} ({error.stack})"))
        page.on("request", self._request)
        page.goto(f"{lab.url}/lab?reset")
        page.wait_for_function("window.jupyterapp?.started.then(() => true)", timeout=90_000)

    def _console(self, message: Any) -> None:
        place = str(message.location["url"])
        # What JupyterLab asks its server about kernels and files that come and go; no view asks for anything.
        own = any(noise in message.text for noise in _NOISE) or place.startswith(f"{self.lab.url}/api/")
        if message.type == "error" and not own:
            self.wrong.append(f"{message.text} ({place})")

    def _request(self, request: Any) -> None:
        own = (self.lab.url, self.lab.url.replace("http", "ws", 1), "data:", "blob:", "about:")
        if not request.url.startswith(own):
            self.wrong.append(f"request to {request.url}")

    def clear(self) -> None:
        """As it was at first: no document, no kernel, the light theme.

        Kernels that a page opened come up first, as turning them back is an error of JupyterLab's server.
        Documents close before their kernels end: parts of JupyterLab look for the kernel of a document for a while.
        """
        self.page.evaluate(
            """async () => {
                const app = window.jupyterapp;
                const documents = [...app.shell.widgets("main")].filter((widget) => widget.context);
                const kernels = () => documents.map((widget) => widget.context.sessionContext.session?.kernel);
                const until = performance.now() + 10_000; // a kernel that is on its way is not turned back
                while (kernels().some((kernel) => kernel?.connectionStatus === "connecting")
                    && performance.now() < until) await new Promise(requestAnimationFrame);
                for (const widget of documents) {
                    widget.context.model.dirty = false; // nobody is asked whether to save
                    widget.close();
                }
                while (!documents.every((widget) => widget.isDisposed)) await new Promise(requestAnimationFrame);
                await app.serviceManager.sessions.shutdownAll();
            }"""
        )
        change_theme(self.page, "Light")
        self.page.wait_for_timeout(200)  # what has been waiting to be drawn
        self.page.set_viewport_size(_SIZE)
        self.page.mouse.move(0, 0)


def change_theme(page: Page, name: str) -> None:
    """``Light`` or ``Dark``, with what covers JupyterLab while its theme changes gone again.

    Changed anew before that, JupyterLab takes its cover away twice, which is an error of its own.
    """
    is_so = f"document.body.dataset.jpThemeLight === '{str(name == 'Light').lower()}'"
    if not page.evaluate(is_so):
        change = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"
        page.evaluate(change, f"JupyterLab {name}")
    page.wait_for_function(f"{is_so} && !document.getElementById('jupyterlab-splash')")


class Notebook:
    """An open notebook and its page."""

    def __init__(self, page: Page, name: str, kernel: bool = True) -> None:
        self.page = page
        page.evaluate(
            "async (path) => (await jupyterapp.commands.execute('docmanager:open', { path })).context.ready", name
        )
        page.wait_for_function(f"{_PANEL}?.content?.model?.cells?.length > 0")
        if kernel:
            page.wait_for_function(f"{_PANEL}.sessionContext.session?.kernel?.status === 'idle'", timeout=90_000)

    def run(self, cell: int, wait: bool = True) -> Locator:
        """Run a code cell; its outputs. Fails with the traceback when the cell does."""
        self.page.evaluate(
            f"""(cell) => {{
                {_PANEL}.content.activeCellIndex = cell;
                window.ran = window.jupyterapp.commands.execute("notebook:run-cell");
            }}""",
            cell,
        )
        if wait:
            self.wait()
            outputs = self.page.evaluate(f"(cell) => {_PANEL}.content.widgets[cell].model.outputs.toJSON()", cell)
            for output in outputs:
                assert output["output_type"] != "error", "\n".join(output["traceback"])
        return self.output(cell)

    def wait(self) -> None:
        """Until the cell that was run last is done."""
        self.page.evaluate("window.ran.then(() => {})")

    def output(self, cell: int) -> Locator:
        return self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{cell}'] .jp-OutputArea-output")

    def value(self, expression: str) -> Any:
        """What an expression is worth in the kernel, as JSON printed there."""
        code = f"import json as _json; print(_json.dumps({expression}))"
        return json.loads(self.execute(code))

    def execute(self, code: str) -> str:
        """Execute code beside the notebook; what it printed."""
        text: str = self.page.evaluate(
            f"""async (code) => {{
                const future = {_PANEL}.sessionContext.session.kernel.requestExecute({{code, store_history: false}});
                let text = "";
                future.onIOPub = (message) => {{
                    if (message.content.name === "stdout") text += message.content.text;
                    if (message.header.msg_type === "error") text += message.content.traceback.join("\\n");
                }};
                const reply = await future.done;
                if (reply.content.status !== "ok") throw new Error(text);
                return text;
            }}""",
            code,
        )
        return text

    def until(self, expression: str, expected: Any, seconds: float = 15) -> None:
        """Wait until an expression is worth ``expected`` in the kernel."""
        end = time.monotonic() + seconds
        while (value := self.value(expression)) != expected and time.monotonic() < end:
            time.sleep(0.1)
        assert value == expected

    def theme(self, name: str) -> None:
        """``Light`` or ``Dark``."""
        change_theme(self.page, name)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, forked_kernel_path: Path) -> Iterator[Lab]:
    """JupyterLab as it comes, but for kernels, which are forked."""
    lab = Lab(tmp_path_factory.mktemp("lab"), JUPYTER_PATH=str(forked_kernel_path))
    yield lab
    lab.close()


@pytest.fixture(scope="session")
def windows(browser: Browser) -> Iterator[dict[Lab, Window]]:
    """The pages that are open, one for a server."""
    open_: dict[Lab, Window] = {}
    yield open_
    for window in open_.values():
        window.context.close()


@pytest.fixture
def open_notebook(browser: Browser, windows: dict[Lab, Window]) -> Iterator[Callable[..., Notebook]]:
    """``open_notebook(lab, name)``. Console errors and requests to other servers fail the test at its end."""
    used: list[Window] = []

    def open_(lab: Lab, name: str, kernel: bool = True) -> Notebook:
        window = windows.pop(lab, None) or Window(browser, lab)  # it comes back when it has been cleared
        used.append(window)
        return Notebook(window.page, name, kernel)

    yield open_
    wrong = [text for window in used for text in window.wrong]  # JupyterLab complains when kernels go, too
    for window in used:
        try:
            window.clear()
        except Error:  # the test failed and left something open; the next one gets a page of its own
            window.context.close()
        else:
            window.wrong.clear()
            windows[window.lab] = window
    assert wrong == []
