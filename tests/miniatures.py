"""Small members of the families as models of timm by name, so that settings, runs and weight files can name them.

``name_of("DINOv3")`` is ``mini_dinov3``, timm's own model with few small blocks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import timm
from prompt_tokens import MEMBERS
from timm.models import register_model


def name_of(member: str) -> str:
    """By which ``backbone=`` finds one of :data:`MEMBERS`."""
    return "mini_" + "_".join(re.findall(r"[a-z0-9]+", member.lower()))


def _maker(member: str) -> Callable[..., Any]:
    architecture, keywords = MEMBERS[member]

    def make(pretrained: bool = False, **given: Any) -> Any:
        return timm.create_model(architecture, pretrained=pretrained, **{**keywords, **given})

    make.__name__ = name_of(member)
    return make


for _member in MEMBERS:
    register_model(_maker(_member))
