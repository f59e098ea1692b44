"""Write files so that a reader, a crash or a full disk never meets half of one.

Tensors and arrays are one format on disk. What reads and writes tensors imports torch when it is called; arrays need
none of it, and what shows a run reads those.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vptsp.errors import RunError, explained

if TYPE_CHECKING:
    import numpy as np
    import torch


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file or nothing: a temporary file beside it is flushed to disk, then renamed."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)  # mkstemp's 0600 would hide a shared run from colleagues
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise


def write_text(path: Path, text: str) -> None:
    """:func:`write_bytes` for text, in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """:func:`write_bytes` for JSON. Not-a-number becomes null, which every reader understands."""
    write_text(path, json.dumps(to_plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def to_plain(value: Any) -> Any:
    """Numpy arrays and scalars, paths, tuples and non-finite numbers as JSON can hold them."""
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy's arrays and scalars, told by what they can do: numpy is not imported for text
        return to_plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def read_json(path: Path, remedy: str) -> Any:
    """Read JSON; a missing or damaged file is a :class:`RunError` that ends in ``remedy``."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path} does not exist; {remedy}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path} is damaged or cut off ({error}); {remedy}") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror or error}); {remedy}") from None


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> None:
    """Store tensors as safetensors, atomically."""
    from safetensors.torch import save

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(plain, metadata))


def read_tensors(path: Path, remedy: str) -> dict[str, torch.Tensor]:
    """Read safetensors; a missing or damaged file is a :class:`RunError` that ends in ``remedy``."""
    from safetensors.torch import load_file

    return _loaded(load_file, path, remedy)


def write_arrays(path: Path, arrays: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> None:
    """:func:`write_tensors` for arrays."""
    import numpy as np
    from safetensors.numpy import save

    write_bytes(path, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata))


def read_arrays(path: Path, remedy: str) -> dict[str, np.ndarray]:
    """:func:`read_tensors` as arrays, of any type that numpy has."""
    from safetensors.numpy import load_file

    return _loaded(load_file, path, remedy)


def _loaded(load_file: Callable[[Path], dict[str, Any]], path: Path, remedy: str) -> dict[str, Any]:
    if not path.is_file():
        raise RunError(f"{path} does not exist; {remedy}")
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises its own types for a bad header or length
        raise RunError(f"{path} is damaged or cut off ({error}); {remedy}") from None
