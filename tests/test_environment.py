"""What installing and importing the project brings, and in which direction its modules import."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
HEAVY = ("IPython", "ipykernel", "jupyterlab", "papermill", "ipywidgets", "plotly", "umap", "matplotlib", "pytest")

# The core: each module may import only those on earlier lines. Everything else must merely be free of cycles.
ORDER = """
errors
methods presets tasks
config
environment files machine
attention bank bundled
backbones prompts
swin adapters
encoder
fitting heads locations
proxies losses
units
model recognition
objective optim passes
data
runs
checkpoints progress
thumbnails
embeddings
clustering retrieval
metrics
trackers
evaluation guards session
snapshots
training
cli
"""


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


def imports(path: Path) -> set[str]:
    """Top modules of the package that a file imports, inside functions as well, type checking aside."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "vptsp":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("vptsp."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("vptsp.")}
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path} has a relative import"
    return found


def test_modules_import_one_way() -> None:
    package = ROOT / "vptsp"
    graph: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        module = path.relative_to(package).with_suffix("").parts[0]
        if module != "__init__":  # the front door names everything
            graph.setdefault(module, set()).update(imports(path) - {module})
        assert "vptsp_widgets" not in path.read_text(encoding="utf-8"), f"{path.name} reaches up to the widgets"
    TopologicalSorter(graph).prepare()  # raises CycleError, naming the cycle

    level = {module: number for number, line in enumerate(ORDER.splitlines()) for module in line.split()}
    for module in level.keys() & graph.keys() - {"cli"}:
        wrong = {other for other in graph[module] if level.get(other, 0) >= level[module]}
        assert not wrong, f"{module} imports {', '.join(sorted(wrong))}, which stand beside or after it"
