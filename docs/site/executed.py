"""The notebooks, executed at the length of ``lengths.toml`` in a project of their own, and kept while nothing changes.

``python docs/site/executed.py FOLDER [NAME ...]`` executes those that are not there yet.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCES = ("vptsp/**/*.py", "widgets/vptsp_widgets/**/*.py", "widgets/vptsp_widgets/**/*.js", "docs/site/lengths.toml")


def lengths() -> dict[str, dict[str, Any]]:
    """What is passed to each notebook, in the order in which they run."""
    return tomllib.loads((ROOT / "docs/site/lengths.toml").read_text(encoding="utf-8"))


def fingerprint() -> str:
    """Of everything that an output may depend on."""
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def executed(folder: Path, names: list[str] | None = None, reuse: bool = False) -> dict[str, Path]:
    """Paths of the executed notebooks by name; their runs are in ``folder/runs``.

    Executed again is what has changed: the notebook itself or, unless ``reuse``, the package. Raises papermill's error
    where a cell fails.
    """
    folder = folder.resolve()
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    stamp = "" if reuse else fingerprint()
    found = {}
    for name, given in lengths().items():
        if names and name not in names:
            continue
        source, done, record = ROOT / f"notebooks/{name}.ipynb", folder / f"{name}.ipynb", folder / f"{name}.json"
        made_of = {"cells": _code(source), "given": given, "package": stamp}
        before = json.loads(record.read_text(encoding="utf-8")) if record.is_file() and done.is_file() else {}
        found[name] = done
        if {key: before.get(key) for key in made_of} == made_of or (
            reuse and {**before, "package": ""} == {**before, **made_of}
        ):
            continue
        print(f"executing {name} ...", end=" ", flush=True)
        began = time.monotonic()
        _execute(source, done, given, folder)
        seconds = time.monotonic() - began
        print(f"{seconds:.0f} s", flush=True)
        kept = made_of | {"package": fingerprint(), "seconds": round(seconds)}
        record.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return found


def _code(source: Path) -> str:
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    code = [_meaning("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    return hashlib.sha256("\n".join(code).encode()).hexdigest()


def _meaning(source: str) -> str:
    """Code without its comments: those change no output."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:  # IPython's own
        return source


def _execute(source: Path, output: Path, given: dict[str, Any], folder: Path) -> None:
    from vptsp.notebooks.run import execute

    os.environ.update(VPTSP_ROOT=str(folder), PYTHONWARNINGS="ignore")
    if name := given.get("run_dir"):  # what an earlier version trained
        import shutil

        if source.stem in ("01_train", "05_compare_methods", "06_ablations", "07_recognition", "10_your_own_images"):
            shutil.rmtree(folder / name, ignore_errors=True)
    execute(source, output, given, cwd=str(folder))


if __name__ == "__main__":
    executed(Path(sys.argv[1]), sys.argv[2:])
