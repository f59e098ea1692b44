"""Rates in words; ``front/words.js`` says the same in the same words."""

from __future__ import annotations

import math


def percent(share: float) -> str:
    """A share, 0 to 1, in percent: with more digits where it is so near to none or to all that they matter."""
    value = 100 * share
    if 0 < value < 0.001:
        return "< 0.001 %"
    if 99.999 < value < 100:
        return "> 99.999 %"
    digits = 3 if 0 < value < 0.1 or 99.9 < value < 100 else 1
    # halves up, as JavaScript rounds: the format alone rounds 96.25 to the even digit here
    return f"{math.floor(value * 10**digits + 0.5) / 10**digits:.{digits}f} %"


def said(true_accept_rate: float, false_accept_rate: float) -> str:
    """What a threshold does, as the end of a sentence."""
    return f"accepts {percent(true_accept_rate)} of same-class pairs, and {percent(false_accept_rate)} of others"
