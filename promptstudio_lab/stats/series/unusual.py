"""Which values of a series are unusual, by those before them; a missing value is its own state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from promptstudio_lab.stats.tails import count, level, upper_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.stats.sums import Floats

State: TypeAlias = Literal["ok", "high", "low", "no data", "learning"]
HISTORY = 28
LEAST = 8
_NORMAL_MAD = 1.482602218505602  # makes the median absolute deviation a normal's sigma
_EFFICIENCY = 0.37  # of that, against the standard deviation, for normal values
_CYCLES = 3  # so often must a phase have been seen before its level is trusted


@dataclass(frozen=True, slots=True)
class Expected:
    """A value beside what was to be expected of it.

    Attributes:
        value: the value, `nan` where there is none.
        state: `ok`, `high`, `low`, `no data`, or `learning` while too few values came before.
        expected: the most likely value, `nan` where nothing can be expected.
        low: below it a value is unusual.
        high: above it a value is unusual.
    """

    value: float
    state: State
    expected: float
    low: float
    high: float


def unusual(
    values: Sequence[float] | Floats,
    *,
    season: int | None = None,
    history: int = HISTORY,
    least: int = LEAST,
    alpha: float = 0.001,
) -> tuple[Expected, ...]:
    """Return each value with what the values before it let expect.

    The expectation is the median of the latest values, its spread their median absolute deviation
    (Hampel's identifier), so earlier outliers do not hide later ones. The interval is that of one
    further value by Student's t, with the degrees of freedom that this spread is worth.

    Args:
        values: one number a period, in order; `nan` where there is none.
        season: periods in a cycle, such as 7 days: from three cycles on each phase has its level.
        history: how many periods back to look.
        least: how many values must have come before.
        alpha: how often a usual value may be called unusual.

    Raises:
        AnalysisError: if alpha, history or least is impossible.

    >>> days = [10, 11, 9, 10, 12, 10, 9, 11, 10, 60, float("nan")]
    >>> [one.state for one in unusual(days)][-3:]
    ['ok', 'high', 'no data']
    """
    level(alpha)
    count("least", least, least=3)
    count("history", history, least=least)
    found = np.asarray(values, dtype=np.float64)
    return tuple(
        _judged(float(found[at]), _past(found, at, history, season), least, alpha)
        for at in range(found.size)
    )


class _Past(NamedTuple):
    values: Floats  # without what their phases add
    phase: float  # what the phase of the judged value adds
    rests_on: float  # how many values its level was learnt from


def _past(values: Floats, at: int, history: int, season: int | None) -> _Past:
    start = max(0, at - history)
    past = values[start:at]
    plain = past[np.isfinite(past)]
    phases = np.arange(start, at) % (season or 1)
    levels = _levels(past, phases, season) if season else None
    if levels is None:
        return _Past(plain, 0.0, plain.size)
    rest = past - levels[phases]
    kept = rest[np.isfinite(rest)]
    # Each phase's level was learnt from these very values, which draws them towards it.
    cycles = kept.size / levels.size
    return _Past(kept * math.sqrt(cycles / (cycles - 1)), float(levels[at % levels.size]), cycles)


def _levels(
    past: Floats, phases: np.ndarray[tuple[int], np.dtype[np.int64]], season: int
) -> Floats | None:
    seen = [past[(phases == phase) & np.isfinite(past)] for phase in range(season)]
    if min(each.size for each in seen) < _CYCLES:
        return None
    return np.array([np.median(each) for each in seen])


def _judged(value: float, past: _Past, least: int, alpha: float) -> Expected:
    enough = past.values.size >= least
    expected, half = _expected(past, alpha) if enough else (math.nan, math.nan)
    low, high = expected - half, expected + half
    state: State = "ok"
    if not math.isfinite(value):
        state = "no data"
    elif not enough:
        state = "learning"
    elif value > high:
        state = "high"
    elif value < low:
        state = "low"
    return Expected(value, state, expected, low, high)


def _expected(past: _Past, alpha: float) -> tuple[float, float]:
    middle = float(np.median(past.values))
    spread = _NORMAL_MAD * float(np.median(np.abs(past.values - middle)))
    # More than half of the values may be equal, such as errors a day.
    spread = spread or float(past.values.std(ddof=1))
    worth = max(1.0, _EFFICIENCY * (past.values.size - 1))
    further = math.sqrt(1 + math.pi / (2 * past.rests_on))
    return middle + past.phase, upper_quantile(alpha / 2, worth) * spread * further
