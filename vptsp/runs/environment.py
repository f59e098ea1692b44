"""Where and with what a run was made: versions, the code, the device."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any


def environment() -> dict[str, Any]:
    """Versions of what decides the numbers, the code version and the device."""
    import torch  # for the device; the versions alone need no import

    names = ("vptsp-workbench", "torch", "torchvision", "timm", "lightning-fabric", "numpy", "faiss-cpu", "umap-learn")
    cuda = torch.cuda.is_available()
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in names},
        "code": code_version(),
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "threads": torch.get_num_threads(),
    }


def code_version() -> str:
    """The commit this package runs from, ``+changes`` when the tree differs, or the installed version."""
    folder = Path(__file__).parent
    try:
        command = ["git", "-C", str(folder), "describe", "--always", "--dirty=+changes", "--abbrev=12"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return _version("vptsp-workbench")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
