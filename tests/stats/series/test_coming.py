"""Forecasts: they follow what they should, and their intervals hold what they promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from statsmodels.tsa.forecasting.theta import ThetaModel

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.series.coming import forecast

if TYPE_CHECKING:
    from promptstudio_lab.stats.sums import Floats

WEEK = np.array([0.0, 4, 3, 5, 2, -8, -9])


def history(seed: int, days: int = 80, noise: float = 2.0) -> Floats:
    random = np.random.default_rng(seed)
    days_ = np.arange(days)
    found: Floats = 50 + 0.3 * days_ + WEEK[days_ % 7] + random.normal(0, noise, days)
    return found


def test_it_is_the_librarys_own_model() -> None:
    seen = history(1)
    mine = forecast(seen, 5, season=7)
    theirs = ThetaModel(seen, period=7, deseasonalize=True, method="additive").fit(disp=False)
    assert mine.mean == pytest.approx(theirs.forecast(5).tolist())


def test_intervals_hold_as_many_as_promised() -> None:
    held, totals, told = [], [], []
    for seed in range(12):
        whole = history(seed, 67)
        made = forecast(whole[:60], 7, season=7)
        held += [lo <= y <= hi for lo, y, hi in zip(made.low, whole[60:], made.high, strict=True)]
        totals.append(made.total_low <= whole[60:].sum() <= made.total_high)
        told.append(made.coverage)
    assert np.mean(held) >= 0.9
    assert np.mean(totals) >= 0.9
    assert 0.85 <= np.mean(told) <= 1


def test_it_beats_repeating_the_past_where_there_is_a_trend() -> None:
    made = forecast(history(3), 14, season=7)
    assert made.error_ratio < 0.8
    assert made.mean[-1] > made.mean[0]
    assert made.trials == 20
    assert made.total == pytest.approx(sum(made.mean))


def test_a_calm_past_that_broke_widens_the_intervals() -> None:
    steady = [100.0, 101.0] * 25
    broken = [*steady, *[200.0, 201.0] * 8]
    made = forecast(broken, 7)
    calm = forecast(steady, 7)
    assert made.high[0] - made.low[0] > 5 * (calm.high[0] - calm.low[0])


def test_a_level_that_wanders_is_less_sure_the_farther_it_is() -> None:
    walk = np.random.default_rng(4).normal(0, 1, 120).cumsum()
    made = forecast(walk, 10)
    widths = [high - low for low, high in zip(made.low, made.high, strict=True)]
    assert widths[-1] > 2 * widths[0]
    assert widths == sorted(widths)


def test_as_short_as_it_may_be() -> None:
    assert forecast(history(4, 17), 2).trials == 2


def test_repeating_may_be_perfect() -> None:
    assert forecast([1.0, 2, 3, 4, 5, 6, 7] * 6, 7, season=7).error_ratio == np.inf


def test_what_cannot_be_forecast() -> None:
    with pytest.raises(AnalysisError, match="too few to try a forecast of 30"):
        forecast(history(5, 40), 30)
    with pytest.raises(AnalysisError, match="all 40 values are 3"):
        forecast([3.0] * 40, 3)
    with pytest.raises(AnalysisError, match="steps is 0"):
        forecast(history(6), 0)
