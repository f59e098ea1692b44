"""What the guided prompts of one block are trained to be."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.losses.similarity import cosine_similarities, masked_log1p_sum_exp

GuidedForm = Literal["proxy_anchor", "image_anchor"]


def guided_loss(
    features: Float[Tensor, "B D"],
    prompt_of: Int[Tensor, " B"],
    prompts: Float[Tensor, "P D"],
    *,
    form: GuidedForm = "proxy_anchor",
    ratio: float = 1.0,
    scale: float = 32.0,
    margin: float = 0.1,
) -> Float[Tensor, ""]:
    """DA-VPT's metric loss of one block: features are pulled to the guided prompt of their class.

    With ``s = ratio * cosine``, ``u+ = -scale (s - margin)`` and ``u- = scale (s + margin)``, ``proxy_anchor`` is
    ``mean over all P of log(1 + sum_{b of the prompt} e^u+) + mean over all P of log(1 + sum_{b of others} e^u-)``:
    Proxy Anchor (Kim et al., CVPR 2020, eq. 4) whose both means run over all prompts, also those without an image.
    ``image_anchor`` sums over prompts and takes the mean over images; the published code calls it NCA.

    ``ratio`` multiplies the cosine and not the margin, so it is a scale of ``ratio * scale`` with a margin of
    ``margin / ratio``; at 0 the loss is constant. ``prompt_of`` (B,) is the prompt of each image's class.
    """
    similarity = ratio * cosine_similarities(features, prompts)
    own = F.one_hot(prompt_of, len(prompts)).bool()
    over, count = (0, len(prompts)) if form == "proxy_anchor" else (1, len(features))
    pull = masked_log1p_sum_exp(-scale * (similarity - margin), own, dim=over)
    push = masked_log1p_sum_exp(scale * (similarity + margin), ~own, dim=over)
    return (pull.sum() + push.sum()) / count
