from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.independent import Contrast, contrast, fieller, student, welch, z_test
from promptstudio_lab.stats.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promptstudio_lab.stats.tails import Alternative

REPEATS = 20_000
ARMS = st.builds(Arm, st.integers(2, 500), st.floats(-9, 9), st.floats(0.01, 99))
SIDES = st.sampled_from(["two-sided", "greater", "less"])
VALUES = st.lists(st.integers(-99, 99).map(float), min_size=2, max_size=30)


def arms_of(samples: np.ndarray) -> Iterable[Arm]:
    means, variances = samples.mean(axis=1), samples.var(axis=1, ddof=1)
    pairs = zip(means.tolist(), variances.tolist(), strict=True)
    return (Arm(samples.shape[1], *pair) for pair in pairs)


def coverage(pairs: Iterable[tuple[Arm, Arm]], truth: float, scale: str = "absolute") -> float:
    found = [welch(*pair, scale=scale) for pair in pairs]  # type: ignore[arg-type] # its words
    return float(np.mean([one.low <= truth <= one.high for one in found]))


@settings(max_examples=40)
@given(VALUES, VALUES, SIDES)
def test_welch_and_student_are_scipys(
    old: list[float], new: list[float], alternative: Alternative
) -> None:
    assume(np.ptp(old) > 0 and np.ptp(new) > 0)
    for test, equal in ((welch, False), (student, True)):
        found = test(Arm.of_values(old), Arm.of_values(new), alternative=alternative, alpha=0.1)
        oracle = stats.ttest_ind(new, old, equal_var=equal, alternative=alternative)
        ends = oracle.confidence_interval(0.9)
        assert found.statistic == pytest.approx(oracle.statistic, rel=1e-6, abs=1e-9)
        assert found.p_value == pytest.approx(oracle.pvalue, rel=1e-6, abs=1e-12)
        assert (found.low, found.high) == pytest.approx((ends.low, ends.high), rel=1e-6, abs=1e-6)


@given(ARMS, ARMS, SIDES)
def test_swapping_the_arms_flips_the_sign(old: Arm, new: Arm, side: Alternative) -> None:
    back: Alternative = {"greater": "less", "less": "greater"}.get(side, side)  # type: ignore[assignment] # a side
    for test in (welch, student, z_test):
        there, again = test(old, new, alternative=side), test(new, old, alternative=back)
        assert again.estimate == -there.estimate
        assert (again.low, again.high) == pytest.approx((-there.high, -there.low))
        assert again.p_value == pytest.approx(there.p_value)


@given(ARMS, ARMS, st.floats(0.01, 100))
def test_a_relative_effect_has_no_unit(old: Arm, new: Arm, factor: float) -> None:
    assume(abs(old.mean) > 1e-3)
    there = welch(old, new, scale="relative")
    old, new = (Arm(arm.n, arm.mean * factor, arm.variance * factor**2) for arm in (old, new))
    again = welch(old, new, scale="relative")
    assert (again.estimate, again.se) == pytest.approx((there.estimate, there.se), rel=1e-6)


def test_a_rise_from_a_negative_control_is_a_rise() -> None:
    assert welch(Arm(9, -4.0, 1.0), Arm(9, -2.0, 1.0), scale="relative").estimate == 0.5


def test_welch_covers_unequal_spreads() -> None:
    random = np.random.default_rng(1)
    old = arms_of(random.normal(0, 1, (REPEATS, 50)))
    new = arms_of(random.normal(0, 3, (REPEATS, 80)))
    assert 0.94 <= coverage(zip(old, new, strict=True), 0.0) <= 0.96


@pytest.mark.parametrize("sigma", [0.6, 1.5])
def test_welch_covers_lognormal_values(sigma: float) -> None:
    random = np.random.default_rng(2)
    old, new = (arms_of(random.lognormal(0, sigma, (8000, 400))) for _ in range(2))
    assert 0.94 <= coverage(zip(old, new, strict=True), 0.0) <= 0.96


def test_the_relative_effect_covers() -> None:
    random = np.random.default_rng(3)
    old = arms_of(random.gamma(2, 1, (8000, 300)))
    new = arms_of(random.gamma(2, 1.1, (8000, 300)))
    assert 0.94 <= coverage(zip(old, new, strict=True), 0.1, "relative") <= 0.96


def test_the_ratio_of_sums_covers() -> None:
    """Cost per success: both vary, and dear units succeed less often."""
    random = np.random.default_rng(4)

    def arm(rate: float) -> Arm:
        cost = random.lognormal(0, 0.5, 300)
        hits = random.binomial(4, np.clip(rate - 0.1 * (cost - 1.13), 0, 1))
        return Arm.of_ratio(Sums.of({"cost": cost, "hits": hits.astype(float)}), "cost", "hits")

    big = np.random.default_rng(5).lognormal(0, 0.5, 200_000)
    truth = float(np.mean(big) / (4 * np.mean(np.clip(0.5 - 0.1 * (big - 1.13), 0, 1))))
    assert arm(0.5).mean == pytest.approx(truth, rel=0.2)
    pairs = ((arm(0.5), arm(0.5)) for _ in range(4000))
    assert 0.94 <= coverage(pairs, 0.0) <= 0.96


def test_fieller_covers_where_the_delta_method_fails() -> None:
    random = np.random.default_rng(6)
    old, new = random.normal(1.0, 1.0, (REPEATS, 16)), random.normal(2.0, 1.0, (REPEATS, 16))
    critical, inside = float(stats.t.isf(0.025, 30)), []
    for pair in zip(arms_of(old), arms_of(new), strict=True):
        low, high = fieller(*pair, critical)
        inside.append(low <= 1.0 <= high)
    assert 0.94 <= np.mean(inside) <= 0.96


@given(ARMS, ARMS)
def test_fieller_holds_what_the_test_accepts(old: Arm, new: Arm) -> None:
    assume(1.96 * old.noise < 0.99)
    for end in fieller(old, new, 1.96):
        ratio = 1 + end * math.copysign(1, old.mean)
        gap = abs(new.mean - ratio * old.mean)
        assert gap == pytest.approx(
            1.96 * math.sqrt(new.squared_se + ratio**2 * old.squared_se), rel=1e-5
        )


def test_fieller_says_nothing_when_the_control_may_be_zero() -> None:
    assert fieller(Arm(4, 0.1, 4.0), Arm(4, 1.0, 1.0), 1.96) == (-math.inf, math.inf)


def test_fieller_is_the_delta_method_for_a_quiet_control() -> None:
    old, new = Arm(10**6, 5.0, 1.0), Arm(10**6, 6.0, 1.0)
    delta = z_test(old, new, scale="relative")
    assert fieller(old, new, 1.959964) == pytest.approx((delta.low, delta.high), rel=1e-5)


def test_nothing_relative_to_a_control_of_zero() -> None:
    found = welch(Arm(5, 0.0, 1.0), Arm(5, 1.0, 1.0), scale="relative")
    assert math.isnan(found.estimate)
    assert math.isnan(found.p_value)


def test_a_fall_to_nothing_is_known_and_its_spread_is_not() -> None:
    found = welch(Arm.of_successes(9, 3), Arm.of_successes(9, 0), scale="relative")
    assert found.estimate == -1
    assert math.isnan(found.low)


def test_one_quiet_arm_is_enough() -> None:
    found = welch(Arm.of_successes(9, 3), Arm.of_successes(9, 9))
    assert found.df == pytest.approx(8)


def test_the_null_moves_the_test_and_not_the_interval() -> None:
    found = Contrast(1.0, 0.5, 20).test(null=1.0)
    assert (found.statistic, found.p_value) == (0, 1)
    assert found.low < 1 < found.high


@pytest.mark.parametrize("test", [welch, student, z_test])
def test_too_little_is_refused(test: object) -> None:
    with pytest.raises(AnalysisError, match="at least 2 each"):
        test(Arm(1, 1.0, 0.0), Arm(5, 1.0, 1.0))  # type: ignore[operator] # a test
    with pytest.raises(AnalysisError, match="no spread"):
        test(Arm(3, 1.0, 0.0), Arm(5, 1.0, 0.0))  # type: ignore[operator] # a test


def test_an_unknown_scale_is_refused() -> None:
    with pytest.raises(AnalysisError, match="'relative'"):
        contrast(Arm(3, 1.0, 1.0), Arm(3, 1.0, 1.0), scale="relativ")  # type: ignore[arg-type] # the mistake
