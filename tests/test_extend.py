"""docs/extend.md is executed as it says: its files beside a notebook, its other blocks as cells, in order."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from vptsp.core import ACCUMULATORS, FAMILIES, LOSSES, embed_patches, encode, load_backbone
from vptsp.core.errors import ConfigError
from vptsp.core.registry import Catalogue
from vptsp.data import DATASETS
from vptsp.reports.views import VIEWS
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.settings.build import build_loss
from vptsp.settings.config import make_config
from vptsp.settings.methods import METHODS

pytestmark = pytest.mark.docs
PAGE = (Path(__file__).parent.parent / "docs/extend.md").read_text(encoding="utf-8")
CATALOGUES: list[Catalogue[Any]] = [LOSSES, ACCUMULATORS, METHODS, FAMILIES, DATASETS, VIEWS]
RECIPES = dict(re.findall(r"^\| \[.*?\]\(#([\w-]+)\) \| (.*?) \|", PAGE, re.M))
SECTIONS = {
    heading.lower().replace(" ", "-"): text
    for heading, text in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
}


def blocks(text: str) -> list[tuple[str | None, str]]:
    """The python of a part of the page, each with the name of its file, or none for a cell."""
    found = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    return [(match[1] if (match := re.match(r"# (\w+\.py)\n", code)) else None, code) for code in found]


class Calls:
    """Stands in front of a function, and counts how often it is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        self.number, self.true = 0, getattr(owner, name)

        def counted(*given: Any, **more: Any) -> Any:
            self.number += 1
            return self.true(*given, **more)

        counted.__signature__ = inspect.signature(self.true)  # type: ignore[attr-defined]
        monkeypatch.setattr(owner, name, counted)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The names that the page's cells leave behind, and ``calls`` of the functions it registers."""
    folder = tmp_path_factory.mktemp("notebook")
    modules, names = set(sys.modules), {catalogue.kind: set(catalogue) for catalogue in CATALOGUES}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        calls: dict[str, Calls] = {}
        cells: dict[str, Any] = {"__name__": "notebook"}
        for file, code in blocks(PAGE):
            if file:
                (folder / file).write_text(code, encoding="utf-8")
                continue
            if "vptsp.train(" in code:  # everything it needs is named by now, and nothing has used it
                import cosface
                import learned_keep

                calls["loss"] = Calls(patch, cosface, "cosface")
                calls["accumulator"] = Calls(patch, learned_keep.LearnedKeep, "forward")
            exec(compile(code, "extend.md", "exec"), cells)
        yield SimpleNamespace(**cells, calls=calls)
    for catalogue in CATALOGUES:
        for name in set(catalogue) - names[catalogue.kind]:
            catalogue.remove(name)
    for module in set(sys.modules) - modules:
        if module in {Path(file).stem for file, _ in blocks(PAGE) if file}:
            del sys.modules[module]


# --- the page -------------------------------------------------------------------------------------
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_the_one_file_and_the_one_line_of_the_table(recipe: str) -> None:
    files = [file for file, _ in blocks(SECTIONS[recipe]) if file]
    assert files == re.findall(r"`(\w+\.py)`", RECIPES[recipe])
    assert len(files) == (0 if recipe == "a-tuning-method" else 1)
    line = re.search(rf"#{recipe}\) \| .*? \| (.*?) \|", PAGE)
    assert line is not None
    named = re.findall(r"`(\w+\.add)`", line[1])
    cells = "".join(code for file, code in blocks(SECTIONS[recipe]) if file is None)
    assert re.findall(r"^(\w+\.add)\(", cells, re.M) == named
    assert len(named) == (0 if recipe == "a-widget" else 1)


def test_every_kind_has_a_recipe() -> None:
    assert len(RECIPES) == len(CATALOGUES) + 1  # the widget has no catalogue
    for path in re.findall(r"`((?:vptsp|widgets)/[\w/.]+)`", PAGE):
        assert (Path(__file__).parent.parent / path).exists(), path


# --- what was trained -----------------------------------------------------------------------------
def test_the_run_used_the_loss_the_accumulator_the_method_and_the_data(notebook: SimpleNamespace) -> None:
    run: Run = notebook.run
    steps = 48 // 8  # of the 10 classes of 6 images, 2 are held out
    assert run.is_finished()
    assert (run.config.loss, run.config.method, run.config.dataset) == ("cosface", "vptsp_shallow", "checks")
    assert {kind: calls.number for kind, calls in notebook.calls.items()} == {"loss": steps, "accumulator": steps}
    summary = run.summary()
    assert summary["images"] == {"train": 48, "val": 12, "test": 24}
    saved = SavedEmbeddings.of_run(run)
    assert sorted(saved.class_names) == [f"board {n}" for n in range(10, 14)]
    assert set(saved.ids) == {f"test/{10 + n // 6}/{n}" for n in range(24)}


def test_the_method_adds_what_it_says(notebook: SimpleNamespace) -> None:
    from vptsp.settings.build import build_model

    model = build_model(notebook.run.config, load_backbone("test_vit", weights="random", image_size=32), 8)
    assert model.prompts_travel
    assert type(model.semantic.accumulate).__name__ == "LearnedKeep"  # type: ignore[union-attr]
    keep = model.semantic.accumulate.logit.sigmoid()  # type: ignore[union-attr]
    assert keep.item() == pytest.approx(notebook.run.config.ema_keep)
    assert keep.requires_grad


def test_constants_are_settings_where_their_names_are_known_and_the_functions_otherwise(
    notebook: SimpleNamespace,
) -> None:
    torch.manual_seed(0)
    given = torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2]), torch.randn(3, 4)

    def loss(**settings: Any) -> float:
        return build_loss(make_config(settings))(*given).item()

    assert loss(loss="cosface", loss_margin=0.0) == pytest.approx(loss(loss="normalized_softmax"))
    assert loss(loss="cosface", loss_margin=0.35) == pytest.approx(loss(loss="cosface_wide", loss_margin=0.1))
    assert loss(loss="cosface", loss_margin=0.1) < loss(loss="cosface_wide", loss_margin=0.1)


# --- what was shown -------------------------------------------------------------------------------
def test_the_report_has_the_view(notebook: SimpleNamespace) -> None:
    page = notebook.page.read_text(encoding="utf-8")
    section = re.search(r"<h2>Hard classes</h2>\s*(<ol>.*?</ol>)", page, re.S)
    assert section is not None
    assert len(re.findall(r"<li>board 1[0-3]: \d+%</li>", section[1])) == 4


def test_the_widget_has_the_numbers_of_the_run(notebook: SimpleNamespace) -> None:
    assert notebook.curve.losses == [line["loss"] for line in notebook.run.metrics()]


# --- the family -----------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["vit_base_patch16_rpn_224", "vit_base_patch16_xp_224"])
def test_the_family_computes_what_timm_computes(notebook: SimpleNamespace, name: str) -> None:
    backbone = load_backbone(name, weights="random", image_size=32)
    assert type(backbone.family).__name__ == "TokenBlocks"
    torch.manual_seed(0)
    images, shared, grouped = torch.randn(2, 3, 32, 32), torch.randn(3, 768), torch.randn(2, 3, 768)
    with torch.no_grad():
        tokens = embed_patches(backbone.vit, images)
        plain = encode(backbone, tokens).features
        torch.testing.assert_close(plain, backbone.vit(images))
        prompted = encode(backbone, tokens, [shared]).features
        assert not torch.allclose(prompted, plain, atol=1e-5)
        first, *others = backbone.blocks  # VPT-deep by hand: what the first block makes of the prompts is thrown away
        through = torch.nn.Sequential(*others)(first(torch.cat([shared.expand(2, -1, -1), tokens], dim=1))[:, 3:])
        torch.testing.assert_close(prompted, backbone.vit.forward_head(backbone.vit.norm(through)))
        rows = torch.tensor([1, 0])
        by_group = encode(backbone, tokens, [grouped], rows).features
        alone = torch.cat([encode(backbone, tokens[i : i + 1], [grouped[rows[i]]]).features for i in range(2)])
        torch.testing.assert_close(by_group, alone)
        # VPT-shallow by hand: prompts go through all blocks, and only then leave
        through = backbone.vit.blocks(torch.cat([shared.expand(2, -1, -1), tokens], dim=1))[:, 3:]
        expected = backbone.vit.forward_head(backbone.vit.norm(through))
        torch.testing.assert_close(encode(backbone, tokens, shallow=[shared]).features, expected)


def test_without_its_line_the_family_is_not_known(notebook: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(FAMILIES._entries, "token_blocks")
    family = load_backbone("vit_base_patch16_rpn_224", weights="random", image_size=32).family
    assert not family.prompts


# --- the catalogues -------------------------------------------------------------------------------
@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda c: c.kind)
def test_unknown_and_taken_names_get_the_same_sentences(catalogue: Catalogue[Any], notebook: SimpleNamespace) -> None:
    first = next(iter(catalogue))
    with pytest.raises(ConfigError, match=rf"^{catalogue.kind} 'nope' is not known; legal: {first}"):
        catalogue.find("nope")
    title = re.escape(catalogue[first].title)
    place = {} if catalogue is METHODS else {"place": "mine:mine"}
    about = {"title": "Mine"} | ({} if catalogue is DATASETS else {"summary": "mine", "source": "mine"})
    with pytest.raises(ConfigError, match=rf"^there is a {catalogue.kind} '{first}' already \({title}\); choose"):
        catalogue.add(first, **(place | about))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"prompt": "deep"}, "prompt is not a part of a tuning method; legal: prompts, semantic, tunes"),
        ({"prompts": "depp"}, "prompts='depp' of a method is not known; legal: none, shallow, deep"),
    ],
)
def test_parts_of_a_method_are_checked(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        METHODS.add("odd", title="Odd", summary="odd", source="here", **parts)
    assert "odd" not in METHODS


def test_a_method_names_an_accumulator_that_there_is(tiny: Callable[..., Any]) -> None:
    from vptsp.settings.build import build_model

    METHODS.add("odd", title="Odd", summary="odd", source="here", prompts="deep", semantic="nope")
    try:
        backbone = load_backbone("test_vit", weights="random", image_size=32)
        with pytest.raises(ConfigError, match="accumulator 'nope' is not known; legal: ema, gru"):
            build_model(tiny(method="odd"), backbone, 8)
        METHODS.add("odd", title="Odd", summary="said anew", source="here", prompts="deep")
        assert METHODS["odd"].summary == "said anew"
    finally:
        METHODS.remove("odd")


def test_a_data_set_can_be_decorated_where_it_is_defined(notebook: SimpleNamespace) -> None:
    for _ in range(2):  # as a notebook's cell is run again

        @DATASETS.register("mine", title="mine", root="none")
        def mine(config: Any, root: Path) -> Any: ...

    try:
        assert make_config({"dataset": "mine"}).dataset == "mine"
        assert DATASETS["mine"].function() is mine
    finally:
        DATASETS.remove("mine")


def test_each_of_our_methods_says_its_source_and_is_named_once() -> None:
    text = (Path(__file__).parent.parent / "vptsp/settings/methods.py").read_text(encoding="utf-8")
    names = re.findall(r'^METHODS\.add\(\s*"(\w+)"', text, re.M)
    assert len(names) == len(set(names))
    assert set(METHODS) - set(names) <= {"vptsp_shallow"}  # the page's own
    assert all(METHODS[name].source for name in names)
