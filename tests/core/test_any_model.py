"""Models whose blocks are not known: every method that puts nothing into them, and one sentence for the others."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from vptsp.core.backbones.any_model import AnyModel
from vptsp.core.backbones.load import Backbone, load_backbone
from vptsp.core.backbones.tuning import parameter_names
from vptsp.core.encoder import embed_patches, encode
from vptsp.errors import BackboneError, ConfigError
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import make_config

SMALL = {"test_resnet": 32, "test_convnext2": 32, "test_efficientnet": 32, "test_maxvit": 64}
METHODS = {
    "frozen": {},
    "linear": {},
    "mlp": {"mlp_layers": 1},
    "bias": {},
    "partial": {},
    "full": {},
    "lora": {"lora_targets": ("fc1", "fc2")},
}


def load(name: str) -> Backbone:
    return load_backbone(name, "random", SMALL[name])


def make_model(backbone: Backbone, method: str, **settings: Any) -> ConfiguredModel:
    return build_model(
        make_config({"method": method, "embedding_size": 8, "side_weights": "random"}, settings), backbone, 4
    )


@pytest.mark.parametrize("name", SMALL)
def test_the_feature_is_what_timms_classifier_would_get(name: str) -> None:
    backbone = load(name)
    assert isinstance(backbone.family, AnyModel)
    assert backbone.size == (SMALL[name], SMALL[name])
    images = torch.randn(2, 3, *backbone.size, requires_grad=True)
    features = encode(backbone, embed_patches(backbone.vit, images)).features
    torch.testing.assert_close(
        features, backbone.vit.forward_head(backbone.vit.forward_features(images), pre_logits=True)
    )
    assert features.shape == (2, backbone.width)
    again = encode(backbone, embed_patches(backbone.vit, images), recompute=True).features
    for one, other in zip(
        torch.autograd.grad(features.sum(), images), torch.autograd.grad(again.sum(), images), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("method", METHODS)
def test_methods_without_prompts_train(method: str) -> None:
    """A step changes what should train, and nothing else; ConvNeXt has linear layers."""
    model = make_model(load("test_convnext2"), method, **METHODS[method]).train()
    for parameter in model.vit.parameters():  # away from the zeros of initialisation, through which nothing learns
        if parameter.dim() < 2 or parameter.numel() == parameter.shape[-1]:
            torch.nn.init.normal_(parameter.data, std=0.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images, labels = torch.randn(4, 3, 32, 32), torch.tensor([0, 0, 1, 1])
    output = model(images, labels)
    assert output.embeddings.shape == (4, 128 if method == "frozen" else 8)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if method == "frozen":
        assert not trained
        return
    loss = (output.embeddings @ output.proxies.T).square().sum()
    loss.backward()
    torch.optim.SGD(trained.values(), lr=0.1).step()
    own = {name for name in trained if name.startswith("vit.")}
    stages = {name.split(".")[1] for name in own}
    expected: dict[str, set[str]] = {"bias": {"stem", "stages", "head"}, "full": {"stem", "stages", "head"}}
    expected |= {"partial": {"stages", "head"}, "lora": {"stages"}}
    assert stages == expected.get(method, set())
    if method == "partial":
        assert {name.split(".")[2] for name in own if name.startswith("vit.stages.")} == {"3"}
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed <= set(trained) | {name for name in before if ".running_" in name or "num_batches" in name}
    assert {name for name in changed if name.startswith("vit.")} >= {name for name in own if ".lora_A." not in name}


def test_batch_statistics_stay_frozen_while_all_trains() -> None:
    model = make_model(load("test_resnet"), "full").train()
    before = model.vit.bn1.running_mean.clone()
    model(torch.randn(4, 3, 32, 32))
    assert torch.equal(model.vit.bn1.running_mean, before)


@pytest.mark.parametrize("method", ["vpt_deep", "vpt_shallow", "vptsp_g"])
def test_prompts_are_refused_with_what_goes(method: str) -> None:
    message = (
        rf"method='{method}' puts prompts into .* test_resnet \(ResNet\) takes none: .*frozen, linear, mlp, side, bias"
    )
    with pytest.raises(ConfigError, match=message):
        make_model(load("test_resnet"), method)


def test_what_a_model_does_not_have_is_said() -> None:
    backbone = load("test_resnet")
    with pytest.raises(
        ConfigError, match=r"lora_targets=qkv: test_resnet has no .* it has none that LoRA could update"
    ):
        make_model(backbone, "lora")
    with pytest.raises(ConfigError, match=r"lora_targets=qkv: test_convnext2 has no linear .*; legal: fc1, fc2"):
        make_model(load("test_convnext2"), "lora")
    with pytest.raises(ConfigError, match=r"adapters sit at the MLP of each block, .* test_resnet .* is not known"):
        make_model(backbone, "adapter")
    with pytest.raises(ConfigError, match="partial_blocks=6 is more than the 5 blocks of test_resnet; legal: 1 to 5"):
        parameter_names(backbone, "last", partial_blocks=6)


def test_sizes() -> None:
    """Convolutions take any size; what divides maps into windows says which sizes it takes by its own words."""
    assert load_backbone("test_resnet", "random", (40, 72)).size == (40, 72)
    with pytest.raises(
        BackboneError, match=r"image_size=50: test_maxvit cannot take images of this size \(.*its own is 160"
    ):
        load_backbone("test_maxvit", "random", 50)
