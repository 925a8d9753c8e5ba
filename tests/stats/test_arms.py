from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import Arm, cluster_sums
from promptstudio_lab.stats.sums import Sums

VALUES = st.lists(st.integers(-1000, 1000).map(float), min_size=2, max_size=50)


@given(VALUES)
def test_values_and_their_sums_are_the_same_arm(values: list[float]) -> None:
    numbers = np.array(values)
    arm = Arm.of_values(values)
    sums = Arm.of_sums(len(values), numbers.sum(), (numbers**2).sum())
    assert (arm.n, arm.mean) == pytest.approx((sums.n, sums.mean))
    assert arm.variance == pytest.approx(np.var(numbers, ddof=1), rel=1e-9, abs=1e-9)
    assert sums.variance == pytest.approx(arm.variance, rel=1e-6, abs=1e-6)


@given(VALUES, st.sampled_from([1e6, 1e9, -1e9]))
def test_an_offset_moves_the_mean_and_nothing_else(values: list[float], offset: float) -> None:
    here, there = Arm.of_values(values), Arm.of_values([value + offset for value in values])
    assert there.mean == pytest.approx(here.mean + offset)
    assert there.variance == pytest.approx(here.variance, rel=1e-6, abs=1e-6)
    numbers = np.array(values)
    shifted = Arm.of_sums(len(values), numbers.sum(), (numbers**2).sum(), shift=offset)
    assert shifted.variance == pytest.approx(here.variance, rel=1e-6, abs=1e-6)


@given(VALUES, st.integers(1, 49))
def test_shards_merge_into_the_whole(values: list[float], cut: int) -> None:
    far = [value + 1e9 for value in values]
    parts = [Sums.of({"y": part}) for part in (far[:cut], far[cut:])]
    assert Arm.of(parts[0].merge(parts[1]), "y").variance == pytest.approx(
        Arm.of_values(values).variance, rel=1e-6, abs=1e-6
    )


def test_clusters_are_cr1_of_statsmodels() -> None:
    random = np.random.default_rng(1)
    clusters = random.integers(0, 12, 100)
    scores = random.normal(size=12)[clusters] + random.normal(size=100)
    fit = sm.OLS(scores, np.ones(100)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True
    )
    arm = Arm.of_clusters(scores, clusters.tolist())
    # statsmodels' small-sample factor also has (N - 1) / (N - K), which is 1 for a mean.
    assert arm.mean == pytest.approx(scores.mean())
    assert math.sqrt(arm.squared_se) == pytest.approx(fit.bse[0], rel=1e-9)
    far = Arm.of_clusters(scores + 1e9, clusters.tolist())
    assert far.squared_se == pytest.approx(arm.squared_se, rel=1e-5)


def test_one_row_a_cluster_is_no_cluster() -> None:
    values = [1.0, 4.0, 2.0, 8.0]
    assert Arm.of_clusters(values, [1, 2, 3, 4]).variance == pytest.approx(
        Arm.of_values(values).variance
    )


def test_a_ratio_by_ones_is_a_mean() -> None:
    sums = Sums.of({"y": [1.0, 5.0, 3.0], "one": [1.0, 1.0, 1.0]})
    assert Arm.of_ratio(sums, "y", "one") == Arm.of(sums, "y")


def test_a_ratio_that_never_varies_has_no_spread() -> None:
    sums = Sums.of({"y": [0.3, 0.6, 0.9], "d": [0.1, 0.2, 0.3]})
    assert Arm.of_ratio(sums, "y", "d").variance == 0


def test_inverse_probability_weights_give_the_mean_of_all_units() -> None:
    random = np.random.default_rng(7)
    values, weight = random.normal(3, 1, 500), 1 / random.uniform(0.2, 0.8, 500)
    # The warehouse adds up each value times its weight.
    arm = Arm.of(Sums.of({"score": values * weight, "weight": weight}), "score")
    assert arm.mean == pytest.approx(np.average(values, weights=weight))
    # Linearised as any ratio of means is (Cochran 1977, 6.3).
    apart = weight * (values - arm.mean) / weight.mean()
    assert arm.squared_se == pytest.approx(apart.var(ddof=1) / 500, rel=1e-9)


def test_noise_is_relative_to_the_mean() -> None:
    assert Arm(100, 2.0, 4.0).noise == pytest.approx(0.1)
    assert Arm(100, 0.0, 4.0).noise == math.inf


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Arm(0, 1.0, 1.0), "at least 1"),
        (lambda: Arm(2, math.nan, 1.0), "finite"),
        (lambda: Arm(2, 1.0, -1.0), "at least 0"),
        (lambda: Arm.of_values([1.0]), "at least 2"),
        (lambda: Arm.of_values([1.0, math.inf]), "row 1"),
        (lambda: Arm.of_sums(1, 1.0, 1.0), "at least 2"),
        (lambda: Arm.of_sums(2, 4.0, 1.0), "add up to at least 8"),
        (lambda: Arm.of_successes(2, 3), "no share"),
        (lambda: Arm.of_successes(0, 0), "no share"),
        (lambda: Arm.of_ratio(Sums.of({"y": [1, 2], "d": [1, -1]}), "y", "d"), "divide by 0"),
        (lambda: cluster_sums([1.0, 2.0], ["a"]), "one of each a row"),
        (lambda: Arm.of_clusters([1.0, 2.0], ["a", "a"]), "at least 2"),
        (lambda: Arm.of_clusters([], []), "no rows"),
        (lambda: Arm.of_clusters([1.0, math.inf], ["a", "b"]), "'values' row 1 is inf"),
        (lambda: cluster_sums([1.0, 2.0, 3.0], ["a", None, "b"]), "row 1 has no cluster"),
        (lambda: cluster_sums([1.0, 2.0], np.array([7.0, np.nan])), "row 1 has no cluster"),
        (lambda: Arm(math.nan, 1.0, 1.0), "nan units"),  # type: ignore[arg-type] # the mistake
        (lambda: Arm.of_sums(3, 9.0, math.nan), "squares is nan"),
        (lambda: Arm.of_values([1.0, math.nan], "latency_ms"), "'latency_ms' row 1"),
    ],
)
def test_what_is_no_arm_is_refused(make: object, words: str) -> None:
    with pytest.raises(AnalysisError, match=words):
        make()  # type: ignore[operator] # each is a lambda
