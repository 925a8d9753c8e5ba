from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.bayes.effect import Prior, expected_loss, posterior
from promptstudio_lab.stats.independent import z_test

ARMS = st.builds(Arm, st.integers(2, 500), st.floats(1, 9), st.floats(0.01, 99))


@settings(max_examples=40)
@given(st.floats(-3, 3), st.floats(0.1, 3))
def test_the_loss_is_the_mean_of_the_wrong_side(mean: float, sd: float) -> None:
    def part(gain: float) -> float:
        return abs(gain) * float(norm.pdf(gain, mean, sd))

    found = expected_loss(mean, sd)
    above, _ = quad(part, 0, mean + 12 * sd) if mean + 12 * sd > 0 else (0.0, 0.0)
    below, _ = quad(part, mean - 12 * sd, 0) if mean - 12 * sd < 0 else (0.0, 0.0)
    assert found.control == pytest.approx(above, abs=1e-8)
    assert found.treatment == pytest.approx(below, abs=1e-8)


@given(st.floats(-1e6, 1e6), st.floats(1e-9, 1e3))
def test_losses_are_never_negative_and_differ_by_the_gain(mean: float, sd: float) -> None:
    found, back = expected_loss(mean, sd), expected_loss(-mean, sd)
    assert min(found.control, found.treatment) >= 0
    assert found.control - found.treatment == pytest.approx(mean, rel=1e-9, abs=1e-9)
    assert (found.control, found.treatment) == (back.treatment, back.control)


def test_a_sure_gain_costs_nothing_to_take() -> None:
    found = expected_loss(0.01, 4.5e-9)
    assert (found.control, found.treatment) == (0.01, 0.0)
    assert 0 < expected_loss(1.0, 0.1).treatment < 1e-20


@given(ARMS, ARMS)
def test_a_flat_belief_is_the_z_test(old: Arm, new: Arm) -> None:
    found, oracle = posterior(old, new, scale="absolute"), z_test(old, new, alternative="less")
    assert found.chance_to_win == pytest.approx(oracle.p_value, rel=1e-9, abs=1e-12)
    both = z_test(old, new)
    assert (found.low, found.high) == pytest.approx((both.low, both.high))


@given(ARMS, ARMS, st.floats(-1, 1), st.floats(0.01, 10))
def test_a_belief_pulls_and_narrows(old: Arm, new: Arm, mean: float, sd: float) -> None:
    found = posterior(old, new, prior=Prior(mean, sd), scale="absolute")
    data = z_test(old, new)
    assert min(mean, data.estimate) - 1e-9 <= found.estimate <= max(mean, data.estimate) + 1e-9
    assert found.sd < min(data.se, sd)


@given(ARMS, ARMS)
def test_losing_is_winning_the_other_way_round(old: Arm, new: Arm) -> None:
    up, down = posterior(old, new), posterior(old, new, lower_is_better=True)
    assert up.chance_to_win + down.chance_to_win == pytest.approx(1)
    assert (up.loss.control, up.loss.treatment) == (down.loss.treatment, down.loss.control)


def test_a_belief_on_the_other_scale_is_translated() -> None:
    old, new = Arm(50, 4.0, 1.0), Arm(50, 4.4, 1.0)
    absolute = posterior(old, new, prior=Prior(0.4, 0.4), scale="absolute")
    translated = posterior(
        old, new, prior=Prior(0.1, 0.1), scale="absolute", prior_scale="relative"
    )
    assert translated == absolute
    relative = posterior(old, new, prior=Prior(0.1, 0.1))
    back = posterior(old, new, prior=Prior(0.4, 0.4), prior_scale="absolute")
    assert back.estimate == pytest.approx(relative.estimate)


def test_credible_intervals_hold_what_was_drawn_from_the_belief() -> None:
    random = np.random.default_rng(20261101)
    truths = random.normal(0.1, 0.2, 4000)
    inside = []
    for truth, noise in zip(
        truths.tolist(), random.normal(0, 0.1, (4000, 2)).tolist(), strict=True
    ):
        old, new = Arm(100, noise[0], 1.0), Arm(100, truth + noise[1], 1.0)
        found = posterior(old, new, prior=Prior(0.1, 0.2), scale="absolute")
        inside.append(found.low <= truth <= found.high)
    assert 0.94 <= np.mean(inside) <= 0.96


def test_what_is_no_belief_is_refused() -> None:
    for prior in ((0.0, 0.0), (math.nan, 1.0)):
        with pytest.raises(AnalysisError, match="no belief"):
            Prior(*prior)
    with pytest.raises(AnalysisError, match="control is 0"):
        posterior(Arm(9, 0.0, 1.0), Arm(9, 1.0, 1.0))
    with pytest.raises(AnalysisError, match="control is 0"):
        posterior(Arm(9, 0.0, 1.0), Arm(9, 1.0, 1.0), scale="absolute", prior_scale="relative")
    with pytest.raises(AnalysisError, match="sd"):
        expected_loss(1.0, 0.0)
    with pytest.raises(AnalysisError, match="finite"):
        expected_loss(math.inf, 1.0)
