from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.sequential.schedule import Spending, crossing_probability, schedule

SPENDINGS: tuple[Spending, ...] = ("obf", "pocock", "power")
TIMES = st.lists(st.integers(1, 20), min_size=1, max_size=6, unique=True).map(
    lambda steps: [step / max(steps) for step in sorted(steps)]
)


@pytest.mark.parametrize(
    ("looks", "bounds"),
    [
        (1, [1.9600]),
        (2, [2.9626, 1.9686]),
        (3, [3.7103, 2.5114, 1.9930]),
        (5, [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
    ],
)
def test_obf_bounds_are_the_published_ones(looks: int, bounds: list[float]) -> None:
    found = schedule([look / looks for look in range(1, looks + 1)])
    assert found.bounds == pytest.approx(bounds, abs=2e-4)


def test_pocock_bounds_are_the_published_ones() -> None:
    found = schedule([0.2, 0.4, 0.6, 0.8, 1.0], spending="pocock")
    assert found.bounds == pytest.approx([2.4380, 2.4268, 2.4101, 2.3966, 2.3859], abs=2e-3)


@settings(max_examples=30)
@given(TIMES, st.sampled_from(SPENDINGS), st.sampled_from([1, 2]), st.floats(0.005, 0.2))
def test_all_looks_together_spend_alpha(
    times: list[float], spending: Spending, sides: int, alpha: float
) -> None:
    found = schedule(times, spending=spending, alpha=alpha, sides=sides)
    assert crossing_probability(found.bounds, times, sides=sides) == pytest.approx(alpha, rel=1e-6)
    assert found.spent[-1] == pytest.approx(alpha)


@pytest.mark.parametrize("sides", [1, 2])
def test_crossing_is_scipys_multivariate_normal(sides: int) -> None:
    times, bounds = np.array([0.2, 0.5, 0.9, 1.0]), np.array([2.5, 2.2, 1.9, 2.1])
    correlation = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    lower = -bounds if sides == 2 else np.full(4, -math.inf)
    stays = multivariate_normal(cov=correlation, seed=1, maxpts=10**6, abseps=1e-7).cdf(
        bounds, lower_limit=lower
    )
    found = crossing_probability(bounds.tolist(), times.tolist(), sides=sides)
    assert found == pytest.approx(1 - float(stays), abs=2e-5)


def test_a_drift_is_seen_with_its_power() -> None:
    drift = norm.isf(0.025) + norm.isf(0.2)
    once = crossing_probability([norm.isf(0.025)], [1.0], sides=1, drift=drift)
    assert once == pytest.approx(0.8)
    looks = [0.25, 0.5, 0.75, 1.0]
    power = crossing_probability(schedule(looks).bounds, looks, drift=drift)
    assert 0.78 < power < 0.8


@pytest.mark.parametrize("spending", SPENDINGS)
def test_twenty_planned_looks_are_fooled_once_in_twenty(spending: Spending) -> None:
    times = [look / 20 for look in range(1, 21)]
    bounds = np.array(schedule(times, spending=spending).bounds)
    steps = np.random.default_rng(20261101).normal(size=(200_000, 20))
    z = np.cumsum(steps, axis=1) / np.sqrt(np.arange(1, 21))
    fooled = np.mean((np.abs(z) > bounds).any(axis=1))
    assert fooled == pytest.approx(0.05, abs=0.0015)  # three standard errors
    naive = np.mean((np.abs(z) > 1.96).any(axis=1))
    assert naive == pytest.approx(0.248, abs=0.01)


def test_skewed_values_hardly_fool_planned_looks() -> None:
    random = np.random.default_rng(2)
    values = random.lognormal(0, 0.6, (20_000, 2, 500))
    ends = np.arange(25, 501, 25)
    means, squares = (
        np.cumsum(column, axis=2)[:, :, ends - 1] / ends for column in (values, values**2)
    )
    se = np.sqrt(((squares - means**2) / (ends - 1)).sum(axis=1))
    z = np.diff(means, axis=1)[:, 0] / se
    for spending in SPENDINGS:
        bounds = np.array(schedule((ends / 500).tolist(), spending=spending).bounds)
        assert np.mean((np.abs(z) > bounds).any(axis=1)) <= 0.056


def test_a_look_that_may_spend_nothing_only_takes_stock() -> None:
    found = schedule([0.001, 1.0])
    assert found.bounds[0] == math.inf
    assert found.bounds[1] == pytest.approx(1.96, abs=1e-3)


def test_a_bound_of_nothing_always_stops() -> None:
    assert crossing_probability([-math.inf, 2.0], [0.5, 1.0], sides=1) == pytest.approx(1)
    assert crossing_probability([0.0, 2.0], [0.5, 1.0]) == pytest.approx(1)


def test_a_level_beyond_reach_stops_everything() -> None:
    assert schedule([1.0], alpha=0.999999999, sides=2).bounds[0] == pytest.approx(0, abs=1e-6)
    looks = [look / 7 for look in range(1, 8)]
    for sides, lowest in ((2, 0.0), (1, -9.0)):  # rounding may leave less than there is to spend
        found = schedule(looks, spending="power", alpha=1 - 2**-53, sides=sides)
        assert found.bounds[-1] == lowest


@pytest.mark.parametrize("times", [[], [0.0, 1.0], [0.5, 0.5], [0.6, 0.3], [0.5, 1.2], [math.nan]])
def test_looks_that_do_not_rise_are_refused(times: list[float]) -> None:
    with pytest.raises(AnalysisError, match="must rise"):
        schedule(times)


def test_impossible_schedules_are_refused() -> None:
    with pytest.raises(AnalysisError, match="1 or 2"):
        schedule([1.0], sides=3)
    with pytest.raises(AnalysisError, match="'pocock'"):
        schedule([1.0], spending="pococ")  # type: ignore[arg-type] # the mistake
    with pytest.raises(AnalysisError, match="phi"):
        schedule([1.0], phi=0)
    with pytest.raises(AnalysisError, match="one number each"):
        crossing_probability([2.0], [0.5, 1.0])
    with pytest.raises(AnalysisError, match="one number each"):
        crossing_probability([math.nan], [1.0])
