"""Tells papermill which parameters the workbench's notebooks take, so that it calls none of them unknown.

papermill reads a notebook's parameters off its first cell. A notebook whose first cell is tagged ``vptsp-settings``
takes every setting besides, as :func:`vptsp.notebooks.resolve` reads them from whatever cell defined them; listing
seventy of them in each notebook would hide those that matter there. papermill loads this file by its entry point for
engines, and ``papermill --help-notebook`` then lists the settings as well. Other notebooks are read as before.
"""

from __future__ import annotations

from typing import Any


class Engine:
    """papermill's own, which ``--engine vptsp`` runs as well; the entry point needs one to name.

    It stands before the imports: papermill, imported here first, asks for it while this file is still being read.
    """

    @classmethod
    def execute_notebook(cls, *given: Any, **options: Any) -> Any:
        from papermill.engines import NBClientEngine

        return NBClientEngine.execute_notebook(*given, **options)


from papermill.models import Parameter  # noqa: E402
from papermill.translators import PythonTranslator, papermill_translators  # noqa: E402

TAG = "vptsp-settings"


class Translator(PythonTranslator):
    """papermill's own for Python, which also knows settings."""

    @classmethod
    def inspect(cls, parameters_cell: Any) -> list[Parameter]:
        """The parameters of a cell, and all settings if it is tagged so."""
        found: list[Parameter] = super().inspect(parameters_cell)
        if TAG not in parameters_cell.metadata.get("tags", ()):
            return found
        from vptsp.settings.config import Config  # here, as papermill loads this file whatever it runs

        named = {parameter.name for parameter in found}
        settings = {name: field for name, field in Config.model_fields.items() if name not in named}
        return found + [Parameter(name, "None", "None", field.description) for name, field in settings.items()]


papermill_translators.register("python", Translator)
