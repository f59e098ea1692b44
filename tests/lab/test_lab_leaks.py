"""Views that are opened and closed again leave nothing behind, neither in Python nor in the browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from views import IMPORTS

from vptsp.runs.run import Run

pytestmark = pytest.mark.browser

CYCLES, WARM = 12, 4
SETUP = (
    IMPORTS
    + """
import gc, weakref
from ipywidgets.widgets.widget import _instances
from IPython.display import clear_output
from vptsp.runs.checkpoints import load_inference
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run

run = Run.open(RUN)
saved, model = SavedEmbeddings.of_run(run, "test"), load_inference(run)
MAKE = {
    "space": lambda: SpaceExplorer(saved, "pca"),
    "gallery": lambda: RetrievalGallery(saved, model),
    "why": lambda: WhyNeighbour(saved, model),
}
for kind in (SpaceExplorer, RetrievalGallery, WhyNeighbour):
    kind.still = lambda view: "<p>still</p>"  # drawn elsewhere; here it would only take time
ghosts = []
"""
)
CYCLE = """
view = MAKE[name]()
ghosts.append(weakref.ref(view))
display(view)
"""
COUNTS = ("Nodes", "JSEventListeners")  # what a page holds, after a garbage collection


@pytest.mark.slow  # that each view's own page leaves nothing is tested with the view
@pytest.mark.parametrize("name", ["space", "gallery", "why"])
def test_views_leave_nothing(lab: Any, open_notebook: Callable[..., Any], tiny_run: Run, name: str) -> None:
    cells = [SETUP.replace("RUN", repr(str(tiny_run.path))) + f"name = {name!r}", CYCLE, "view.close()\nclear_output()"]
    cells += ["display({'text/html': '<p>nothing</p>'}, raw=True)", "clear_output()"]
    notebook = open_notebook(lab, lab.write(f"leak_{name}.ipynb", cells))
    page = notebook.page
    count = "for (const name of ['createObjectURL', 'revokeObjectURL']) { const call = URL[name].bind(URL); "
    count += "window[name] = 0; URL[name] = (value) => { window[name]++; return call(value); }; }"
    page.evaluate(count)
    notebook.run(0)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def held() -> dict[str, float]:
        for _ in range(3):  # what one collection frees may have held more
            session.send("HeapProfiler.collectGarbage")
        metrics = session.send("Performance.getMetrics")["metrics"]
        return {metric["name"]: metric["value"] for metric in metrics if metric["name"] in COUNTS}

    def growth(cycles: int, show: int, shown: str) -> dict[str, float]:
        """What a cycle adds to the page."""
        before = held()
        for _ in range(cycles):
            notebook.run(show).locator(shown).wait_for()
            notebook.run(show + 1)
            page.wait_for_function("!document.querySelector('.vptsp')")
        after = held()
        return {what: (after[what] - before[what]) / cycles for what in COUNTS}

    growth(WARM, 1, ".vptsp")  # what is made once, is made now
    growth(WARM, 3, "p")
    lab_itself = growth(6, 3, "p")  # JupyterLab keeps hundreds of nodes for every cell that is run
    widgets = notebook.value("len(_instances)")
    ours = growth(CYCLES, 1, ".vptsp")
    notebook.execute("del view; gc.collect()")
    assert notebook.value("[len(ghosts), sum(ghost() is not None for ghost in ghosts)]") == [CYCLES + WARM, 0]
    assert notebook.value("len(_instances)") <= widgets
    assert page.evaluate("createObjectURL - revokeObjectURL") <= 0
    for what in COUNTS:
        assert ours[what] - lab_itself[what] < 40, what  # a view has hundreds of nodes and listeners
