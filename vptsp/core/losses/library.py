"""Any loss and miner of pytorch-metric-learning by its name there, with its arguments as a table.

A loss that has one weight vector for each class compares with the model's proxies in their place, so that semantic
proxies, snapshots and views know them; other weights of a loss are its own. What a loss is, is found out by making a
small one and calling it: nothing here knows the library's losses by name. The library is imported when it is used.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call

from vptsp.core.errors import ConfigError
from vptsp.core.losses.catalogue import PREFIX, Needs

_PACKAGE = "pytorch_metric_learning"
_BASES = {
    "loss": ("losses", "BaseMetricLossFunction"),
    "miner": ("miners", "BaseMiner"),
    "distance": ("distances", "BaseDistance"),
    "reducer": ("reducers", "BaseReducer"),
    "regularizer": ("regularizers", "BaseRegularizer"),
}
_PARTS = {  # arguments that are things of the library themselves
    "distance": "distance",
    "reducer": "reducer",
    "embedding_regularizer": "regularizer",
    "weight_regularizer": "regularizer",
}
_OF_RUN = {"num_classes": "classes", "embedding_size": "size", "descriptors_dim": "size", "l": "size"}
_NOT_OURS = ("GenericPairLoss", "EmbeddingsAlreadyPackagedAsTriplets")  # made by functions, or for other embeddings
_HIDDEN = ("collect_stats", "weight_init_func", "mat_based_loss")  # a loss's records, and functions


@dataclass(frozen=True)
class LibraryThing:
    """A loss or miner of the library: ``kind`` is the setting that names it, ``name`` its name there."""

    kind: str
    name: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.kind}='{PREFIX}{self.name}'"

    def make(self, num_classes: int, size: int) -> nn.Module:
        """The thing for so many classes and numbers of an embedding.

        Raises :class:`ConfigError` for a library that is not installed, and for names and arguments it does not have.
        """
        return _make(self, {"classes": num_classes, "size": size})

    def needs(self, batch: tuple[int, int]) -> Needs:
        """What a loss compares embeddings with; ``batch`` is the number of its classes and of the images of each."""
        if _row_weights(self, batch) is not None:
            return "proxies"
        return "classes" if self.needs_classes else "pairs"

    @property
    def needs_classes(self) -> bool:
        """Whether it must be told the number of classes."""
        parameter = _arguments(_find(self)).get("num_classes")
        return parameter is not None and parameter.default is parameter.empty


class LibraryLoss(nn.Module):
    """A loss of the library, and a miner that picks what it compares.

    ``rows``: the name of its weight vectors of classes, in whose place proxies are put, and whether they are columns.
    """

    def __init__(self, loss: nn.Module, miner: nn.Module | None = None, rows: tuple[str, bool] | None = None) -> None:
        super().__init__()
        self.loss, self.miner, self.rows = loss, miner, rows
        if rows is not None:
            del loss._parameters[rows[0]]
            loss.register_buffer(rows[0], torch.empty(0), persistent=False)
        for module in self.modules():  # what the library keeps as plain tensors would not move, nor be saved
            for name, value in list(vars(module).items()):
                if isinstance(value, Tensor):
                    delattr(module, name)
                    module.register_buffer(name, value)

    def forward(
        self,
        embeddings: Float[Tensor, "B E"],
        labels: Int[Tensor, " B"],
        proxies: Float[Tensor, "C E"] | None = None,
        *,
        gallery: Float[Tensor, "M E"] | None = None,
        gallery_labels: Int[Tensor, " M"] | None = None,
        own: Int[Tensor, " B"] | None = None,
    ) -> Float[Tensor, ""]:
        pairs = None if self.miner is None else self.miner(embeddings, labels, gallery, gallery_labels)
        if gallery is not None and gallery_labels is not None:
            tools = import_module(f"{_PACKAGE}.utils.loss_and_miner_utils")
            pairs = tools.get_all_pairs_indices(labels, gallery_labels) if pairs is None else pairs
            pairs = tools.remove_self_comparisons(pairs, own, len(gallery))
        weights = {}
        if self.rows is not None and proxies is not None:
            name, columns = self.rows
            weights[name] = (proxies.T if columns else proxies).to(embeddings.dtype)
        result: Any = functional_call(
            self.loss, weights, (embeddings, labels, pairs, gallery, gallery_labels), strict=False
        )
        with torch.no_grad():
            for buffer in self.loss.buffers():
                buffer.detach_()  # what is remembered of this step is no part of the next one's graph
        if not isinstance(result, Tensor) or result.numel() != 1:
            raise ConfigError(
                "a loss must come to one number, and by this reducer it does not; choose another one, such as "
                "MeanReducer"
            )
        return result.reshape(())


def library_loss(
    loss: LibraryThing, miner: LibraryThing | None, num_classes: int, size: int, batch: tuple[int, int]
) -> LibraryLoss:
    """A loss of the library for a run's classes and embeddings. Raises as :meth:`LibraryThing.make` does."""
    rows = _row_weights(loss, batch)
    mining = None if miner is None else miner.make(num_classes, size)
    if rows is None:
        return LibraryLoss(loss.make(num_classes, size), mining)
    with torch.random.fork_rng(devices=[]):  # weights that are thrown away leave the run's draws alone
        return LibraryLoss(loss.make(num_classes, size), mining, rows)


def takes_gallery(loss: LibraryThing) -> bool:
    """Whether a loss compares with other images than the batch's."""
    supported: list[str] = import_module(f"{_PACKAGE}.losses").CrossBatchMemory.supported_losses()
    return loss.name in supported


def names(kind: str) -> list[str]:
    """The library's losses or miners that can be named. Raises :class:`ConfigError` where it is not installed."""
    return sorted(_classes(kind))


# --- finding and making -----------------------------------------------------------------------------
def _classes(kind: str, asked: str = "this") -> dict[str, type[nn.Module]]:
    place, base_name = _BASES[kind]
    try:
        module = import_module(f"{_PACKAGE}.{place}")
    except ImportError:
        raise ConfigError(
            f"{asked} needs the package pytorch-metric-learning: pip install 'vptsp-workbench[losses]'"
        ) from None
    base: type[nn.Module] = getattr(module, base_name)
    return {
        name: thing
        for name, thing in vars(module).items()
        if inspect.isclass(thing) and issubclass(thing, base) and thing is not base and name not in _NOT_OURS
    }


def _find(thing: LibraryThing) -> type[nn.Module]:
    known = _classes(thing.kind, str(thing))
    if thing.name not in known:
        near = difflib.get_close_matches(thing.name, known, n=4, cutoff=0.4) or sorted(known)
        version = getattr(import_module(_PACKAGE), "__version__", "")
        raise ConfigError(
            f"{thing}: pytorch-metric-learning {version} has no {thing.kind} of that name; near it: {', '.join(near)}"
        )
    return known[thing.name]


def _arguments(kind: type[nn.Module]) -> dict[str, inspect.Parameter]:
    """What a class's constructor takes, with what it hands on to those it inherits from."""
    found: dict[str, inspect.Parameter] = {}
    for each in kind.__mro__:
        if "__init__" not in vars(each) or each is nn.Module:
            continue
        parameters = list(inspect.signature(each.__init__).parameters.values())[1:]  # type: ignore[misc]
        named = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        found |= {p.name: p for p in named if p.name not in _HIDDEN and p.name not in found}
        if len(named) == len(parameters):
            break
    return found


def signature(kind: type[nn.Module]) -> str:
    """The arguments that can be given, with their defaults, as a person writes them."""
    given = [p for name, p in _arguments(kind).items() if name not in _OF_RUN or p.default is None]
    shown = (p.name if p.default in (p.empty, None) else f"{p.name}={p.default!r}" for p in given)
    return ", ".join(shown)


def _make(thing: LibraryThing, run: Mapping[str, int]) -> nn.Module:
    kind = _find(thing)
    takes = _arguments(kind)
    values: dict[str, Any] = {}
    table = "miner_args" if thing.kind == "miner" else "loss_args"
    for name, value in thing.arguments.items():
        if name not in takes:
            near = difflib.get_close_matches(name, takes, n=2)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise ConfigError(f"{thing} has no argument {name!r}; {hint}It takes {signature(kind) or 'none'} ({table})")
        if name in _OF_RUN and value != "run":
            raise ConfigError(
                f"{thing} gets {name} from the run; leave {name}={value!r} out of {table}, or write {name}='run' where "
                "the library does without"
            )
        values[name] = _part(_PARTS[name], value, run) if name in _PARTS and value is not None else value
    for name, parameter in takes.items():
        if name in _OF_RUN and (parameter.default is parameter.empty or name in values):
            values[name] = run[_OF_RUN[name]]
    if missing := [name for name, p in takes.items() if p.default is p.empty and name not in values]:
        raise ConfigError(f"{thing} needs {' and '.join(missing)}; give {table}.{missing[0]}=VALUE ({signature(kind)})")
    try:
        return kind(**values)
    except Exception as error:  # the library raises anything
        raise ConfigError(f"{thing} refuses its arguments: {first_line(error)}; it takes {signature(kind)}") from None


def _part(kind: str, value: Any, run: Mapping[str, int]) -> nn.Module:
    """A distance, reducer or regulariser: its name, or a table with its name and arguments."""
    table = {"name": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise ConfigError(
            f"{kind}={value!r} is neither a name of pytorch-metric-learning nor a table with one; write for example "
            f'"{sorted(_classes(kind))[0]}"'
        )
    rest = {key: each for key, each in table.items() if key != "name"}
    return _make(LibraryThing(kind, table["name"].removeprefix(PREFIX), rest), run)


def first_line(error: Exception) -> str:
    """What an error says, in one line without a full stop."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


# --- finding out ------------------------------------------------------------------------------------
def _row_weights(thing: LibraryThing, batch: tuple[int, int]) -> tuple[str, bool] | None:
    """The weights of a loss that are one vector a class, and whether they are columns; none if it has no such.

    Weights that the loss itself writes to, as it normalises them in place, are its own.
    """
    if not thing.needs_classes:
        return None
    classes = batch[0] + 1
    size = classes + 4
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        module = thing.make(classes, size)
        weights = list(module.named_parameters())
        if len(weights) != 1 or sorted(weights[0][1].shape) != [classes, size] or "." in weights[0][0]:
            return None
        name, weight = weights[0]
        before = weight.detach().clone()
        labels = torch.arange(batch[0]).repeat_interleave(batch[1])
        try:
            module(F.normalize(torch.randn(len(labels), size), dim=1), labels)
        except Exception as error:  # the library raises anything
            raise cannot(thing, error) from None
        return (name, weight.shape[0] == size) if torch.equal(weight, before) else None


def cannot(thing: object, error: Exception) -> ConfigError:
    """The error of a loss that its library cannot compute from a batch of embeddings and labels."""
    return ConfigError(
        f"{thing} cannot be computed from a batch of embeddings and labels: {first_line(error)}; change its arguments, "
        "or choose another loss"
    )
