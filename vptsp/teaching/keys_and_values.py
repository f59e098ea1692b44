"""Session 3: prompts as keys and values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vptsp.teaching.exercise import Exercise, Trial

BANK = (3997, 12, 80, 384)  # In-Shop as published: classes, blocks, prompts, width


def _attend(queries: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    logits = queries @ keys.T / np.sqrt(keys.shape[1])
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True) @ values)


def _attention(rng: np.random.Generator) -> Iterator[Trial]:
    for tokens, prompts in ((5, 2), (9, 1)):
        queries, keys, values = rng.normal(size=(3, tokens, 4))
        own_keys, own_values = rng.normal(size=(2, prompts, 4))
        right = _attend(queries, np.concatenate([keys, own_keys]), np.concatenate([values, own_values]))
        yield (queries, keys, values, own_keys, own_values), right


def _twice(rng: np.random.Generator) -> Iterator[Trial]:
    for _ in range(4):
        patches, prompts = np.exp(rng.normal(size=6)), np.exp(rng.normal(size=2))
        before = prompts.sum() / (prompts.sum() + patches.sum())
        yield (float(before),), 2 * prompts.sum() / (2 * prompts.sum() + patches.sum())


EXERCISES = {
    "attention": Exercise(
        session=3,
        question="write attention(queries, keys, values, prompt_keys, prompt_values): one head, T tokens (T, d) and N "
        "prompts (N, d) that are read and do not read.",
        hint="Concatenate keys and values; the queries stay T. Logits are divided by the square root of d.",
        trials=_attention,
        names=("queries", "keys", "values", "prompt_keys", "prompt_values"),
    ),
    "zero_prompt": Exercise(
        session=3,
        question="A prompt whose key and value are all zeros. T tokens have logits of 0 as well. Which share of the "
        "attention does it take, for T = 4?",
        hint="A logit of zero is e^0 = 1 in the softmax: no key is not a key of zeros.",
        value=lambda: float(1 - _attend(np.zeros((1, 2)), np.zeros((5, 2)), np.eye(5)[:, :4]).sum()),
    ),
    "twice": Exercise(
        session=3,
        question="Prompts took the share m of a head's attention. write twice(m): their share after each is put in "
        "a second time.",
        hint="Before the softmax is normalised, prompts weigh m and patches 1 - m.",
        trials=_twice,
        names=("m",),
    ),
    "bank": Exercise(
        session=3,
        question="A bank of class prompts for {} classes, {} blocks, {} prompts of width {}, four bytes a number. How "
        "many GiB?".format(*BANK),
        hint="Multiply, times 4, by 2 to the 30.",
        value=lambda: float(np.prod(BANK, dtype=float) * 4 / 2**30),
        tolerance=5e-3,
    ),
}
