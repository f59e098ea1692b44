"""What a reader has who tries the documentation: runs, photos, weights; and the built site."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from blocks import SHORT, in_folder, project

from vptsp.runs.run import Run


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo run in small, with its baselines, by the command that makes one."""
    from click.testing import CliRunner

    from vptsp.cli import main

    folder = tmp_path_factory.mktemp("demo")
    with in_folder(folder):
        result = CliRunner().invoke(main, ["demo", *SHORT], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return folder / "runs/demo-1"


@pytest.fixture
def reader(small_demo: Path, image_folder: Path, tiny: Callable[..., object], tmp_path: Path) -> Callable[[], Path]:
    """Makes a project of a reader: a finished run, a stopped one, photos, weights of another backbone."""

    def make() -> Path:
        folder = project(tmp_path / "project", small_demo, image_folder)
        stopped = folder / "runs/stopped"
        shutil.copytree(small_demo, stopped)
        (stopped / "summary.json").unlink()
        Run(stopped).write_progress(state="stopped")
        import timm
        from safetensors.torch import save_file

        vit = timm.create_model("vit_small_patch16_224.augreg_in21k", pretrained=False)
        save_file(vit.state_dict(), folder / "weights.safetensors")
        return folder

    return make


@pytest.fixture(scope="session")
def site() -> Path:
    """The site that make docs has built."""
    where = os.environ.get("VPTSP_DOCS")
    if not where:
        pytest.fail("these tests look at the built documentation; run make test-docs, which builds it")
    return Path(where)
