"""Visual prompts of which the least important can be pruned: whole tokens, and segments of tokens (E2VPT)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vptsp.core.errors import ConfigError
from vptsp.core.prompts.shares import number_pruned
from vptsp.core.prompts.visual import VisualPrompts


class PrunablePrompts(VisualPrompts):
    """Visual prompts with masks (E2VPT, ICCV 2023, arXiv 2307.13770, section 3.3).

    A token ``P_k`` has a mask ``rho_k``, and each of its R equal segments a mask ``zeta_kr``. Both begin at 1:
    the prompt is ``rho_k * (zeta_k1 * P_k1, ..., zeta_kR * P_kR)``. What the loss L loses first without a token or a
    segment is its importance: ``E |dL / d rho_k|`` and ``E |dL / d zeta_kr|``, as with heads of attention (Michel et
    al., arXiv 1905.10650). :meth:`mask_gradients` has these derivatives without a mask in the graph: by the chain rule
    the derivative by a mask of 1 is the product of the prompt and its own gradient.

    The masks are one buffer for each matrix of prompts, so they are stored with it. What this does and the formulas
    leave open: shares are pruned within every block; a pruned segment is zeros in its token; and a pruned token, or one
    that has no segment left, is left out of attention altogether, where a prompt of zeros would still be a key.

    ``others``: further arguments of :class:`VisualPrompts`. Raises :class:`~vptsp.core.errors.ConfigError` where
    ``segments`` does not divide the width of the prompts.
    """

    def __init__(self, counts: Sequence[int], widths: int | Sequence[int], segments: int, **others: Any) -> None:
        super().__init__(counts, widths, **others)
        self.segments = segments
        for number, layer in enumerate(self.layers):
            if layer.shape[1] % segments:
                legal = ", ".join(str(each) for each in range(1, 33) if layer.shape[1] % each == 0)
                raise ConfigError(
                    f"prompt_segments={segments} does not divide the {layer.shape[1]} numbers of a prompt into equal "
                    f"parts; legal are its divisors, as {legal}"
                )
            self.register_buffer(f"kept_{number}", torch.ones(len(layer), segments, dtype=torch.bool))
        self._rows: list[list[int] | None] = [None] * len(self.layers)  # tokens that are left; none: all, unchanged
        self.left_out = 0

    @property
    def kept(self) -> list[Bool[Tensor, "_ R"]]:
        """Which segments of which tokens are left, for each matrix of prompts."""
        return [getattr(self, f"kept_{number}") for number in range(len(self.layers))]

    def mask_gradients(self) -> list[Float[Tensor, "_ R"]]:
        """After a backward pass: dL / d zeta of every segment, for each matrix; the sum over segments is dL / d rho.

        Masks of what is pruned already have 0.
        """
        found = []
        for layer, kept in zip(self.layers, self.kept, strict=True):
            gradient = torch.zeros_like(layer) if layer.grad is None else layer.grad
            parts = (layer.detach() * gradient).unflatten(1, (self.segments, -1)).sum(dim=-1)
            found.append(parts * kept)
        return found

    def prune(
        self,
        of_tokens: Sequence[Float[Tensor, " _"]],
        of_segments: Sequence[Float[Tensor, "_ R"]],
        tokens: float,
        segments: float,
    ) -> None:
        """Prune of each matrix the share ``tokens`` of its tokens, then the share ``segments`` of the segments of those
        that are left: the least important ones, of equal ones the last. Shares are rounded down, so something is left.
        """
        for own, token_scores, segment_scores in zip(self.kept, of_tokens, of_segments, strict=True):
            scores = token_scores.cpu().double()
            mask = torch.ones(own.shape, dtype=torch.bool)
            mask[_least(scores, tokens)] = False
            left = mask.flatten().nonzero().flatten()
            mask.view(-1)[left[_least(segment_scores.cpu().double().flatten()[left], segments)]] = False
            own.copy_(mask)
        self._note()

    def _note(self) -> None:
        """Know as numbers of Python what the masks say: what is computed is then of one shape, whoever traces it."""
        self._rows, self.left_out = [], 0
        for kept, layer in zip(self.kept, self.layers, strict=True):
            some = kept.any(dim=1).nonzero().flatten().tolist()
            self._rows.append(None if bool(kept.all()) else some)
            self.left_out += int((~kept).sum()) * (layer.shape[1] // self.segments)

    def _load_from_state_dict(self, *given: Any) -> None:
        super()._load_from_state_dict(*given)
        self._note()

    def _stored(self, source: int) -> Float[Tensor, "N D"]:
        layer: Tensor = self.layers[source]
        rows = self._rows[source]
        if rows is None:
            return layer
        masked = layer.unflatten(1, (self.segments, -1)) * getattr(self, f"kept_{source}").unsqueeze(-1)
        return masked.flatten(1)[rows]


def _least(scores: Float[Tensor, " n"], share: float) -> Tensor:
    """Places of the least scores; of equal ones the last."""
    backwards = scores.flip(0).argsort(stable=True)[: number_pruned(share, len(scores))]
    return len(scores) - 1 - backwards
