"""What installing and importing the project brings."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
BASES = (".", "vptsp", "widgets/vptsp_widgets")  # from which documents write paths
# Who waits for what: packages that an import must not bring, as seconds of a shared machine say little. The core's are
# in core/test_library.py, those of the command line in cli/test_startup.py, those of views in widgets/test_run_view.py.
NOTEBOOK = {"IPython", "ipykernel", "jupyterlab", "papermill", "nbformat", "ipywidgets", "matplotlib", "plotly", "umap"}
NOT_TRAINED_WITH = {*NOTEBOOK, "sklearn", "scipy", "pandas", "pyarrow", "peft", "lightning_fabric", "rich", "pytest"}
NAMES_ONLY = {*NOT_TRAINED_WITH, "torch", "timm", "numpy", "pydantic"}  # fronts, which import when a name is used
BUDGETS = {
    "import vptsp, vptsp.core, vptsp.training, vptsp_widgets": NAMES_ONLY,
    "import vptsp.training.loop": NOT_TRAINED_WITH,
    "import vptsp.data.load_splits": {*NOT_TRAINED_WITH, "torch", "torchvision", "timm"},
}


def test_conda_and_pip_users_get_the_same_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(item["pip"] for item in conda if isinstance(item, dict))
    assert pip[-1] == f"-e .[{','.join(sorted(project['optional-dependencies']))}]"
    assert sorted(pip[:-1]) == sorted(project["dependencies"])
    assert f"python{project['requires-python']}" in conda


@pytest.mark.parametrize("code", BUDGETS)
def test_an_import_brings_no_more_than_it_needs(code: str) -> None:
    command = [sys.executable, "-c", f"import sys; {code}; print(*{{name.partition('.')[0] for name in sys.modules}})"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(result.stdout.split()) & BUDGETS[code] == set()
    assert result.stderr == ""


def test_the_citation_is_of_this_version_and_names_both_papers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    papers = [paper["identifiers"][0]["value"] for paper in citation["references"]]
    assert papers == ["arXiv:2402.02340", "arXiv:2203.12119"]
    assert [paper["url"] for paper in citation["references"]] == list(project["urls"].values())


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_documents_name_files_that_are_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    linked = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    quoted = [path for path in re.findall(r"`([\w./]+/[\w.]*)`", text) if path != "runs/"]
    missing = [path for path in linked if not (ROOT / path).exists()]
    missing += [path for path in quoted if not any((ROOT / base / path).exists() for base in BASES)]
    assert linked
    assert missing == []


def test_pages_lead_to_files_that_are_there() -> None:
    """Out of docs/; within it, the built site's test follows every link."""
    led, missing = 0, []
    for page in (ROOT / "docs").rglob("*.md"):
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            place = (page.parent / link).resolve()
            if "://" in link or place.is_relative_to(ROOT / "docs"):
                continue
            led += 1
            if not place.exists():
                missing.append(f"{page.name}: {link}")
    assert led > 10
    assert missing == []


@pytest.mark.parametrize("form", ["bug", "idea"])
def test_issue_forms_ask_for_what_doctor_prints(form: str) -> None:
    body = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{form}.yml").read_text())["body"]
    labels = [field["attributes"]["label"] for field in body]
    assert "What `vptsp doctor` prints" in labels
    assert len({field["id"] for field in body}) == len(body)
