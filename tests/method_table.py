"""What stands behind every method and every loss, as a page: python tests/method_table.py > docs/methods.md"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from vptsp.analysis.parameter_formulas import count_parts
from vptsp.core.losses import LOSSES
from vptsp.settings.config import make_config
from vptsp.settings.methods import METHODS, Method

ROOT = Path(__file__).parents[1]
_CODE = "the published code, step by step and array by array"
_TOKENS = "prompts run as tokens through timm's blocks"
# What a method's numbers are compared with, and the test that does: another implementation, or the formula by itself.
ORACLES: dict[str, tuple[str, str]] = {
    "mlp": ("VPT's layers, built anew", "core/test_heads.py"),
    "side": ("torchvision's AlexNet", "core/test_heads.py"),
    "adapter": ("MLP and bottleneck by hand", "core/test_adapters.py"),
    "adapter_published": ("its published start", "core/test_adapters.py"),
    "lora": ("merged weights", "core/test_adapters.py"),
    "vpt_shallow": (_TOKENS, "core/test_encoder.py"),
    "vpt_deep": (_TOKENS, "core/test_encoder.py"),
    "vpt_bias": (_TOKENS, "core/test_encoder.py"),
    "e2vpt": ("attention written out, timm's blocks, autograd through masks", "core/test_key_values.py"),
    "vptsp_m": (_CODE, "core/test_reference_trajectories.py"),
    "vptsp_g": (_CODE, "core/test_reference_trajectories.py"),
    "davpt": (_CODE, "core/test_davpt_trajectories.py"),
    "davpt_dml": ("davpt, and the guided loss by its formula", "core/test_guidance.py"),
    "davpt_vptsp": ("davpt, and the guided loss by its formula", "core/test_guidance.py"),
}
LOSS_ORACLES: dict[str, tuple[str, str]] = {
    "proxy_anchor": ("pytorch-metric-learning, and eq. 2 in Python floats", "core/test_losses.py"),
    "image_anchor": ("the formula in Python floats", "core/test_losses.py"),
    "proxy_nca": ("pytorch-metric-learning", "core/test_losses.py"),
    "normalized_softmax": ("pytorch-metric-learning", "core/test_losses.py"),
    "proxy_nca_plus": ("pytorch-metric-learning", "core/test_criterion.py"),
    "curricular_face": ("the formula in Python floats, over steps", "core/test_criterion.py"),
    "soft_triple": ("pytorch-metric-learning, its regulariser the formula", "core/test_criterion.py"),
    "smooth_ap": ("the formula in Python floats; pytorch-metric-learning", "core/test_criterion.py"),
    "recall_at_k": ("the formula in Python floats", "core/test_criterion.py"),
}
# What models of these methods add to linear, as tests/settings/test_methods.py counts it.
STATED = {
    "mlp": "linear, and k (D² + 3 D) for k hidden layers",
    "side": "linear, and 2 469 696 + 9216 D + 1",
    "adapter": "linear, and L (2 D s + s + D) for bottlenecks of size s",
    "adapter_published": "linear, and L (2 D s + s + D) for bottlenecks of size s",
    "vpt_shallow": "linear, and N D",
    "lora": "linear, and 4 L r D for rank r on queries, keys and values",
}
_HEAD = """# What stands behind every method and loss

Written by `python tests/method_table.py > docs/methods.md` from the registries. **Compared with**: what the numbers are
tested against that is not this code, and where. **Trains**: the formula of its parameters, counted in built models by
`tests/settings/test_methods.py` (D width, L blocks, E embedding size, C classes, Nᵢ and Mᵢ prompts and class prompts of
block i, Kᵢ learned keys with their values, P guided prompts of G blocks, N of the others, b biases of the patch
embedding), in retrieval where the method can. **Resume**: a run stopped in an epoch goes on to the same bits
(`tests/training/test_method_runs.py`). **Export**: to ONNX and torch programs, whose outputs `vptsp export` compares
with the model's before it keeps a file. **Prompts in why**: attention is shown for every method on a plain ViT; prompts
that are keys can be switched off one by one.

"""


_TAIL = """
`pml:NAME` is any loss of pytorch-metric-learning (`pip install 'vptsp-workbench[losses]'`), `miner=pml:NAME` any of its
miners; each is compared with the library's own object (`tests/core/test_criterion.py`). Where a loss has one weight
vector for each class, the model's proxies stand in its place, so that semantic proxies, snapshots and views know them;
other weights train at `lr_proxy`. Its arguments are a table, `loss_args.alpha=2`; distances, reducers and regularisers
are named: `loss_args.distance=LpDistance`. `loss_memory=1024` is a cross-batch memory (XBM, arXiv 1912.06798) for
losses of pairs. The library's `SmoothAPLoss` takes a batch apart along the wrong side unless it holds as many classes
as images of each; `smooth_ap` does not.
"""


def page() -> str:
    """The page in Markdown."""
    lines = [_HEAD, "## Methods\n\n", _row("method", "compared with", "trains", "resume", "export", "prompts in why")]
    lines.append(_row(*["---"] * 6))
    for name, method in METHODS.items():
        resume = "same bits" if method.trains else "nothing trains"
        lines.append(_row(f"`{name}`", _oracle(ORACLES, name), _formula(name, method), resume, "yes", _why(method)))
    lines += [
        "\n`prompt_dynamics=linear` (PAE, arXiv 2601.20232) for every method of deep prompts adds D · d + 2 d² in "
    ]
    lines += ["training alone; compared with its formula number by number (`tests/core/test_dynamics.py`).\n"]
    lines += [
        "\n`e2vpt` trains all of these before and after it prunes; what is pruned is not kept at inference. Importance "
    ]
    lines += [
        "by masks is compared with autograd in `tests/core/test_pruning.py`; [what it does](explanation/e2vpt.md).\n"
    ]
    lines += ["\n## Losses\n\n", _row("loss", "compares images with", "compared with", "constants"), _row(*["---"] * 4)]
    for name in LOSSES:
        lines.append(_row(f"`{name}`", LOSSES.needs(name), _oracle(LOSS_ORACLES, name), _constants(name)))
    lines.append(_TAIL)
    return "".join(lines)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _oracle(oracles: dict[str, tuple[str, str]], name: str) -> str:
    if name not in oracles:
        return "its parameters alone"
    what, where = oracles[name]
    assert (ROOT / "tests" / where).is_file(), where
    return f"{what} (`tests/{where}`)"


def _formula(name: str, method: Method) -> str:
    if not method.trains:
        return "nothing"
    if method.tunes != "none":
        return "the whole backbone" if method.tunes == "all" else "whole blocks, the last k, and the final norm"
    if name in STATED:
        return STATED[name]
    settings = {"method": name, "task": method.tasks[0], "side_weights": "random"}
    config = make_config(settings, {"backbone": "vit_small_patch16_224", "image_size": 224})
    parts = count_parts(config, 100)
    assert all(part.value == part.counted for part in parts), name
    return "; ".join(f"{part.part} {part.formula}" for part in parts)


def _why(method: Method) -> str:
    if method.prompts == "none":
        return "none"
    return "one by one, with their classes" if method.guided else "one by one"


def _constants(name: str) -> str:
    from vptsp.core.losses.criterion import constants_of

    empty = inspect.Parameter.empty
    found = (
        f"{p.name}={p.default:.4g}" if isinstance(p.default, float) else f"{p.name}={p.default}"
        for p in constants_of(name).values()
        if p.default is not empty
    )
    return ", ".join(found)


if __name__ == "__main__":
    sys.stdout.write(page())
