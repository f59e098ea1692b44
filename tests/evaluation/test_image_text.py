"""Models with an image and a text side: the same numbers as open_clip's own, and what is refused."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from vptsp.errors import ConfigError, DataError, DataWarning
from vptsp.evaluation.image_text import ImageTextModel

# an architecture of open_clip's own kind, small enough to be made here
TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    (folder / "tiny-clip.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    save_file(open_clip.create_model("tiny-clip").state_dict(), folder / "weights.safetensors")
    return folder / "weights.safetensors"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    noise = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for path in paths:
        Image.fromarray(noise.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(path)
    return paths


def test_both_sides_are_open_clips_own(weights: Path, files: list[Path]) -> None:
    ours = ImageTextModel.load("tiny-clip", weights, device="cpu")
    model, _, transform = open_clip.create_model_and_transforms("tiny-clip", pretrained=str(weights))
    model.eval()
    with torch.inference_mode():
        images = model.encode_image(torch.stack([transform(Image.open(path)) for path in files]), normalize=True)
        words = model.encode_text(open_clip.get_tokenizer("tiny-clip")(["a red flower"]), normalize=True)
    assert ours.size == 16
    np.testing.assert_allclose(ours.images(files, batch_size=2), images.numpy(), atol=2e-6)
    np.testing.assert_allclose(ours.text("a red flower"), words[0].numpy(), atol=2e-6)
    assert np.abs(ours.text("a red flower") - ours.text("a blue car")).max() > 1e-3
    assert ours.images([]).shape == (0, 16)


def test_words_beyond_what_the_model_reads_are_told(weights: Path) -> None:
    model = ImageTextModel.load("tiny-clip", weights, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fits = model.text(" ".join(["red"] * 75))  # 77 tokens with those of start and end
    with pytest.warns(DataWarning, match=r"reads 77 tokens.*the first 75 of 80 words, up to '….*red red'; the rest"):
        cut = model.text(" ".join(["red"] * 75 + ["blue"] * 5))
    np.testing.assert_array_equal(cut, fits)
    three = "flower-s"  # tokens of a word: flower, -, s
    with pytest.warns(DataWarning, match=r"the first 25 of 40 words, up to '….* flower-s'; the rest"):
        model.text(" ".join([three] * 40))
    with pytest.warns(DataWarning, match=r"the first 25 of 400 signs, up to '花{25}'; the rest"):
        model.text("花" * 400)


def test_what_cannot_be_loaded_is_one_sentence(weights: Path, tmp_path: Path, files: list[Path]) -> None:
    with pytest.raises(ConfigError, match=r"no model 'ViT-B-33' \(did you mean ViT-B-32.*list_models\(\) has"):
        ImageTextModel.load("ViT-B-33", weights)
    with pytest.raises(DataError, match=r"nowhere.pt is not a file; pass the path of weights of ViT-B-32 .* openai"):
        ImageTextModel.load("ViT-B-32", "nowhere.pt")
    with pytest.raises(DataError, match=r"weights.safetensors holds no weights of ViT-B-32 \(\w+: "):
        ImageTextModel.load("ViT-B-32", weights)
    with pytest.raises(DataError, match=r"is a folder and not a file; pass the path of weights of tiny-clip"):
        ImageTextModel.load("tiny-clip", tmp_path)
    loop = tmp_path / "loop.safetensors"
    loop.symlink_to(loop)
    with pytest.raises(DataError, match=r"loop.safetensors cannot be read \(Too many levels.*; pass the path"):
        ImageTextModel.load("tiny-clip", loop)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no weights")
    with pytest.raises(DataError, match=r"broken.safetensors holds no weights of tiny-clip"):
        ImageTextModel.load("tiny-clip", broken)
    with pytest.raises(DataError, match=r"cannot read the image .*no\.png"):
        ImageTextModel.load("tiny-clip", weights).images([*files, tmp_path / "no.png"])


@pytest.mark.parametrize(("file", "why"), [(True, "read"), (False, "downloaded")])
def test_weights_that_the_system_refuses_are_read_or_downloaded(
    weights: Path, monkeypatch: pytest.MonkeyPatch, file: bool, why: str
) -> None:
    def refuse(*given: object, **named: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(open_clip, "create_model_and_transforms", refuse)
    name, given = ("tiny-clip", weights) if file else ("ViT-B-32", "openai")
    with pytest.raises(DataError, match=rf"cannot be {why} \(Input/output error\); pass a file of them"):
        ImageTextModel.load(name, given)
