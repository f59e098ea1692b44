"""The generator, the descriptors and the pretraining loop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from vptsp.core.backbones import bundled
from vptsp.pretraining import descriptors
from vptsp.pretraining.__main__ import main
from vptsp.pretraining.generator import COPIES, batch, stream
from vptsp.pretraining.measure import cls_extractor, features, measure_folder, recall_at_1
from vptsp.pretraining.recipe import Recipe, cls_features, identity_blocks, losses, pretrain


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine make these small arrays fifty times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return batch(32, 4, bundled.SIZE, generator(3))


def test_same_seed_same_images(images: Tensor) -> None:
    assert torch.equal(images, batch(32, 4, bundled.SIZE, generator(3)))
    assert not torch.equal(images, batch(32, 4, bundled.SIZE, generator(4)))


def test_images_are_finite_in_range_and_differ_within_a_class(images: Tensor) -> None:
    assert images.shape == (128, 3, 64, 64)
    assert images.isfinite().all()
    assert 0 <= images.min() < 0.1 < 0.9 < images.max() <= 1
    first, second = images[0::4], images[1::4]
    assert ((first - second).abs().amax((1, 2, 3)) > 0.05).all()


def test_copies_look_alike_to_the_descriptors(images: Tensor) -> None:
    """Among 16 classes of either kind, chance is 3 neighbours in 63."""
    rows, labels = descriptors.describe(images), torch.arange(128).numpy() // 4
    for half in (slice(0, 64), slice(64, 128)):
        assert recall_at_1(rows[half], labels[half]) > 3 * 3 / 63


@pytest.mark.parametrize(
    "describe",
    [descriptors.hog, descriptors.colour_histogram, descriptors.binary_patterns, descriptors.frequency_energy],
)
def test_descriptors_are_unit_rows(describe: descriptors.Descriptor, images: Tensor) -> None:
    rows = describe(images[::8])
    assert torch.allclose(rows.norm(dim=1), torch.ones(16), atol=1e-4)


def test_hog_tells_orientations_apart() -> None:
    wave = torch.sin(torch.arange(64.0)).expand(1, 3, 64, 64) / 2 + 0.5
    energy = descriptors.orientation_energy(torch.cat([wave, wave.mT])).mean((2, 3))
    assert energy[0].argmax() == 0  # gradient along x
    assert energy[1].argmax() == 4  # along y: half of 8 bins further


def test_colour_histogram_of_one_colour_is_one_bin() -> None:
    rows = descriptors.colour_histogram(torch.ones(1, 3, 64, 64), levels=4)
    assert rows[0, -1] == pytest.approx(1)


def test_similarity_losses_vanish_for_a_perfect_student(images: Tensor) -> None:
    rows = descriptors.describe(images)
    parts = losses(rows, rows, rows, copies=4)
    assert parts["similar"] == pytest.approx(0, abs=1e-6)
    assert parts["predict"] == pytest.approx(0, abs=1e-5)
    assert parts["rank"] == pytest.approx(0, abs=1e-4)
    assert losses(rows.roll(1, 0), rows, rows, copies=4)["similar"] > 0.001


def test_contrast_is_the_formula() -> None:
    rows = torch.randn(8, 5, generator=generator(0))
    total = 0.0
    for half in (rows[:4], rows[4:]):
        unit = torch.nn.functional.normalize(half - half.mean(0), dim=1)
        for i in range(4):
            logits = {j: math.exp(float(unit[i] @ unit[j]) / 0.1) for j in range(4) if j != i}
            total -= math.log(logits[i ^ 1] / sum(logits.values())) / 8
    assert losses(rows, rows, rows, copies=2)["gather"].item() == pytest.approx(total, rel=1e-4)


def test_short_cut_computes_the_same_cls_token() -> None:
    torch.manual_seed(0)
    vit = bundled.vit_bundled_64().eval()
    x = torch.randn(2, 3, 64, 64)
    assert torch.allclose(cls_features(vit, x), vit.forward_features(x)[:, 0], atol=1e-5)
    identity_blocks(vit)
    assert torch.allclose(cls_features(vit, x, first_block=len(vit.blocks) - 1), cls_features(vit, x), atol=1e-6)


def test_a_few_steps_learn_and_repeat() -> None:
    recipe = Recipe(steps=6, images=16, reuse=1, shallow=0.5)

    def run() -> tuple[list[dict[str, float]], Tensor]:
        rows: list[dict[str, float]] = []
        vit = pretrain(recipe, stream(16, bundled.SIZE, 5), COPIES, report=lambda row, _: rows.append(row), every=1)
        return rows, features(cls_extractor(vit), batch(2, 2, bundled.SIZE, generator(1)))

    (rows, first), (again, second) = run(), run()
    assert [r["predict"] for r in rows] == [r["predict"] for r in again]
    assert torch.equal(first, second)
    assert rows[-1]["predict"] < rows[0]["predict"]


def test_command_writes_weights_that_timm_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "weights.safetensors"
    main(["--out", str(out), "--steps", "2", "--images", "16", "--threads", "1"])
    state = load_file(out)
    assert all(value.dtype == torch.float16 for value in state.values())
    bundled.vit_bundled_64().load_state_dict(state)
    assert '"step": 2' in capsys.readouterr().out
    assert out.with_suffix(".jsonl").read_text().count("\n") == 1


def test_measuring_a_folder_reads_classes_and_queries(tmp_path: Path) -> None:
    """Two colours, two classes; the query of the second class has the first one's colour."""
    for name, colour in {"red/a": "red", "red/test_b": "red", "blue/a": "blue", "blue/test_b": "red"}.items():
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (80, 70), colour).save(path)
    assert measure_folder(lambda x: x.flatten(1), tmp_path, "test_") == 0.5
