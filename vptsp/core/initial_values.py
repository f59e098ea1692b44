"""Starts from what the backbone knows: before the first step the model is the frozen backbone, or better than it.

A head of random directions and proxies of random directions must first be learned back to where the frozen feature
was. Here a head begins as an isometry of the feature, or whitened: divided by how much the feature varies within
classes; proxies begin at the class means of that embedding; a GRU begins as the moving average. All is computed in
fp64 on the CPU, so that it is the same for every device, some of which have no fp64.

The proxies at class means follow the Neural-Collapse start (AAAI 2026, doi 10.1609/aaai.v40i10.37777), the whitening
the sources named there; the rest is ours. What each is worth on which data is measured in ``docs/defaults.md``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from vptsp.core.errors import ConfigError
from vptsp.core.heads import Head
from vptsp.core.proxies.gru import GatedUnit
from vptsp.core.whitening import fitting_shrinkage, scales, symmetric_whitening, unit_scale, variation


@torch.no_grad()
def start_isometric(head: Head, features: Float[Tensor, "N D"]) -> None:
    """Make ``head`` centre the features of the training images and keep the angles between them.

    ``W`` (E, D) gets orthonormal columns where E >= D, so that no angle changes (but for the head's LayerNorm), and
    else the E principal directions of the features as orthonormal rows; ``b = -W mean``.
    """
    normed = _normed(head, features)
    mean = normed.mean(0)
    _, directions = torch.linalg.eigh((normed - mean).T @ (normed - mean))  # ascending
    _set(head, directions.T, mean)


@torch.no_grad()
def start_whitened(
    head: Head, features: Float[Tensor, "N D"], labels: Int[Tensor, " N"], shrinkage: float | None = None
) -> None:
    """Make ``head`` centre the features and divide them by how much they vary *within* a class.

    ``S = mean of (x - m_class)(x - m_class)^T``, ``W = R (S + shrinkage tr(S) / D I)^(-1/2)`` with R orthonormal: what
    differs between images of one class counts less, in unseen classes as well (:mod:`vptsp.core.whitening`). With E < D
    the E directions in which the class means differ most are kept. ``W`` is scaled to a mean square of its singular
    values of 1, as the isometry has. With one image per class nothing is known of that variation: an isometry.
    ``shrinkage`` none: by the number of images (:func:`~vptsp.core.whitening.fitting_shrinkage`).
    Raises :class:`ConfigError` for a shrinkage that is not positive.
    """
    normed = _normed(head, features)
    found = variation(normed, labels)
    if found.spread.sum() <= 0:
        start_isometric(head, features)
        return
    shrinkage = fitting_shrinkage(normed, labels) if shrinkage is None else shrinkage
    whitening = scales(found.spread, shrinkage)[:, None] * found.directions.T
    whitened = found.centres @ whitening.T
    _, between = torch.linalg.eigh(whitened.T @ whitened)  # ascending
    _set(head, unit_scale(between.T @ whitening), found.mean)


@torch.no_grad()
def whiten_input(
    head: Head, features: Float[Tensor, "N D"], labels: Int[Tensor, " N"], shrinkage: float | None = None
) -> None:
    """Put the map before ``head``'s linear layer that centres the features and divides them by how much they vary
    *within* a class.

    ``x <- W (x - mean)`` with ``W = (S + shrinkage tr(S) / D I)^(-1/2)``, symmetric, scaled so that the features of the
    training images have a mean square length of D, as a LayerNorm gives them. It does not train: what adaptive
    optimisers do in equal steps along every coordinate is then done in a space where no direction is loud, and
    directions that only tell images of one class apart do not come back with the first steps. With one image per class
    it centres.
    ``shrinkage`` none: by the number of images (:func:`~vptsp.core.whitening.fitting_shrinkage`).
    Raises :class:`ConfigError` for a head that has no place for it, and for a shrinkage that is not positive.
    """
    if head.input_matrix is None or head.input_offset is None:
        raise ConfigError(
            "this head has no place for a map before its linear layer; make it to whiten its input, Head(D, E, True)"
        )
    leave_input(head)
    normed = _normed(head, features)
    found = variation(normed, labels)
    if shrinkage is None:
        shrinkage = fitting_shrinkage(normed, labels) if found.spread.sum() > 0 else 1.0
    matrix = symmetric_whitening(found, shrinkage)
    square = ((normed - found.mean) @ matrix).square().sum(1).mean()
    if square > 0:  # else all features are one
        matrix = matrix * (normed.shape[1] / square).sqrt()
    head.input_matrix.copy_(matrix)
    head.input_offset.copy_(-matrix @ found.mean)


@torch.no_grad()
def take_input(head: Head, other: Head) -> None:
    """Give ``head`` the map before the linear layer of ``other``, which sees features of the same kind."""
    for own, theirs in ((head.input_matrix, other.input_matrix), (head.input_offset, other.input_offset)):
        if own is not None and theirs is not None:
            own.copy_(theirs)


def leave_input(head: Head) -> None:
    """The map before the linear layer, if there is one, changes nothing again."""
    if head.input_matrix is not None and head.input_offset is not None:
        nn.init.eye_(head.input_matrix)
        nn.init.zeros_(head.input_offset)


def _normed(head: Head, features: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
    """What the head's linear layer sees, in fp64 on the CPU."""
    return head.entering(features.to(head.linear.weight.device).float()).cpu().double()


def _set(head: Head, rows: Float[Tensor, "D D"], mean: Float[Tensor, " D"]) -> None:
    """``W = R rows``, ``b = -W mean``; of the rows, least important first, those that fit into the embedding.

    R is a random rotation, with E > D into the larger space: no coordinate is the first one.
    """
    weight = head.linear.weight
    rows = rows[-len(weight) :]
    rotation = nn.init.orthogonal_(torch.empty(len(weight), len(rows))).double()
    weight.copy_((rotation @ rows).to(weight.dtype))
    head.linear.bias.copy_((-(rotation @ rows) @ mean).to(weight.dtype))


def class_means(embeddings: Float[Tensor, "N E"], labels: Int[Tensor, " N"], num_classes: int) -> Float[Tensor, "C E"]:
    """Unit means of the classes' embeddings. Raises :class:`ConfigError` where a class has no image."""
    sums = embeddings.new_zeros(num_classes, embeddings.shape[1]).index_add(0, labels, embeddings)
    present = torch.bincount(labels, minlength=num_classes)
    if not bool(present.all()):
        raise ConfigError(
            f"class {int((present == 0).nonzero()[0])} has no image, so its proxy cannot start at their mean"
        )
    return F.normalize(sums, dim=1)


@torch.no_grad()
def start_as_mean(unit: GatedUnit, keep: float) -> None:
    """Make a GRU begin as ``h <- keep h + (1 - keep) act(s)``, image after image: a moving average.

    The candidate reads the image alone (``W_in = I``, ``W_hn = 0``), and the update gate is ``keep`` whatever it sees
    (``W_iz = W_hz = 0``, ``b_z = logit(keep)``). With ``act = tanh`` a unit vector of many numbers passes nearly as it
    is; ``relu`` would drop its negative half. Gradients reach all of them from the first step.
    Raises :class:`ConfigError` for a ``keep`` that is not between 0 and 1.
    """
    if not 0 < keep < 1:
        raise ConfigError(f"a GRU that starts as a mean keeps a share between 0 and 1, for example 0.8, and not {keep}")
    size = len(unit.weight_input)
    unit.bias.zero_()
    unit.bias[size : 2 * size] = torch.logit(torch.tensor(keep, dtype=torch.float64)).to(unit.bias)
    for weight, new in ((unit.weight_input, torch.eye(size)), (unit.weight_state, torch.zeros(size, size))):
        weight[:, size : 2 * size] = 0
        weight[:, 2 * size :] = new.to(weight)
