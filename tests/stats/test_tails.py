from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.tails import (
    Tails,
    count,
    finite,
    level,
    one_of,
    positive,
    upper_quantile,
    upper_tail,
)

DEGREES = st.one_of(st.floats(1, 1e6), st.just(math.inf))


@given(st.floats(-30, 30), DEGREES)
def test_tails_are_scipys(value: float, df: float) -> None:
    assert upper_tail(value, df) == pytest.approx(float(stats.t.sf(value, df)), rel=1e-9)


@given(st.floats(1e-12, 1 - 1e-9), DEGREES)
def test_quantiles_undo_tails(tail: float, df: float) -> None:
    assert upper_tail(upper_quantile(tail, df), df) == pytest.approx(tail, rel=1e-6)


def test_a_tiny_tail_is_not_nothing() -> None:
    assert Tails().p_value(26.5) == pytest.approx(1.0e-154, rel=0.5)
    assert Tails(alternative="less").p_value(-26.5) > 0


@given(st.floats(-5, 5), DEGREES, st.floats(0.001, 0.5))
def test_the_interval_and_the_p_value_say_the_same(z: float, df: float, alpha: float) -> None:
    for alternative in ("two-sided", "greater", "less"):
        tails = Tails(df, alternative)
        low, high = tails.interval(z, 1.0, alpha)
        p_value = tails.p_value(z)
        if abs(p_value - alpha) > 1e-9:
            assert (not low <= 0 <= high) == (p_value < alpha)


@given(st.floats(-9, 9), DEGREES)
def test_swapping_the_arms_swaps_the_sides(z: float, df: float) -> None:
    above, below = Tails(df, "greater"), Tails(df, "less")
    assert above.p_value(z) == below.p_value(-z)
    assert above.p_value(z) + below.p_value(z) == pytest.approx(1.0)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 5.0, math.nan])
def test_an_impossible_level_is_refused(alpha: float) -> None:
    with pytest.raises(AnalysisError, match=r"between 0 and 1\. Hint"):
        level(alpha)


def test_an_unknown_word_names_the_nearest() -> None:
    with pytest.raises(AnalysisError, match="did you mean 'greater'"):
        Tails(alternative="greatr")  # type: ignore[arg-type] # the mistake
    assert one_of("side", "left", ("left", "right")) == "left"


def test_no_degrees_of_freedom_are_refused() -> None:
    with pytest.raises(AnalysisError, match="more than 0"):
        Tails(df=0)


@pytest.mark.parametrize("value", [-1, 0.5, math.inf, math.nan, 1e300])
def test_what_must_be_counted_is(value: float) -> None:
    assert count("n", 3.0) == 3
    with pytest.raises(AnalysisError, match="a whole number of at least 0"):
        count("n", value)


def test_what_must_be_finite_is() -> None:
    with pytest.raises(AnalysisError, match="drift is nan"):
        finite("drift", math.nan)


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_what_must_be_positive_is(value: float) -> None:
    with pytest.raises(AnalysisError, match="above 0"):
        positive("tau2", value)
