"""umap-learn, whose compiled functions are kept on disk from one process to the next.

UMAP is compiled by numba at its first use: 15 s of processor time in every process, before the first map. numba can
keep what it has compiled beside the library, or in the user's cache folder, and does so for functions that ask for it;
pynndescent's ask, umap's do not. They are asked for here. What is kept is tied to the source files and the processor,
and computes the same. Measured: a map of 300 points takes 14.8 s the first time, and 0.5 s in the next process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


def compiled_umap() -> ModuleType:
    """The module ``umap``, imported such that numba keeps what it compiles of it, where that can be written."""
    if "umap" in sys.modules:
        return sys.modules["umap"]
    import pynndescent  # noqa: F401 - asks for itself, function by function, and is left as it is

    try:
        with _kept():
            import umap
    except RuntimeError:  # numba has no folder to write to: as in any other program
        for name in [name for name in sys.modules if name.partition(".")[0] == "umap"]:
            del sys.modules[name]
        import umap
    module: ModuleType = umap
    return module


@contextmanager
def _kept() -> Iterator[None]:
    """Functions decorated meanwhile are kept by numba, unless they say otherwise."""
    import numba

    def asking(decorator: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **options: decorator(*args, **{"cache": True, **options})

    own = {name: getattr(numba, name) for name in ("jit", "njit")}
    try:
        for name, decorator in own.items():
            setattr(numba, name, asking(decorator))
        yield
    finally:
        for name, decorator in own.items():
            setattr(numba, name, decorator)
