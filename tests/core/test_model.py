"""The assembled model: parameter counts, batches in any order, and what inference needs."""

from __future__ import annotations

import pytest
import torch

from vptsp.core.backbones.load import load_backbone
from vptsp.errors import ConfigError
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import Config, make_config
from vptsp.settings.methods import METHODS

SMALL = {"backbone": "vit_tiny_patch16_224", "image_size": 32, "backbone_weights": "random", "embedding_size": 16}


def make_model(num_classes: int | None = 6, **settings: object) -> tuple[Config, ConfiguredModel]:
    config = make_config(SMALL, settings)
    backbone = load_backbone(config.backbone, config.backbone_weights, config.image_size)
    torch.manual_seed(0)
    return config, build_model(config, backbone, num_classes)


def published_cub() -> ConfiguredModel:
    """The published CUB / ViT-S configuration, on the meta device: shapes without memory."""
    config = make_config(
        {
            "backbone": "vit_small_patch16_224",
            "backbone_weights": "random",
            "embedding_size": 384,
            "num_prompts": 10,
            "num_class_prompts": 3,
            "bitfit": True,
        }
    )
    with torch.device("meta"):
        return build_model(config, load_backbone(config.backbone, "random"), 100)


def test_counts_of_the_published_cub_configuration() -> None:
    """D = E = 384, L = 12, N = 10, M = 3, C = 100, by the closed formulas."""
    width, blocks, size, classes = 384, 12, 384, 100
    biases = 11 * width * blocks + 2 * width
    head = width * size + size + 2 * width
    bank = classes * 3 * width * blocks
    unit = 6 * size**2 + 3 * size  # the published code allocates `size` more that nothing reads
    counts = published_cub().counts()
    assert counts.kept == biases + head + 10 * width * blocks == 246_144
    assert counts.bank == bank == 1_382_400
    assert counts.trained == counts.kept + head + bank + unit + classes * size == 2_701_440
    assert sum(counts.parts.values()) == counts.trained
    frozen = 21_665_664 - biases  # ViT-S/16 without its classifier
    assert counts.total == counts.trained + frozen


@pytest.mark.parametrize("name", METHODS)
def test_only_what_the_method_names_is_trained(name: str) -> None:
    method = METHODS[name]
    _, model = make_model(10, method=name, side_weights="random", image_size=64, task=method.tasks[0])
    parts = set(model.counts().parts)
    assert ("visual prompts" in parts) == (method.prompts != "none")
    assert ("class prompts" in parts) == ("semantic head" in parts) == (method.semantic != "none")
    assert ("accumulation unit" in parts) == (method.semantic == "gru")
    assert ("backbone biases" in parts) == (method.bitfit or bool(method.tuned_parts) or method.tunes != "none")
    assert ("backbone weights" in parts) == (method.tunes != "none")
    assert ("adapters" in parts) == (method.adapter != "none")
    assert ("low-rank updates" in parts) == method.lora
    assert ("hidden layers" in parts) == method.mlp
    assert ("side network" in parts) == method.side
    assert ("sample head" in parts) == method.trains
    assert ("learned proxies" in parts) == (method.trains and "retrieval" in method.tasks)
    assert ("key-value prompts" in parts) == method.key_values
    assert (model.guide is not None) == method.guided


def test_step_takes_prompts_away_from_block_to_block() -> None:
    _, model = make_model(num_prompts=7, prompt_step=3, prompt_depth=5, num_class_prompts=2, class_prompt_step=1)
    assert [len(layer) for layer in model.prompts()] == [7, 4, 1]
    assert [layer.shape[1] for layer in model.semantic.class_prompts(torch.tensor([0]))] == [2, 1]


@pytest.mark.parametrize("field", ["prompt_depth", "class_prompt_depth"])
def test_prompts_deeper_than_the_backbone(field: str) -> None:
    with pytest.raises(
        ConfigError, match=f"{field}=13 is deeper than the backbone, which has 12 blocks; legal: 1 to 12"
    ):
        make_model(**{field: 13})


def test_batches_in_any_order() -> None:
    """Shuffling the classes of a batch, singletons and repeats included, shuffles the output and nothing else."""
    labels = torch.tensor([2, 2, 5, 0, 0, 0, 3])
    images = torch.randn(7, 3, 32, 32)
    order = torch.tensor([6, 3, 0, 4, 2, 1, 5])  # images of one class stay in sequence
    outputs = []
    for chosen in (torch.arange(7), order):
        _, model = make_model()
        model.train()
        outputs.append(model(images[chosen], labels[chosen]))
    torch.testing.assert_close(outputs[1].embeddings, outputs[0].embeddings[order], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(outputs[1].proxies, outputs[0].proxies, rtol=1e-4, atol=1e-5)


def test_evaluation_changes_no_proxy() -> None:
    _, model = make_model()
    model.eval()
    before = model.semantic.container.rows.clone()
    output = model(torch.randn(2, 3, 32, 32), torch.tensor([0, 1]))
    assert torch.equal(model.semantic.container.rows, before)
    assert output.semantic_features is None
    assert torch.equal(output.proxies, output.learned), "no semantic proxy has been made yet"
    model.semantic.container.visits[0] = 1
    output = model(torch.randn(2, 3, 32, 32), torch.tensor([0, 1]))
    torch.testing.assert_close(output.proxies, 0.5 * output.learned + 0.5 * output.semantic)


def test_inference_needs_the_sample_tower_alone() -> None:
    _, model = make_model()
    _, lean = make_model(num_classes=None)
    kept = set(model.kept_names())
    lean.load_state_dict({n: v for n, v in model.state_dict().items() if n in kept}, strict=False)
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(lean.eval()(images).embeddings, model.eval()(images).embeddings)
    fixed = {"head.input_matrix", "head.input_offset"}
    assert {name for name, p in lean.named_parameters() if p.requires_grad} == kept - fixed
    assert fixed < kept


def test_published_spread_of_class_prompts_shrinks_with_classes() -> None:
    spreads = {}
    for init in ("shared", "published"):
        _, model = make_model(num_classes=200, class_prompt_init=init)
        spreads[init] = model.semantic.class_prompts.layers[0].std().item()
    assert spreads["shared"] == pytest.approx((2 / ((3 + 1) * 192)) ** 0.5, rel=0.02)
    assert spreads["published"] == pytest.approx((2 / ((3 + 200) * 192)) ** 0.5, rel=0.02)


def test_noise_on_features_is_a_share_of_their_length_and_of_training_alone() -> None:
    _, model = make_model(method="linear", feature_noise=0.25)
    features = torch.randn(2000, 192) * torch.linspace(0.5, 5, 2000)[:, None]
    model.head = seen = torch.nn.Identity()  # type: ignore[assignment]
    assert model.train().head is seen
    noise = model.from_backbone_features(features).embeddings - features
    share = noise.norm(dim=1) / features.norm(dim=1)
    assert share.mean().item() == pytest.approx(0.25, rel=0.01)
    assert share.std().item() < 0.02
    assert torch.nn.functional.cosine_similarity(noise, features).mean().abs() < 0.01
    assert torch.equal(model.eval().from_backbone_features(features).embeddings, features)
