"""The front ends as text: the linker that makes one text of ES modules, and the views it makes it of."""

from __future__ import annotations

import subprocess
import sys
import warnings
from importlib import import_module, resources
from pathlib import Path

import pytest
from playwright.sync_api import Page
from vptsp_widgets import moved
from vptsp_widgets.front import linker, module, page_block

ROOMS = (*moved.ROOMS, "flips", "verification")  # the last two never were one file
FILES = resources.files("vptsp_widgets")


def linked(entry: str = "a/front/view.js", **files: str) -> str:
    """The text of modules: ``view="..."`` is ``a/front/view.js``, ``front_dom="..."`` is ``front/dom.js``."""
    texts = {
        (f"front/{name.removeprefix('front_')}.js" if name.startswith("front_") else f"a/front/{name}.js"): text
        for name, text in files.items()
    }
    return linker.link([entry], texts.__getitem__)


def test_modules_stand_in_the_order_they_need_each_in_a_scope_of_its_own() -> None:
    text = linked(
        view='// The view.\n\nimport { two } from "./b.js";\nimport { one as first } from "../../front/dom.js";\n\n'
        "const hidden = 3;\nexport default { sum: () => first + two() + hidden };\n",
        b='import {\n  one,\n} from "../../front/dom.js";\n\nconst hidden = 2;\nexport function two() {\n'
        "  return one * hidden;\n}\n",
        front_dom="export const one = 1;\n",
    )
    expected = """\
// --- front/dom.js
const front__dom = (() => {
const one = 1;
return { one };
})();
// --- a/front/b.js
const a__b = (() => {
const { one } = front__dom;
const hidden = 2;
function two() {
  return one * hidden;
}
return { two };
})();
// --- a/front/view.js
const a__view = (() => {
const { two } = a__b;
const { one: first } = front__dom;
// The view.


const hidden = 3;
const $default = { sum: () => first + two() + hidden };
return { default: $default };
})();"""
    assert text == expected


@pytest.mark.browser
def test_what_is_linked_runs(page: Page) -> None:
    text = linked(
        view='import { Pair, later } from "./b.js";\n\n'
        "export default { sum: async () => new Pair().sum + (await later()) };\n",
        b="export class Pair {\n  get sum() {\n    return 3;\n  }\n}\n"
        "export async function later() {\n  return 4;\n}\n",
    )
    assert page.evaluate(f"() => {{ {text}\nreturn a__view.default.sum(); }}") == 7


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ('import dom from "./b.js";\n', "not understood: import dom"),
        ('import * as dom from "./b.js";\n', "not understood: import \\* as dom"),
        ('import "./b.js";\n', 'not understood: import "./b.js"'),
        ('  import { one } from "./b.js";\n', "not understood: import { one }"),
        ('import { one } from "./b.js"\n', "not understood: import { one }"),
        ("import { } from './b.js';\n", "not understood"),
        ('import { } from "./b.js";\n', "not understood: import { }"),
        ('import { one, two three } from "./b.js";\n', "not understood: import { one, two three }"),
        ('const late = () => import("./b.js");\n', "not understood: import\\("),
        ("const here = import.meta.url;\n", "not understood: import.meta"),
        ("export let one = 1;\n", "not understood: export let"),
        ("const one = 1;\nexport { one };\n", "not understood: export { one }"),
        ('export * from "./b.js";\n', "not understood: export \\*"),
        ("export const { one } = b;\n", "not understood: export const { one }"),
        ("export default 1;\nexport default 2;\n", "two default exports"),
        ('import { one } from "b.js";\n', "no relative path to a .js file"),
        ('import { one } from "https://example.org/b.js";\n', "no relative path to a .js file"),
        ('import { one } from "./b.ts";\n', "no relative path to a .js file"),
        ('import { one } from "./c.js";\n', "a/front/view.js needs a/front/c.js, which does not exist"),
        ('import { two } from "./b.js";\n', "a/front/view.js imports two from a/front/b.js, which exports one"),
        ('import { view } from "./view.js";\n', "in a circle: a/front/view.js -> a/front/view.js"),
        ('import { two } from "./d.js";\n', "in a circle: a/front/d.js -> a/front/e.js -> a/front/d.js"),
        ('import { one } from "./f.js";\n', "a/front/f.js: only an entry may have a default export"),
    ],
)
def test_what_is_not_supported_is_refused_with_the_reason(view: str, said: str) -> None:
    with pytest.raises(linker.LinkError, match=said):
        linked(
            view=view,
            b="export const one = 1;\n",
            d='import { two } from "./e.js";\n\nexport const three = two;\n',
            e='import { three } from "./d.js";\n\nexport const two = three;\n',
            f="export const one = 1;\nexport default one;\n",
        )


def test_an_entry_that_does_not_exist_is_named() -> None:
    with pytest.raises(linker.LinkError, match=r"the entry needs a/front/view.js, which does not exist"):
        linked()


def test_two_modules_of_one_name_are_refused() -> None:
    with pytest.raises(linker.LinkError, match=r"would both be called a__b_c; rename one"):
        linked(
            view='import { one } from "./b-c.js";\nimport { two } from "./b_c.js";\n',
            **{"b-c": "export const one = 1;\n", "b_c": "export const two = 2;\n"},
        )


@pytest.mark.parametrize("room", ROOMS)
def test_every_view_links_and_needs_all_of_its_files_and_none_of_another_view(room: str) -> None:
    text = module(room)
    parts = [line.removeprefix("// --- ") for line in text.splitlines() if line.startswith("// --- ")]
    own = {f"{room}/front/{file.name}" for file in (FILES / room / "front").iterdir() if file.name.endswith(".js")}
    shared = {f"front/{file.name}" for file in (FILES / "front").iterdir() if file.name.endswith(".js")}
    assert own <= set(parts) <= own | shared
    assert len(parts) == len(set(parts))
    assert text.count("export default") == 1
    assert text.endswith(f"\nexport default {room}__view.default;\n")


@pytest.mark.browser
@pytest.mark.parametrize("room", ROOMS)
def test_every_view_is_a_module_that_loads(page: Page, room: str) -> None:
    load = (
        "async (text) => { const url = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));"
        " const { default: front } = await import(url); URL.revokeObjectURL(url); return typeof front.render; }"
    )
    assert page.evaluate(load, module(room)) == "function"


def test_nothing_closes_the_scripts_of_a_page_and_they_have_the_names_of_their_files(tmp_path: Path) -> None:
    (tmp_path / "page_0.jpg").write_bytes(b"</script><script>")
    block = page_block(
        "picker",
        {"_rows": [], "name": "</script><script>alert(1)"},
        [tmp_path / "page_0.jpg"],
        label="</script>",
    )
    assert block.count("<script") == block.count("</script>") == 3  # the state, the view, and its thumbnails
    assert block.index("// --- front/host.js") < block.index("// --- picker/front/view.js")


# --- places that have moved ---------------------------------------------------------------------------
PLACES = [
    (old, new) for old, all_of in moved.MOVED.items() for new in ([all_of] if isinstance(all_of, str) else all_of)
]


@pytest.mark.parametrize(("old", "new"), PLACES)
def test_names_of_old_modules_are_the_new_ones_and_say_so(old: str, new: str) -> None:
    here = vars(import_module(new))
    own = [name for name, value in here.items() if getattr(value, "__module__", "") == new and name[0] != "_"]
    assert own
    for name in own:
        if name in vars(import_module(old)):  # the view itself, which its room still names
            continue
        with pytest.warns(DeprecationWarning, match=rf"{old}\.{name} has moved to {new}\.{name}; the old") as caught:
            assert getattr(import_module(old), name) is here[name]
        assert [one.filename for one in caught] == [__file__]


def test_names_of_a_view_are_found_where_it_was_one_file() -> None:
    from vptsp_widgets import space

    with pytest.warns(DeprecationWarning, match=r"space.VIEW_STATE has moved to vptsp_widgets.space.view.VIEW_STATE"):
        assert space.VIEW_STATE is space.view.VIEW_STATE
    with pytest.raises(AttributeError, match=r"module 'vptsp_widgets.space' has no attribute 'nothing'"):
        _ = space.nothing
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert space.SpaceExplorer is import_module("vptsp_widgets").SpaceExplorer


def test_the_warning_names_the_line_that_imports() -> None:
    code = "import vptsp\nfrom vptsp_widgets.watching import Watch\nfrom vptsp.front import page_block\n"
    run = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True)
    lines = [line for line in run.stderr.splitlines() if "has moved" in line]
    assert [line.split(" ", 1)[0] for line in lines] == ["<string>:2:", "<string>:3:"]
