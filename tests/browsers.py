"""The Chromium that tests drive: found, and installed where there is none. ``make test`` calls it before any test.

Three ways, tried in this order: one on PATH; as root where apt is, Debian's package; Playwright's own download, in the
user's cache. Where none works, one sentence names them, and ``make test BROWSER=none``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
_WITHOUT = "or run make test BROWSER=none, which leaves the browser tests out and says how many"


def find() -> str | None:
    """Path of a Chromium: one on PATH, or the one that Playwright keeps; none where there is neither."""
    on_path = next(filter(None, map(shutil.which, NAMES)), None)
    return on_path or (own if (own := _playwright_path()) and Path(own).is_file() else None)


def _playwright_path() -> str | None:
    """Where Playwright keeps, or would keep, its own Chromium. In a process: its driver may be running in this one."""
    code = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def starts(path: str) -> str:
    """Empty where the browser at ``path`` draws a page with text; else what went wrong, in a line."""
    code = (
        "import sys; from playwright.sync_api import sync_playwright as s\n"
        "with s() as p:\n"
        "    b = p.chromium.launch(executable_path=sys.argv[1], args=sys.argv[2:]); page = b.new_page()\n"
        "    page.set_content('<span id=a>mmmm</span>')\n"
        "    assert page.locator('#a').bounding_box()['width'] > 0, 'it draws no text: there is no font'\n"
        "    b.close()"
    )
    command = [sys.executable, "-c", code, path, *ARGUMENTS]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=120, env=os.environ | font_settings()
        )
    except subprocess.TimeoutExpired:
        return "it did not open a page within two minutes"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return "" if done.returncode == 0 else (lines[-1].strip() if lines else f"exit status {done.returncode}")


def font_settings() -> dict[str, str]:
    """Environment variables that give a browser the DejaVu fonts of matplotlib beside the system's.

    A bare machine has no font at all, and one that a test relies on must be the same everywhere. Linux only: other
    systems do not ask fontconfig.
    """
    if not sys.platform.startswith("linux"):
        return {}
    import matplotlib

    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    file = Path(sys.prefix) / "vptsp-test-fonts.conf"  # in the environment that the tests run in
    file.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f'<include ignore_missing="yes">/etc/fonts/fonts.conf</include><dir>{fonts}</dir>'
        '<cachedir prefix="xdg">fontconfig</cachedir></fontconfig>'
    )
    return {"FONTCONFIG_FILE": str(file)}


# --- what drives it -----------------------------------------------------------------------------------
def driver_problem() -> str:
    """Empty where Playwright's driver starts; else the line in which the system says why not.

    The driver is a Node.js of its own, and on a bare Debian a library that it needs is missing.
    """
    from playwright._impl._driver import compute_driver_executable

    node = compute_driver_executable()[0]
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, errors="replace")
    except OSError as error:
        return f"{node}: {error.strerror or error}"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]


def _provide_driver() -> None:
    wrong = driver_problem()
    if wrong and "libatomic" in wrong:
        print("Playwright's driver needs libatomic1; trying: apt-get install libatomic1", file=sys.stderr, flush=True)
        if not _by_apt("libatomic1"):
            wrong = driver_problem()
    if wrong:
        raise SystemExit(
            f"the browser tests drive Chromium with Playwright, whose driver does not start ({wrong}). Install what is "
            f"missing (on Debian and Ubuntu, as root: apt-get install libatomic1), {_WITHOUT}"
        )


# --- the ways to get one ------------------------------------------------------------------------------
def _by_apt(package: str = "chromium") -> str:
    if os.name != "posix" or os.geteuid() != 0:
        return "this is not root"
    if not shutil.which("apt-get"):
        return "there is no apt-get"
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", package]):
        done = subprocess.run(
            ["apt-get", *arguments], capture_output=True, text=True, check=False, env=environment, errors="replace"
        )
        if done.returncode:
            lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            return lines[-1].strip() if lines else f"apt-get {arguments[0]} ended with {done.returncode}"
    return ""


def _by_playwright() -> str:
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, errors="replace")
    except subprocess.TimeoutExpired:
        return "its download did not end within 15 minutes"
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "rror" in line]
    return "" if done.returncode == 0 else (lines[0].strip() if lines else f"exit status {done.returncode}")


WAYS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("apt-get install chromium, as root on Debian or Ubuntu", _by_apt),
    ("python -m playwright install chromium", _by_playwright),
)


def provide() -> str:
    """Path of a Chromium that opens pages, installed if need be.

    Raises :class:`SystemExit` with one sentence where none can be had.
    """
    _provide_driver()
    reasons = [f"none of {', '.join(NAMES)} on PATH"]
    path = find()
    if path is None:
        for title, way in WAYS:
            print(f"no Chromium for the browser tests; trying: {title}", file=sys.stderr, flush=True)
            if wrong := way():
                reasons.append(f"{title} ({wrong})")
            elif path := find():
                break
    if path is None:
        raise SystemExit(
            f"the browser tests need Chromium and there is none: {'; '.join(reasons)}. Put one on PATH, or make one of "
            f"the other two ways work, {_WITHOUT}"
        )
    if wrong := starts(path):
        raise SystemExit(f"the browser tests need Chromium, and {path} does not work: {wrong}. Mend it, {_WITHOUT}")
    return path


if __name__ == "__main__":
    print(f"browser: {provide()}")
