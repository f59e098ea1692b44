"""Weight files in the layouts in which DINOv3 and SigLIP 2 were published, of small models; written here by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from miniatures import dinov3_layout, name_of
from safetensors.torch import save_file
from torch import Tensor

from vptsp.core.backbones.load import load_backbone
from vptsp.errors import BackboneError

State = dict[str, Tensor]
Arrays = dict[str, np.ndarray[Any, Any]]
DINO, DINO_BIASES = name_of("DINOv3"), name_of("DINOv3, SwiGLU and biases")
SIGLIP, NAFLEX = name_of("SigLIP, pools by attention"), name_of("NaFlexViT")


def filled(name: str, **keywords: Any) -> State:
    """Random numbers for all that a model has, also where initialisation puts zeros and ones."""
    torch.manual_seed(5)
    return {key: torch.randn_like(value) for key, value in timm.create_model(name, **keywords).state_dict().items()}


def require_loaded(name: str, file: Path, state: State) -> None:
    own = load_backbone(name, str(file), 32).vit.state_dict()
    assert own.keys() == state.keys()
    for key, value in state.items():
        assert torch.equal(own[key], value), key


# --- DINOv3 -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [DINO, DINO_BIASES])
def test_dinov3(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = filled(name, num_classes=0)
    published = dinov3_layout(state)
    assert len(published.keys() - state.keys()) > 10
    save_file(published, tmp_path / "dinov3.safetensors")
    require_loaded(name, tmp_path / "dinov3.safetensors", state)
    torch.save({"teacher": {f"backbone.{key}": value for key, value in published.items()}}, tmp_path / "dinov3.pth")
    require_loaded(name, tmp_path / "dinov3.pth", state)
    assert capsys.readouterr().out == "", "what timm prints of biases that are all zero concerns nobody"


# --- SigLIP 2 ---------------------------------------------------------------------------------------
def attention(arrays: Arrays, at: str, parts: dict[str, tuple[Tensor, Tensor]], out: tuple[Tensor, Tensor]) -> None:
    """Flax's heads: kernels (D, heads, d) of queries, keys and values, and (heads, d, D) of what leaves."""
    for part, (weight, bias) in parts.items():
        arrays[f"{at}{part}/kernel"] = weight.T.reshape(24, 2, 12).numpy()
        arrays[f"{at}{part}/bias"] = bias.reshape(2, 12).numpy()
    arrays[f"{at}out/kernel"], arrays[f"{at}out/bias"] = out[0].T.reshape(2, 12, 24).numpy(), out[1].numpy()


def big_vision(state: State, stacked: bool, blocks: int = 3) -> Arrays:
    """The file of big_vision: both towers, arrays of Flax; the blocks of newer files are stacked in one array."""
    made: Arrays = {"params/t": np.zeros(1), "params/txt/head/bias": np.zeros(24)}
    own: dict[str, Any] = {key.removeprefix("embeds."): value for key, value in state.items()}

    def linear(to: Arrays, at: str, name: str) -> None:
        to[f"{at}/kernel"], to[f"{at}/bias"] = own[f"{name}.weight"].T.numpy(), own[f"{name}.bias"].numpy()

    def norm(to: Arrays, at: str, name: str) -> None:
        to[f"{at}/scale"], to[f"{at}/bias"] = own[f"{name}.weight"].numpy(), own[f"{name}.bias"].numpy()

    def chunks(name: str, names: tuple[str, ...]) -> dict[str, tuple[Tensor, Tensor]]:
        weights, biases = (own[f"{name}.{part}"].chunk(len(names)) for part in ("weight", "bias"))
        return dict(zip(names, zip(weights, biases, strict=True), strict=True))

    root, pool = "params/img/", "params/img/MAPHead_0/"
    if "proj.weight" in own:  # NaFlex: a linear layer of patches (row, column, channel), and positions (H, W, D)
        linear(made, f"{root}embedding", "proj")
        made[f"{root}pos_embedding"] = own["pos_embed"][0].numpy()
    else:
        made[f"{root}embedding/kernel"] = own["patch_embed.proj.weight"].permute(2, 3, 1, 0).numpy()
        made[f"{root}embedding/bias"] = own["patch_embed.proj.bias"].numpy()
        made[f"{root}pos_embedding"] = own["pos_embed"].numpy()
    norm(made, f"{root}Transformer/encoder_norm", "norm")
    made[f"{pool}probe"] = own["attn_pool.latent"].numpy()
    queries = {"query": (own["attn_pool.q.weight"], own["attn_pool.q.bias"])}
    out = own["attn_pool.proj.weight"], own["attn_pool.proj.bias"]
    attention(made, f"{pool}MultiHeadDotProductAttention_0/", queries | chunks("attn_pool.kv", ("key", "value")), out)
    norm(made, f"{pool}LayerNorm_0", "attn_pool.norm")
    for layer in range(2):
        linear(made, f"{pool}MlpBlock_0/Dense_{layer}", f"attn_pool.mlp.fc{layer + 1}")
    each: list[Arrays] = []
    for index in range(blocks):
        arrays, block = {}, f"blocks.{index}"
        norm(arrays, "LayerNorm_0", f"{block}.norm1")
        norm(arrays, "LayerNorm_1", f"{block}.norm2")
        out = own[f"{block}.attn.proj.weight"], own[f"{block}.attn.proj.bias"]
        parts = chunks(f"{block}.attn.qkv", ("query", "key", "value"))
        attention(arrays, "MultiHeadDotProductAttention_0/", parts, out)
        for layer in range(2):
            linear(arrays, f"MlpBlock_0/Dense_{layer}", f"{block}.mlp.fc{layer + 1}")
        each.append(arrays)
    at = f"{root}Transformer/encoderblock"
    if stacked:
        return made | {f"{at}/{key}": np.stack([block[key] for block in each]) for key in each[0]}
    return made | {f"{at}_{index}/{key}": value for index, block in enumerate(each) for key, value in block.items()}


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("name", [SIGLIP, NAFLEX])
def test_siglip_2_of_big_vision(name: str, stacked: bool, tmp_path: Path) -> None:
    state = filled(name, num_classes=0)
    np.savez(tmp_path / "siglip2.npz", **big_vision(state, stacked))
    require_loaded(name, tmp_path / "siglip2.npz", state)


@pytest.mark.parametrize("stacked", [True, False])
def test_a_deeper_model_of_big_vision_is_another_one(stacked: bool, tmp_path: Path) -> None:
    """timm alone would take its first blocks."""
    state = filled(SIGLIP, num_classes=0, depth=4)
    np.savez(tmp_path / "siglip2.npz", **big_vision(state, stacked, 4))
    with pytest.raises(BackboneError, match=rf"does not hold weights of {SIGLIP}: it has 4 blocks, and the model 3\. "):
        load_backbone(SIGLIP, str(tmp_path / "siglip2.npz"), 32)


def test_siglip_2_of_open_clip(tmp_path: Path) -> None:
    """Both towers in one file; the image's is timm's own model."""
    state = filled(SIGLIP, num_classes=0)
    both = {f"visual.trunk.{key}": value for key, value in state.items()}
    both |= {"logit_scale": torch.ones(1), "logit_bias": torch.ones(1), "text.positional_embedding": torch.ones(4, 24)}
    both |= {f"text.transformer.resblocks.{n}.ln_1.weight": torch.ones(24) for n in range(99)}
    save_file(both, tmp_path / "open_clip_model.safetensors")
    require_loaded(SIGLIP, tmp_path / "open_clip_model.safetensors", state)


def test_siglip_2_for_any_size_from_that_of_one_size(tmp_path: Path) -> None:
    """The names of a ViT, its convolution and its row of positions become NaFlexViT's."""
    plain, naflex = filled(SIGLIP, num_classes=0), filled(NAFLEX, num_classes=0)
    rows = torch.nn.functional.interpolate(
        plain["pos_embed"].reshape(1, 4, 4, 24).permute(0, 3, 1, 2), (16, 16), mode="bicubic", antialias=True
    )
    moved = {"embeds.pos_embed": rows.permute(0, 2, 3, 1)}  # NaFlexViT keeps 16 x 16, whatever the images
    moved["embeds.proj.weight"] = plain["patch_embed.proj.weight"].permute(0, 2, 3, 1).flatten(1)
    moved["embeds.proj.bias"] = plain["patch_embed.proj.bias"]
    save_file(plain, tmp_path / "siglip.safetensors")
    require_loaded(NAFLEX, tmp_path / "siglip.safetensors", {key: moved.get(key, plain.get(key)) for key in naflex})
