from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import t as student

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.looks import Fixed, rule
from promptstudio_lab.stats.paired import mean_difference
from promptstudio_lab.stats.planning.items import items_needed
from promptstudio_lab.stats.sequential.planned import Look
from promptstudio_lab.stats.sequential.schedule import inflation, schedule
from promptstudio_lab.stats.sums import Sums
from promptstudio_lab.stats.unpaired import arm_difference

FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)


def at(number: int) -> Look:
    return Look(FIFTHS[:number], number, 5)


def test_the_boundary_is_that_of_the_looks_so_far() -> None:
    whole = schedule(FIFTHS).bounds
    for number in range(1, 6):
        assert at(number).bound(0.05) == pytest.approx(whole[number - 1])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.floats(-9, 9), st.sampled_from([0.05, 0.025, 0.0125, 0.1]))
def test_a_p_value_is_below_alpha_where_the_interval_leaves_0_out(
    number: int, z: float, alpha: float
) -> None:
    look = at(number).rule(alpha)
    outside = abs(z) > look.half_width(500, math.inf)
    assert (look.p_value(z, 500, math.inf) < alpha) == outside
    assert 0 < look.p_value(z, 500) <= 1


@pytest.mark.parametrize("z", [0.9, 1.5, 2.2, 2.9, 4.0])
def test_a_p_value_is_the_smallest_alpha_that_stops(z: float) -> None:
    look = at(3)
    exact = math.exp(brentq(lambda log: look.bound(math.exp(log)) - z, -25, -1e-6))
    assert look.rule(0.05).p_value(z, 500, math.inf) == pytest.approx(exact, rel=0.02)


def test_what_lies_far_out_or_nowhere_has_a_p_value() -> None:
    look = at(2).rule(0.05)
    assert look.p_value(0.0, 100) == 1.0
    assert look.p_value(40.0, 100) == look.p_value(1e200, 100) <= 1.1e-12
    early = Look((0.01,), 1, 100).rule(0.05)
    assert early.half_width(10**9) == pytest.approx(8.3, abs=1e-3), "nothing to spend"
    assert early.p_value(8.0, 10**9) > 0.05 >= early.p_value(8.4, 10**9)
    nothing = Look((1e-5,), 1, 100).rule(0.05)
    assert (nothing.p_value(8.0, 10**9), nothing.p_value(9.0, 10**9) < 1e-9) == (1.0, True)


def test_one_planned_look_is_students_t() -> None:
    once, fixed = Look((1.0,), 1, 1).rule(0.05), Fixed(0.05)
    assert once.half_width(12) == pytest.approx(fixed.half_width(12))
    assert once.p_value(1.7, 12) == pytest.approx(fixed.p_value(1.7, 12), rel=0.01)
    assert once.unanimous_z(12) == fixed.unanimous_z(12)


def test_more_units_than_planned_spend_no_more_than_is_left() -> None:
    many = Look((0.5, 1.3), 2, 2).bound(0.05)
    assert Look((0.5, 1.0), 2, 2).bound(0.05) < many
    z = np.random.default_rng(3).normal(size=(400_000, 2)) * np.sqrt([0.5, 0.8])
    paths = z.cumsum(axis=1) / np.sqrt([0.5, 1.3])
    fooled = (np.abs(paths) > [Look((0.5,), 1, 2).bound(0.05), many]).any(axis=1).mean()
    assert fooled == pytest.approx(0.05, abs=0.001)
    with pytest.raises(AnalysisError, match="must rise"):
        schedule([1.1, 1.3], overrun=True)
    with pytest.raises(AnalysisError, match="must rise"):
        schedule([0.5, math.inf], overrun=True)


def test_few_items_are_judged_by_students_t() -> None:
    looks, random = 4, np.random.default_rng(5)
    values = random.normal(size=(40_000, 40))
    stopped = np.zeros(len(values), bool)
    for number in range(1, looks + 1):
        n = 10 * number
        some = values[:, :n]
        z = some.mean(axis=1) / some.std(axis=1, ddof=1) * math.sqrt(n)
        bound = Look(tuple(k / looks for k in range(1, number + 1)), number, looks).rule(0.05)
        stopped |= np.abs(z) > bound.half_width(n)
    assert stopped.mean() <= 0.052
    assert stopped.mean() > 0.045


@pytest.mark.parametrize("spending", ["obf", "pocock"])
def test_as_many_times_the_units_keep_the_power(spending: str) -> None:
    factor = inflation(FIFTHS, spending=spending)  # type: ignore[arg-type] # one of its words
    drift = (1.959964 + 0.841621) * math.sqrt(factor)
    steps = np.random.default_rng(7).normal(size=(200_000, 5)) * math.sqrt(0.2) + drift * 0.2
    z = steps.cumsum(axis=1) / np.sqrt(FIFTHS)
    bounds = schedule(FIFTHS, spending=spending).bounds  # type: ignore[arg-type] # as above
    assert (np.abs(z) > bounds).any(axis=1).mean() == pytest.approx(0.8, abs=0.004)
    with pytest.raises(AnalysisError, match="above the level"):
        inflation(FIFTHS, alpha=0.2, power=0.1)


def test_comparisons_are_judged_by_the_look() -> None:
    random = np.random.default_rng(11)
    sums = Sums.of({"a": random.normal(size=60), "b": random.normal(0.4, 1, 60)})
    paired = mean_difference(sums, "a", "b", method=at(2))
    arms = arm_difference(Arm(60, 0.0, 1.0), Arm(60, 0.4, 1.0), method=at(2))
    assert rule(at(2), 0.05) == at(2).rule(0.05)
    for found in (paired, arms):
        assert found.method == "scheduled"
        half = (found.high - found.low) / 2 / found.se
        assert half == pytest.approx(student.isf(student.sf(3.3569, 1e9), 59), rel=0.03)
        assert "look 2 of 5 (O'Brien-Fleming spending)" in found.reason
        needed = items_needed(found)
        assert needed == math.ceil((half * found.se / abs(found.estimate)) ** 2 * found.n)
