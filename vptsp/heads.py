"""From the backbone's feature to an embedding or to class scores, and the networks of VPT's baselines around it."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision
from jaxtyping import Float
from timm.models import load_state_dict
from torch import Tensor, nn

from vptsp.errors import BackboneError


class Head(nn.Module):
    """``LayerNorm -> Linear(D, E) -> L2 normalise`` on the backbone's feature."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, size)

    def forward(self, features: Float[Tensor, "B D"]) -> Float[Tensor, "B E"]:
        # Unit vectors in fp32: under autocast the linear layer returns half precision.
        return F.normalize(self.linear(self.norm(features)).float(), dim=1)


class CentredFeature(nn.Module):
    """No training: the backbone's feature minus its mean over the training images, L2-normalised."""

    mean: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, features: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        return F.normalize(features.float() - self.mean, dim=1)


class Classifier(nn.Module):
    """A linear classifier on the feature, as in VPT: scores (B, C), D C + C parameters."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, num_classes)

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
        if weights != "random":
            alexnet.load_state_dict(_alexnet_weights(weights))
        self.features, self.pool = alexnet.features, alexnet.avgpool
        self.linear = nn.Linear(9216, width, bias=False)
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, images: Float[Tensor, "B 3 S S"], features: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        side = self.linear(self.pool(self.features(images)).flatten(1))
        share = torch.sigmoid(self.share)
        mixed: Tensor = share * features + (1 - share) * side
        return mixed


def _alexnet_weights(weights: str) -> dict[str, Tensor]:
    remedy = "pass side_weights=PATH of torchvision's alexnet weight file, or side_weights=random"
    if weights == "pretrained":
        try:
            return torchvision.models.AlexNet_Weights.IMAGENET1K_V1.get_state_dict(progress=False)
        except Exception as error:  # the download raises anything
            raise BackboneError(f"the pretrained weights of AlexNet could not be had ({error}); {remedy}") from error
    path = Path(weights).expanduser()
    if not path.is_file():
        raise BackboneError(f"side_weights={weights!r} is neither pretrained nor random nor an existing file; {remedy}")
    state: dict[str, Tensor] = load_state_dict(str(path), weights_only=True)
    missing = torchvision.models.alexnet().state_dict().keys() - state.keys()
    if missing:
        raise BackboneError(f"{path} is not AlexNet's weight file: it has no {sorted(missing)[0]}; {remedy}")
    return state
