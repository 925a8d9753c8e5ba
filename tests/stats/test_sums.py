from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.sums import Sums, SumsApart

NUMBERS = st.floats(-1e3, 1e3, allow_nan=False)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=40)


def table(pairs: list[tuple[float, float]], offset: float = 0.0) -> Sums:
    return Sums.of({"a": [a + offset for a, _ in pairs], "b": [b + offset for _, b in pairs]})


@settings(max_examples=60)
@given(PAIRS)
def test_agrees_with_numpy_far_from_zero(pairs: list[tuple[float, float]]) -> None:
    offset = 1e9
    sums = table(pairs, offset)
    moved = np.array(pairs) + offset  # rounded as the sums' own rows are
    assert sums.means() == pytest.approx(moved.mean(axis=0), rel=1e-12)
    expected = np.cov(moved - moved[0], rowvar=False)
    assert sums.covariance() == pytest.approx(expected, rel=1e-6, abs=1e-6)


@settings(max_examples=60)
@given(PAIRS, st.integers(0, 40), st.integers(0, 40))
def test_shards_merge_in_any_order(
    pairs: list[tuple[float, float]], first: int, second: int
) -> None:
    low, high = sorted((min(first, len(pairs)), min(second, len(pairs))))
    a, b, c = (table(shard, 1e6) for shard in (pairs[:low], pairs[low:high], pairs[high:]))
    whole = table(pairs, 1e6)
    for merged in (a.merge(b).merge(c), a.merge(b.merge(c)), c.merge(a).merge(b)):
        assert merged.n == whole.n
        assert merged.means() == pytest.approx(whole.means(), rel=1e-12)
        assert merged.covariance() == pytest.approx(whole.covariance(), rel=1e-7, abs=1e-7)


def test_a_constant_column_has_no_spread_at_all() -> None:
    assert Sums.of({"cost": [0.1 + 0.2] * 7}).covariance().tolist() == [[0.0]]


def test_sums_of_another_shift_mean_the_same() -> None:
    values = np.array([3.0, 4.0, 8.0])
    shifted = values - 100
    sums = Sums(3, ("a",), (100.0,), (shifted.sum(),), ((float(shifted @ shifted),),))
    assert sums.mean("a") == 5.0
    assert sums.covariance()[0, 0] == pytest.approx(7.0)


def test_shards_of_different_shift_merge() -> None:
    rows = np.array([[3.0, 1.0], [4.0, 7.0], [8.0, 2.0], [5.0, 5.0]])
    shards = []
    for shard, shift in ((rows[:2], (100.0, 0.0)), (rows[2:], (-7.0, 50.0))):
        moved = shard - shift
        products = tuple(map(tuple, (moved.T @ moved).tolist()))
        shards.append(Sums(2, ("a", "b"), shift, tuple(moved.sum(axis=0).tolist()), products))
    merged = shards[0].merge(shards[1])
    assert merged.means() == pytest.approx(rows.mean(axis=0))
    assert merged.covariance() == pytest.approx(np.cov(rows, rowvar=False))


def test_one_row_has_a_mean_and_no_spread() -> None:
    sums = Sums.of({"a": [4.0]})
    assert sums.mean("a") == 4.0
    with pytest.raises(AnalysisError, match="at least 2"):
        sums.covariance()


def test_no_rows_have_no_mean() -> None:
    with pytest.raises(AnalysisError, match="no rows"):
        Sums.of({"a": []}).means()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_named(bad: float) -> None:
    with pytest.raises(AnalysisError, match=r"column 'cost_usd' row 2 is -?(nan|inf)"):
        Sums.of({"success": [1, 1, 1], "cost_usd": [1.0, 2.0, bad]})


def test_what_is_no_number_is_named() -> None:
    with pytest.raises(AnalysisError, match="column 'a' holds"):
        Sums.of({"a": np.ones((2, 2))})
    with pytest.raises(AnalysisError, match="column 'a' holds"):
        Sums.of({"a": ["cheap"]})  # type: ignore[list-item] # what a careless caller may pass


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(AnalysisError, match="a has 2, b has 1"):
        Sums.of({"a": [1, 2], "b": [1]})
    with pytest.raises(AnalysisError, match="none is given"):
        Sums.of({})


def test_sums_too_large_for_floats_are_refused() -> None:
    with pytest.raises(AnalysisError, match="'a' are not finite"):
        Sums.of({"a": [1e200, -1e200]})


def test_sums_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(AnalysisError, match="do not fit"):
        Sums(2, ("a", "b"), (0.0, 0.0), (1.0,), ((1.0, 0.0), (0.0, 1.0)))
    with pytest.raises(AnalysisError, match="do not fit"):
        Sums(2, ("a", "a"), (0.0, 0.0), (1.0, 1.0), ((1.0, 0.0), (0.0, 1.0)))


def test_a_missing_column_names_the_nearest() -> None:
    with pytest.raises(AnalysisError, match=r"no column 'a.sucess'.*'a.success'"):
        Sums.of({"a.success": [1, 0]}).mean("a.sucess")


def test_a_variant_that_is_not_there_names_the_nearest() -> None:
    apart = SumsApart({"control": Sums.of({"cost": [1.0, 2.0]})})
    assert (apart.n, apart["control"].n) == (2, 2)
    with pytest.raises(AnalysisError, match=r"'contrl'.*'control'"):
        apart["contrl"]


def test_other_columns_do_not_merge() -> None:
    with pytest.raises(AnalysisError, match="cannot merge"):
        Sums.of({"a": [1, 2]}).merge(Sums.of({"b": [1, 2]}))
