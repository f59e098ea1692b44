"""Whether this machine has what the workbench needs: each check looks at one thing and says what to do about it.

No check raises, and none needs what another one looks for, so that a broken installation is described, not met.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from vptsp import home
from vptsp.project import placed

State = Literal["ok", "warn", "fail"]

# Distributions, and the modules by which they are imported. The last line is of notebooks and their pictures.
PACKAGES = {
    "numpy": "numpy",
    "torch": "torch",
    "torchvision": "torchvision",
    "timm": "timm",
    "faiss-cpu": "faiss",
    "umap-learn": "umap",
    "jupyterlab": "jupyterlab",
    "ipykernel": "ipykernel",
    "ipywidgets": "ipywidgets",
    "anywidget": "anywidget",
    "plotly": "plotly",
}
GIB = 2**30
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# What crashes where two OpenMP runtimes meet: threads of torch, faiss and numba (in UMAP), by turns. Of UMAP the part
# that runs in threads, its graph of neighbours: all of it would be compiled twice as long.
TOGETHER = """
import numpy as np, torch, faiss, warnings
from vptsp.analysis.compiled_umap import compiled_umap
warnings.simplefilter("ignore")
points = np.random.default_rng(0).normal(size=(512, 32)).astype(np.float32)
product = torch.from_numpy(points) @ torch.from_numpy(points).T
index = faiss.IndexFlatIP(32)
index.add(points)
likeness, near = index.search(points, 5)
assert (near[:, 0] == product.numpy().argmax(1)).all(), "torch and faiss disagree"
far = (likeness[:, :1] - likeness).astype(np.float32)
graph, *_ = compiled_umap().umap_.fuzzy_simplicial_set(points, 5, None, "precomputed", knn_indices=near, knn_dists=far)
assert graph.shape == (512, 512) and abs(graph - graph.T).max() == 0
assert torch.allclose(torch.from_numpy(points) @ torch.from_numpy(points).T, product)
"""


@dataclass(frozen=True)
class Finding:
    """What a check found. ``remedy``: what to do about it, where it is not ok."""

    name: str
    state: State
    what: str
    remedy: str = ""


def run_checks() -> Iterator[Finding]:
    """All findings, each as soon as it is there."""
    checks: list[tuple[str, Callable[[], Finding]]] = [("python", python)]
    checks += [(name, partial(package, name, module)) for name, module in PACKAGES.items()]
    checks += [
        ("device", device),
        ("threads", threads),
        ("attention", attention),
        ("together", together),
        ("browser", browser),
    ]
    checks += [
        ("current folder", current_folder),
        ("runs", lambda: folder("runs", placed("runs"), "train elsewhere, or with --run-dir FOLDER")),
        ("home", home_folder),
        ("cache", cache_folder),
        ("temporary files", temporary_folder),
        ("disk of runs", lambda: disk("disk of runs", placed("runs"))),
        ("disk of temporary files", lambda: disk("disk of temporary files", Path(tempfile.gettempdir()))),
    ]
    for name, check in checks:
        try:
            yield check()
        except Exception as error:  # a check that breaks has found something as well
            remedy = "mend what fails above first; if nothing does, report this line"
            yield Finding(name, "fail", f"cannot be looked at ({type(error).__name__}: {error})", remedy)


# --- what is installed --------------------------------------------------------------------------------
def python() -> Finding:
    """The interpreter; one that is too old could not read this line."""
    return Finding("python", "ok", f"{platform.python_version()} ({sys.executable})")


def package(name: str, module: str) -> Finding:
    """Whether a package is there, and as new as this project asks for. It is not imported."""
    wanted = _required().get(name, "")
    remedy = f"{sys.executable} -m pip install '{name}{wanted}'"
    try:
        there = importlib.util.find_spec(module) is not None
        version = importlib.metadata.version(name)
    except ImportError:  # PackageNotFoundError is one
        there, version = False, ""
    if not there:
        return Finding(name, "fail", "not installed", remedy)
    from packaging.specifiers import SpecifierSet

    if not SpecifierSet(wanted).contains(version, prereleases=True):
        return Finding(name, "fail", f"{version}, but {wanted} is needed", remedy)
    return Finding(name, "ok", version)


def _required() -> dict[str, str]:
    """Versions that this project asks for, such as ``>=2.9``, by distribution; none where it is not installed."""
    from packaging.requirements import Requirement

    try:
        lines = importlib.metadata.requires("vptsp-workbench") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    found = [Requirement(line) for line in lines if "extra ==" not in line]
    return {one.name: str(one.specifier) for one in found}


# --- what computes ------------------------------------------------------------------------------------
def device() -> Finding:
    """What ``device=auto precision=auto`` give here, and why."""
    import torch

    from vptsp.machine import make_fabric

    fabric = make_fabric()
    precision = {"32-true": "fp32", "bf16-mixed": "bf16"}.get(str(fabric.strategy.precision.precision), "?")
    kind = fabric.device.type
    if kind == "cuda":
        major, minor = torch.cuda.get_device_capability(fabric.device)
        why = f"{torch.cuda.get_device_name(fabric.device)}, CUDA capability {major}.{minor}"
        why += ", which multiplies bf16 natively" if precision == "bf16" else "; bf16 is fast from 8.0 on"
        if f"sm_{major}{minor}" not in torch.cuda.get_arch_list() and not _runs_on_gpu():
            remedy = "install a torch that was built for this GPU (pytorch.org/get-started), or set device=cpu"
            return Finding("device", "fail", f"{kind}, but this torch has no code for it ({why})", remedy)
        return Finding("device", "ok", f"{kind}, {precision} ({why})")
    if kind == "mps":
        return Finding("device", "ok", f"{kind}, {precision} (Apple's GPU, where bf16 is not fast)")
    flags = ", ".join(name for name, has in torch.cpu.get_capabilities().items() if has is True and "bf16" in name)
    why = (
        f"the CPU multiplies bf16 natively: {flags}"
        if precision == "bf16"
        else "the CPU has neither AVX512-BF16 nor AMX"
    )
    if shutil.which("nvidia-smi"):
        remedy = "update the NVIDIA driver" if torch.version.cuda else "install a torch that was built with CUDA"
        return Finding("device", "warn", f"cpu, {precision} ({why}); the NVIDIA GPU is not seen by torch", remedy)
    return Finding("device", "ok", f"cpu, {precision} (torch sees no GPU; {why})")


def _runs_on_gpu() -> bool:
    """Code for another GPU of the same generation runs too; whether it does is quickest tried."""
    import torch

    try:
        return bool((torch.ones(8, device="cuda").sum() == 8).item())
    except RuntimeError:
        return False


def threads() -> Finding:
    """How many threads torch uses, beside the processors that this process may use."""
    import torch

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = os.environ.get("OMP_NUM_THREADS")
    what = f"torch uses {torch.get_num_threads()} of {allowed} processors" + (
        f" (OMP_NUM_THREADS={given})" * bool(given)
    )
    if torch.get_num_threads() > allowed:
        return Finding("threads", "warn", what, f"set OMP_NUM_THREADS={allowed}: more threads wait for each other")
    return Finding("threads", "ok", what)


def attention() -> Finding:
    """Which way of computing attention was the faster one where both were timed on this machine."""
    from vptsp.attention_times import AttentionTimes, device_name
    from vptsp.machine import make_fabric

    kept = AttentionTimes.of_this_user()
    if kept is None:
        return Finding("attention", "ok", "by rule: VPTSP_ATTENTION asks for it, or there is no folder for times")
    times = kept.read().get(device_name(make_fabric().device), {})
    gains: dict[str, list[float]] = {"fused": [], "matmul": []}
    for seconds in times.values():
        if gains.keys() <= seconds.keys():
            first, second = sorted(gains, key=seconds.__getitem__)
            gains[first].append(seconds[second] / seconds[first])
    if not any(gains.values()):
        return Finding("attention", "ok", "not timed on this machine yet; the first run does, shape by shape")
    words = [
        f"{way} is the faster way for {len(found)} (at most {max(found):.1f} x)"
        for way, found in gains.items()
        if found
    ]
    return Finding("attention", "ok", f"of {sum(map(len, gains.values()))} shapes {', '.join(words)}; {kept.file}")


def together(code: str = TOGETHER, seconds: float = 300) -> Finding:
    """Whether torch, faiss and UMAP can work in one process; they do so in another one, which may crash."""
    name, threads_hint = "torch, faiss and umap in one process", "try OMP_NUM_THREADS=1; if that helps, two OpenMP"
    remedy = f"{threads_hint} runtimes are in one process: install torch, faiss-cpu and numba from one source (PyPI)"
    try:
        ended = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, errors="replace", timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return Finding(name, "fail", f"hang: not done after {seconds:g} seconds", remedy)
    if ended.returncode == 0:
        return Finding(name, "ok", "work")
    said = (ended.stderr.strip().splitlines() or ["without a word"])[-1]
    if ended.returncode < 0:
        return Finding(name, "fail", f"crash with {signal.Signals(-ended.returncode).name}: {said}", remedy)
    again = f"{sys.executable} -m pip install --force-reinstall torch faiss-cpu umap-learn"
    return Finding(name, "fail", said, remedy if "OMP" in ended.stderr else again)


def browser() -> Finding:
    """Whether there is a browser that tests and screenshots can drive; the workbench itself opens the user's own."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return Finding("browser", "ok", path)
    ways = {
        "apt-get": "apt-get install chromium",
        "dnf": "dnf install chromium",
        "brew": "brew install --cask chromium",
    }
    possible = [way for tool, way in ways.items() if shutil.which(tool)]
    remedy = f"{' or '.join(possible)}" if possible else f"put one of {', '.join(BROWSERS)} on the PATH"
    return Finding("browser", "warn", "none found; only the browser tests need one", remedy)


# --- what can be written ------------------------------------------------------------------------------
def folder(name: str, path: Path, remedy: str, state: State = "fail") -> Finding:
    """Whether a file can be written into a folder, or where the folder is to be made. ``state``: how bad if not."""
    there = _existing(path)
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"doctor")
            file.flush()
    except OSError as error:
        return Finding(name, state, f"{path.absolute()} cannot be written: {error.strerror or error}", remedy)
    return Finding(name, "ok", f"{path.absolute()}" + ("" if there == path.absolute() else " (to be made)"))


def current_folder() -> Finding:
    """The folder in which runs, notebooks and reports are made."""
    remedy = "cd into a folder that you can write"
    try:
        return folder("current folder", Path.cwd(), remedy)
    except FileNotFoundError:
        return Finding("current folder", "fail", "was deleted", remedy)


def home_folder() -> Finding:
    """The home directory. Without one everything works, but is forgotten."""
    path = os.path.expanduser("~")
    remedy = "set HOME to a folder that you can write, or settings and caches are lost with the temporary files"
    if _stands_in(path):
        return Finding("home", "warn", f"missing; {path} stands in for it", remedy)
    if not os.path.isdir(path):
        return Finding("home", "warn", f"{path if path != '~' else 'it'} does not exist", remedy)
    return folder("home", Path(path), remedy, "warn")


def cache_folder() -> Finding:
    """Where libraries keep what they have downloaded and compiled."""
    path, remedy = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "set XDG_CACHE_HOME to a folder"
    if _stands_in(path):
        return Finding("cache", "warn", f"cannot be written; {path} stands in for it", f"{remedy} that you can write")
    return folder("cache", Path(path), f"{remedy} that you can write", "warn")


def temporary_folder() -> Finding:
    """Where temporary files go: matplotlib, Jupyter and banks of class prompts need some."""
    remedy = "set TMPDIR to a folder that you can write"
    try:
        return folder("temporary files", Path(tempfile.gettempdir()), remedy)
    except FileNotFoundError as error:
        return Finding("temporary files", "fail", str(error), remedy)


def disk(name: str, path: Path, enough: float = 2 * GIB, least: float = GIB / 4) -> Finding:
    """Free space where a folder is or will be."""
    free = shutil.disk_usage(_existing(path)).free
    what = f"{free / GIB:.1f} GiB free"
    if free < enough:
        remedy = "free some space, or work on another disk"
        return Finding(name, "fail" if free < least else "warn", f"only {what}", remedy)
    return Finding(name, "ok", what)


def _stands_in(path: str) -> bool:
    other = os.environ.get(home.STAND_IN, "")
    return other != "" and Path(path).is_relative_to(other)


def _existing(path: Path) -> Path:
    path = path.absolute()
    return next(one for one in (path, *path.parents) if one.exists())
