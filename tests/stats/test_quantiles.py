from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.independent import z_test
from promptstudio_lab.stats.quantiles import (
    cluster_inflation,
    quantile_arm,
    quantile_arm_of_bounds,
    quantile_ranks,
)
from promptstudio_lab.stats.sums import Sums


@given(st.integers(1, 300), st.floats(0.01, 0.99), st.floats(0.5, 0.99))
def test_ranks_enclose_at_least_as_often_as_asked(n: int, p: float, confidence: float) -> None:
    found = quantile_ranks(n, p, confidence=confidence)
    assert 0 <= found.low < found.high <= n + 1
    assert found.coverage >= confidence - 1e-9
    below = stats.binom.pmf(np.arange(n + 1), n, p)
    assert found.coverage == pytest.approx(below[found.low : found.high].sum(), abs=1e-9)


def test_ranks_of_the_median_are_symmetric() -> None:
    found = quantile_ranks(25, 0.5)
    assert found.low + found.high == 26
    assert quantile_ranks(5, 0.95).high == 6


@pytest.mark.parametrize("p", [0.5, 0.95])
def test_the_difference_of_quantiles_covers(p: float) -> None:
    random = np.random.default_rng(20261101)
    samples = random.lognormal(0, 0.8, (3000, 2, 1500))
    arms = ((quantile_arm(row, p) for row in pair) for pair in samples)
    found = [z_test(*pair) for pair in arms]
    assert 0.94 <= np.mean([one.low <= 0 <= one.high for one in found]) <= 0.96


def test_clusters_are_covered_and_ignoring_them_is_wrong() -> None:
    random = np.random.default_rng(2)
    clusters = np.repeat(np.arange(100), 8)
    aware: list[bool] = []
    naive: list[bool] = []
    for _ in range(1000):
        values = np.exp(random.normal(size=100)[clusters] + random.normal(size=800))
        # The median of each sample is 1.
        for arm, hits in (
            (quantile_arm(values, 0.5, clusters=clusters.tolist()), aware),
            (quantile_arm(values, 0.5), naive),
        ):
            hits.append(abs(arm.mean - 1) <= 1.96 * np.sqrt(arm.squared_se))
    assert 0.93 <= np.mean(aware) <= 0.97
    assert np.mean(naive) < 0.8


@given(st.floats(-1e9, 1e9), st.floats(0.1, 10))
def test_moving_and_stretching_carry_over(offset: float, factor: float) -> None:
    values = np.random.default_rng(3).normal(size=400)
    here, there = quantile_arm(values, 0.9), quantile_arm(values * factor + offset, 0.9)
    assert there.mean == pytest.approx(here.mean * factor + offset)
    assert there.variance == pytest.approx(here.variance * factor**2, rel=1e-4)


def test_bounds_read_elsewhere_make_the_same_arm() -> None:
    values = np.sort(np.random.default_rng(4).normal(size=100_000))
    reach = 1.959964 * np.sqrt(0.9 * 0.1 * len(values))
    low, high = (values[round(0.9 * len(values) + side * reach)] for side in (-1, 1))
    there = quantile_arm_of_bounds(len(values), float(np.quantile(values, 0.9)), low, high)
    assert there.variance == pytest.approx(quantile_arm(values, 0.9).variance, rel=0.02)
    half = quantile_arm_of_bounds(len(values), 0.0, low, high, rows_of_bounds=len(values) // 2)
    assert half.variance == pytest.approx(there.variance / 2)


def test_rows_without_clusters_are_not_inflated() -> None:
    rows = Sums.of({"below": [1, 1, 0, 0] * 100, "rows": [1] * 400})
    assert cluster_inflation(rows, "below", "rows", 0.5) == pytest.approx(1, rel=0.01)


def test_too_few_rows_are_refused() -> None:
    for rows, p in ((3, 0.95), (200, 0.995), (200, 0.005)):
        with pytest.raises(AnalysisError, match="too few"):
            quantile_arm(np.arange(float(rows)), p)
    with pytest.raises(AnalysisError, match="no values"):
        quantile_arm([], 0.5)
    with pytest.raises(AnalysisError, match="row 1 is nan"):
        quantile_arm([1.0, math.nan], 0.5)
    with pytest.raises(AnalysisError, match="no spread"):
        quantile_arm_of_bounds(100, 1.0, 1.0, 1.0)
    with pytest.raises(AnalysisError, match="n is 0"):
        quantile_ranks(0, 0.5)


def test_equal_rows_show_no_spread() -> None:
    assert quantile_arm([2.0] * 100, 0.5).variance == 0
