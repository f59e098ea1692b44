"""Every block of the documentation can be run: those that take a moment are, the others by make test-docs."""

from __future__ import annotations

import ast
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from blocks import ELSEWHERE, KNOWN, OWN_TEST, PAGES, ROOT, blocks, commands, in_folder, project, run_page

from vptsp.cli import main
from vptsp.data.batch_fits import require_classes
from vptsp.runs.run import Run
from vptsp.settings.config import Config, make_config, parse_assignments

QUICK = [
    "docs/course/index.md",
    "docs/course/session-1.md",
    "docs/course/session-3.md",
    "docs/course/solutions.md",
    "docs/explanation/prompts.md",
    "docs/explanation/proxies.md",
    "docs/explanation/published-code.md",
    "docs/how-to/own-backbone.md",
    "docs/how-to/own-embeddings.md",
]
LONG = sorted({page for page in PAGES if blocks(page)} - {*QUICK, *ELSEWHERE, *OWN_TEST, "CONTRIBUTING.md"})


def test_blocks_say_their_language_and_are_written_in_it() -> None:
    count = 0
    for page in PAGES:
        for block in blocks(page):
            assert block.language.split(" ")[0] in KNOWN, block
            if block.language == "python":
                compile(block.text, str(block), "exec")
            elif block.language == "toml":
                tomllib.loads(block.text)
            count += 1
    assert count > 60


def test_commands_of_blocks_exist_and_take_what_they_are_given() -> None:
    tried = 0
    for page in PAGES:
        for block in blocks(page):
            for words in commands(block) if block.language in ("sh", "console") else []:
                if words[0] != "vptsp":
                    continue
                tried += 1
                command: click.Command = main
                name, rest = "vptsp", words[1:]
                while isinstance(command, click.Group) and rest:
                    found = command.get_command(click.Context(command), rest[0])
                    assert found is not None, f"{block}: {' '.join(words)}"
                    command, name, rest = found, f"{name} {rest[0]}", rest[1:]
                context = command.make_context(name, rest, resilient_parsing=False)
                if settings := [word for word in context.params.get("settings") or () if "=" in word]:
                    given = parse_assignments(settings)
                    require_classes(make_config(given, preset=context.params.get("preset")))
    assert tried > 30


def test_trainings_of_blocks_can_be_trained() -> None:
    """They are run with smaller settings than those that stand there."""
    tried = 0
    for page in PAGES:
        for block in blocks(page) if page not in OWN_TEST else []:
            for call in ast.walk(ast.parse(block.text)) if block.language == "python" else []:
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "vptsp.train":
                    given = {
                        each.arg: each.value.value for each in call.keywords if isinstance(each.value, ast.Constant)
                    }
                    own = {name: value for name, value in given.items() if name in Config.model_fields}
                    require_classes(make_config(own, preset=given.get("preset")))
                    tried += 1
    assert tried > 3


@pytest.fixture(scope="module")
def there(tiny_run: Run, image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("reader") / "project", tiny_run.path, image_folder)


@pytest.mark.parametrize("page", QUICK)
def test_the_blocks_of_a_page_run(
    page: str, there: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names: dict[str, Any] = {"__name__": "notebook"}
    if page.endswith("own-backbone.md"):  # its shell blocks train, and are run by make test-docs
        monkeypatch.setattr("blocks.commands", lambda block: [])
    with in_folder(there):
        assert run_page(page, names) > 0
    printed = capsys.readouterr().out
    if page.endswith("solutions.md"):
        from vptsp import teaching

        right = re.findall(r"^(\w+): right\.$", printed, re.M)
        assert sorted(right) == sorted(set(teaching.exercises()) - {"own_run"})


@pytest.mark.docs
@pytest.mark.parametrize("page", [*LONG, "docs/how-to/own-backbone.md"])
def test_the_blocks_of_a_long_page_run(page: str, reader: Callable[[], Path]) -> None:
    from vptsp_widgets import RetrievalGallery

    folder = reader()
    names: dict[str, Any] = {"__name__": "notebook"}
    if page == "docs/how-to/own-photos.md":
        shutil.copy(next((folder / "photos").rglob("*.png")), folder / "new.jpg")
    if page == "docs/indexes.md":  # what its reader has
        names |= index_reader(folder) | {"RetrievalGallery": RetrievalGallery}
    with in_folder(folder):
        assert run_page(page, names) > 0


def index_reader(folder: Path) -> dict[str, Any]:
    """Vectors of a reader's own, and photos."""
    import numpy as np

    from vptsp.runs.embeddings import SavedEmbeddings

    saved = SavedEmbeddings.of_run(Run.open(folder / "runs/demo-1"))
    photos = sorted((folder / "photos").rglob("*.png"))
    shutil.copy(photos[0], folder / "photo.jpg")
    shutil.copytree(photos[0].parent, folder / "new_photos/rose")
    vectors = np.asarray(saved.embeddings)
    years = np.arange(len(saved)) % 20 + 2005
    return {"vectors": vectors, "ids": saved.ids, "years": years, "query": vectors[:1], "saved": saved}


def test_the_readme_is_short_and_its_picture_and_pages_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(re.sub(r"\]\([^)]*\)", "]", text).split()) <= 580
    assert len(re.findall(r"!\[", text)) == 1
    (python,) = [block.text for block in blocks("README.md") if block.language == "python"]
    assert len(python.strip().splitlines()) <= 12
    assert len(commands(next(block for block in blocks("README.md")))) == 2
