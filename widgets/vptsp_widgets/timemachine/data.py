"""What the time machine says of a replay: curves, notes, and which classes have trails at first."""

from __future__ import annotations

from typing import Any

import numpy as np

from vptsp.analysis.replay import Replay


def farthest(shown: Replay, count: int) -> list[str]:
    """Names of the classes with a probe image whose fused (or only) proxies turned farthest; without proxies, none."""
    if not shown.proxies:
        return []
    moved = shown.moved[list(shown.proxies)[-1]] + 1000.0 * np.isin(shown.proxy_labels, shown.labels)
    return [shown.class_names[label] for label in shown.proxy_labels[np.argsort(-moved, kind="stable")[:count]]]


def frame_note(shown: Replay) -> str:
    """What the frame keeps and what it leaves out, in a sentence or two."""
    if shown.frame == "aligned":
        return (
            "Aligned UMAP keeps neighbours together and each epoch near the one before; "
            "lengths and directions of movements say little."
        )
    text = "The axes are fitted once, to the probe images of the last epoch, and hold for every epoch."
    if not len(shown.ids):
        text = "The axes are fitted once, to the proxies of the last epoch, and hold for every epoch."
    held = [f"{100 * shown.shares[kind]:.0f} % ({kind})" for kind in shown.proxies]
    if held and len(shown.ids):
        text += f" They hold {', '.join(held)} of the proxies' variance; how far proxies lie from images is not seen."
    return text


def curves_of(shown: Replay) -> list[dict[str, Any]]:
    """Curves over the epochs, as JSON: title, note and values in percent, none where there is none."""
    curves = []
    if np.isfinite(shown.judged).any():
        curves.append(_curve("val", f"Validation {shown.judged_title}", "all validation images", shown.judged))
    for split in ("test", "train"):
        if split in shown.recall:
            scored = shown.recall[split]
            title = f"R@1 among the {scored.images} {split} probe images"
            curves.append(_curve(split, title, f"{scored.queries} have another of their class", scored.values))
    return curves


def _curve(name: str, title: str, note: str, values: np.ndarray) -> dict[str, Any]:
    percent = [round(100 * float(value), 2) if np.isfinite(value) else None for value in values]
    return {"name": name, "title": title, "note": note, "values": percent}


def some_of(count: int, total: int, what: str) -> str:
    return f"{count:,} {what}" if count == total else f"{count:,} of {total:,} {what} shown"
