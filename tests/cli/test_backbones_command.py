"""``vptsp backbones``: families, models by name, and what to say where there are none or too many."""

from __future__ import annotations

from click.testing import CliRunner

from vptsp.cli import main


def said(*words: str) -> str:
    return CliRunner().invoke(main, ["backbones", *words]).output


def test_families_models_and_what_takes_them() -> None:
    families = said()
    for title in ("plain vision transformer", "vision transformer with rotary positions", "Hiera", "any model of timm"):
        assert f"\n{title} " in f"\n{families}"
    listed = said("vit_tiny_patch16_dinov3")
    assert "all methods; prompts are keys and values of every block, and like CLS have no rotary position" in listed
    assert "5.5 M       256 px  mean     eupe_lvd1689m" in listed
    assert "methods without prompts and adapters" in said("test_resnet")
    assert "map" in said("test_vit3")


def test_none_and_too_many() -> None:
    assert "no model of timm has 'siglip9' in its name; " in said("siglip9")
    assert "have 'siglip' (vptsp backbones siglip)" in said("siglip9")
    assert "no model of timm has 'xyzzy' in its name; without a word the families are listed" in said("xyzzy")
    assert "more than the 60 that are listed at once; say more of the name" in said("vit_")
