"""A view that follows files which another process writes: it looks once a second, in a thread of its own."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from functools import cached_property
from typing import Any

from vptsp.errors import UsageError
from vptsp.runs.progress import headless
from vptsp_widgets.view import View

SECONDS = 1.0  # between two looks, more where a look takes long; what is watched writes its progress about as often


class WatchingView(View):
    """Base of the views that watch. Subclasses give :meth:`look`; ``close()`` ends the watch, not what is watched."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._thread = threading.Thread(
            target=_keep_looking, args=(weakref.ref(self), self._ended), name=type(self).__name__, daemon=True
        )
        if not headless():
            self._thread.start()

    @cached_property
    def _ended(self) -> threading.Event:
        """Made when first asked for: a view that was refused before it was made is closed as well."""
        return threading.Event()

    def look(self) -> None:
        """Read now what has changed; a thread does so every second. Errors appear in the status line."""
        raise NotImplementedError

    def close(self) -> None:
        """End the watch and the view. What is watched goes on."""
        self._ended.set()
        super().close()

    def _answer(self, act: Callable[[], None]) -> None:
        """Do what a button asks; a front end that waits hears when it is done, or refused with a sentence."""
        try:
            act()
        except UsageError as error:
            self.status = str(error)
        self.send({"kind": "answered"})


def _keep_looking(watched: weakref.ref[WatchingView], ended: threading.Event) -> None:
    """Holds the view only while it looks, so that one nobody refers to any more can go."""
    pause = SECONDS
    while not ended.wait(pause):
        view = watched()
        if view is None:
            return
        began = time.monotonic()
        view.look()
        pause = max(SECONDS, 4 * (time.monotonic() - began))
        del view
