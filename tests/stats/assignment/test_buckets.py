from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.assignment.buckets import OUTSIDE, bucket_ranges, choose, in_namespace

WEIGHTS = st.lists(st.floats(0.01, 1), min_size=1, max_size=6).map(
    lambda parts: [part / math.fsum(parts) for part in parts]
)


@given(WEIGHTS, st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.999))
def test_more_coverage_lets_units_in_and_moves_none(
    weights: list[float], one: float, other: float, place: float
) -> None:
    few, many = sorted((one, other))
    before = choose(place, bucket_ranges(len(weights), coverage=few, weights=weights))
    after = choose(place, bucket_ranges(len(weights), coverage=many, weights=weights))
    assert before in {after, OUTSIDE}


@given(WEIGHTS, st.floats(-1, 2))
def test_ranges_have_their_weights(weights: list[float], coverage: float) -> None:
    ranges = bucket_ranges(len(weights), coverage=coverage, weights=weights)
    used = min(max(coverage, 0), 1)
    for (low, high), weight in zip(ranges, weights, strict=True):
        assert high - low == pytest.approx(used * weight, abs=1e-12)


def test_weights_that_do_not_fit_are_equal_ones() -> None:
    half = ((0, 0.5), (0.5, 1))
    for weights in (None, [], [1.0], [0.7, 0.6], [0.4, 0.1]):
        assert bucket_ranges(2, weights=weights) == half
    assert bucket_ranges(2, weights=[0.4, 0.5999])[1] == pytest.approx((0.4, 0.9999))


def test_an_empty_range_chooses_nobody() -> None:
    assert choose(0.5, [(0, 0.5), (0.5, 0.5), (0.5, 1)]) == 2
    assert choose(0.5, []) == OUTSIDE


def test_parts_of_a_namespace_share_nobody() -> None:
    for unit in map(str, range(200)):
        assert in_namespace(unit, "n", 0, 0.4) != in_namespace(unit, "n", 0.4, 1)


def test_impossible_ranges_are_refused() -> None:
    with pytest.raises(AnalysisError, match="variants is 0"):
        bucket_ranges(0)
    with pytest.raises(AnalysisError, match="finite"):
        bucket_ranges(2, coverage=math.nan)
