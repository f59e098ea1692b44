"""Builds the documentation: ``python docs/site [--out FOLDER] [--reuse] [--without-notebooks]``; ``make docs`` does.

1. executes the notebooks at the length of ``lengths.toml`` (``executed.py``; kept in FOLDER/project)
2. assembles the sources of the site in FOLDER/source: the pages of docs/, the notebooks' pages (``tutorials.py``), the
   reference made from the package (``reference.py``), the live pages of the demo run
3. has Sphinx build FOLDER/html, which may be opened as files or served
4. looks for links that lead nowhere (``broken.py``)
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import broken  # noqa: E402
import reference  # noqa: E402
import tutorials  # noqa: E402
from executed import executed, lengths  # noqa: E402
from links import ELSEWHERE, ROOT, moved_links, place  # noqa: E402

from vptsp.files import write_text  # noqa: E402
from vptsp.notebooks.library import list_notebooks, notebook_table  # noqa: E402
from vptsp.reports.formulas import drawn  # noqa: E402


def assemble(source: Path, project: Path | None, api: bool = True) -> None:
    """Write the sources of the site. ``project``: the folder of executed notebooks and their runs; none: without."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(HERE / "static", source / "_static")
    shutil.copy(HERE / "conf.py", source / "conf.py")
    (source / "_extra").mkdir()
    hand_written = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")]
    for path in sorted({*hand_written, *ELSEWHERE} - {"README.md"}):
        page = place(path)
        assert page is not None
        text = moved_links((ROOT / path).read_text(encoding="utf-8"), path, page)
        write_text(source / page, drawn(_filled(text)))
    for picture in (path for kind in ("png", "svg") for path in (ROOT / "docs").glob(f"*.{kind}")):
        shutil.copy(picture, source / picture.name)
    run = project / "runs/demo-1" if project else None
    pages = {
        "settings": reference.settings_page(),
        "names": reference.names_page(),
        "presets": reference.presets_page(),
        "commands": reference.commands_page(),
        "files": reference.files_page(run),
    }
    for name, text in pages.items():
        write_text(source / f"reference/{name}.md", text)
    if api:
        for name, text in reference.api_pages().items():
            write_text(source / f"reference/api/{name}.rst", text)
    for notebook in list_notebooks():
        _tutorial(notebook.path, source, project)


def _filled(text: str) -> str:
    text = re.sub(r"^```mermaid\n(.*?)^```$", lambda drawing: _stack(drawing[1]), text, flags=re.M | re.S)
    for mark, made in {
        "notebooks": lambda: notebook_table(".md"),
        "published settings": reference.published_settings,
    }.items():
        if (place := f"<!-- {mark} -->") in text:
            text = text.replace(place, made())
    return text


def _stack(drawing: str) -> str:
    """The rooms of a mermaid drawing as boxes one above the other: mermaid is 3 MB of script, for one picture."""
    boxes = re.findall(r'\w+\["(.*?)"\]', drawing)
    inside = "".join(f"<li>{box.replace('<br>', ' ')}</li>" for box in boxes)
    return f'<ol class="rooms" aria-label="rooms, each may import what is below it">{inside}</ol>'


def _tutorial(path: Path, source: Path, project: Path | None) -> None:
    name = path.stem
    shown = project / path.name if project and (project / path.name).is_file() else path
    given = ", ".join(f"`{key}={value!r}`" for key, value in lengths().get(name, {}).items())
    how = f"at a teaching length ({given})" if given else "with its own settings"
    note = (
        f"```{{note}}\nThis page is [`{name}.ipynb`](../reference/commands.md#vptsp-notebooks-copy), executed {how}: "
        f"its numbers show how, not how well. `vptsp lab` opens it live.\n```"
    )
    text = tutorials.page_of(shown, path, source / "_static/outputs", "../_static/outputs", note)
    write_text(source / f"tutorials/{name}.md", moved_links(text, f"notebooks/{path.name}", f"tutorials/{name}.md"))


def build(out: Path, reuse: bool = False, notebooks: bool = True, api: bool = True) -> Path:
    """Build the site into ``out/html`` and return that folder. Raises SystemExit where something is wrong with it."""
    from sphinx.cmd.build import main as sphinx

    began = time.monotonic()
    project = out / "project" if notebooks else None
    if project:
        executed(project, reuse=reuse)
    assemble(out / "source", project, api)
    if project:
        import live_pages

        live_pages.write(project / "runs/demo-1", out / "source/_extra/live")
    shutil.rmtree(out / "html", ignore_errors=True)
    arguments = ["-b", "html", "-q", "-W", "--keep-going", "-d", str(out / "doctrees")]
    if sphinx([*arguments, str(out / "source"), str(out / "html")]) and api:
        raise SystemExit("the site has warnings, which are above; mend the pages they name and run make docs again")
    if (wrong := broken.links(out / "html")) and api:
        raise SystemExit("links that lead nowhere:\n  " + "\n  ".join(wrong))
    size = sum(path.stat().st_size for path in (out / "html").rglob("*") if path.is_file())
    pages = len(list((out / "html").rglob("*.html")))
    print(
        f"{pages} pages, {size / 1e6:.1f} MB, {time.monotonic() - began:.0f} s: {(out / 'html/index.html').resolve()}"
    )
    return out / "html"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the documentation.")
    parser.add_argument("--out", type=Path, default=ROOT / "build/docs")
    parser.add_argument("--reuse", action="store_true", help="take notebooks as they were executed, whatever changed")
    parser.add_argument(
        "--without-api", action="store_true", help="leave out the modules' pages, to look at the others"
    )
    parser.add_argument("--without-notebooks", action="store_true", help="show them as they are, without outputs")
    given = parser.parse_args()
    build(given.out, given.reuse, not given.without_notebooks, not given.without_api)
