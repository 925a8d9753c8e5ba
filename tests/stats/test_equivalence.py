from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import ttost_ind

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.equivalence import equivalence, non_inferiority
from promptstudio_lab.stats.independent import z_test

ARMS = st.builds(Arm, st.integers(2, 500), st.floats(1, 9), st.floats(0.01, 99))


@pytest.mark.parametrize("pooled", [True, False])
def test_equivalence_is_statsmodels(pooled: bool) -> None:
    random = np.random.default_rng(1)
    old, new = random.normal(0, 1, 30), random.normal(0.1, 2, 40)
    p_value, above, below = ttost_ind(new, old, -1, 1.5, usevar="pooled" if pooled else "unequal")
    found = equivalence(Arm.of_values(old), Arm.of_values(new), -1, 1.5, pooled=pooled)
    assert (found.p_value, found.p_low, found.p_high) == pytest.approx(
        (p_value, above[1], below[1])
    )


@given(ARMS, ARMS, st.floats(0.1, 5))
def test_equivalent_is_an_interval_inside_the_margins(old: Arm, new: Arm, margin: float) -> None:
    found = equivalence(old, new, -margin, margin)
    if abs(found.p_value - 0.05) > 1e-9:
        assert (found.p_value < 0.05) == (-margin < found.low and found.high < margin)
    back = equivalence(new, old, -margin, margin)
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))


@settings(max_examples=30)
@given(ARMS, ARMS, st.floats(0, 0.2))
def test_a_fall_that_is_good_is_a_rise_of_the_opposite(old: Arm, new: Arm, margin: float) -> None:
    there = non_inferiority(old, new, margin=margin, relative=True, good="decrease")
    flipped = (Arm(arm.n, -arm.mean, arm.variance) for arm in (old, new))
    back = non_inferiority(*flipped, margin=margin, relative=True, good="increase")
    assert back.p_value == pytest.approx(there.p_value)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))


def test_no_margin_asks_for_an_improvement() -> None:
    old, new = Arm(100, 2.0, 1.0), Arm(100, 2.3, 1.0)
    oracle = z_test(old, new, alternative="greater")
    assert non_inferiority(old, new) == oracle


def test_at_the_margin_one_in_twenty_passes() -> None:
    random = np.random.default_rng(20261101)
    means = random.normal([5.0, 4.9], np.sqrt(4 / 2000), (20_000, 2))
    passed = [
        non_inferiority(Arm(2000, old, 4.0), Arm(2000, new, 4.0), margin=0.1).p_value <= 0.05
        for old, new in means.tolist()
    ]
    assert np.mean(passed) == pytest.approx(0.05, abs=0.005)


def test_impossible_margins_are_refused() -> None:
    arm = Arm(9, 1.0, 1.0)
    with pytest.raises(AnalysisError, match="at least 0"):
        non_inferiority(arm, arm, margin=-0.1)
    with pytest.raises(AnalysisError, match="'increase'"):
        non_inferiority(arm, arm, good="increased")  # type: ignore[arg-type] # the mistake
    with pytest.raises(AnalysisError, match="comes first"):
        equivalence(arm, arm, 1, -1)
