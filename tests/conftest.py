"""What several test files share: a folder of small images and settings that train in about a second."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import forks
import pytest
from chromium import browser, playwright_driver  # noqa: F401 - fixtures of the browser tests
from forks import forked_kernel_path, forked_kernels, real_kernels  # noqa: F401 - fixtures of the notebooks' tests

# Nothing else is imported before it is needed: the process that only hands tests to its workers reads this file too.
if TYPE_CHECKING:
    from vptsp.runs.run import Run
    from vptsp.settings.config import Config

_LEFT_OUT = pytest.StashKey[int]()  # browser tests that were left out

# Small tensors: more threads than one only wait for each other, above all beside other test processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
# What is kept of drawn images is not the user's; all processes of all runs share it.
os.environ.setdefault("VPTSP_CACHE", os.path.join(tempfile.gettempdir(), f"vptsp-tests-{getattr(os, 'getuid', int)()}"))
# What is compared bit by bit must not depend on what a busy machine measured.
os.environ.setdefault("VPTSP_ATTENTION", "rule")
# A run computes its own features, unless it is a test of just that.
os.environ.setdefault("VPTSP_SHARED_FEATURES", "off")
# It takes two seconds of each process that reads a notebook, to check web addresses in schemas that have none.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def pytest_configure(config: pytest.Config) -> None:
    forks.configure(config)


def pytest_collection_finish(session: pytest.Session) -> None:
    forks.start_if_needed(session)


def pytest_collection(session: pytest.Session) -> None:
    """What the process needs that will run tests."""
    import hypothesis
    import torch

    torch.set_num_threads(1)
    # A busy machine must not fail a test, and continuous integration must see the same examples every time.
    hypothesis.settings.register_profile(
        "here",
        deadline=None,
        derandomize="CI" in os.environ,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    hypothesis.settings.load_profile("here")


# A worker takes whole files, in this order, so that what is left at the end are short ones: both end at the same time.
_FIRST = ("sweeps", "notebooks", "lab", "reports", "training", "analysis", "widgets", "pretraining")


def _place(path: Path) -> int:
    folder = path.relative_to(Path(__file__).parent).parts[0]
    return _FIRST.index(folder) if folder in _FIRST else len(_FIRST)


# Where shapes are checked while tests run. A check takes as long as what it checks, where models are this small: those
# that train again and again what was checked here do without.
_SHAPES_CHECKED = ("core", "evaluation", "analysis", "settings")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    import jaxtyping

    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    checked = folder in _SHAPES_CHECKED or item.get_closest_marker("shapes_checked")
    jaxtyping.config.update("jaxtyping_disable", not checked)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--without-browser", action="store_true", help="leave out the tests that drive Chromium")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long folders first, and the browser's tests left out where that was asked for.

    :func:`pytest_terminal_summary` says how many those are.
    """
    items.sort(key=lambda item: _place(item.path))
    if not config.getoption("--without-browser"):
        return
    left_out = [item for item in items if item.get_closest_marker("browser") and not item.get_closest_marker("slow")]
    items[:] = [item for item in items if not item.get_closest_marker("browser")]
    config.stash[_LEFT_OUT] = len(left_out)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One worker takes all files of JupyterLab, which share a server and a page; else a worker takes a file."""
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "tests/lab" if file.startswith("tests/lab/") else file

    return Files(config, log) if config.option.dist == "loadfile" else None


def pytest_testnodedown(node: Any) -> None:
    """A worker of xdist has collected the same tests and says how many it left out."""
    node.config.stash[_LEFT_OUT] = node.workeroutput.get("left_out", 0)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(_LEFT_OUT, 0)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if config.getoption("--without-browser"):
        number = config.stash.get(_LEFT_OUT, 0)
        terminalreporter.write_line(f"{number} tests that need a browser were left out; make test runs them as well")


def write_images(root: Path, split: str, classes: int, images: int, first: int = 0, size: int = 32) -> None:
    """``root/split/class_<n>/<i>.png``: noise around a colour of the class."""
    import numpy as np
    from PIL import Image

    for number in range(first, first + classes):
        folder = root / split / f"class_{number:02d}"
        folder.mkdir(parents=True)
        rng = np.random.default_rng(number)
        colour = rng.uniform(40, 215, 3)
        for image in range(images):
            pixels = (colour + rng.normal(0, 20, (size, size, 3))).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{image}.png")


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 training and 4 test classes of 5 images."""
    root = tmp_path_factory.mktemp("images") / "colours"
    write_images(root, "train", 10, 5)
    write_images(root, "test", 4, 5, first=10)
    return root


@pytest.fixture(scope="session")
def tiny(image_folder: Path) -> Callable[..., Config]:
    """``tiny(**changes)``: a configuration that trains 2 epochs of 4 batches in about a second."""
    from vptsp.settings.config import make_config
    from vptsp.settings.methods import METHODS

    def make(**changes: Any) -> Config:
        settings = {
            "dataset": "folder",
            "data_root": image_folder,
            "backbone": "test_vit",
            "backbone_weights": "random",
            "image_size": 32,
            "embedding_size": 16,
            "batch_size": 8,
            "num_prompts": 3,
            **({"num_guided_prompts": 3} if METHODS[changes.get("method", "vptsp_g")].guided else {}),
            "num_class_prompts": 2,
            "epochs": 2,
            "lr": 0.005,
            "precision": "fp32",
            "device": "cpu",
            "probe_images": 8,
            "side_weights": "random",
            "select_start": "none",  # colours are told apart without training: the untrained model would always win
            "select_finish": "none",  # what it gives is tested by itself
            "augment_fit": "none",  # likewise
            "select_by": "recall_at_1",  # steps of a twentieth are easily set, and seldom tie
        }
        return make_config(settings | changes)

    return make


@pytest.fixture
def two_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """timm's smallest ViT has two of its six blocks, in this process: what holds for each takes a third of the time."""
    import timm

    create = timm.create_model

    def short(name: str, **keywords: Any) -> Any:
        return create(name, **({"depth": 2} if name == "test_vit" else {}), **keywords)

    monkeypatch.setattr(timm, "create_model", short)


@pytest.fixture(scope="session")
def tiny_run(tiny: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished VPTSP-G run with both baselines. Read it; copy its directory before changing anything in it."""
    from trainings import silent

    from vptsp.training.baselines import train_baselines
    from vptsp.training.loop import train

    run = train(tiny(method="vptsp_g"), tmp_path_factory.mktemp("runs") / "tiny", observer=silent)
    train_baselines(run, observer=lambda method: silent)
    return run
