from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import beta, fisher_exact

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.independent import fieller, welch
from promptstudio_lab.stats.sequential.anytime import two_samples
from promptstudio_lab.stats.tails import upper_quantile
from promptstudio_lab.stats.unpaired import arm_difference

if TYPE_CHECKING:
    from promptstudio_lab.stats.looks import Method

OLD, NEW = Arm(200, 4.0, 9.0), Arm(220, 5.0, 12.0)


def test_fixed_is_welch_on_both_scales() -> None:
    effect, absolute = arm_difference(OLD, NEW, method="fixed"), welch(OLD, NEW)
    relative = welch(OLD, NEW, scale="relative")
    assert (effect.low, effect.high) == pytest.approx((absolute.low, absolute.high))
    assert effect.p_value == pytest.approx(absolute.p_value)
    assert (effect.relative_low, effect.relative_high) == pytest.approx(
        (relative.low, relative.high)
    )
    assert (effect.n, effect.method) == (420, "fixed")


def test_anytime_is_the_confidence_sequence() -> None:
    effect, absolute = arm_difference(OLD, NEW), two_samples(OLD, NEW)
    assert (effect.low, effect.high) == pytest.approx((absolute.low, absolute.high))
    assert effect.p_value == pytest.approx(absolute.p_value)
    assert "safe to look" in effect.reason


def test_a_noisy_control_gets_fiellers_interval_and_says_so() -> None:
    old, new = Arm(40, 1.0, 1.0), Arm(40, 1.5, 1.0)
    effect = arm_difference(old, new, method="fixed")
    ends = fieller(old, new, upper_quantile(0.025, 78))
    assert (effect.relative_low, effect.relative_high) == pytest.approx(ends)
    assert "16 % of it), so the relative interval is Fieller's" in effect.reason


def test_a_control_that_may_be_zero_has_no_relative_effect() -> None:
    effect = arm_difference(Arm(40, 0.1, 1.0), Arm(40, 1.5, 1.0))
    assert effect.relative is effect.relative_low is effect.relative_high is None
    assert "cannot be told from 0" in effect.reason


def test_a_control_of_zero_has_no_relative_effect() -> None:
    effect = arm_difference(Arm(40, 0.0, 1.0), Arm(40, 1.5, 1.0))
    assert effect.relative is None
    assert "because the control is 0" in effect.reason


def test_a_fall_to_nothing_has_no_relative_spread() -> None:
    effect = arm_difference(Arm.of_successes(40, 20), Arm.of_successes(40, 0))
    assert effect.relative is None
    assert "its spread cannot be measured" in effect.reason


def test_few_units_are_called_few() -> None:
    assert "fewer than 30" in arm_difference(Arm(5, 1.0, 1.0), Arm(90, 1.0, 1.0)).reason
    assert "fewer than 30" not in arm_difference(OLD, NEW).reason


def test_equal_units_are_identical_or_unknown() -> None:
    same = arm_difference(Arm(9, 1.0, 0.0), Arm(9, 1.0, 0.0))
    assert same.identical
    assert (same.low, same.relative, same.p_value) == (0, 0, 1)
    other = arm_difference(Arm(9, 1.0, 0.0), Arm(9, 2.0, 0.0))
    assert other.estimate == 1
    assert math.isnan(other.p_value)
    assert other.relative is None
    assert "no spread" in other.reason


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(AnalysisError, match="'anytime'"):
        arm_difference(OLD, NEW, method="anytim")  # type: ignore[arg-type] # the mistake


@pytest.mark.parametrize("method", ["anytime", "fixed"])
def test_equal_variants_are_rarely_told_apart(method: str) -> None:
    random = np.random.default_rng(1)
    hits = random.binomial(150, 0.3, (4000, 2))
    found = [
        arm_difference(*(Arm.of_successes(150, k) for k in pair), method=method)  # type: ignore[arg-type] # a method
        for pair in hits.tolist()
    ]
    assert np.mean([one.p_value < 0.05 for one in found]) <= 0.056


@pytest.mark.parametrize("method", ["anytime", "fixed"])
def test_shares_without_spread_are_compared_by_what_so_few_units_hide(method: Method) -> None:
    same = arm_difference(Arm(10, 1.0, 0.0), Arm(40, 1.0, 0.0), method=method, share=True)
    assert same.identical
    low, high = -(1 - 0.025 ** (1 / 40)), 1 - 0.025 ** (1 / 10)
    assert (same.low, same.high, same.p_value) == pytest.approx((low, high, 1.0))
    assert (same.relative_low, same.relative_high) == pytest.approx((low, high))
    other = arm_difference(Arm(20, 0.0, 0.0), Arm(20, 1.0, 0.0), method=method, share=True)
    assert (other.estimate, other.high) == (1.0, 1.0)
    assert other.low == pytest.approx(1 - 2 * high_of(20))
    # Every unit agrees, as in a sign test: half of them on either side.
    assert other.p_value == pytest.approx(2 * 0.5**20)
    assert other.p_value > fisher_exact([[20, 0], [0, 20]]).pvalue
    assert other.relative is None
    assert other.se > 0


def high_of(n: int) -> float:
    return float(beta.ppf(0.975, 1, n))


def test_the_p_value_of_shares_without_spread_is_where_the_interval_touches_0() -> None:
    for old, new in (((3, 0.0), (5, 1.0)), ((9, 1.0), (4, 0.0)), ((6, 0.2), (8, 0.9))):
        arms = Arm(*old, 0.0), Arm(*new, 0.0)
        p = arm_difference(*arms, share=True).p_value
        inside = arm_difference(*arms, share=True, alpha=p * 0.999)
        outside = arm_difference(*arms, share=True, alpha=min(p * 1.001, 0.999))
        assert inside.low <= 0 <= inside.high
        assert outside.low > 0 or outside.high < 0


def test_few_units_without_spread_tell_little() -> None:
    rng, missed = np.random.default_rng(5), 0
    for _ in range(4000):
        old, new = rng.binomial(6, 0.8), rng.binomial(6, 0.95)
        if old in (0, 6) and new in (0, 6):
            found = arm_difference(Arm(6, old / 6, 0.0), Arm(6, new / 6, 0.0), share=True)
            missed += not found.low <= 0.15 <= found.high
    assert missed == 0
