"""Blocks through torch.compile: the same numbers but for rounding, few forms, and a sentence where nothing compiles."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._inductor import config as inductor
from trainings import silent

from vptsp.core.backbones import compiled
from vptsp.errors import MachineWarning
from vptsp.settings.config import Config
from vptsp.training.loop import train

Tiny = Callable[..., Config]


@pytest.fixture(autouse=True)
def _nothing_compiled_before() -> Iterator[None]:
    torch._dynamo.reset()
    compiled._compiled.cache_clear()
    yield
    torch._dynamo.reset()
    compiled._compiled.cache_clear()


# In a process of its own: the checks of shapes in tests stand between the compiler and the code.
_STEPS = """
import json, sys
import timm
import torch
from torch._dynamo.testing import CompileCounterWithBackend
from vptsp.core.backbones import compiled
from vptsp.core.backbones.load import load_backbone
from vptsp.settings.build import build_model
from vptsp.settings.config import make_config
from vptsp.training.objective import make_objective

create = timm.create_model
timm.create_model = lambda name, **given: create(name, depth=4, **given)
config = make_config(json.loads(sys.argv[1]))
compiled.BACKEND = CompileCounterWithBackend("aot_eager")
forms, found = [], []
for wanted in (False, True):
    torch.manual_seed(0)
    model = build_model(config, load_backbone(config.backbone, "random", config.image_size), 4).train()
    images, labels = torch.randn(8, 3, *model.backbone.size), torch.arange(8) // 2
    with compiled.compiled_blocks(wanted):
        loss = make_objective(config)(model, model(images, labels), labels)
        loss.backward()
    forms.append(compiled.BACKEND.frame_count)
    found.append([loss.detach()] + [p.grad for p in model.parameters() if p.grad is not None])
apart = max(((b - a).norm() / a.norm().clamp(min=1e-12)).item() for a, b in zip(*found, strict=True))
print(json.dumps([forms, apart, len(found[0])]))
"""


@pytest.mark.parametrize(
    ("settings", "forms"),
    [
        (
            {"method": "vpt_deep"},
            3,
        ),  # of four blocks the first, whose tokens need no gradient, the last, and the others
        pytest.param({}, 4, marks=pytest.mark.slow),
        pytest.param({"activation_checkpointing": True}, 4, marks=pytest.mark.slow),
    ],
)
def test_blocks_of_one_shape_share_a_form_and_give_the_same(settings: dict[str, Any], forms: int, tiny: Tiny) -> None:
    config = tiny(**settings).model_dump_json(exclude_defaults=True)
    done = subprocess.run([sys.executable, "-c", _STEPS, config], capture_output=True, text=True, check=True)
    (plain, compiled_forms), apart, compared = json.loads(done.stdout.splitlines()[-1])
    assert (plain, compiled_forms) == (0, forms)
    assert compared > 8  # the loss, and the gradient of each parameter
    assert apart < 1e-4


@pytest.mark.usefixtures("two_blocks")
def test_a_machine_that_compiles_nothing_trains_all_the_same(tiny: Tiny, tmp_path: Path) -> None:
    config = tiny(method="vpt_deep", epochs=1)
    with (
        inductor.patch({"cpp.cxx": ("no-such-compiler",), "force_disable_caches": True}),
        pytest.warns(
            MachineWarning, match=r"compile=true: nothing can be compiled for cpu here \(.*\), so training goes"
        ),
    ):
        run = train(config.changed(compile=True), tmp_path / "run", observer=silent)
    plain = train(config, tmp_path / "plain", observer=silent)
    assert run.summary()["test"] == plain.summary()["test"]


@pytest.mark.slow  # a minute of a C++ compiler
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@pytest.mark.usefixtures("two_blocks")
def test_a_run_with_the_real_compiler(tiny: Tiny, tmp_path: Path) -> None:
    plain = train(tiny(), tmp_path / "plain", observer=silent)
    run = train(tiny(compile=True), tmp_path / "compiled", observer=silent)
    for line, own in zip(plain.metrics(), run.metrics(), strict=True):
        assert own["loss"] == pytest.approx(line["loss"], rel=1e-3)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 4
