"""When the level of a series changed: a permutation test, again within each part it finds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.sums import numbers
from promptstudio_lab.stats.tails import count, level
from promptstudio_lab.stats.unpaired import arm_difference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.sums import Floats

LEAST = 5
"""The fewest values on each side of a change."""
_SHUFFLES = 999


@dataclass(frozen=True, slots=True)
class Change:
    """A place where the level of a series changed.

    Attributes:
        index: the first value of the new level, from 0.
        before: the mean of the level before.
        after: the mean of the level after.
        effect: after minus before, with Welch's interval; it takes the place for given, so its
            interval is somewhat too narrow.
        p_value: of the hypothesis that nothing changed in the part where it was found.
    """

    index: int
    before: float
    after: float
    effect: Effect
    p_value: float


def changes(
    values: Sequence[float] | Floats,
    *,
    alpha: float = 0.01,
    least: int = LEAST,
    seed: int = 0,
) -> tuple[Change, ...]:
    """Return where the level of a series changed, in order.

    Binary segmentation (Vostrikova 1981): the split with the largest CUSUM statistic
    |S_k - k/n S_n| / √(k (n-k) / n) is kept if shuffled series seldom reach as much, and both
    parts are searched again. The test is exact for values that are exchangeable without a change:
    a slow drift, or days that resemble their neighbours, will be told as changes too.

    Args:
        values: one number a period, in order, none missing.
        alpha: how often a series without a change may show one.
        least: the fewest values on each side of a change.
        seed: of the shuffles.

    Raises:
        AnalysisError: if a value is no finite number, or alpha or least is impossible.

    >>> found = changes([10, 11, 9, 10, 11, 9, 10, 20, 21, 19, 20, 21, 19, 20])
    >>> [(one.index, one.before, one.after) for one in found]
    [(7, 10.0, 20.0)]
    """
    found = numbers("values", values)
    level(alpha)
    count("least", least, least=2)
    random = np.random.default_rng(seed)
    places = dict(_splits(found, 0, (alpha, least), random))
    ends = [0, *sorted(places), found.size]
    parts = {end: Arm.of_values(found[start:end]) for start, end in pairwise(ends) if places}
    return tuple(
        _change(at, parts[at], parts[after], places[at]) for at, after in pairwise(ends[1:])
    )


def _change(at: int, before: Arm, after: Arm, p_value: float) -> Change:
    effect = arm_difference(before, after, method="fixed")
    return Change(at, before.mean, after.mean, effect, p_value)


def _splits(
    values: Floats, start: int, rules: tuple[float, int], random: np.random.Generator
) -> Iterator[tuple[int, float]]:
    """Give the places at which a part of a series splits, with their p-values."""
    alpha, least = rules
    if values.size < 2 * least or np.ptp(values) == 0:
        return
    statistics = _cusum(values[None, :], least)[0]
    most = float(statistics.max())
    shuffled = random.permuted(np.tile(values, (_SHUFFLES, 1)), axis=1)
    reached = int((_cusum(shuffled, least).max(axis=1) >= most).sum())
    p_value = (1 + reached) / (1 + _SHUFFLES)
    if p_value > alpha:
        return
    at = least + int(statistics.argmax())
    yield start + at, p_value
    yield from _splits(values[:at], start, rules, random)
    yield from _splits(values[at:], start + at, rules, random)


def _cusum(rows: Floats, least: int) -> Floats:
    n = rows.shape[1]
    k = np.arange(1, n)
    sums = np.cumsum(rows - rows.mean(axis=1, keepdims=True), axis=1)[:, :-1]
    found: Floats = np.abs(sums) / np.sqrt(k * (n - k) / n)
    return found[:, least - 1 : n - least]
