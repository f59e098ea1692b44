"""From the backbone's feature to an embedding or to class scores, and the networks of VPT's baselines around it."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision
from jaxtyping import Float, Int
from timm.models import load_state_dict
from torch import Tensor, nn

from vptsp.core.errors import BackboneError
from vptsp.core.whitening import symmetric_whitening, unit_scale, variation


class Head(nn.Module):
    """``LayerNorm (-> fixed map) -> Linear(D, E) -> L2 normalise`` on the backbone's feature; ``(-> Linear(E, E) -> L2
    normalise)``.

    The fixed map is there with ``whitens_input``: the feature is divided by how much that of the training images varied
    within a class as training began (:func:`~vptsp.core.initial_values.whiten_input`), so that a step of the optimiser
    is as large in every direction of that space. Until it is set it changes nothing. The last map is there in a model
    that was whitened after training (:meth:`whiten`).
    """

    input_matrix: Tensor | None
    input_offset: Tensor | None
    whitening: nn.Linear | None

    def __init__(self, width: int, size: int, whitens_input: bool = False) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, size)
        self.register_buffer("input_matrix", torch.eye(width) if whitens_input else None)
        self.register_buffer("input_offset", torch.zeros(width) if whitens_input else None)
        self.whitening = None

    def entering(self, features: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """What the linear layer sees."""
        normed: Tensor = self.norm(features)
        if self.input_matrix is None:
            return normed
        with torch.autocast(normed.device.type, enabled=False):  # it takes small differences of large numbers
            return F.linear(normed.to(self.input_matrix.dtype), self.input_matrix, self.input_offset)

    def forward(self, features: Float[Tensor, "B D"]) -> Float[Tensor, "B E"]:
        # Unit vectors in fp32: under autocast the linear layer returns half precision.
        embeddings = F.normalize(self.linear(self.entering(features)).float(), dim=1)
        if self.whitening is None:
            return embeddings
        with torch.autocast(embeddings.device.type, enabled=False):  # fitted in fp64, and small
            return F.normalize(self.whitening(embeddings), dim=1)

    def add_whitening(self) -> nn.Linear:
        """The second map, as the identity, frozen: to be filled by :meth:`whiten` or from a checkpoint."""
        size = self.linear.out_features
        self.whitening = nn.Linear(size, size, device=self.linear.weight.device).requires_grad_(False)
        nn.init.eye_(self.whitening.weight)
        nn.init.zeros_(self.whitening.bias)
        return self.whitening

    @torch.no_grad()
    def whiten(self, embeddings: Float[Tensor, "N E"], labels: Int[Tensor, " N"], shrinkage: float = 1.0) -> nn.Linear:
        """Divide embeddings from now on by how much those of the training images vary within a class.

        ``e <- unit(W (e - mean))`` with ``W = (S + shrinkage tr(S) / E I)^(-1/2)``, symmetric, so that every axis stays
        near where it was, and scaled as an isometry is (:mod:`vptsp.core.whitening`). A map of the space: proxies go
        through it as images do. Raises :class:`~vptsp.core.errors.ConfigError` for a shrinkage that is not positive.
        """
        found = variation(embeddings.cpu().double(), labels)
        matrix = unit_scale(symmetric_whitening(found, shrinkage))
        whitening = self.add_whitening()
        whitening.weight.copy_(matrix.to(whitening.weight.dtype))
        whitening.bias.copy_((-matrix @ found.mean).to(whitening.bias.dtype))
        return whitening


class CentredFeature(nn.Module):
    """No training: the backbone's feature minus its mean over the training images, L2-normalised."""

    mean: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, features: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        return F.normalize(features.float() - self.mean, dim=1)


class Classifier(nn.Module):
    """A linear classifier on the feature, as in VPT: scores (B, C), D C + C parameters.

    ``spread``: its weights start normal with this deviation, cut off at 2, and its biases at 0, as timm's and DA-VPT's
    do; none: as torch's linear layers.
    """

    def __init__(self, width: int, num_classes: int, spread: float | None = None) -> None:
        super().__init__()
        self.linear = nn.Linear(width, num_classes)
        if spread is not None:
            nn.init.trunc_normal_(self.linear.weight, std=spread)
            nn.init.zeros_(self.linear.bias)

    def forward(self, features: Float[Tensor, "B D"]) -> Float[Tensor, "B C"]:
        scores: Tensor = self.linear(features)
        return scores.float()


class HiddenLayers(nn.Sequential):
    """MLP-k of VPT: k times ``Linear(D, D) -> ReLU -> BatchNorm -> Dropout(0.1)``; k (D^2 + 3 D) parameters."""

    def __init__(self, width: int, count: int) -> None:
        layers: list[nn.Module] = []
        for _ in range(count):
            layers += [nn.Linear(width, width), nn.ReLU(), nn.BatchNorm1d(width), nn.Dropout(0.1)]
        super().__init__(*layers)


class SideNetwork(nn.Module):
    """Sidetune (arXiv 1912.13503) as in VPT: ``sig(a) * feature + (1 - sig(a)) * linear(AlexNet(image))``, a = 0.

    2 469 696 parameters of AlexNet, 9216 D of the linear map without bias, and a. ``weights``: pretrained
    (torchvision's, from its cache or the web), random, or the path of torchvision's weight file.
    """

    def __init__(self, width: int, weights: str) -> None:
        super().__init__()
        alexnet = torchvision.models.alexnet()
        self.features, self.pool = alexnet.features, alexnet.avgpool
        if weights != "random":
            _load_features(self.features, weights)
        self.linear = nn.Linear(9216, width, bias=False)
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, images: Float[Tensor, "B 3 S S"], features: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        side = self.linear(self.pool(self.features(images)).flatten(1))
        share = torch.sigmoid(self.share)
        mixed: Tensor = share * features + (1 - share) * side
        return mixed


def _load_features(features: nn.Module, weights: str) -> None:
    """Fill AlexNet's convolutions; its classifier, which a weight file may hold too, is not used."""
    remedy = "pass side_weights=PATH of torchvision's alexnet weight file, or side_weights=random"
    state = _alexnet_weights(weights, remedy)
    expected = {f"features.{name}": tuple(value.shape) for name, value in features.state_dict().items()}
    odd = [name for name, shape in expected.items() if name not in state or tuple(state[name].shape) != shape]
    if odd:
        raise BackboneError(f"{weights} is not AlexNet's weight file: it has no {odd[0]} {expected[odd[0]]}; {remedy}")
    features.load_state_dict({name.removeprefix("features."): state[name] for name in expected})


def _alexnet_weights(weights: str, remedy: str) -> dict[str, Tensor]:
    if weights == "pretrained":
        try:
            return torchvision.models.AlexNet_Weights.IMAGENET1K_V1.get_state_dict(progress=False)
        except Exception as error:  # the download raises anything
            raise BackboneError(f"the pretrained weights of AlexNet could not be had ({error}); {remedy}") from error
    path = Path(weights).expanduser()
    if not path.is_file():
        raise BackboneError(f"side_weights={weights!r} is neither pretrained nor random nor an existing file; {remedy}")
    try:
        return load_state_dict(str(path), weights_only=True)
    except Exception as error:  # torch and safetensors raise anything
        raise BackboneError(f"{path} is damaged or no weight file; {remedy}") from error
