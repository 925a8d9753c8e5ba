from __future__ import annotations

import math

import numpy as np
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.adjusted.cuped import Adjustment, cuped
from promptstudio_lab.stats.adjusted.regression import ancova
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.independent import contrast
from promptstudio_lab.stats.sums import Sums

COLUMNS = ("score", "before")


def sums(random: np.random.Generator, rho: float, n: int, lift: float = 0.0) -> Sums:
    before = random.normal(5, 1, n)
    score = 5 + lift + rho * (before - 5) + random.normal(0, math.sqrt(1 - rho**2), n)
    return Sums.of({"score": score, "before": before})


@pytest.mark.parametrize("rho", [0.3, 0.5, 0.8, 0.9])
def test_what_is_left_of_the_variance_is_one_less_rho_squared(rho: float) -> None:
    random = np.random.default_rng(20261101)
    left, n = 1 - rho**2, 400
    found = [cuped(sums(random, rho, n), sums(random, rho, n), *COLUMNS) for _ in range(1000)]
    assert np.mean([one.kept for one in found]) == pytest.approx(left, rel=0.05)
    tests = [one.contrast.test() for one in found]
    assert 0.03 <= np.mean([test.p_value < 0.05 for test in tests]) <= 0.07


@pytest.mark.parametrize("rho", [0.3, 0.5, 0.8, 0.9])
def test_the_estimates_themselves_vary_by_one_less_rho_squared(rho: float) -> None:
    random = np.random.default_rng(20261101)
    experiments, n = 20_000, 60
    before = random.normal(5, 1, (experiments, 2, n))
    score = rho * before + random.normal(0, math.sqrt(1 - rho**2), (experiments, 2, n))
    both = before - before.mean(axis=(1, 2), keepdims=True)
    theta = (both * score).sum(axis=(1, 2)) / (both**2).sum(axis=(1, 2))
    raw, known = (np.diff(column.mean(axis=2), axis=1)[:, 0] for column in (score, before))
    adjusted = raw - theta * known
    # The shortcut above is the product's own answer.
    for row in range(20):
        arms = [Sums.of({"score": score[row, arm], "before": before[row, arm]}) for arm in range(2)]
        found = cuped(arms[0], arms[1], *COLUMNS)
        assert (found.theta, found.contrast.estimate) == pytest.approx((theta[row], adjusted[row]))
    assert np.var(adjusted) / np.var(raw) == pytest.approx(1 - rho**2, rel=0.05)


@pytest.mark.parametrize("scale", ["absolute", "relative"])
def test_the_interval_covers(scale: str) -> None:
    random = np.random.default_rng(2)
    truth = 0.5 if scale == "absolute" else 0.1
    inside = []
    for _ in range(2000):
        arms = sums(random, 0.7, 150), sums(random, 0.7, 200, lift=0.5)
        test = cuped(*arms, *COLUMNS, scale=scale).contrast.test()  # type: ignore[arg-type] # its words
        inside.append(test.low <= truth <= test.high)
    assert 0.94 <= np.mean(inside) <= 0.96


def ratios(random: np.random.Generator, n: int) -> Sums:
    calls_before, calls = random.poisson(5, (2, n)) + 1.0
    style = random.normal(0, 0.5, n)
    before = calls_before * (3 + style) + random.normal(0, 1, n)
    tokens = calls * (3 + style) + random.normal(0, 1, n)
    return Sums.of({"t": tokens, "c": calls, "t0": before, "c0": calls_before})


def test_ratios_are_adjusted_too() -> None:
    random = np.random.default_rng(3)
    found = [
        cuped(ratios(random, 200), ratios(random, 200), ("t", "c"), ("t0", "c0"), scale="relative")
        for _ in range(2000)
    ]
    tests = [one.contrast.test() for one in found]
    assert 0.94 <= np.mean([test.low <= 0 <= test.high for test in tests]) <= 0.96
    assert np.mean([one.kept for one in found]) < 0.75


def flipped(there: Adjustment, back: Adjustment) -> bool:
    return back.contrast.estimate == pytest.approx(-there.contrast.estimate) and (
        back.contrast.se == pytest.approx(there.contrast.se)
    )


def test_swapping_the_arms_flips_the_sign() -> None:
    random = np.random.default_rng(4)
    old, new = sums(random, 0.5, 50), sums(random, 0.5, 60, lift=1.0)
    assert flipped(cuped(old, new, *COLUMNS), cuped(new, old, *COLUMNS))
    one, other = ratios(random, 50), ratios(random, 60)
    pairs = ("t", "c"), ("t0", "c0")
    assert flipped(cuped(one, other, *pairs), cuped(other, one, *pairs))


def test_it_is_the_regression_without_the_rows() -> None:
    random = np.random.default_rng(5)
    before = random.normal(0, 1, 4000)
    score = before + random.normal(0, 1, 4000)
    columns = {"score": score, "before": before}
    halves = [
        {name: column[part] for name, column in columns.items()}
        for part in (slice(2000), slice(2000, None))
    ]
    arms = [Sums.of(half) for half in halves]
    found = cuped(arms[0], arms[1], *COLUMNS).contrast
    oracle = ancova(
        (halves[0]["score"], halves[0]["before"]), (halves[1]["score"], halves[1]["before"])
    )
    assert found.estimate == pytest.approx(oracle.estimate, abs=1e-4)
    assert found.se == pytest.approx(oracle.se, rel=0.01)


def test_large_offsets_lose_nothing() -> None:
    random = np.random.default_rng(6)
    rows = random.normal(0, 1, (2, 2, 300))
    rows[:, 0] += rows[:, 1]
    near = [Sums.of({"score": arm[0], "before": arm[1]}) for arm in rows]
    far = [Sums.of({"score": arm[0] + 1e9, "before": arm[1] + 1e9}) for arm in rows]
    here, there = cuped(near[0], near[1], *COLUMNS), cuped(far[0], far[1], *COLUMNS)
    assert there.theta == pytest.approx(here.theta, rel=1e-5)
    assert there.contrast.se == pytest.approx(here.contrast.se, rel=1e-5)


def test_a_covariate_that_never_varies_changes_nothing() -> None:
    old = Sums.of({"score": [1.0, 2.0, 4.0], "before": [1.0, 1.0, 1.0]})
    new = Sums.of({"score": [2.0, 3.0, 7.0], "before": [1.0, 1.0, 1.0]})
    found = cuped(old, new, *COLUMNS, scale="relative")
    plain = contrast(Arm.of(old, "score"), Arm.of(new, "score"), scale="relative")
    assert (found.theta, found.kept) == (0, 1)
    assert (found.contrast.estimate, found.contrast.se) == pytest.approx((plain.estimate, plain.se))


def test_nothing_relative_to_a_control_of_zero() -> None:
    old = Sums.of({"score": [-1.0, 1.0, 0.0], "before": [1.0, 2.0, 2.0]})
    new = Sums.of({"score": [2.0, 3.0, 7.0], "before": [1.0, 1.0, 3.0]})
    assert math.isnan(cuped(old, new, *COLUMNS, scale="relative").contrast.se)


def test_a_fall_to_nothing_has_no_relative_spread() -> None:
    old = Sums.of({"score": [1.0, 2.0, 4.0], "before": [1.0, 1.0, 1.0]})
    new = Sums.of({"score": [0.0, 0.0, 0.0], "before": [1.0, 1.0, 1.0]})
    found = cuped(old, new, *COLUMNS, scale="relative").contrast
    assert found.estimate == -1
    assert math.isnan(found.se)


def test_what_cannot_be_adjusted_is_refused() -> None:
    old = Sums.of({"score": [1.0, 2.0], "before": [1.0, 2.0], "zero": [0.0, 0.0]})
    with pytest.raises(AnalysisError, match="both be columns"):
        cuped(old, old, "score", ("before", "score"))
    with pytest.raises(AnalysisError, match="divide by 0"):
        cuped(old, old, ("score", "zero"), ("before", "score"))
    with pytest.raises(AnalysisError, match="'score'"):
        cuped(old, old, "scor", "before")
    with pytest.raises(AnalysisError, match="allowed are absolute"):
        cuped(old, old, *COLUMNS, scale="abs")  # type: ignore[arg-type] # the mistake
