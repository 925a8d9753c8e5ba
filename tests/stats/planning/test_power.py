from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import NormalIndPower, TTestIndPower

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.independent import welch
from promptstudio_lab.stats.planning.power import two_arm_power

if TYPE_CHECKING:
    from promptstudio_lab.stats.planning.power import Test
    from promptstudio_lab.stats.tails import Alternative


def test_the_sizes_are_gpowers() -> None:
    assert two_arm_power(effect_size=0.5, power=0.8).n_control == pytest.approx(63.77, abs=0.01)
    assert two_arm_power(effect_size=0.2, power=0.9).n_control == pytest.approx(526.33, abs=0.01)


def test_the_planned_size_has_the_planned_power() -> None:
    n = math.ceil(two_arm_power(effect_size=0.3, power=0.8).n_control)
    random = np.random.default_rng(20261101)
    means = random.normal([0, 0.3], 1 / np.sqrt(n), (30_000, 2))
    variances = random.chisquare(n - 1, (30_000, 2)) / (n - 1)
    z = np.diff(means, axis=1)[:, 0] / np.sqrt(variances.sum(axis=1) / n)
    df = (n - 1) * variances.sum(axis=1) ** 2 / (variances**2).sum(axis=1)
    p_values = 2 * stats.t.sf(np.abs(z), df)
    # The shortcut above is the product's own answer.
    for row in range(20):
        pairs = zip(means[row].tolist(), variances[row].tolist(), strict=True)
        found = welch(*(Arm(n, *pair) for pair in pairs))
        assert found.p_value == pytest.approx(p_values[row])
    assert np.mean(p_values < 0.05) == pytest.approx(0.80, abs=0.01)


@settings(max_examples=20)
@given(
    st.floats(0.1, 1.5),
    st.floats(5, 400),
    st.floats(0.5, 2),
    st.sampled_from(["two-sided", "greater", "less"]),
    st.sampled_from(["t", "z"]),
)
def test_two_of_three_give_the_third(
    effect: float, n: float, ratio: float, side: str, test: str
) -> None:
    words = {"ratio": ratio, "alternative": side, "test": test, "alpha": 0.04}
    effect = -effect if side == "less" else effect
    power = two_arm_power(effect_size=effect, n=n, **words).power  # type: ignore[arg-type] # its words
    assume(power < 0.999)  # beyond it the power hardly depends on either
    found = two_arm_power(effect_size=effect, power=power, **words)  # type: ignore[arg-type] # likewise
    assert found.n_control == pytest.approx(n, rel=1e-4)
    assert found.n_treatment == pytest.approx(found.n_control * ratio)
    found = two_arm_power(n=n, power=power, **words)  # type: ignore[arg-type] # likewise
    assert found.effect_size == pytest.approx(effect, rel=1e-4)


@settings(max_examples=50)
@given(
    st.floats(0.0, 1.5),
    st.floats(2, 900),
    st.floats(0.5, 2),
    st.sampled_from([("two-sided", "two-sided"), ("greater", "larger"), ("less", "smaller")]),
    st.sampled_from(["t", "z"]),
)
def test_the_power_is_statsmodels_where_that_has_one(
    effect: float, n: float, ratio: float, side: tuple[Alternative, str], test: Test
) -> None:
    assume(n * ratio >= 2)
    solver = TTestIndPower() if test == "t" else NormalIndPower()
    oracle = solver.power(effect, n, 0.04, ratio=ratio, alternative=side[1])
    assume(math.isfinite(oracle))
    found = two_arm_power(
        effect_size=effect, n=n, alpha=0.04, ratio=ratio, alternative=side[0], test=test
    )
    assert found.power == pytest.approx(oracle, abs=1e-8)


def test_the_power_exists_where_statsmodels_has_none() -> None:
    assert two_arm_power(effect_size=1, n=99, ratio=2, alpha=0.04).power == pytest.approx(1)
    assert two_arm_power(effect_size=0.5, n=10**9).power == 1


def test_a_fall_is_seen_as_well_as_a_rise() -> None:
    up = two_arm_power(effect_size=0.4, n=50, alternative="greater")
    down = two_arm_power(effect_size=-0.4, n=50, alternative="less")
    assert down.power == pytest.approx(up.power)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"effect_size": 0.2}, "exactly one"),
        ({"effect_size": 0.2, "n": 9, "power": 0.8}, "exactly one"),
        ({"effect_size": 0.0, "power": 0.8}, "no number of units"),
        ({"effect_size": -0.2, "power": 0.8, "alternative": "greater"}, "no number of units"),
        ({"effect_size": 0.2, "power": 0.8, "alternative": "less"}, "no number of units"),
        ({"effect_size": 90.0, "power": 0.8}, "even 2 units in the control"),
        ({"effect_size": 1e-9, "power": 0.8}, "too small"),
        ({"n": 50, "power": 0.04}, "even an effect of 0"),
        ({"effect_size": 0.2, "n": 1}, "at least 2"),
        ({"effect_size": 0.2, "n": 3, "ratio": 0.5}, "at least 4"),
        ({"effect_size": 0.2, "n": float("inf")}, "finite"),
        ({"effect_size": 0.2, "power": 1.0}, "between 0 and 1"),
        ({"effect_size": 0.2, "power": 0.8, "ratio": 0.0}, "ratio"),
        ({"effect_size": 0.2, "power": 0.8, "test": "f"}, "allowed are t, z"),
    ],
)
def test_plans_that_mean_nothing_are_refused(words: dict[str, float], says: str) -> None:
    with pytest.raises(AnalysisError, match=says):
        two_arm_power(**words)  # type: ignore[arg-type] # the mistakes
