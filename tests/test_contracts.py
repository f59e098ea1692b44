"""Which room may import which: the contracts of pyproject.toml hold, and they have teeth."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def checked(root: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of a tree; it reads the files and imports none."""
    paths = [str(root), str(root / "widgets"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "200"}
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    return subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment)


def test_every_contract_is_kept() -> None:
    result = checked(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Contracts: 7 kept, 0 broken." in result.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources and of the contracts."""
    root = tmp_path_factory.mktemp("tree")
    for folder in ("vptsp", "widgets/vptsp_widgets"):
        for path in (ROOT / folder).rglob("*.py"):
            copy = root / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        (
            "vptsp/core/heads.py",
            "from vptsp.files import write_json",
            "vptsp.core is not allowed to import vptsp.files",
        ),
        ("vptsp/core/heads.py", "import pydantic", "vptsp.core is not allowed to import pydantic"),
        ("vptsp/data/image_set.py", "from vptsp.runs.run import Run", "vptsp.data is not allowed to import vptsp.runs"),
        ("vptsp/text.py", "def f():\n    import vptsp.cli", "vptsp.text is not allowed to import vptsp.cli"),
        ("vptsp/runs/tiles.py", "from vptsp import train", "vptsp.runs.tiles is not allowed to import vptsp"),
        ("vptsp/cli/lab.py", "import vptsp_widgets", "vptsp is not allowed to import vptsp_widgets"),
        ("vptsp/data/contact_sheet.py", "def f():\n    import umap", "vptsp.data is not allowed to import umap"),
        ("vptsp/analysis/mantel.py", "import plotly", "vptsp.analysis is not allowed to import plotly"),
        ("widgets/vptsp_widgets/extra.py", "", None),  # the widgets' shared files are free to come and go
        ("vptsp/stray.py", "", "stray"),
    ],
)
def test_one_forbidden_import_is_found(tree: Path, file: str, line: str, complaint: str | None) -> None:
    path = tree / file
    before = path.read_text() if path.exists() else None
    path.write_text(f"{before or ''}\n{line}\n")
    try:
        result = checked(tree)
    finally:
        path.unlink() if before is None else path.write_text(before)
    assert result.returncode == (complaint is not None), result.stdout + result.stderr
    assert (complaint or "0 broken") in result.stdout


def test_a_view_that_reaches_for_another_is_found(tree: Path) -> None:
    views = tree / "widgets" / "vptsp_widgets"
    path = views / "why.py" if (views / "why.py").exists() else views / "why" / "view.py"
    before = path.read_text()
    path.write_text(before + "\nfrom vptsp_widgets.gallery import RetrievalGallery\n")
    try:
        result = checked(tree)
    finally:
        path.write_text(before)
    assert result.returncode == 1
    assert "vptsp_widgets.why is not allowed to import vptsp_widgets.gallery" in result.stdout
