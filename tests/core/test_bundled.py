"""The bundled backbone is a timm model like any other, and its weights are the ones in the model card."""

from __future__ import annotations

import hashlib
import re

import pytest
import timm
import torch
from safetensors.torch import load_file
from timm.models.vision_transformer import Block, VisionTransformer

from vptsp.core.backbones import bundled
from vptsp.pretraining.generator import batch
from vptsp.pretraining.measure import cls_extractor, digit_images, features, recall_at_1


@pytest.fixture(scope="module")
def vit() -> VisionTransformer:
    model = timm.create_model(bundled.NAME, pretrained=True)
    assert isinstance(model, VisionTransformer)
    return model.eval()


def test_blocks_are_timms(vit: VisionTransformer) -> None:
    assert all(type(block) is Block for block in vit.blocks)
    assert vit.global_pool == "token"
    assert 1e6 <= sum(p.numel() for p in vit.parameters()) <= 6e6


def test_packaged_weights_are_loaded(vit: VisionTransformer) -> None:
    state = load_file(bundled.WEIGHTS)
    assert state.keys() == vit.state_dict().keys()
    assert all(torch.equal(value, state[name].float()) for name, value in vit.state_dict().items())


def test_file_is_small_half_precision_and_the_card_names_it() -> None:
    assert bundled.WEIGHTS.stat().st_size <= 12e6
    assert {value.dtype for value in load_file(bundled.WEIGHTS).values()} == {torch.float16}
    card = bundled.WEIGHTS.with_suffix(".md").read_text(encoding="utf-8")
    found = re.search(r"sha256: `([0-9a-f]{64})`", card)
    assert found is not None
    assert found[1] == hashlib.sha256(bundled.WEIGHTS.read_bytes()).hexdigest()


def test_features_have_timms_shapes(vit: VisionTransformer) -> None:
    x = torch.zeros(2, 3, bundled.SIZE, bundled.SIZE)
    tokens = vit.forward_features(x)
    assert tokens.shape == (2, 1 + 64, bundled.WIDTH)
    assert torch.equal(vit(x), tokens[:, 0])


def test_a_new_head_can_be_asked_for() -> None:
    model = timm.create_model(bundled.NAME, pretrained=True, num_classes=7)
    assert model(torch.zeros(1, 3, bundled.SIZE, bundled.SIZE)).shape == (1, 7)


def test_shipped_features_beat_untrained_ones(vit: VisionTransformer) -> None:
    """On generated classes that no seed of the pretraining drew; glyphs first, then things."""
    images = batch(80, 4, bundled.SIZE, torch.Generator().manual_seed(10**6))
    torch.manual_seed(0)
    shipped, untrained = (features(cls_extractor(m), images) for m in (vit, bundled.vit_bundled_64()))
    labels = torch.arange(160).numpy() // 4
    for half in (slice(0, 160), slice(160, 320)):
        assert recall_at_1(shipped[half], labels) > recall_at_1(untrained[half], labels) + 0.1


def test_features_know_real_handwriting(vit: VisionTransformer) -> None:
    images, labels = digit_images()
    assert recall_at_1(features(cls_extractor(vit), images[:300]), labels[:300]) > 0.9
