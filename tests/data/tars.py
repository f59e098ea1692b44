"""Shards made by hand, as others write them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image


def picture(shade: int, ending: str = "png") -> bytes:
    """An image of one colour, which tells it from others."""
    buffer = io.BytesIO()
    kind = {"jpg": "JPEG", "jpeg": "JPEG"}.get(ending, ending.upper())
    Image.new("RGB", (20, 24), (shade, 255 - shade, 7)).save(buffer, kind)
    return buffer.getvalue()


def write_tar(path: Path, members: Mapping[str, bytes] | list[tuple[str, bytes]], mode: str = "w") -> Path:
    """A tar of these members, in this order; one whose name ends in ``/`` is a directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items() if isinstance(members, Mapping) else members:
            info = tarfile.TarInfo(name.rstrip("/"))
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def write_set(root: Path, kind: str = "cls", names: tuple[str, ...] = ("ant", "bee", "cow", "dog")) -> Path:
    """``train/0.tar`` with two images each of the first two classes, ``test/0.tar`` with those of the others."""
    for part, classes in (("train", names[:2]), ("test", names[2:])):
        members: dict[str, bytes] = {}
        for number, label in enumerate(name for name in classes for _ in range(2)):
            key = f"{number:04d}"
            members[f"{key}.png"] = picture(10 * number + (100 if part == "test" else 0))
            text = f'{{"label": "{label}", "width": 20}}' if kind == "json" else label
            members[f"{key}.{kind}"] = text.encode()
        write_tar(root / part / "0.tar", members)
    return root
