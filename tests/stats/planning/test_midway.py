from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.bayes.effect import Prior
from promptstudio_lab.stats.independent import z_test
from promptstudio_lab.stats.planning.midway import remaining
from promptstudio_lab.stats.planning.sizes import arm_sizes
from promptstudio_lab.stats.sequential.anytime import two_samples

OLD, NEW = Arm.of_sums(500, 500, 1500), Arm.of_sums(500, 525, 1551.25)


@pytest.mark.parametrize(
    ("words", "factor"),
    [
        ({}, 25.45703125),
        ({"sequential": True, "tuning_n": 5000}, 55.66796875),
        ({"prior": Prior(0.05, math.sqrt(0.001))}, 13.9404296875),
    ],
)
def test_the_factors_are_growthbooks(words: dict[str, float], factor: float) -> None:
    found = remaining(OLD, NEW, 0.05, **words)  # type: ignore[arg-type] # as published
    assert found.factor == pytest.approx(factor, rel=1e-3)
    assert found.units == math.ceil((found.factor or 0) * 1000)


@settings(max_examples=30)
@given(st.floats(0.02, 0.5), st.floats(0.5, 0.95))
def test_a_fixed_look_needs_what_the_plan_says(mde: float, power: float) -> None:
    arms = Arm(500, 1.0, 2.0), Arm(500, 1.2, 2.0)
    found = remaining(*arms, mde, scale="absolute", power=power)
    total = arm_sizes(mde, 2.0, power=power).total
    assert (found.units or 0) + 1000 == pytest.approx(max(1000, total), rel=0.01)


@pytest.mark.parametrize("sequential", [False, True])
def test_that_many_more_units_have_the_power(sequential: bool) -> None:
    old, new = Arm(300, 2.0, 4.0), Arm(300, 2.1, 4.0)
    found = remaining(old, new, 0.2, scale="absolute", sequential=sequential)
    n = 300 + math.ceil((found.units or 0) / 2)
    random = np.random.default_rng(20261101)
    means = random.normal([2.0, 2.2], math.sqrt(4.0 / n), (10_000, 2))
    test = two_samples if sequential else z_test
    seen = [test(Arm(n, a, 4.0), Arm(n, b, 4.0)).p_value < 0.05 for a, b in means.tolist()]
    assert np.mean(seen) == pytest.approx(0.80, abs=0.02)


def test_enough_is_enough() -> None:
    found = remaining(Arm(10_000, 1.0, 1.0), Arm(10_000, 1.0, 1.0), 0.1)
    assert (found.factor, found.units) == (0, 0)
    assert found.power > 0.99


def test_too_little_can_never_be_seen() -> None:
    found = remaining(Arm(10, 1.0, 9.0), Arm(10, 1.0, 9.0), 1e-6)
    assert found.factor is found.units is None


def test_more_metrics_and_comparisons_need_more() -> None:
    one = remaining(OLD, NEW, 0.05).factor
    several = remaining(OLD, NEW, 0.05, metrics=2, comparisons=4).factor
    assert several is not None
    assert one is not None
    assert several > one


def test_nothing_relative_to_a_control_of_zero_is_planned() -> None:
    with pytest.raises(AnalysisError, match="scale='absolute'"):
        remaining(Arm(9, 0.0, 1.0), Arm(9, 1.0, 1.0), 0.1)
    with pytest.raises(AnalysisError, match="smallest effect"):
        remaining(OLD, NEW, 0.0)
