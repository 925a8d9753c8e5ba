from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import t

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.paired import mean_difference
from promptstudio_lab.stats.sequential.anytime import Anytime, OneSided, two_samples
from promptstudio_lab.stats.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.stats.independent import Scale
    from promptstudio_lab.stats.tails import Alternative

ALPHA = 0.05
PEEKS = range(25, 501, 25)


def test_the_width_is_least_for_its_price_where_it_is_tuned() -> None:
    ratio = Anytime(ALPHA, 500).half_width(500) / 1.959964
    assert ratio == pytest.approx(1.549, abs=0.001)


@pytest.mark.parametrize("z", [2.5, 3.5, 6.0])
def test_the_p_value_is_the_level_at_which_the_interval_touches_zero(z: float) -> None:
    rule = Anytime(ALPHA)
    growth = 240 * rule._mixture

    def gap(log_alpha: float) -> float:
        excess = math.log1p(growth) / 2 - log_alpha
        return math.sqrt(2 * (1 + growth) / growth * excess) - z

    assert rule.p_value(z, 240) == pytest.approx(math.exp(brentq(gap, -60, 0.15)))


def test_p_values_stop_at_one_and_stay_positive() -> None:
    assert Anytime(ALPHA).p_value(0.0, 100) == 1.0
    assert 0 < Anytime(ALPHA).p_value(20.0, 500) < 1e-60


def test_peeking_is_safe_and_naive_peeking_is_not() -> None:
    """Two equal variants on the same items, looked at 20 times; harder items pair the answers."""
    random = np.random.default_rng(20261101)
    experiments, items = 4000, PEEKS[-1]
    hard = random.beta(2, 2, (experiments, items))
    control, treatment = (random.random((2, experiments, items)) < hard).astype(float)
    difference = treatment - control
    totals, squares = np.cumsum(difference, axis=1), np.cumsum(difference**2, axis=1)
    rule, anytime, naive = Anytime(ALPHA), np.zeros(experiments, bool), np.zeros(experiments, bool)
    for n in PEEKS:
        mean = totals[:, n - 1] / n
        z = mean / np.sqrt((squares[:, n - 1] - n * mean**2) / (n - 1) / n)
        anytime |= np.abs(z) > rule.half_width(n)
        naive |= np.abs(z) > t.isf(ALPHA / 2, n - 1)
    assert anytime.mean() <= ALPHA
    assert naive.mean() > 0.15
    # The shortcut above is the product's own answer.
    row, n = int(np.argmax(np.abs(totals[:, -1]))), items
    effect = mean_difference(Sums.of({"c": control[row], "t": treatment[row]}), "c", "t")
    assert effect.estimate / effect.se == pytest.approx(z[row])
    assert (effect.p_value < ALPHA) == (abs(z[row]) > rule.half_width(n))


def test_an_arm_of_one_is_refused() -> None:
    with pytest.raises(AnalysisError, match="at least 2"):
        two_samples(Arm(1, 1.0, 0.0), Arm.of_sums(5, 5.0, 6.0))


def test_arms_without_spread_are_refused() -> None:
    with pytest.raises(AnalysisError, match="no spread"):
        two_samples(Arm.of_sums(4, 4.0, 4.0), Arm.of_sums(4, 8.0, 16.0))


def test_nothing_relative_to_a_mean_of_zero() -> None:
    found = two_samples(Arm.of_sums(2, 0.0, 2.0), Arm.of_sums(2, 1.0, 1.0), scale="relative")
    assert math.isnan(found.estimate)
    assert math.isnan(found.p_value)


SIDES = ("two-sided", "greater", "less")
ARMS = st.builds(Arm, st.integers(2, 500), st.floats(1, 9), st.floats(0.01, 99))


def looks(random: np.random.Generator, experiments: int) -> Iterator[list[tuple[Arm, Arm]]]:
    """Give experiments without an effect, each looked at twenty times: skewed values, two arms."""
    values = random.lognormal(0, 0.6, (experiments, 2, PEEKS[-1]))
    totals, squares = np.cumsum(values, axis=2), np.cumsum(values**2, axis=2)
    for total, square in zip(totals, squares, strict=True):
        arms = [
            [Arm.of_sums(n, total[arm, n - 1], square[arm, n - 1]) for n in PEEKS] for arm in (0, 1)
        ]
        yield list(zip(*arms, strict=True))


@pytest.mark.parametrize("alternative", SIDES)
def test_two_arms_may_be_peeked_at(alternative: Alternative) -> None:
    random = np.random.default_rng(20261101)
    fooled = [
        any(two_samples(*pair, alternative=alternative).p_value < ALPHA for pair in experiment)
        for experiment in looks(random, 1500)
    ]
    assert np.mean(fooled) <= ALPHA


@given(ARMS, ARMS, st.sampled_from(SIDES), st.sampled_from(["absolute", "relative"]))
def test_the_p_value_and_the_interval_say_the_same(
    old: Arm, new: Arm, side: Alternative, scale: Scale
) -> None:
    found = two_samples(old, new, alternative=side, scale=scale)
    if abs(found.p_value - ALPHA) > 1e-9:
        assert (found.p_value < ALPHA) == (not found.low <= 0 <= found.high)


@given(ARMS, ARMS)
def test_swapping_the_arms_flips_the_sign(old: Arm, new: Arm) -> None:
    there, back = two_samples(old, new), two_samples(new, old)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    up = two_samples(old, new, alternative="greater")
    down = two_samples(new, old, alternative="less")
    assert (up.low, up.high, up.p_value) == pytest.approx((-down.high, -down.low, down.p_value))


def test_one_side_is_nearer_than_two() -> None:
    for n in (50, 500, 5000):
        assert OneSided(ALPHA).half_width(n) < Anytime(ALPHA).half_width(n)


def test_one_sided_p_values_stop_at_one_and_stay_positive() -> None:
    assert OneSided(ALPHA).p_value(-3.0, 100) == OneSided(ALPHA).p_value(0.0, 100) == 1.0
    assert 0 < OneSided(ALPHA).p_value(90.0, 500) < 1e-200


def test_impossible_sequences_are_refused() -> None:
    arms = Arm(9, 1.0, 1.0), Arm(9, 2.0, 1.0)
    with pytest.raises(AnalysisError, match="a one-sided sequence needs"):
        two_samples(*arms, alpha=0.5, alternative="less")
    with pytest.raises(AnalysisError, match="tuning_n"):
        two_samples(*arms, tuning_n=0)
    with pytest.raises(AnalysisError, match="'two-sided'"):
        two_samples(*arms, alternative="twosided")  # type: ignore[arg-type] # the mistake
