"""Teaching: exercises that check themselves, for the course of the documentation and for notebooks.

Read ``check.py`` first: how an answer is checked. ::

    check           ``check(name, answer)``, ``hint(name)``, ``exercises()``
    exercise        what an exercise is: a question, and what is right, computed and never written down
    near_and_same   session 1: neighbours and metrics
    pull_and_push   session 2: proxies and losses
    keys_and_values   session 3: prompts
    from_images     session 4: semantic proxies, and a run of one's own
"""

from __future__ import annotations

from vptsp.teaching.check import check as check
from vptsp.teaching.check import exercises as exercises
from vptsp.teaching.check import hint as hint

__all__ = ["check", "exercises", "hint"]
