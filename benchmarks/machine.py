"""The machine that a benchmark runs on, in a few lines: numbers of one say little of another."""

from __future__ import annotations

import os

import torch

from vptsp.attention_times import processor

_TOLD = (
    "avx2",
    "avx512_f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
    "amx_bf16",
    "amx_int8",
    "sve",
    "sve2",
    "sme",
    "bf16",
)


def machine_lines() -> list[str]:
    """Processor with what of its instructions matters here, torch as it was built, GPUs, and what else is running."""
    has = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    told = [name for name in _TOLD if has.get(name)]
    lines = [
        f"{processor()}: {', '.join(told) or 'instruction sets unknown'}; torch uses "
        f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} of {os.cpu_count()} processors",
        f"torch {torch.__version__}"
        + (", oneDNN" if torch.backends.mkldnn.is_available() else "")
        + (", MKL" if torch.backends.mkl.is_available() else ""),
    ]
    lines += [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if hasattr(os, "getloadavg"):
        lines.append(f"load before: {os.getloadavg()[0]:.1f}; ratios hold on a quiet machine")
    return lines
