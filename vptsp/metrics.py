"""Retrieval metrics: pure functions of a :class:`~vptsp.retrieval.RetrievalResults`.

R is the number of gallery images of the query's class other than the query. A lone query (R = 0) has
nothing to find: it is left out of every mean and counted in the report.

Dimensions: Q queries, S scored queries (R > 0), k neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from vptsp import clustering as clusters_of
from vptsp.errors import DataError
from vptsp.retrieval import Embeddings, RetrievalResults, search, unit_rows

_CELLS_AT_ONCE = 2**22  # (query, rank) cells in fp64 at a time: 32 MiB an array


def recall_at_k(results: RetrievalResults, k: int) -> float:
    """Share of queries with an image of their class among the first k neighbours."""
    return float(hit_at_k(results, k).mean())


def r_precision(results: RetrievalResults) -> float:
    """Mean share of the query's class among its first R neighbours."""
    return float(_over_first_r(results, _precision_at_r).mean())


def map_at_r(results: RetrievalResults) -> float:
    """MAP@R of Musgrave et al., "A Metric Learning Reality Check" (arXiv 2003.08505), section 3.1."""
    return float(average_precision_at_r(results).mean())


def map_at_r_published(results: RetrievalResults) -> float:
    """MAP@R as in the published VPTSP code, which counts the query in R: R + 1 ranks divided by R + 1.

    A perfect ranking scores R / (R + 1). That code also scores lone queries 0; here they are left out.
    """
    return float(_over_first_r(results, _published_average_precision, beyond=1).mean())
