"""The workbench's own notebooks: where they are, what each is for, and editable copies of them.

Reads notebooks as the JSON they are: who lists or copies them waits for no library.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vptsp.errors import UsageError

_SENTENCE = re.compile(r"(.+?[.?!])(?:\s|$)", re.DOTALL)
_RENAMED = {"00_pretrain_backbone": "11_pretrain_backbone"}
_MARKS = re.compile(r"[*`]|\[([^]]*)\]\([^)]*\)")  # emphasis, code, and links, of which the words stay


@dataclass(frozen=True)
class Notebook:
    """A notebook of the workbench. ``title`` and ``purpose``: its heading, and the first sentence below it.

    ``minutes`` it takes on two processor cores with its own settings, what one ``learn``s, what it ``needs``.
    """

    path: Path
    title: str
    purpose: str
    minutes: int
    learn: str
    needs: str

    @property
    def name(self) -> str:
        """Its file's name without the ending: ``01_train``."""
        return self.path.stem

    @property
    def takes(self) -> str:
        """Time, machine and needs, as a sentence."""
        return f"About {self.minutes} min on two processor cores, without a GPU. Needs {self.needs}."


def notebook_table(ending: str) -> str:
    """All notebooks as a Markdown table: what one learns, how long it takes, what it needs. Links end in ``ending``."""
    rows = [
        f"| [{each.name}]({each.name}{ending}) | {each.learn} | {each.minutes}\u00a0min | {each.needs} |"
        for each in list_notebooks()
        if each.name != "00_start_here"
    ]
    return "\n".join(["| notebook | what you learn | time | needs |", "|---|---|---|---|", *rows])


def list_notebooks() -> list[Notebook]:
    """The workbench's notebooks in the order of their numbers."""
    return [_described(path) for path in _paths()]


def find_notebook(name: str) -> Path:
    """A notebook by path, or one of the workbench's own by name (``01_train``)."""
    if Path(name).suffix == ".ipynb" and Path(name).is_file():
        return Path(name)
    if path := _own(Path(name).stem):
        return path
    raise UsageError(f"{_unknown(name)}, or pass the path of an .ipynb")


def are_originals(folder: Path) -> bool:
    """Whether a folder is the one that the workbench's own notebooks are in."""
    return folder.is_dir() and folder.samefile(_paths()[0].parent)


def split_names(words: Sequence[str], default: Path) -> tuple[list[str], Path]:
    """``NAME... FOLDER`` apart: the last word is the folder if it is no notebook's name. No names: all notebooks.

    Raises :class:`UsageError` for what looks like a misspelt name.
    """
    names, folder = list(words), default
    if names and not _own(names[-1]):
        last = names.pop()
        known = [path.stem for path in _paths()]
        near = difflib.get_close_matches(last.removesuffix(".ipynb"), known, n=1, cutoff=0.75)
        parts = {part: stem for stem in known for part in stem.split("_")}
        if not near and (likely := difflib.get_close_matches(last, parts, n=1, cutoff=0.7)):
            near = [parts[likely[0]]]
        if (near or last.endswith(".ipynb") or last.isdigit()) and Path(last).name == last and not Path(last).is_dir():
            meant = f". Did you mean {near[0]}? A folder of that name is ./{last}" if near else ""
            raise UsageError(_unknown(last) + meant)
        folder = Path(last)
    return names or [path.stem for path in _paths()], folder


def copy_notebooks(names: Sequence[str], folder: Path) -> list[Path]:
    """Copy notebooks into a folder, which is made if need be; all of them or none, and never over a file.

    Raises :class:`UsageError` for unknown names, for a file that is there already, and where nothing can be written.
    """
    sources: dict[str, Path] = {}
    for name in names:
        if (path := _own(name)) is None:
            raise UsageError(_unknown(name))
        sources[path.name] = path
    for name in sources:
        if (folder / name).exists():
            raise _taken(folder / name)
    made: list[Path] = []
    new = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in sources.items():
            with (folder / name).open("xb") as file:  # x: also a file that came meanwhile is not written over
                made.append(folder / name)
                file.write(_as_opened(source))
    except BaseException as error:
        for path in made:
            path.unlink(missing_ok=True)
        for parent in new:
            with contextlib.suppress(OSError):
                parent.rmdir()
        if isinstance(error, FileExistsError):
            raise _taken(Path(error.filename)) from None
        if isinstance(error, OSError):
            raise UsageError(
                f"cannot copy notebooks into {folder}: {error.strerror or error}; nothing was copied, "
                "choose another folder"
            ) from error
        raise
    return made


def _as_opened(path: Path) -> bytes:
    """A notebook that names its language as the kernel does; else JupyterLab writes that in when it is opened."""
    content = json.loads(path.read_bytes())
    content["metadata"]["language_info"] = {
        "codemirror_mode": {"name": "ipython", "version": sys.version_info.major},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": f"ipython{sys.version_info.major}",
        "version": sys.version.split()[0],
    }
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _unknown(name: str) -> str:
    return f"notebook {name!r} does not exist; there are: {', '.join(path.stem for path in _paths())}"


def _taken(path: Path) -> UsageError:
    what = "already exists" if path.suffix == ".ipynb" else "is a file, not a folder"
    return UsageError(f"{path} {what}; nothing was copied, choose another folder or move it away")


def _paths() -> list[Path]:
    package = Path(__file__).parents[1]
    installed, checkout = package / "_notebooks", package.parent / "notebooks"
    return sorted((installed if installed.is_dir() else checkout).glob("*.ipynb"))


def _own(name: str) -> Path | None:
    """``01_train``, ``01_train.ipynb`` or ``01``; also by a name that it had before."""
    stem = name.removesuffix(".ipynb")
    stem = _RENAMED.get(stem, stem)
    return next((path for path in _paths() if stem in (path.stem, path.stem.partition("_")[0])), None)


def _described(path: Path) -> Notebook:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cells, about = content["cells"], content["metadata"]["vptsp"]
        text = next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise UsageError(f"{path} cannot be read as a notebook ({error}); install the workbench again") from None
    heading, _, body = text.partition("\n")
    body = " ".join(_MARKS.sub(r"\1", body).split())
    sentence = _SENTENCE.match(body)
    title = _MARKS.sub(r"\1", heading).lstrip("# ").strip()
    return Notebook(path, title, sentence[1] if sentence else body, about["minutes"], about["learn"], about["needs"])
