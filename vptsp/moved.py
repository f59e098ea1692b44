"""Places that have moved: the old names work until the next release, and say where to import from.

:func:`install` takes a table from old to new. An old name is a module, or a name in one (``module:name``); the new
place of a module is a module, or several where it was divided. Nothing is imported before an old name is used.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

Places = str | tuple[str, ...]

MOVED: dict[str, Places] = {
    # the core
    "vptsp.adapters": "vptsp.core.adapters",
    "vptsp.attention": "vptsp.core.backbones.attention",
    "vptsp.backbones": ("vptsp.core.backbones.load", "vptsp.core.backbones.tuning"),
    "vptsp.bank": "vptsp.core.prompts.bank",
    "vptsp.bundled": "vptsp.core.backbones.bundled",
    "vptsp.encoder": "vptsp.core.encoder",
    "vptsp.heads": "vptsp.core.heads",
    "vptsp.locations": "vptsp.core.prompts.locations",
    "vptsp.losses:make_loss": "vptsp.settings.build:build_loss",
    "vptsp.losses": ("vptsp.core.losses", "vptsp.core.losses.bound"),
    "vptsp.model:EmbeddingModel": "vptsp.settings.build:build_model",
    "vptsp.model": ("vptsp.core.model", "vptsp.core.parameter_counts"),
    "vptsp.prompts": ("vptsp.core.prompts.visual", "vptsp.core.prompts.classes"),
    "vptsp.proxies": "vptsp.core.proxies",
    "vptsp.swin": "vptsp.core.backbones.swin",
    "vptsp.units": "vptsp.core.proxies",
    # the ground
    "vptsp.files:explained": "vptsp.errors:explained",
    "vptsp.labels": "vptsp.text",
    # settings and data
    "vptsp.config": "vptsp.settings.config",
    "vptsp.fitting": "vptsp.settings.compatibility",
    "vptsp.fitting:require_fitting": "vptsp.settings.compatibility:require_compatible",
    "vptsp.methods": "vptsp.settings.methods",
    "vptsp.paper_numbers": "vptsp.settings.paper_numbers",
    "vptsp.presets": "vptsp.settings.presets",
    "vptsp.published": "vptsp.settings.published",
    "vptsp.published_vpt": "vptsp.settings.published_vpt",
    "vptsp.tasks": "vptsp.settings.tasks",
    "vptsp.data.counts": "vptsp.data.published_counts",
    "vptsp.data.images": "vptsp.data.image_set",
    "vptsp.data.load": "vptsp.data.load_splits",
    "vptsp.data.load:find_source": "vptsp.data.locate:find_source",
    "vptsp.data.readable": "vptsp.data.unreadable",
    "vptsp.data.sample": "vptsp.data.sample_photos",
    "vptsp.data.sheet": "vptsp.data.contact_sheet",
    "vptsp.data.registry:Archive": "vptsp.data.set_description:Archive",
    "vptsp.data.registry:DRAWN_SIZE": "vptsp.data.image_set:DRAWN_SIZE",
    "vptsp.data.registry:Source": "vptsp.data.set_description:Source",
    "vptsp.data.sources.lists": "vptsp.data.sources.text_lists",
    "vptsp.data.sources.vtab:TASKS": "vptsp.data.sources.vtab_tasks:TASKS",
    "vptsp.data.sources.vtab:Task": "vptsp.data.sources.vtab_tasks:Task",
    # runs, evaluation, training; three of these are rooms now, and were modules
    "vptsp.runs": ("vptsp.runs.run", "vptsp.runs.environment"),
    "vptsp.runs:compare": "vptsp.analysis.comparison:compare",
    "vptsp.runs.run:compare": "vptsp.analysis.comparison:compare",
    "vptsp.runs.run:overview": "vptsp.runs.run_table:overview",
    "vptsp.checkpoints": "vptsp.runs.checkpoints",
    "vptsp.embeddings": "vptsp.runs.embeddings",
    "vptsp.progress": "vptsp.runs.progress",
    "vptsp.run_proxies": "vptsp.runs.proxies",
    "vptsp.thumbnails": "vptsp.runs.thumbnails",
    "vptsp.tiles": "vptsp.runs.tiles",
    "vptsp.evaluation": "vptsp.evaluation.evaluate",
    "vptsp.evaluation:SavedEmbeddings": "vptsp.runs.embeddings:SavedEmbeddings",
    "vptsp.clustering": "vptsp.evaluation.clustering",
    "vptsp.indexes": "vptsp.evaluation.gallery_index",
    "vptsp.metrics": "vptsp.evaluation.metrics",
    "vptsp.metrics:Score": "vptsp.evaluation.metrics:RankScore",
    "vptsp.recognition": "vptsp.evaluation.recognition",
    "vptsp.retrieval": "vptsp.evaluation.ranking",
    "vptsp.training": "vptsp.training.loop",
    "vptsp.baselines": "vptsp.training.baselines",
    "vptsp.guards": "vptsp.training.guards",
    "vptsp.objective": "vptsp.training.objective",
    "vptsp.optim": ("vptsp.training.optimizers", "vptsp.training.schedule"),
    "vptsp.optim:set_epoch": "vptsp.training.schedule:set_learning_rates",
    "vptsp.passes": "vptsp.training.gradient_cache",
    "vptsp.session": "vptsp.training.session",
    "vptsp.snapshots": "vptsp.training.write_snapshots",
    "vptsp.trackers": "vptsp.training.trackers",
    # notebooks
    "vptsp.parameters": "vptsp.notebooks.parameters",
    "vptsp.sweeps.endings": "vptsp.sweeps.process_ends",
    "vptsp.sweeps.runner:cores": "vptsp.sweeps.places:cores",
    "vptsp.sweeps.runner:local_places": "vptsp.sweeps.places:local_places",
    "vptsp.sweeps.search": "vptsp.sweeps.random_search",
    # numbers about finished runs
    "vptsp.aligned": "vptsp.analysis.aligned",
    "vptsp.anatomy": "vptsp.analysis.anatomy",
    "vptsp.bootstrap": "vptsp.analysis.significance",
    "vptsp.comparing": ("vptsp.analysis.wording", "vptsp.analysis.comparison"),
    "vptsp.comparing:Entry": "vptsp.analysis.compared_run:ComparedRun",
    "vptsp.confusions": "vptsp.analysis.confusions",
    "vptsp.explain": "vptsp.analysis.explain",
    "vptsp.footprint": "vptsp.analysis.footprint",
    "vptsp.mantel": "vptsp.analysis.mantel",
    "vptsp.pace": "vptsp.analysis.pace",
    "vptsp.parameter_formulas": ("vptsp.analysis.parameter_formulas", "vptsp.figures.parameters"),
    "vptsp.projection": "vptsp.analysis.projection",
    "vptsp.proxy_spaces": ("vptsp.analysis.proxy_spaces", "vptsp.figures.proxy_spaces"),
    "vptsp.replay": "vptsp.analysis.replay",
    "vptsp.trials": ("vptsp.sweeps.variants", "vptsp.runs.run", "vptsp.notebooks.resolving"),
    "vptsp.trials:Trial": "vptsp.sweeps.variants:Variant",
    "vptsp.trials:print_row": "vptsp.sweeps.variants:print_variant",
    "vptsp.trials:run_trials": "vptsp.sweeps.variants:train_variants",
    "vptsp.analysis.trials:Trial": "vptsp.sweeps.variants:Variant",
    "vptsp.analysis.trials:chosen": "vptsp.notebooks.resolving:chosen",
    "vptsp.analysis.trials:run_trials": "vptsp.sweeps.variants:train_variants",
    "vptsp.analysis.entries:Entry": "vptsp.analysis.compared_run:ComparedRun",
    "vptsp.analysis.entries:find_entries": "vptsp.analysis.compared_run:find_runs",
    "vptsp.analysis.comparison:METRIC_TITLES": "vptsp.analysis.wording:METRIC_TITLES",
    # their pictures
    "vptsp.figures": (
        *("vptsp.figures.runs", "vptsp.figures.html", "vptsp.figures.embedding_map", "vptsp.figures.signs_and_colours"),
        "vptsp.figures.template",
    ),
    "vptsp.comparing_figures": ("vptsp.figures.comparison_tables", "vptsp.figures.comparison"),
    "vptsp.comparison_figures": ("vptsp.figures.comparison", "vptsp.figures.published"),
    "vptsp.figures.comparison:comparison_table": "vptsp.figures.comparison_tables:comparison_table",
    "vptsp.figures.comparison:differences_table": "vptsp.figures.comparison_tables:differences_table",
    "vptsp.figures.trials": ("vptsp.figures.comparison", "vptsp.figures.published"),
    "vptsp.comparison_figures:METRICS": "vptsp.analysis.wording:METRIC_TITLES",
    "vptsp.comparison_figures:SEPARATOR": "vptsp.analysis.comparison:SEPARATOR",
    "vptsp.comparison_figures:difference_table": "vptsp.figures.comparison_tables:differences_table",
    "vptsp.comparison_figures:method_table": "vptsp.figures.comparison_tables:cost_table",
    "vptsp.gallery": "vptsp.figures.gallery",
    "vptsp.figures.gallery:contact_sheet": "vptsp.figures.gallery:sample_images",
    "vptsp.gallery:contact_sheet": "vptsp.figures.gallery:sample_images",
    "vptsp.maps": ("vptsp.figures.run_map", "vptsp.analysis.proxies_on_map"),
    "vptsp.prompt_figures": "vptsp.figures.prompts",
    "vptsp.proxy_figures": "vptsp.figures.proxies",
    "vptsp.stills": "vptsp.figures.stills",
    "vptsp.front": ("vptsp_widgets.front", "vptsp.text"),
    # pages and files
    "vptsp.demo": "vptsp.reports.demo",
    "vptsp.export": "vptsp.reports.export",
    "vptsp.formulas": "vptsp.reports.formulas",
    "vptsp.pages": "vptsp.reports.notebook_page",
    "vptsp.report": "vptsp.reports.report",
    "vptsp.tables": "vptsp.reports.tables",
    # the command line
    "vptsp.cli_compare": "vptsp.cli.compare",
    "vptsp.cli_compare:compare": "vptsp.cli.compare:command",
    "vptsp.cli_data": ("vptsp.cli.data", "vptsp.cli.options"),
    "vptsp.cli_data:data": "vptsp.cli.data:command",
    "vptsp.cli_sweep": "vptsp.cli.sweep",
    "vptsp.cli_sweep:sweep": "vptsp.cli.sweep:command",
    "vptsp.cli:export_model": "vptsp.cli.export:command",
}


class _OldModule(ModuleType):
    """Stands where a module was. Called, it is the verb of the front door that has its name: ``vptsp.report(run)``."""

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        verbs, name = import_module("vptsp.verbs"), self.__name__.rpartition(".")[2]
        if name not in verbs.__all__:
            raise TypeError(f"{self.__name__} is a module and cannot be called")
        return getattr(verbs, name)(*arguments, **more)


class _Finder:
    """Finds modules that are no more, and gives those that are still there the names that have left them."""

    def __init__(self) -> None:
        self.table: dict[str, Places] = {}
        self.modules: set[str] = set()

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in self.modules:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((found for finder in others if (found := finder.find_spec(name, path, target))), None)
        if spec is None or spec.origin is None:  # at most a folder of other files, or left behind by an older version
            old = ModuleSpec(name, self)  # type: ignore[arg-type] # a loader, without the base class
            old.submodule_search_locations = spec.submodule_search_locations if spec else None
            return old
        loader: Any = spec.loader
        execute = loader.exec_module

        def with_moved_names(module: ModuleType) -> None:
            execute(module)
            self.exec_module(module)

        loader.exec_module = with_moved_names
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _OldModule(spec.name, "The names of this module have moved; using one says where to.")

    def exec_module(self, module: ModuleType) -> None:
        """Have names that the module lacks looked up where they are now."""
        own = vars(module).get("__getattr__")
        if getattr(own, "func", None) != self.moved_name:
            vars(module)["__getattr__"] = partial(self.moved_name, module, own)

    def moved_name(self, module: ModuleType, own: Callable[[str], Any] | None, name: str) -> Any:
        """A name that is not among those of ``module``; ``own`` is what the module itself says of such names."""
        old = f"{module.__name__}:{name}"
        missing = AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        if own is not None:
            try:
                return own(name)
            except AttributeError as error:
                missing = error
        if name.startswith("__") or _is_submodule(module, name):
            raise missing
        places = self.table.get(old) or self.table.get(module.__name__, ())
        for place in (places,) if isinstance(places, str) else places:
            new, _, there = place.partition(":")
            there = there or name
            found = import_module(new)
            if hasattr(found, there):
                message = (
                    f"{module.__name__}.{name} has moved to {new}.{there}; the old name goes with the next release"
                )
                warnings.warn(message, DeprecationWarning, 2)
                return getattr(found, there)
        raise missing


def _is_submodule(module: ModuleType, name: str) -> bool:
    folders = getattr(module, "__path__", None)
    return folders is not None and PathFinder.find_spec(f"{module.__name__}.{name}", folders) is not None


_FINDER = _Finder()


def install(table: Mapping[str, Places]) -> None:
    """Make the old places of a table known; those of several tables add up, and again does no harm."""
    _FINDER.table |= table
    modules = {name.partition(":")[0] for name in table}
    _FINDER.modules |= modules
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    for name in modules & sys.modules.keys():
        _FINDER.exec_module(sys.modules[name])
