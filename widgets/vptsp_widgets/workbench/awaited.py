"""The place of a view that takes seconds to make: it says so, and makes it once somebody sees that place."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable
from typing import Any

from vptsp_widgets.view import View


class Awaited(View):
    """``make`` is called in a thread of its own when a page shows this place for the first time, and by :meth:`again`.

    So the views beside it are drawn before imports keep the kernel busy, and a view that nobody sees costs nothing.
    ``make`` says in ``status`` what went wrong; ``later`` is what a reader of the still is told.
    """

    _front = "workbench"

    def __init__(self, make: Callable[[], Any], status: str, later: str) -> None:
        self._make, self._first, self._later, self._seen = make, status, later, False
        super().__init__(status=status)

    def _on_shown(self, content: dict[str, Any], buffers: list[Any]) -> None:
        if not self._seen:
            self._seen = True
            self._begin()

    def again(self) -> None:
        """Another attempt, at once if the place has been seen, else when it is."""
        self.status = self._first
        if self._seen:
            self._begin()

    def _begin(self) -> None:
        threading.Thread(target=self._make, name=type(self).__name__, daemon=True).start()

    def still(self) -> str:
        """One sentence: what went wrong, or where the view is seen."""
        text = self._later if self.status == self._first else self.status
        return f"<p>{html.escape(text)}</p>"
