"""A view of one run's images: opened once, and shown another run by setting ``run``, as :func:`link` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import traitlets

from vptsp.errors import DataError, RunError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.runs.thumbnails import Thumbnails
from vptsp_widgets.options import require_options
from vptsp_widgets.view import View, shown


@dataclass(frozen=True)
class Content:
    """What a view shows: images in the order of its rows, their thumbnails, and synced traits by name.

    ``run`` is the directory that the images are of; none for images that belong to no run.
    """

    ids: Sequence[str]
    traits: Mapping[str, Any]
    thumbnails: Thumbnails | None = None
    run: Path | None = None


def thumbnails_of(saved: SavedEmbeddings | None) -> Thumbnails | None:
    """The thumbnails beside embeddings; none where there are none, which a view's notes say."""
    try:
        return saved.thumbnails if saved is not None else None
    except RunError:
        return None


def run_of(saved: SavedEmbeddings | None) -> Path | None:
    """The directory of the run that keeps these embeddings, if one does."""
    return saved.folder.parent.parent if saved is not None else None


class RunView(View):
    """Base of the views of a run. A constructor hands :class:`Content` over, and ``of_run`` calls :meth:`_opened`.

    Subclasses say how a run is read (:meth:`_parts_of`), what is shown of it (:meth:`_content_of`), and, where the user
    chooses among it, what is chosen at first (:meth:`_begin`).
    """

    run = traitlets.Unicode("", help="directory of the run shown; setting it shows another run, as link() does")

    _how: Mapping[str, Any] = MappingProxyType({})  # options of _parts_of with which this view was opened

    def __new__(cls, *given: Any, **named: Any) -> Self:
        """Refuses what ``of_run`` and ``of_arrays`` take: constructors take what was read already."""
        first = given[0] if given else None
        if isinstance(first, Run | str | Path):
            where = str(first.path if isinstance(first, Run) else first)
            raise DataError(
                f"{cls.__name__} takes embeddings that were read; {cls.__name__}.of_run({where!r}) reads a run's"
            )
        if hasattr(cls, "of_arrays") and (hasattr(first, "shape") or isinstance(first, list)):
            raise DataError(
                f"{cls.__name__} takes embeddings that were kept; {cls.__name__}.of_arrays(...) takes arrays"
            )
        return super().__new__(cls, *given, **named)

    def __init__(self, content: Content, **traits: Any) -> None:
        self._shown_run = content.run
        super().__init__(content.ids, content.thumbnails, **{**content.traits, **traits})

    @classmethod
    def _parts_of(cls, run: Run, *how: Any, **named: Any) -> dict[str, Any]:
        """What the constructor takes for a run, by name. Raises RunError for a run that keeps no such thing."""
        raise NotImplementedError

    def _content_of(self, *parts: Any, **named: Any) -> Content:
        """What is shown of these parts. Sets what Python itself keeps of them, unless it raises."""
        raise NotImplementedError

    def _begin(self) -> None:
        """What follows once another run's content is there."""

    @classmethod
    def _opened(cls, run: Run | str | Path, how: Mapping[str, Any], **options: Any) -> Self:
        """The view of a run, read as ``how`` says; ``options`` go to the constructor and come before what was read."""
        require_options(cls, options)  # before anything is read and projected
        run = Run.of(run)
        view = cls(**{**cls._parts_of(run, **how), **options})
        view._how, view._shown_run = how, run.path
        view.run = str(run.path)
        return view

    @traitlets.observe("run")
    @shown
    def _show_run(self, change: Any) -> None:
        if not change["new"]:
            return
        if self._shown_run is not None and Path(change["new"]).resolve() == self._shown_run.resolve():
            if change["old"]:
                self.status = ""  # of a run between that could not be shown
            return
        self.status = "reading the run"
        self._take(self._content_of(**self._parts_of(Run.open(change["new"]), **self._how)))

    def _take(self, content: Content, keep: bool = False) -> None:
        """Show other content at once. ``keep``: what is selected stays so if the images are the same."""
        with self.hold_sync():  # the front end must not see the rows of one run with the names of another
            if not keep or tuple(content.ids) != self.ids:
                self.selection, self.focus = [], ""
            self._shown_run = content.run
            self._take_images(content.ids, content.thumbnails)
            for name, value in content.traits.items():
                self.set_trait(name, value)
            self.status = ""
            self._begin()


class EmbeddingsView(RunView):
    """Base of the views of a run for which embeddings are enough: their constructors take these first."""

    @classmethod
    def of_arrays(
        cls,
        embeddings: Any,
        labels: Sequence[Any] | None = None,
        *,
        images: Sequence[str | Path] | None = None,
        ids: Sequence[str] | None = None,
        **options: Any,
    ) -> Self:
        """The view of embeddings of one's own, without a run: arrays, or a file of them.

        Takes what :meth:`SavedEmbeddings.write <vptsp.runs.embeddings.SavedEmbeddings.write>` does, or what that
        returned. Raises DataError for parts that do not fit together.
        """
        view: Callable[..., Self] = cls
        return view(SavedEmbeddings.of_arrays(embeddings, labels, images=images, ids=ids), **options)
