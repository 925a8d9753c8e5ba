from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.clusters import clustered_difference
from promptstudio_lab.stats.independent import welch, z_test
from promptstudio_lab.stats.planning.sizes import (
    arm_sizes,
    clustered_variance,
    minimum_detectable_effect,
    paired_items,
)
from promptstudio_lab.stats.tails import upper_quantile

SHARE = 0.34 * 0.66
EXPERIMENTS = 20_000


@pytest.mark.parametrize(
    ("words", "total"),
    [
        ({"mde": 0.3, "variance": 100}, 39_906),
        ({"mde": 0.003, "variance": SHARE}, 897_348),
        ({"mde": 0.003, "variance": SHARE, "alpha": 0.14}, 630_710),
        ({"mde": 0.003, "variance": SHARE, "alpha": 0.14, "power": 0.67}, 366_424),
        ({"mde": 0.003, "variance": SHARE, "arms": 3}, 673_157 + 336_578 * 2),
        ({"mde": 0.3, "variance": 100, "arms": 3}, 29_929 + 14_965 * 2),
        (
            {"mde": 0.3, "variance": 100, "arms": 3, "comparisons": "all_vs_all"},
            19_953 * 3,
        ),
    ],
)
def test_the_totals_are_gpowers(words: dict[str, float], total: int) -> None:
    found = arm_sizes(**({"power": 0.85} | words))  # type: ignore[arg-type] # as printed
    assert found.total == pytest.approx(total, rel=0.005)
    assert found.total <= sum(found.arms) < found.total + len(found.arms)


def test_two_equal_arms_are_statsmodels() -> None:
    n = NormalIndPower().solve_power(effect_size=0.1, alpha=0.05, power=0.8, ratio=1)
    assert arm_sizes(0.1, 1.0).total == pytest.approx(2 * n, abs=1)


def test_the_planned_size_has_the_planned_power() -> None:
    size = arm_sizes(0.2, 4.0, shares=[0.7, 0.3])
    random = np.random.default_rng(20261101)
    spread = np.sqrt(4.0 / np.array(size.arms))
    means = random.normal([0.0, 0.2], spread, (30_000, 2))
    seen = np.abs(np.diff(means, axis=1)[:, 0]) > upper_quantile(0.025) * np.hypot(*spread)
    # The shortcut above is the product's own answer.
    for row, told in zip(means[:50].tolist(), seen, strict=False):
        found = z_test(*(Arm(n, mean, 4.0) for n, mean in zip(size.arms, row, strict=True)))
        assert (found.p_value < 0.05) == told
    assert np.mean(seen) == pytest.approx(0.80, abs=0.01)


def test_the_planned_items_have_the_planned_power() -> None:
    """Each item is run three times by both variants; the runs of an item are a cluster."""
    n = paired_items(0.25, 0.5, within=(1.0, 0.5), repeats=(3, 3))
    random = np.random.default_rng(1)
    gain = random.normal(0.25, np.sqrt(0.5), (EXPERIMENTS, n, 1))
    runs = random.normal(0, np.sqrt(1.5), (EXPERIMENTS, n, 3))
    runs += gain
    means = runs.mean(axis=2)
    t = means.mean(axis=1) / means.std(axis=1, ddof=1) * np.sqrt(n)
    # The shortcut above is the product's own answer.
    items = np.repeat(np.arange(n), 3)
    for row in range(20):
        found = clustered_difference(np.zeros(3 * n), runs[row].ravel(), items)
        assert found.mean / found.se == pytest.approx(t[row])
        assert (found.p_value < 0.05) == (abs(t[row]) > upper_quantile(0.025, n - 1))
    assert np.mean(np.abs(t) > upper_quantile(0.025, n - 1)) == pytest.approx(0.80, abs=0.01)


def test_the_planned_clusters_have_the_planned_power() -> None:
    """Two arms of users with ten runs each, of which 30 % of the variance is the user's."""
    size = arm_sizes(0.25, clustered_variance(1.0, icc=0.3, cluster_size=10))
    users = round(size.arms[0] / 10)
    random = np.random.default_rng(2)
    runs = random.normal(0, np.sqrt(0.7), (EXPERIMENTS // 4, 2, users, 10))
    runs += random.normal([[0.0], [0.25]], np.sqrt(0.3), (EXPERIMENTS // 4, 2, users))[..., None]
    means = runs.mean(axis=3)
    se = np.sqrt((means.var(axis=2, ddof=1) / users).sum(axis=1))
    z = np.diff(means.mean(axis=2), axis=1)[:, 0] / se
    names = np.repeat(np.arange(users), 10)
    for row in range(20):
        found = welch(*(Arm.of_clusters(runs[row, arm].ravel(), names) for arm in range(2)))
        assert found.statistic == pytest.approx(z[row])
    assert np.mean(np.abs(z) > upper_quantile(0.025)) == pytest.approx(0.80, abs=0.01)


def test_clusters_and_repeats_change_one_rows_worth() -> None:
    assert clustered_variance(2.0, icc=0.0, cluster_size=50) == 2
    assert clustered_variance(2.0, icc=1.0, cluster_size=5) == 10
    many = clustered_variance(1.0, icc=0.2, cluster_size=1, repeats=1000, noise=0.8)
    assert many == pytest.approx(0.2, abs=0.001)
    random = np.random.default_rng(2)
    shared, own = random.normal(0, 0.3**0.5, (20_000, 1)), random.normal(0, 0.7**0.5, (20_000, 10))
    effective = np.var((shared + own).mean(axis=1)) * 10
    assert clustered_variance(1.0, icc=0.3, cluster_size=10) == pytest.approx(effective, rel=0.03)


@given(st.floats(0.01, 10), st.floats(0.01, 100), st.floats(0.3, 0.95))
def test_what_a_size_detects_is_what_it_was_planned_for(
    mde: float, variance: float, power: float
) -> None:
    size = arm_sizes(mde, variance, power=power)
    if size.total > 1000:
        found = minimum_detectable_effect(size.total, variance, power=power)
        assert found == pytest.approx(mde, rel=1e-3)


def test_prices_move_units_to_cheaper_arms_and_are_added_up() -> None:
    even, priced = arm_sizes(0.1, 1.0, prices=[1, 1]), arm_sizes(0.1, 1.0, prices=[1, 4])
    assert priced.shares == pytest.approx((2 / 3, 1 / 3))
    assert priced.cost == pytest.approx(priced.arms[0] + 4 * priced.arms[1])
    unmoved = arm_sizes(0.1, 1.0, prices=[1, 4], shares=[0.5, 0.5])
    assert priced.cost < unmoved.cost  # type: ignore[operator] # both are priced
    assert even.total < priced.total
    assert arm_sizes(0.1, 1.0).cost is None


def test_the_control_serves_every_comparison() -> None:
    assert arm_sizes(0.1, 1.0, arms=4).shares == pytest.approx((1 / 2, 1 / 6, 1 / 6, 1 / 6))


def test_correction_costs_units() -> None:
    one, corrected = arm_sizes(0.1, 1.0, arms=3), arm_sizes(0.1, 1.0, arms=3, correct=True)
    assert corrected.total > one.total
    assert arm_sizes(0.1, 1.0, correct=True).total == arm_sizes(0.1, 1.0).total


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"mde": 0.0}, "smallest effect"),
        ({"variance": 0.0}, "variance"),
        ({"arms": 1}, "at least 2"),
        ({"arms": 2.5}, "whole number"),
        ({"comparisons": "all"}, "all_vs_all"),
        ({"shares": [0.5, 0.6]}, "add up to 1"),
        ({"shares": [0.5]}, "for each of 2 arms"),
        ({"prices": [1, -1]}, "above 0"),
        ({"power": 0.04}, "must exceed alpha"),
        ({"alpha": 1.5}, "between 0 and 1"),
    ],
)
def test_sizes_that_mean_nothing_are_refused(words: dict[str, float], says: str) -> None:
    with pytest.raises(AnalysisError, match=says):
        arm_sizes(**({"mde": 0.1, "variance": 1.0} | words))  # type: ignore[arg-type] # the mistakes


def test_other_impossible_numbers_are_refused() -> None:
    with pytest.raises(AnalysisError, match="not all 0"):
        paired_items(0.1, 0.0)
    with pytest.raises(AnalysisError, match="not all 0"):
        paired_items(0.1, 1.0, within=(-0.5, 0.0))
    with pytest.raises(AnalysisError, match="at least 1"):
        paired_items(0.1, 1.0, repeats=(0, 1))
    with pytest.raises(AnalysisError, match="shares of one variance"):
        clustered_variance(1.0, icc=0.5, cluster_size=2, noise=0.6)
