"""What installing and importing the project brings."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
HEAVY = ("IPython", "ipykernel", "jupyterlab", "papermill", "ipywidgets", "plotly", "umap", "matplotlib", "pytest")


def test_conda_and_pip_users_get_the_same_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(item["pip"] for item in conda if isinstance(item, dict))
    assert pip[-1] == f"-e .[{','.join(sorted(project['optional-dependencies']))}]"
    assert sorted(pip[:-1]) == sorted(project["dependencies"])
    assert f"python{project['requires-python']}" in conda


@pytest.mark.parametrize(("module", "also"), [("vptsp", ("torch", "timm", "pandas")), ("vptsp.training.loop", ())])
def test_importing_the_core_brings_no_notebook_and_no_plots(module: str, also: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(result.stdout.split()) & {*HEAVY, *also} == set()
    assert result.stderr == ""
