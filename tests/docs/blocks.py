"""The code blocks of the documentation, and what stands around a reader who types them."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))
    if path.name != "errors.md"
)
KNOWN = {"python", "sh", "console", "toml", "mermaid", "text"}  # others are directives, in braces
# No block of these can be run here: several machines, a scheduler. They are compiled, and their commands are checked.
ELSEWHERE = {"docs/clusters.md", "docs/devices.md"}  # commands of clusters and of several devices
OWN_TEST = {"docs/extend.md"}  # tests/test_extend.py, block for block
SHORT = ("epochs=1", "blossoms_classes=24", "blossoms_images=8", "batch_size=16", "num_workers=0")  # what takes minutes


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, in which language, and its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, in order; directives of the site are left out."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.finditer(r"^```([^\n`]*)\n(.*?)^```$", text, re.M | re.S)
    all_of_them = [Block(page, text[: each.start()].count("\n") + 1, each[1], each[2]) for each in found]
    return [block for block in all_of_them if not block.language.startswith("{")]


def commands(block: Block) -> list[list[str]]:
    """The words of each command of a shell block, comments left out."""
    lines = [line.removeprefix("$ ") for line in block.text.replace("\\\n", " ").splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [each for each in words if each]


# --- run --------------------------------------------------------------------------------------------
def run_page(page: str, names: dict[str, Any]) -> int:
    """Run every python and shell block of a page in the working folder; how many there were."""
    count = 0
    for block in blocks(page):
        if block.language == "python":
            code = compile("\n" * block.line + _short(block.text), str(ROOT / page), "exec")
            exec(code, names)
        elif block.language == "sh":
            for words in commands(block):
                _type(words)
        else:
            continue
        count += 1
    return count


def _short(text: str) -> str:
    """A training of minutes with the settings of SHORT: what is shown is the call, not what comes out."""
    more = ", ".join(SHORT[:4])
    text = re.sub(r"vptsp\.train\(preset=\"demo\"[^)]*\)", f'vptsp.train(preset="demo", {more})', text)
    return re.sub(r"vptsp\.train\(method=[^)]*\)", f'vptsp.train(method="vptsp_g", {more})', text)


def _type(words: list[str]) -> None:
    """A command of the workbench, in this process. ``make`` and other programs are only looked for."""
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
        assert words[1] in targets
        return
    if words[0] == "python":
        assert words[1:2] == ["-c"] or (ROOT / words[1]).exists()
        return
    assert words[0] == "vptsp", words
    from click.testing import CliRunner

    from vptsp.cli import main

    if words[1] in ("train", "demo") and "--resume" not in words:
        words = [*words, *(word for word in SHORT if word.partition("=")[0] not in " ".join(words))]
        if "data_root" in " ".join(words):
            words = [word for word in words if not word.startswith("blossoms")]
    result = CliRunner().invoke(main, words[1:], catch_exceptions=False)
    assert result.exit_code == 0, f"{' '.join(words)}: {result.output}"


@contextlib.contextmanager
def in_folder(folder: Path) -> Any:
    """The working folder and the project, for as long as a page is run."""
    before, path = Path.cwd(), list(sys.path)
    kept = {name: os.environ.get(name) for name in ("VPTSP_ROOT",)}
    os.chdir(folder)
    os.environ["VPTSP_ROOT"] = str(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = path
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def project(folder: Path, run: Path, images: Path) -> Path:
    """A folder with ``runs/demo-1`` and images, as the pages take for granted; ``images``: train/ and test/."""
    shutil.copytree(run, folder / "runs/demo-1")
    shutil.copytree(images, folder / "split_photos")
    for split in ("train", "test"):
        shutil.copytree(images / split, folder / "photos", dirs_exist_ok=True)
    return folder
