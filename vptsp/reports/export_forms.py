"""Forms in which a model is given away, told by a file's suffix; refusing another one needs no torch."""

from __future__ import annotations

from pathlib import Path

from vptsp.errors import UsageError

FORMS = (".safetensors", ".onnx", ".pt2")


def require_form(path: Path) -> None:
    """Raises UsageError for a suffix that names none of :data:`FORMS`."""
    if path.suffix not in FORMS:
        raise UsageError(f"{path}: cannot export to {path.suffix or 'no suffix'!r}; use {', '.join(FORMS)}")
