from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom, chisquare

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.srm import srm


def test_a_lopsided_split_is_no_accident() -> None:
    result = srm([400, 240], [1, 1])
    assert not result.ok
    assert result.expected == (320.0, 320.0)
    assert srm([400, 240], [5, 3]).ok


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 9)), min_size=2, max_size=6))
def test_it_is_scipys_chi_square(arms: list[tuple[int, int]]) -> None:
    observed, weights = zip(*arms, strict=True)
    assume(sum(observed) > 0)
    oracle = chisquare(observed, np.array(weights) / sum(weights) * sum(observed))
    found = srm(observed, weights)
    assert found.statistic == pytest.approx(oracle.statistic)
    assert found.p_value == pytest.approx(oracle.pvalue, rel=1e-6, abs=1e-300)


@pytest.mark.parametrize("alpha", [0.01, 0.001, 0.0005])
def test_healthy_traffic_alarms_as_often_as_promised(alpha: float) -> None:
    """Every split of 100,000 units that is probable enough to matter."""
    splits = np.arange(48_500, 51_501)
    alarms = [not srm([k, 100_000 - k], [1, 1], threshold=alpha).ok for k in splits.tolist()]
    assert binom.pmf(splits, 100_000, 0.5) @ alarms == pytest.approx(alpha, rel=0.1)


def test_a_small_leak_is_found_as_often_as_it_can_be() -> None:
    splits = np.arange(48_000, 51_001)
    alarms = [not srm([k, 100_000 - k], [1, 1]).ok for k in splits.tolist()]
    assert binom.pmf(splits, 100_000, 0.495) @ alarms == pytest.approx(0.448, abs=0.01)


def test_the_order_of_variants_does_not_matter() -> None:
    there, back = srm([50, 30, 20], [5, 3, 3]), srm([20, 30, 50], [3, 3, 5])
    assert there.p_value == pytest.approx(back.p_value)


def test_the_threshold_can_be_chosen() -> None:
    assert srm([500, 600], [1, 1]).ok
    assert not srm([500, 600], [1, 1], threshold=0.01).ok


@pytest.mark.parametrize(
    ("observed", "weights", "words"),
    [
        ([1, 2], [1], "2 counts and 1 weights"),
        ([1], [1], "at least 2"),
        ([1, 2], [1, 0], "must be positive"),
        ([1, 2], [1, float("nan")], "must be positive"),
        ([0, 0], [1, 1], "nothing was observed"),
        ([3, -1], [1, 1], "at least 0"),
    ],
)
def test_what_cannot_be_tested_is_refused(
    observed: list[int], weights: list[float], words: str
) -> None:
    with pytest.raises(AnalysisError, match=words):
        srm(observed, weights)


def test_a_threshold_is_a_level() -> None:
    with pytest.raises(AnalysisError, match="threshold"):
        srm([5, 6], [1, 1], threshold=2)
