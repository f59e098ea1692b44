"""Whether a batch of classes can be had from a data set whose number of classes is known before it is read."""

from __future__ import annotations

from typing import Protocol

from vptsp.data.locate import find_source
from vptsp.data.settings import DataConfig
from vptsp.errors import ConfigError


class BatchConfig(DataConfig, Protocol):
    """The fields that say what a batch of retrieval is made of."""

    @property
    def batch_size(self) -> int: ...
    @property
    def images_per_class(self) -> int: ...
    @property
    def fit_batch(self) -> bool: ...


def require_classes(config: BatchConfig) -> None:
    """Refuse a batch of more classes than training has, naming values that would do.

    Knows drawn sets and those with published counts; of others the first batch knows
    (:class:`vptsp.data.samplers.ClassBatchSampler`). With ``fit_batch`` the batch is made to fit instead. Raises
    ConfigError.
    """
    if config.fit_batch:
        return
    given = _classes_to_train_on(config)
    if config.task != "retrieval" or given is None:
        return
    batch, each = config.batch_size, config.images_per_class
    wanted, left = batch // each, given - held_out(given, config.val_fraction)
    if wanted <= left:
        return
    fits = [f"batch_size={left * each}"] if left > 1 else []
    fits += [f"images_per_class={n}" for n in range(each, batch // 2 + 1) if batch % n == 0 and batch // n <= left][:1]
    if config.dataset == "blossoms":
        enough = next(n for n in range(wanted, 4 * wanted + 8) if n - held_out(n, config.val_fraction) >= wanted)
        fits.append(f"blossoms_classes={2 * enough}")
    which = (
        f"blossoms_classes={config.blossoms_classes}" if config.dataset == "blossoms" else f"dataset={config.dataset}"
    )
    rest = f", {given - left} of {given} being held out for validation" if given > left else ""
    raise ConfigError(
        f"batch_size={batch} with images_per_class={each} takes {wanted} classes into each batch, but {which} leaves "
        f"only {left} to train on{rest}; {' or '.join(fits) or 'a larger data set'} would do"
    )


def held_out(classes: int, fraction: float) -> int:
    """How many of the training classes are held out for validation."""
    return max(2, round(fraction * classes)) if fraction else 0


def _classes_to_train_on(config: DataConfig) -> int | None:
    """Classes in the training part, those for validation included; none where only reading it can tell."""
    if config.dataset == "blossoms":
        return config.blossoms_classes // 2
    expected = find_source(config.dataset).expected
    return expected.train[1] if expected else None
