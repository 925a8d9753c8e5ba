"""Quantiles that can be merged, against numpy's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.series.sketch import ERROR, ZERO, Sketch, buckets

SIZES = st.lists(st.floats(1e-8, 1e9) | st.just(0.0), min_size=1, max_size=200)


@given(SIZES, st.sampled_from([0.01, 0.5, 0.9, 0.99]))
def test_a_quantile_is_within_the_stated_error(values: list[float], p: float) -> None:
    exact = float(np.quantile(values, p, method="lower"))
    assert Sketch.of(values).quantile(p) == pytest.approx(exact, rel=ERROR * (1 + 1e-9))


@given(SIZES, SIZES)
def test_merging_is_exact(one: list[float], other: list[float]) -> None:
    merged = Sketch.of(one).merged(Sketch.of(other))
    assert merged == Sketch.of([*one, *other]) == Sketch.of(other).merged(Sketch.of(one))
    assert merged.n == len(one) + len(other)


def test_a_mean_of_daily_quantiles_is_not_what_it_gives() -> None:
    random = np.random.default_rng(5)
    days = [random.lognormal(5 + day, 1, 400) for day in range(7)]
    sketch = Sketch()
    for day in days:
        sketch = sketch.merged(Sketch.of(day))
    week = float(np.quantile(np.concatenate(days), 0.95, method="lower"))
    daily = float(np.mean([np.quantile(day, 0.95) for day in days]))
    assert sketch.quantile(0.95) == pytest.approx(week, rel=ERROR)
    assert abs(daily / week - 1) > 0.1


def test_intervals_hold_the_truth_as_often_as_promised() -> None:
    random = np.random.default_rng(8)
    truth = math.exp(5 + 1.6448536269514722)
    tries = [Sketch.of(random.lognormal(5, 1, 300)).interval(0.95) for _ in range(2_000)]
    held = np.mean([low <= truth <= high for low, high in tries])
    assert 0.94 <= held <= 0.99


def test_few_values_leave_an_end_open() -> None:
    assert Sketch.of([1.0, 2.0]).interval(0.5) == (0.0, math.inf)


def test_nothing_has_no_quantile() -> None:
    assert math.isnan(Sketch().quantile(0.5))
    with pytest.raises(AnalysisError, match="no value of rank 4 among 1"):
        Sketch.of([3.0]).ranked(4)
    with pytest.raises(AnalysisError, match="no value of rank 0"):
        Sketch.of([3.0]).ranked(0)


def test_another_error_is_another_set_of_buckets() -> None:
    assert Sketch.of([100.0], 0.1).quantile(0.5) == pytest.approx(100, rel=0.1)
    with pytest.raises(AnalysisError, match=r"errors of 0\.1 and 0\.01 cannot be merged"):
        Sketch.of([1.0], 0.1).merged(Sketch.of([1.0]))
    with pytest.raises(AnalysisError, match="error is 1"):
        buckets([1.0], 1)


def test_sizes_only() -> None:
    assert buckets([0.0, 1e-10]).tolist() == [ZERO, ZERO]
    assert buckets([]).size == 0
    with pytest.raises(AnalysisError, match=r"-1\.0 is negative"):
        Sketch.of([-1.0])


def test_counts_of_elsewhere_make_the_same_sketch() -> None:
    values = [0.0, 4.0, 4.0, 9.0]
    numbers, times = np.unique(buckets(values), return_counts=True)
    counts = dict(zip(reversed(numbers.tolist()), reversed(times.tolist()), strict=True))
    assert Sketch.counted(counts) == Sketch.of(values)
