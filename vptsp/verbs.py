"""What a newcomer does, each as one call: train, evaluate, search, report.

They are called by the front door's names, ``vptsp.train`` and so on. Each says here what it takes, and leaves the work
to a room, which is imported when the verb is called.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

    from vptsp.evaluation.evaluate import Score
    from vptsp.runs.embeddings import SavedEmbeddings
    from vptsp.runs.progress import Observer
    from vptsp.runs.run import Run
    from vptsp.settings.config import Config

__all__ = ["evaluate", "report", "search", "train"]


def train(
    config: Config | Mapping[str, Any] | None = None,
    run_dir: str | Path | None = None,
    *,
    preset: str | None = None,
    resume: bool = False,
    observer: Observer | None = None,
    changed_data: bool = False,
    **settings: Any,
) -> Run:
    """Train, select on held-out classes, score the test images once, and return the run.

    >>> run = vptsp.train(preset="demo", method="vptsp_g", epochs=10)  # doctest: +SKIP

    Settings come as a :class:`~vptsp.settings.config.Config`, as a dictionary, by ``preset`` or by name; later ones of
    these win, and ``vptsp settings`` lists them. ``run_dir`` none: a new run under ``runs/``. With ``resume`` the run
    in ``run_dir`` goes on from its last checkpoint, to the numbers it would have had without the stop; of the settings
    only those of where things are may be given then (``data_root``, ``device``, ``num_workers``, ...). Data that are
    not those it was started with are refused, unless ``changed_data``.

    Raises :class:`~vptsp.errors.UsageError` for input that cannot be used, before anything is written.
    """
    from vptsp.errors import UsageError
    from vptsp.settings.config import Config, make_config

    given = {} if config is None or isinstance(config, Config) else config
    base = config if isinstance(config, Config) else None
    if not isinstance(given, Mapping):
        raise UsageError(f"{config!r} is not a configuration; give what vptsp.make_config returns, or a dictionary")
    if resume and (given or preset):
        raise UsageError("resume=True goes on with the run's own settings; give no others")
    if resume:
        from vptsp.runs.run import require_elsewhere

        require_elsewhere(settings, "resume=True")
    if not resume and (given or settings or preset):
        base = make_config(given, settings, preset=preset, base=base)

    from vptsp.training.loop import train as train_run

    moved = settings if resume else {}
    return train_run(base, run_dir, resume=resume, observer=observer, changed_data=changed_data, **moved)


def evaluate(
    run: Run | str | Path, which: Literal["last", "best_val", "whitened"] | None = None, **elsewhere: Any
) -> Score:
    """Score a run's checkpoint on its test images, and keep their embeddings for whoever shows the run.

    ``which`` none: the selected epoch. ``elsewhere`` are settings of where things are now: ``data_root``, ``device``,
    ``num_workers`` and others. Returns metrics by name and the numbers of images they rest on. Raises
    :class:`~vptsp.errors.UsageError` for what is no run, and for a run without a checkpoint.
    """
    from vptsp.evaluation.evaluate import evaluate_run
    from vptsp.runs.run import Run

    return evaluate_run(Run.of(run).elsewhere(**elsewhere), which)


def search(
    source: Run | SavedEmbeddings | str | Path,
    queries: str | Path | Iterable[str | Path] | SavedEmbeddings | np.ndarray | Tensor,
    k: int = 10,
) -> pd.DataFrame:
    """The ``k`` nearest gallery images of each query, by exact cosine similarity.

    >>> vptsp.search(run, run_embeddings.ids[0], k=5)  # doctest: +SKIP
    >>> vptsp.search(run, "photo.jpg", k=5)  # doctest: +SKIP

    ``source`` is a run (its test images are searched), or :class:`~vptsp.runs.embeddings.SavedEmbeddings`. ``queries``
    are ids of its images, which never find themselves; or image files and folders of them, however deep, which the
    run's model embeds; or other embedded images; or embeddings (Q, E) of any length. What is no image in a folder, or
    cannot be read, is passed over with a DataWarning.
    Returns a row per query and rank: ``query`` (id, file, or row of the embeddings), ``rank`` from 1, ``id``,
    ``class_name`` and ``similarity``; fewer than k ranks where the gallery is smaller.

    Raises :class:`~vptsp.errors.DataError` for ids that are not there, named files that are no images, folders without
    any, and embeddings that do not fit.
    """
    import numpy as np
    import pandas as pd

    from vptsp.evaluation.gallery_index import GalleryIndex
    from vptsp.runs.embeddings import SavedEmbeddings

    saved = source if isinstance(source, SavedEmbeddings) else SavedEmbeddings.of_run(source)
    given: Any = queries if isinstance(queries, SavedEmbeddings) else _listed(queries)
    vectors: Any
    names: Sequence[str] | range
    own: list[str] | None = None
    if isinstance(given, SavedEmbeddings):
        names, vectors = given.ids, given.embeddings
        own = given.ids if given is saved else None
    elif isinstance(given, Sequence) and all(isinstance(name, str | Path) for name in given):
        rows = {name: row for row, name in enumerate(saved.ids)}
        names = _with_folders_opened([str(name) for name in given], rows)
        if files := _files(names, rows):
            vectors = _embedded(files, source, saved)
        else:
            own = names
            vectors = saved.embeddings[_rows_of(own, rows, saved)]
    else:
        names, vectors = range(len(given)), given
    gallery = np.flatnonzero(np.ones(len(saved), dtype=bool) if saved.is_gallery is None else saved.is_gallery)
    index = GalleryIndex.build(saved.embeddings[gallery], [saved.ids[row] for row in gallery])
    places, similarities = index.search(vectors, k, own)
    query, rank = np.nonzero(places >= 0)
    found = gallery[places[query, rank]]
    return pd.DataFrame(
        {
            "query": [names[number] for number in query],
            "rank": rank + 1,
            "id": [saved.ids[row] for row in found],
            "class_name": [saved.class_names[label] for label in saved.labels[found]],
            "similarity": similarities[query, rank],
        }
    )


def _listed(queries: Any) -> Any:
    """Names as a list, whatever they came in (a generator, a column of a table); embeddings as they are."""
    if isinstance(queries, str | Path):
        return [queries]
    if hasattr(queries, "dtype"):  # of numpy, pandas or torch, whose types have no kind
        return queries.tolist() if getattr(queries.dtype, "kind", "") in ("O", "U", "T") else queries
    return queries if isinstance(queries, Sequence) else list(queries)


def _with_folders_opened(names: Sequence[str], rows: Mapping[str, int]) -> list[str]:
    """Images in place of their folder, unless that is the id of an image."""
    found = list[str]()
    for name in names:
        if name not in rows and Path(name).is_dir():
            from vptsp.data.files_within import files_within

            found += map(str, files_within(Path(name)))
        else:
            found.append(name)
    return found


def _files(names: Sequence[str], rows: Mapping[str, int]) -> list[str]:
    """All of the names, where they are files and none is an id; else none of them."""
    return list(names) if all(name not in rows and Path(name).is_file() for name in names) else []


def _embedded(files: Sequence[str], source: Run | SavedEmbeddings | str | Path, saved: SavedEmbeddings) -> np.ndarray:
    from vptsp.errors import DataError
    from vptsp.evaluation.evaluate import embed_files
    from vptsp.runs.checkpoints import load_beside
    from vptsp.runs.embeddings import SavedEmbeddings

    if isinstance(source, SavedEmbeddings):
        raise DataError(f"{files[0]} is a file and no id of these images; to search with files give the run, not them")
    return embed_files(load_beside(source, saved), files)


def _rows_of(ids: Sequence[str], rows: Mapping[str, int], saved: SavedEmbeddings) -> list[int]:
    from vptsp.errors import DataError

    for name in ids:
        if name not in rows:
            if Path(name).is_file():
                raise DataError(f"{name} is a file, and not all of the queries are; search with files, or with ids")
            near = difflib.get_close_matches(name, saved.ids, n=3) or saved.ids[:3]
            raise DataError(
                f"{name!r} is no file and is not among the {len(saved)} images of {saved.folder}; ids are like {near}"
            )
    return [rows[name] for name in ids]


def report(run: Run | str | Path, projection: Literal["umap", "pca"] = "umap", path: str | Path | None = None) -> Path:
    """Write ``report.html`` into a finished run's folder, a page that needs no network and no kernel; its path.

    ``projection`` draws the map: ``umap`` for neighbourhoods, ``pca`` for true distances.
    ``path`` is another place for the page. Raises
    :class:`~vptsp.errors.UsageError` for what is no run, and for a run that is not finished.
    """
    from vptsp.reports.report import write_report
    from vptsp.runs.run import Run

    return write_report(Run.of(run), projection, path)
