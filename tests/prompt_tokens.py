"""VPT-deep as it was published, for every family: prompts are tokens of timm's own blocks, and are cut off after each.

The yardsticks of the key/value paths. Nothing here is computed by the workbench.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import timm
import torch
import torch.nn.functional as F
from torch import Tensor

from vptsp.core.backbones.load import Backbone, family_of

HALF = (0.5, 0.5, 0.5)
Oracle = Callable[[Any, Tensor, Sequence[Tensor]], Tensor]


def make_backbone(name: str, pooling: str = "auto", **keywords: Any) -> Backbone:
    """A model of timm with few small blocks, in fp64, away from the zeros and ones of initialisation."""
    torch.manual_seed(0)
    vit = timm.create_model(name, num_classes=0, **keywords).eval().double()
    for key, parameter in vit.named_parameters():
        if parameter.dim() < 2 or key.endswith(("bias_table", "latent")) or "token" in key:
            torch.nn.init.normal_(parameter, mean=float("norm" in key and "weight" in key), std=0.3)
        else:
            torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    size = keywords["img_size"]
    return Backbone(vit, name, "random", size, HALF, HALF, family_of(vit, name).pooling(name, vit, pooling))


def per_image(prompts: Sequence[Tensor], groups: Tensor | None, batch: int) -> list[Tensor]:
    """Shared (N, D) or grouped (U, N, D) prompts as those of each image (B, N, D)."""
    return [p.expand(batch, -1, -1) if groups is None else p[groups] for p in prompts]


def eva(vit: Any, images: Tensor, prompts: Sequence[Tensor]) -> Tensor:
    """timm's blocks leave the first tokens unturned: there are as many more of them as there are prompts."""
    tokens, turned = vit._pos_embed(vit.patch_embed(images))
    tokens = vit.norm_pre(tokens)
    for index, block in enumerate(vit.blocks):
        own = prompts[index] if index < len(prompts) else tokens[:, :0]
        block.attn.num_prefix_tokens += own.shape[1]
        tokens = block(torch.cat([own, tokens], dim=1), rope=turned[index] if vit.rope_mixed else turned)
        tokens = tokens[:, own.shape[1] :]
        block.attn.num_prefix_tokens -= own.shape[1]
    return vit.norm(tokens)


def plain(vit: Any, images: Tensor, prompts: Sequence[Tensor]) -> Tensor:
    tokens = vit.norm_pre(vit._pos_embed(vit.patch_embed(images)))
    for index, block in enumerate(vit.blocks):
        own = prompts[index] if index < len(prompts) else tokens[:, :0]
        tokens = block(torch.cat([own, tokens], dim=1))[:, own.shape[1] :]
    return vit.norm(tokens)


def beit(vit: Any, images: Tensor, prompts: Sequence[Tensor]) -> Tensor:
    """timm adds its bias to all scores: here to a larger table that is zero where a prompt asks or is asked."""
    patches = vit.patch_embed(images)
    tokens = torch.cat([vit.cls_token.expand(len(patches), -1, -1), patches], dim=1)
    tokens = tokens if vit.pos_embed is None else tokens + vit.pos_embed
    shared = None if vit.rel_pos_bias is None else vit.rel_pos_bias()
    for index, block in enumerate(vit.blocks):
        own = prompts[index] if index < len(prompts) else tokens[:, :0]
        count, attention = own.shape[1], block.attn
        whole = None if shared is None else F.pad(shared, (count, 0, count, 0))
        if attention.relative_position_bias_table is not None:
            table = F.pad(attention._get_rel_pos_bias(), (count, 0, count, 0))
            with mock.patch.object(attention, "_get_rel_pos_bias", return_value=table):
                tokens = block(torch.cat([own, tokens], dim=1), shared_rel_pos_bias=whole)[:, count:]
        else:
            tokens = block(torch.cat([own, tokens], dim=1), shared_rel_pos_bias=whole)[:, count:]
    return vit.norm(tokens)


def naflex(vit: Any, images: Tensor, prompts: Sequence[Tensor]) -> Tensor:
    made = vit._forward_embeds(images, None, None, None)
    tokens, turned = made["patches"], made["rope_embeds"]
    for index, block in enumerate(vit.blocks):
        own = prompts[index] if index < len(prompts) else tokens[:, :0]
        if turned is None:
            tokens = block(torch.cat([own, tokens], dim=1))[:, own.shape[1] :]
            continue
        block.attn.num_prefix_tokens += own.shape[1]
        place = turned[index] if vit.rope_is_mixed else turned
        tokens = block(torch.cat([own, tokens], dim=1), rope=place)[:, own.shape[1] :]
        block.attn.num_prefix_tokens -= own.shape[1]
    return vit.norm(tokens)


def cait(vit: Any, images: Tensor, prompts: Sequence[Tensor]) -> Tensor:
    tokens = vit.patch_embed(images) + vit.pos_embed
    cls, among = vit.cls_token.expand(len(tokens), -1, -1), len(vit.blocks)
    for index, block in enumerate([*vit.blocks, *vit.blocks_token_only]):
        own = prompts[index] if index < len(prompts) else tokens[:, :0]
        through = torch.cat([own, tokens], dim=1)
        if index < among:
            tokens = block(through)[:, own.shape[1] :]
        else:
            cls = block(through, cls)
    return vit.norm(torch.cat([cls, tokens], dim=1))


def hiera(vit: Any, images: Tensor, prompts: Sequence[Tensor]) -> Tensor:
    """timm's own attention, of one mask unit at a time with the prompts in front; queries of prompts are left out."""
    tokens = vit.unroll(vit._pos_embed(vit.patch_embed(images)))
    for index, block in enumerate(vit.blocks):
        own = prompts[index] if index < len(prompts) else tokens[:, :0]
        ahead = block.norm1(own)

        def attend(seen: Tensor, block: Any = block, ahead: Tensor = ahead) -> Tensor:
            heads, stride = block.attn.heads, block.attn.q_stride
            units = seen.shape[1] // (stride * block.attn.window_size) if block.attn.use_mask_unit_attn else 1
            made = []
            for unit in range(units):  # its tokens are ``units`` apart
                tokens = torch.cat([ahead, seen[:, unit::units]], dim=1)
                query, key, value = block.attn.qkv(tokens).unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
                query = query[:, :, ahead.shape[1] :].unflatten(2, (stride, -1)).amax(2)
                weights = (query @ key.mT * block.attn.scale).softmax(-1)
                made.append((weights @ value).transpose(1, 2).flatten(2))
            return block.attn.proj(torch.stack(made, dim=2).flatten(1, 2))

        with mock.patch.object(block.attn, "forward", attend):
            tokens = block(tokens)
    return tokens


def swin_v2(vit: Any, images: Tensor, prompts: Sequence[Tensor]) -> Tensor:
    """One image at a time: timm's windows with prompts in front of each, cosines and biases as in the paper."""
    return torch.stack([_swin_v2(vit, image[None], [p[i] for p in prompts])[0] for i, image in enumerate(images)])


def _swin_v2(vit: Any, image: Tensor, prompts: Sequence[Tensor]) -> Tensor:
    tokens, upcoming = vit.patch_embed(image), iter(prompts)
    for stage in vit.layers:
        tokens = stage.downsample(tokens)
        for block in stage.blocks:
            own = next(upcoming, tokens.new_empty(0, tokens.shape[-1]))

            def attend(windows: Tensor, mask: Tensor | None = None, own: Tensor = own, a: Any = block.attn) -> Tensor:
                count, through = len(own), torch.cat([own.expand(len(windows), -1, -1), windows], dim=1)
                biases = torch.cat([a.q_bias, a.k_bias, a.v_bias])
                query, key, value = (a.qkv(through) + biases).unflatten(-1, (3, a.num_heads, -1)).permute(2, 0, 3, 1, 4)
                cosines = F.cosine_similarity(query[..., :, None, :], key[..., None, :, :], dim=-1)
                scores = cosines * a.logit_scale.clamp(max=math.log(100)).exp()
                table = a.cpb_mlp(a.relative_coords_table).view(-1, a.num_heads)
                side = windows.shape[1]
                near = 16 * table[a.relative_position_index.view(-1)].view(side, side, -1).permute(2, 0, 1).sigmoid()
                scores[..., count:, count:] += near
                if mask is not None:
                    scores[..., count:, count:] += mask[:, None]
                return a.proj((scores.softmax(-1) @ value).transpose(1, 2).flatten(2))[:, count:]

            with mock.patch.object(block.attn, "forward", attend):
                tokens = block(tokens)
    return vit.norm(tokens)


ORACLES: dict[str, Oracle] = {
    "EvaViT": eva,
    "PlainViT": plain,
    "BeitViT": beit,
    "NaFlex": naflex,
    "CaiT": cait,
    "HieraViT": hiera,
    "SwinV2": swin_v2,
}


def features_by_tokens(
    backbone: Backbone, images: Tensor, prompts: Sequence[Tensor] = (), groups: Tensor | None = None
) -> Tensor:
    """The feature that timm's own head makes of what its own blocks give with prompts among their tokens."""
    vit, own = backbone.vit, per_image(prompts, groups, len(images))
    tokens = ORACLES[type(backbone.family).__name__](vit, images, own)
    features: Tensor = vit.forward_head(tokens, pre_logits=True)
    return features


# --- a small member of every family ---------------------------------------------------------------
VIT: dict[str, Any] = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 2}
SWIN = {"img_size": 32, "patch_size": 4, "window_size": 4, "embed_dim": 24, "depths": (2, 2), "num_heads": (2, 4)}
HIERA: dict[str, Any] = {"img_size": 64, "embed_dim": 24, "num_heads": 2, "stages": (1, 2, 1, 1)}
SAPIENS = VIT | {"num_kv_heads": (2, 1, 1)}  # whose heads share keys and values
# one member for each thing that differs
MEMBERS: dict[str, tuple[str, dict[str, Any]]] = {
    "DINOv3": ("vit_small_patch16_dinov3", VIT),
    "DINOv3, SwiGLU and biases": ("vit_small_plus_patch16_dinov3_qkvb", VIT),
    "EVA": ("eva_giant_patch14_224", VIT),
    "EVA-02, three layers": ("eva02_base_patch14_224", VIT),
    "EVA-02, norms after layers": ("eva02_enormous_patch14_clip_224", VIT),
    "Perception Encoder, pools by attention": ("vit_pe_core_tiny_patch16_384", VIT),
    "RoPE, learned for each block": ("vit_small_patch16_rope_mixed_ape_224", VIT),
    "Sapiens 2, grouped queries": ("vit_base_patch16_sapiens2", SAPIENS),
    "SigLIP, pools by attention": ("vit_base_patch16_siglip_224", VIT),
    "DeiT, distilled": ("deit_tiny_distilled_patch16_224", VIT),
    "BEiT": ("beit_base_patch16_224", VIT),
    "BEiT, one bias for all": (
        "beit_base_patch16_224",
        VIT | {"use_rel_pos_bias": False, "use_shared_rel_pos_bias": True},
    ),
    "SwinV2": ("swinv2_tiny_window8_256", SWIN),
    "CaiT": ("cait_xxs24_224", VIT | {"depth": 2}),
    "Hiera": ("hiera_tiny_224", HIERA),
    "Hiera, pooled twice": ("hiera_small_abswin_256", HIERA | {"use_expand_proj": False}),
    "NaFlexViT": ("naflexvit_base_patch16_siglip", VIT),
    "NaFlexViT, RoPE": ("naflexvit_base_patch16_gap", VIT | {"rope_type": "axial", "class_token": True}),
}


def member(name: str) -> Backbone:
    architecture, keywords = MEMBERS[name]
    return make_backbone(architecture, **keywords)
