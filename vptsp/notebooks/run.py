"""Parameterised notebooks, run headless with papermill.

papermill itself only warns about a parameter that a notebook does not know, so that a typo would train
the default. Here names are checked twice: before a notebook starts, and by its own resolve cell.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vptsp.notebooks.library import find_notebook
from vptsp.notebooks.parameters import as_literal, read_signature


def run_notebook(name: str, output: str | Path, parameters: Mapping[str, Any]) -> Path:
    """Execute a notebook headless and write the executed copy to ``output``.

    Paths become text, tuples and arrays lists, numbers of numpy plain ones: what a cell can hold as a literal. Raises
    :class:`~vptsp.errors.UsageError` for unknown notebooks, and for parameters that papermill would ignore or garble,
    and papermill's own error, with the cell's traceback, when a cell fails.
    """
    source = find_notebook(name)
    passed = {key: as_literal(key, value) for key, value in parameters.items()}
    read_signature(source).refuse_unknown(passed)
    return execute(source, output, passed)


def execute(source: Path, output: str | Path, parameters: Mapping[str, Any], **more: Any) -> Path:
    """Execute a notebook whose parameters were checked; ``more`` goes to papermill and its client."""
    import papermill  # pulls in Jupyter, which `import vptsp` must not

    logging.getLogger("papermill").setLevel(logging.ERROR)  # names were checked before, by more than it knows
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    before = os.environ.get("VPTSP_HEADLESS")
    os.environ["VPTSP_HEADLESS"] = "1"
    try:
        papermill.execute_notebook(
            str(source),
            str(output),
            parameters=dict(parameters),
            kernel_name="python3",
            language="python",  # for notebooks that do not say it
            progress_bar=False,
            log_output=False,
            # widget state of live views would add megabytes to every executed notebook
            store_widget_state=False,
            coalesce_streams=True,
            extra_arguments=["--log-level=CRITICAL"],  # the kernel's chatter about its own sockets
            **more,
        )
    finally:
        if before is None:
            del os.environ["VPTSP_HEADLESS"]
        else:
            os.environ["VPTSP_HEADLESS"] = before
    return Path(output)
