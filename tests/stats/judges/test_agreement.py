from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.judges.agreement import kappa, swap_test, verdict_table

TABLES = st.lists(st.lists(st.integers(0, 40), min_size=3, max_size=3), min_size=3, max_size=3)


@given(TABLES)
def test_kappa_is_its_definition_and_has_no_first_judge(table: list[list[int]]) -> None:
    counts = np.array(table, dtype=float)
    assume(np.count_nonzero(counts.sum(axis=0) + counts.sum(axis=1)) > 1)
    shares = counts / counts.sum()
    by_chance = shares.sum(axis=0) @ shares.sum(axis=1)
    found = kappa(table)
    assert found.kappa == pytest.approx((np.trace(shares) - by_chance) / (1 - by_chance))
    assert found.observed == pytest.approx(np.trace(shares))
    swapped = kappa(counts.T.tolist())
    assert swapped.kappa == pytest.approx(found.kappa)
    assert swapped.se == pytest.approx(found.se, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize(
    "table",
    [
        [[0, 0, 0], [0, 5, 12], [0, 0, 0]],  # a variance that rounds to a hair below 0
        [[0, 0, 0], [0, 0, 0], [0, 1, 2]],
        [[0, 0, 0], [0, 0, 0], [0, 1, 0]],  # 0 / 0 in the library
    ],
)
def test_a_judge_who_only_knows_one_word_agrees_by_chance_alone(table: list[list[int]]) -> None:
    for seen in (table, np.transpose(table).tolist()):
        found = kappa(seen)
        assert found.kappa == pytest.approx(0)
        assert math.isnan(found.se)
        assert math.isnan(found.low)


def test_the_interval_covers() -> None:
    random = np.random.default_rng(20261101)
    joint = np.array([[0.45, 0.1], [0.15, 0.3]])
    truth = (0.75 - (0.55 * 0.6 + 0.45 * 0.4)) / (1 - (0.55 * 0.6 + 0.45 * 0.4))
    tables = random.multinomial(300, joint.ravel(), 1000).reshape(-1, 2, 2)
    found = [kappa(table.tolist()) for table in tables]
    assert 0.935 <= np.mean([one.low <= truth <= one.high for one in found]) <= 0.965


def test_near_misses_may_count_in_part() -> None:
    table = [[20, 5, 0], [5, 20, 5], [0, 5, 20]]
    values = [kappa(table, weighting=words).kappa for words in ("none", "linear", "quadratic")]
    assert values == sorted(values)


def test_judges_who_only_know_one_word_show_nothing() -> None:
    found = kappa([[30, 0], [0, 0]])
    assert found.observed == 1
    assert math.isnan(found.kappa)


def test_perfect_agreement_is_one() -> None:
    found = kappa([[10, 0], [0, 10]])
    assert (found.kappa, found.n) == (1, 20)
    assert math.isnan(found.high)  # twenty verdicts without one doubt show no spread


def test_intervals_end_at_the_ends_of_the_scale() -> None:
    assert kappa([[3, 1], [0, 4]]).high == 1
    assert kappa([[1, 4], [4, 0]]).low == -1


def test_verdicts_are_counted_into_a_table() -> None:
    assert verdict_table(["a", "b", "c"], ["a", "a", "c"]) == ((1, 0, 0), (1, 0, 0), (0, 0, 1))
    with pytest.raises(AnalysisError, match="same items"):
        verdict_table(["a"], [])


def test_a_judge_that_follows_position_is_found_out() -> None:
    found = swap_test(50, 40, 10)
    assert (found.consistent.share, found.first) == (0.5, 0.8)
    assert found.p_value < 0.001
    assert swap_test(50, 10, 40).p_value == pytest.approx(found.p_value)
    assert swap_test(50, 25, 25).p_value == pytest.approx(1)


def test_a_judge_that_never_sways_has_no_preference() -> None:
    assert math.isnan(swap_test(9, 0, 0).p_value)


def test_impossible_tables_are_refused() -> None:
    for table in ([[1, 2]], [[1, -2], [3, 4]], [[0, 0], [0, 0]]):
        with pytest.raises(AnalysisError, match="table"):
            kappa(table)
    with pytest.raises(AnalysisError, match="no counts"):
        swap_test(1, -1, 0)
