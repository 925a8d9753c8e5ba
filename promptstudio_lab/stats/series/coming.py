"""What comes next in a series, with intervals that have been tried on its own past."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.sums import numbers
from promptstudio_lab.stats.tails import count, level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.stats.sums import Floats

LEAST = 14
"""The fewest values that a model is fitted to."""
_TRIALS = 20


@dataclass(frozen=True, slots=True)
class Forecast:
    """The values to come.

    Attributes:
        mean: the forecast, one a period.
        low: the lower ends of the intervals.
        high: the upper ends.
        total: the sum of the forecast.
        total_low: the lower end of the sum's interval.
        total_high: the upper end.
        model: which model, in words.
        trials: how many times the model was tried on the series' own past.
        coverage: the share of past values that such intervals held, those of each trial made from
            what the others taught.
        error_ratio: the mean absolute error, divided by that of repeating the last cycle.
        alpha: 1 minus the coverage that is promised.
    """

    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    total: float
    total_low: float
    total_high: float
    model: str
    trials: int
    coverage: float
    error_ratio: float
    alpha: float


@dataclass(frozen=True, slots=True)
class _Trial:
    mean: Floats
    half: Floats
    truth: Floats
    naive: Floats

    @property
    def misses(self) -> Floats:
        return np.abs(self.truth - self.mean) / self.half


def forecast(
    values: Sequence[float] | Floats,
    steps: int,
    *,
    season: int | None = None,
    alpha: float = 0.05,
) -> Forecast:
    """Return the next values of a series, each and in sum.

    The model is statsmodels' `ThetaModel` (Assimakopoulos & Nikolopoulos 2000; the winner of the
    M3 competition): half of the trend's slope and an exponentially smoothed level, after removing
    an additive cycle where a test finds one. It is fitted again at up to 20 places of the past and
    compared with what then came: the intervals are the conformal quantile of those misses
    (Vovk, Gammerman, Shafer 2005), in units of the series' usual step and of √(1 + (h-1) α²), by
    which a smoothed level's error grows over h periods (Hyndman et al. 2008, table 6.1).

    Args:
        values: one number a period, in order, none missing.
        steps: how many periods ahead.
        season: periods in a cycle, such as 7 days; used from two and a half cycles on.
        alpha: 1 minus the coverage that is promised.

    Raises:
        AnalysisError: if there are too few values to try the model on, or they are all equal.

    >>> found = forecast([10 + day % 3 for day in range(60)], 7)
    >>> len(found.mean), all(low < 11 < high for low, high in zip(found.low, found.high))
    (7, True)
    """
    found = numbers("values", values)
    level(alpha)
    count("steps", steps, least=1)
    least = LEAST if season is None else max(LEAST, math.ceil(2.5 * season))
    places = _places(found.size, steps, least)
    if np.ptp(found) == 0:
        message = f"all {found.size} values are {found[0]:g}: they show no spread to learn from"
        raise AnalysisError(message)
    trials = [_trial(found, at, steps, season) for at in places]
    return _promised(trials, _fitted(found, steps, season), season, alpha)


def _promised(
    trials: list[_Trial], fitted: tuple[Floats, Floats], season: int | None, alpha: float
) -> Forecast:
    """Return a forecast with the intervals that the trials taught."""
    misses = [trial.misses for trial in trials]
    width = _conformal(np.concatenate(misses), alpha)
    held = [
        trial <= _conformal(np.concatenate(others), alpha)
        for trial, others in zip(misses, _without_each(misses), strict=True)
    ]
    mean, half = fitted
    total_half = _total_half(trials, float(half.sum()), alpha)
    errors = [float(np.abs(trial.truth - trial.mean).mean()) for trial in trials]
    naive = [float(np.abs(trial.truth - trial.naive).mean()) for trial in trials]
    total = float(mean.sum())
    return Forecast(
        mean=tuple(mean.tolist()),
        low=tuple((mean - width * half).tolist()),
        high=tuple((mean + width * half).tolist()),
        total=total,
        total_low=total - total_half,
        total_high=total + total_half,
        model=_words(season),
        trials=len(trials),
        coverage=float(np.concatenate(held).mean()),
        error_ratio=sum(errors) / sum(naive) if sum(naive) else math.inf,
        alpha=alpha,
    )


def _places(n: int, steps: int, least: int) -> list[int]:
    last = n - steps
    if last < least + 1:
        message = (
            f"{n} values are too few to try a forecast of {steps} on its own past:"
            f" {least + steps + 1} are needed. Hint: ask for fewer steps, or shorter periods."
        )
        raise AnalysisError(message)
    count_ = min(_TRIALS, last - least + 1)
    return sorted({int(place) for place in np.linspace(least, last, count_)})


def _trial(values: Floats, at: int, steps: int, season: int | None) -> _Trial:
    mean, half = _fitted(values[:at], steps, season)
    cycle = season or 1
    last = values[at - cycle : at]
    naive = np.resize(last, steps)
    return _Trial(mean, half, values[at : at + steps], naive)


def _fitted(values: Floats, steps: int, season: int | None) -> tuple[Floats, Floats]:
    """Return the forecast, and in what unit each of its errors is measured."""
    from statsmodels.tsa.forecasting.theta import ThetaModel

    # What it fits is told by how it does on the past, not by how the search for it went.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = ThetaModel(
            values, period=season, deseasonalize=season is not None, method="additive"
        ).fit(disp=False)
        mean = np.asarray(made.forecast(steps), dtype=np.float64)
    growth = np.sqrt(1 + np.arange(steps) * float(made.params["alpha"]) ** 2)
    lag = season or 1
    step = float(np.abs(values[lag:] - values[:-lag]).mean())
    # A stretch of equal values has no step of its own; what counts is how later ones missed it.
    return mean, max(step, 1e-9 * max(1.0, float(np.abs(values).max()))) * growth


def _conformal(misses: Floats, alpha: float) -> float:
    """Return the miss that a share of 1 - alpha of further ones stays below (split conformal)."""
    rank = math.ceil((misses.size + 1) * (1 - alpha))
    return float(np.sort(misses)[min(rank, misses.size) - 1])


def _without_each(parts: list[Floats]) -> list[list[Floats]]:
    return [[*parts[:at], *parts[at + 1 :]] for at in range(len(parts))]


def _total_half(trials: list[_Trial], widest: float, alpha: float) -> float:
    """Return half the width of the sum's interval: errors of neighbouring days go together."""
    misses = np.array([abs(float((one.truth - one.mean).sum())) for one in trials])
    widths = np.array([float(one.half.sum()) for one in trials])
    return widest * _conformal(misses / widths, alpha)


def _words(season: int | None) -> str:
    cycle = f" with a cycle of {season}" if season else ""
    return f"statsmodels ThetaModel (half the trend, a smoothed level{cycle})"
