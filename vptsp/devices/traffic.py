"""The bytes that a process of a world sends in a step of training, by formula.

With P processes, gathering n numbers from each costs every process ``(P - 1) n`` sent numbers, and the mean or sum of a
tensor of n numbers ``2 (P - 1) / P n`` (ring algorithms; Patarasuk and Yuan, J. Parallel Distrib. Comput. 69, 2009).
What messages cost beside their content (headers, acknowledgements) is not counted; ``benchmarks/devices.py`` measures.
"""

from __future__ import annotations

from dataclasses import dataclass

_LABEL, _NUMBER = 8, 4  # bytes of int64 and float32


@dataclass(frozen=True)
class Step:
    """What of a run decides its messages.

    ``batch`` B images of all processes together; ``embedding`` E; ``columns``: numbers of an image that are gathered
    (E, with semantic proxies 2 E); ``trained``: numbers in all parameters that train, class prompts by rows left out;
    ``rows``: R numbers in the class prompts of a class, of ``batch_classes`` classes, where they are kept by rows;
    ``classes`` C where ``proxies=sharded``.
    """

    batch: int
    embedding: int
    columns: int
    trained: int
    rows: int = 0
    batch_classes: int = 0
    classes: int = 0


def bytes_sent(step: Step, processes: int) -> dict[str, float]:
    """Bytes that one process sends in a step, by what they are; nothing for one process."""
    gathered, reduced = processes - 1, 2 * (processes - 1) / processes
    share = -(-step.batch // processes)  # rows are padded to the longest part
    of_rows = step.rows * step.batch_classes
    return {
        "labels": gathered * (share + 1) * _LABEL,
        "embeddings": gathered * share * step.columns * _NUMBER,
        "gradients": reduced * step.trained * _NUMBER,
        "class prompts": (gathered * of_rows / processes + reduced * of_rows) * _NUMBER if processes > 1 else 0.0,
        "shards": reduced * (step.batch + step.classes) * step.embedding * _NUMBER if step.classes else 0.0,
    }
