from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from vptsp.analysis.footprint import training_footprint
from vptsp.core.backbones.load import load_backbone
from vptsp.settings.build import build_model
from vptsp.settings.config import Config

Tiny = Callable[..., Config]


def test_counts_parameters_gradients_and_optimiser_state(tiny: Tiny) -> None:
    config = tiny(method="vpt_deep")
    model = build_model(config, load_backbone("test_vit", "random", 32), 6)
    counts = model.counts()
    parts = training_footprint(config, 6)
    assert parts["parameters"] == 4 * counts.total
    assert parts["gradients"] == 4 * counts.trained
    assert parts["optimizer"] == 8 * counts.trained
    assert parts["total"] == sum(parts[name] for name in ("activations", "gradients", "optimizer", "parameters"))


def test_momentum_is_all_that_sgd_remembers(tiny: Tiny) -> None:
    parts = training_footprint(tiny(method="linear", optimizer="sgd"), 6)
    assert parts["optimizer"] == parts["gradients"]
    assert training_footprint(tiny(method="linear", optimizer="sgd", momentum=0.0), 6)["optimizer"] == 0


def test_class_prompts_by_rows_take_what_is_on_the_device(tiny: Tiny) -> None:
    config = tiny(method="vptsp_g", class_prompt_updates="rows")  # batches of 4 classes
    places = ("device", "host", "disk")
    dense = training_footprint(tiny(method="vptsp_g"), 6)
    device, host, disk = (training_footprint(config.changed(class_prompts_on=place), 6) for place in places)
    row = 4 * build_model(config, load_backbone("test_vit", "random", 32), 6).counts().bank // 6
    assert device["parameters"] == dense["parameters"]
    assert device["optimizer"] == dense["optimizer"]
    assert device["gradients"] == dense["gradients"] - 2 * row
    assert host == disk
    assert host["parameters"] == device["parameters"] - 2 * row
    assert host["optimizer"] == device["optimizer"] - 4 * row


def test_activations_are_the_distinct_storages_saved_for_the_backward_pass(tiny: Tiny) -> None:
    # of x * w * w, autograd saves x, w (a parameter) and the product x * w, which has the size of x
    x, w = torch.randn(64), torch.nn.Parameter(torch.randn(64))
    saved: list[torch.Tensor] = []
    with saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):  # type: ignore[func-returns-value]
        (x * w * w).sum()
    outside = {t.untyped_storage().data_ptr() for t in saved} - {w.untyped_storage().data_ptr()}
    assert len(outside) == 2  # the hooks see what this module counts

    config = tiny(method="linear")
    one, two = (training_footprint(config.changed(batch_size=size), 6)["activations"] for size in (8, 16))
    fixed = 2 * one - two  # what does not grow with the batch: normalised proxies
    assert 0 <= fixed < one < two


def test_more_of_the_network_in_the_gradient_keeps_more(tiny: Tiny) -> None:
    kept = {
        method: training_footprint(tiny(method=method), 6)["activations"]
        for method in ("frozen", "linear", "partial", "vpt_deep", "full", "vptsp_g")
    }
    assert kept["frozen"] == 0
    assert kept["linear"] < kept["partial"] < kept["full"]
    assert kept["linear"] < kept["vpt_deep"] < kept["vptsp_g"]  # which runs two towers


@pytest.mark.parametrize("method", ["vptsp_g", "side"])
def test_is_the_same_every_time_and_leaves_the_random_state(tiny: Tiny, method: str) -> None:
    config = tiny(method=method, image_size=64)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = training_footprint(config, 6)
    assert torch.equal(torch.get_rng_state(), before)
    assert training_footprint(config, 6) == first


def test_recognition_has_a_classifier_instead_of_proxies(tiny: Tiny) -> None:
    config = tiny(method="linear", task="recognition")
    few, many = (training_footprint(config, classes)["gradients"] for classes in (4, 5))
    width = load_backbone("test_vit", "random", 32).width
    assert many - few == 4 * (width + 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_peak_holds_what_was_computed(tiny: Tiny) -> None:
    parts = training_footprint(tiny(method="full", device="cuda"), 6)
    assert parts["measured_peak"] > parts["parameters"] + parts["optimizer"]
