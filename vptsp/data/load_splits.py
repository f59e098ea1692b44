"""From a configuration to the splits of a run."""

from __future__ import annotations

import warnings
from dataclasses import replace

from vptsp.data.cache import open_cache
from vptsp.data.closed_set import closed_splits
from vptsp.data.image_set import DataSplits, Parts
from vptsp.data.locate import place_of
from vptsp.data.passed_over import told
from vptsp.data.published_counts import check_counts
from vptsp.data.settings import DataConfig
from vptsp.data.sources.text_lists import LayoutError
from vptsp.data.splits import check_splits, hold_out_classes, queries_by_csv, queries_by_pattern
from vptsp.data.unreadable import drop_bad, refuse_missing
from vptsp.errors import ConfigError, DataError, DataWarning


def load_data(config: DataConfig) -> DataSplits:
    """Builds the data set of a configuration, checks it, and holds validation classes out of train.

    Query and gallery apply to the test split; validation is self-retrieval. For ``task="recognition"`` all splits
    hold the same classes (see :func:`vptsp.data.closed_set.closed_splits`). Raises ConfigError for a
    setting and DataError for files that cannot be used.
    """
    if config.query_pattern is not None and config.query_csv is not None:
        raise ConfigError("query_pattern and query_csv both say which images are queries; give only one")
    parts, skipped = usable_parts(config, read_parts(config))
    for sentence in (*parts.notes, told(config.dataset, parts.passed_over)):
        if sentence:
            warnings.warn(sentence, DataWarning, stacklevel=2)
    return replace(_divided(config, parts, skipped), passed_over=parts.passed_over)


def _divided(config: DataConfig, parts: Parts, skipped: list[str]) -> DataSplits:
    if config.task == "recognition":
        return closed_splits(parts, config.val_fraction, config.seed, skipped)
    train, val, test = parts.train, parts.val, parts.test
    check_splits(train, test)
    if config.query_pattern is not None:
        test = queries_by_pattern(test, config.query_pattern)
    if config.query_csv is not None:
        others = [*skipped, *train.ids, *(val.ids if val else ())]
        test = queries_by_csv(test, config.query_csv, others)
    if val is None:
        train, val = hold_out_classes(train, config.val_fraction, config.seed, config.fit_batch)
    else:
        check_splits(train, val, "val")
    return DataSplits(train=train, val=val, test=test, skipped=skipped)


def read_parts(config: DataConfig) -> Parts:
    """What the data set's own lists say, with its counts checked; whether the images can be read is not."""
    source, root = place_of(config)
    try:
        parts = source.build(config, root)
    except LayoutError as error:
        raise DataError(f"{error}; for dataset={config.dataset} data_root must hold {source.layout}") from None
    except OSError as error:  # a folder that may not be listed, a failing disk
        raise DataError(
            f"dataset={config.dataset}: {error.filename or root} cannot be read ({error.strerror})"
        ) from None
    if source.expected is not None:
        check_counts(config.dataset, parts, source.expected, root)
    return parts


def usable_parts(config: DataConfig, parts: Parts) -> tuple[Parts, list[str]]:
    """The parts with loaders that are known to work, and the ids of images left out."""
    if config.data_cache is not None:
        return open_cache(config.data_cache, config.dataset, config.image_size).applied(parts, config.skip_bad)
    if config.skip_bad:
        return drop_bad(parts)
    refuse_missing(config.dataset, parts)
    return parts, []
