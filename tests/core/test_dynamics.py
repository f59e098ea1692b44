"""Prompt dynamics (PAE) against their formula, number by number, and in a model."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
import torch

from vptsp.analysis.parameter_formulas import count_parts
from vptsp.core.backbones.load import load_backbone
from vptsp.core.errors import ConfigError
from vptsp.core.prompts.dynamics import PromptDynamics, successive
from vptsp.settings.build import build_model
from vptsp.settings.config import make_config
from vptsp.training.objective import make_objective

SMALL = {
    "backbone": "test_vit",
    "backbone_weights": "random",
    "image_size": 32,
    "embedding_size": 16,
    "num_prompts": 3,
    "num_class_prompts": 2,
    "device": "cpu",
    "prompt_dynamics": "linear",
    "dynamics_size": 5,
}


def by_hand(prompts: list[torch.Tensor], dynamics: PromptDynamics) -> float:
    """Equations 8 and 10 of arXiv 2601.20232, prompt by prompt, in fp64."""
    lift, step, form = (each.detach().double().numpy() for each in (dynamics.lift.weight, dynamics.step, dynamics.form))
    total, energy = 0.0, form.T @ form
    for before, after in itertools.pairwise(prompts):
        if before.shape != after.shape:
            continue
        for one, other in zip(before.detach().double().numpy(), after.detach().double().numpy(), strict=True):
            z, next_z = lift @ one, lift @ other
            expected = z @ step
            total += dynamics.weight * sum((a - b) ** 2 for a, b in zip(next_z, expected, strict=True))
            total += dynamics.stability * max(0.0, expected @ energy @ expected - z @ energy @ z)
    return total


@pytest.mark.parametrize("counts", [(3, 3, 3, 3), (3, 3, 4, 4), (0, 2, 2)])
def test_it_is_its_formula(counts: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    prompts = [torch.randn(count, 8) for count in counts]
    dynamics = PromptDynamics(8, 5, weight=0.3, stability=0.7)
    assert dynamics(prompts).item() == pytest.approx(by_hand(prompts, dynamics), rel=1e-5)
    with torch.no_grad():
        dynamics.step.add_(0.3 * torch.randn(5, 5))
        dynamics.form.add_(0.3 * torch.randn(5, 5))
    assert dynamics(prompts).item() == pytest.approx(by_hand(prompts, dynamics), rel=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        assert dynamics(prompts).item() == pytest.approx(by_hand(prompts, dynamics), rel=1e-5)


def test_prompts_that_follow_a_map_that_shrinks_cost_nothing() -> None:
    torch.manual_seed(0)
    dynamics = PromptDynamics(6, 6)
    with torch.no_grad():
        dynamics.lift.weight.copy_(torch.eye(6))
        dynamics.step.mul_(0.5)
    first = torch.randn(4, 6)
    assert dynamics([first, first / 2, first / 4]).item() == pytest.approx(0, abs=1e-6)
    assert dynamics([first, first, first]).item() > 0.1
    with torch.no_grad():
        dynamics.step.mul_(4)
    growing = dynamics([first, 2 * first]).item()
    assert growing == pytest.approx(0.2 * 3 * first.square().sum().item(), rel=1e-5), "only that energy grows"


@pytest.mark.parametrize("method", ["vpt_deep", "vptsp_g", "davpt_dml"])
def test_any_method_of_deep_prompts_takes_it_and_images_are_embedded_without(method: str) -> None:
    torch.manual_seed(0)
    guided = {"num_guided_prompts": 4} if method == "davpt_dml" else {}
    config = make_config(SMALL, {"method": method, "prompt_dropout": 0.5}, guided)
    model = build_model(config, load_backbone("test_vit", "random", 32), 6).train()
    images, labels = torch.randn(8, 3, 32, 32), torch.arange(8) // 2
    output = model(images, labels)
    assert output.dynamics.item() == pytest.approx(by_hand(model.prompts(dropped=False), model.dynamics), rel=1e-4)
    objective = make_objective(config)
    without = objective(model, dataclasses.replace(output, dynamics=None), labels)
    assert objective(model, output, labels).item() == pytest.approx(without.item() + output.dynamics.item(), rel=1e-5)
    output.dynamics.backward()
    moved = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved == {"prompts", "dynamics"}
    others = {id(p) for p in model.parameter_groups()["others"]}
    assert {id(p) for p in model.dynamics.parameters()} <= others
    assert not [name for name in model.kept_names() if name.startswith("dynamics")]
    assert build_model(config, load_backbone("test_vit", "random", 32), 6, inference=True).dynamics is None
    assert model.eval()(images).dynamics is None
    plain = make_config(SMALL, {"method": "vpt_deep"})
    (part,) = [each for each in count_parts(plain, 6) if each.part == "prompt dynamics"]
    assert (part.formula, part.value) == ("D · d + 2 d²", part.counted)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "vpt_shallow"}, "prompt_dynamics='linear' is for prompts of several blocks that enter as tokens"),
        ({"method": "linear"}, "use method=vpt_deep or "),
        ({"method": "vpt_deep", "prompt_location": "add"}, "with prompt_location=prepend"),
        ({"method": "vpt_deep", "prompt_shared": True}, "and prompt_shared=false"),
    ],
)
def test_what_has_no_blocks_to_follow_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config(SMALL, settings)


def test_blocks_of_other_numbers_of_prompts_are_refused() -> None:
    config = make_config(SMALL, {"method": "vpt_deep", "prompt_step": 1, "prompt_depth": 3})
    with pytest.raises(ConfigError, match=r"no two of these hold equally many of one width \(3, 2, 1 in the blocks\)"):
        build_model(config, load_backbone("test_vit", "random", 32), 6)
    assert successive([torch.zeros(2, 3), torch.zeros(3, 3)]) == []
    with pytest.raises(ConfigError, match="need two successive blocks"):
        PromptDynamics(3, 2)([torch.zeros(2, 3)])
