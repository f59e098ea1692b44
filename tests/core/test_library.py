"""The core as a library: its docstring is a working program, its names are whole, and it can be lifted out."""

from __future__ import annotations

import doctest
import inspect
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vptsp import core
from vptsp.core.errors import ConfigError
from vptsp.core.registry import Registry

_OTHERS = {"pydantic", "lightning_fabric", "click", "pandas", "sklearn", "scipy", "peft", "faiss", "matplotlib"}


def test_the_docstring_trains_a_step() -> None:
    result = doctest.testmod(core)
    assert result.attempted > 10
    assert result.failed == 0


def test_that_step_moves_prompts_heads_gates_and_proxies() -> None:
    spaces: dict[str, object] = {}
    torch.manual_seed(0)
    *before, last = doctest.DocTestParser().get_examples(core.__doc__ or "")
    assert last.source == "optimizer.step()\n"
    for example in before:
        exec(example.source, spaces)
    model = spaces["model"]
    assert isinstance(model, core.EmbeddingModel)
    start = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    exec(last.source, spaces)
    moved = {name.split(".")[0] for name, p in model.named_parameters() if name in start and (p != start[name]).any()}
    assert moved == {"vit", "prompts", "head", "learned", "semantic"}
    assert model.semantic is not None
    assert model.semantic.container.visits.nonzero().flatten().tolist() == [0, 1, 3, 7]


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    for name in core.__all__:
        thing = getattr(core, name)
        assert isinstance(thing, Registry) or inspect.getdoc(thing), name


def test_the_folder_can_be_lifted_out(tmp_path: Path) -> None:
    source = Path(core.__file__).parent
    shutil.copytree(source, tmp_path / "vptsp" / "core", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "vptsp" / "__init__.py").touch()
    code = (
        "import sys, doctest; from vptsp import core; result = doctest.testmod(core);"
        "print(core.__file__, result.failed, *(m for m in sys.modules if m.startswith('vptsp') and '.core' not in m),"
        f"*({_OTHERS} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path), "PATH": ""}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(tmp_path / "vptsp" / "core" / "__init__.py"), "0", "vptsp"]


# --- registries -----------------------------------------------------------------------------------
@pytest.mark.parametrize("registry", [core.LOSSES, core.ACCUMULATORS, core.FAMILIES], ids=lambda r: r.kind)
def test_entries_say_what_they_are_and_load(registry: Registry) -> None:
    for name, entry in registry.items():
        assert entry.title
        assert entry.summary
        assert entry.source
        assert registry.load(name) is entry.load()


def test_unknown_and_taken_names_are_refused() -> None:
    things: Registry[object] = Registry("thing")
    things.add("one", "vptsp.core.errors:ConfigError", title="One", summary="a thing", source="here")
    assert things.load("one") is ConfigError
    with pytest.raises(ConfigError, match=r"thing 'two' is not known; legal: one"):
        things.load("two")
    with pytest.raises(ConfigError, match=r"there is a thing 'one' already \(One\); choose another name"):
        things.register("one", title="Other", summary="another", source="there")(object())


def test_a_definition_that_is_run_again_counts() -> None:
    things: Registry[object] = Registry("thing")
    for _ in range(2):  # as a notebook's cell is

        @things.register("mine", title="Mine", summary="a thing", source="here")
        def mine() -> None: ...

    assert things.load("mine") is mine
