from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.exact import permutation, table_test, wilcoxon

DARWIN = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]
VALUES = st.lists(st.integers(0, 9).map(float), min_size=2, max_size=5)


def test_signed_ranks_of_darwins_plants() -> None:
    found = wilcoxon(DARWIN)
    assert (found.statistic, found.p_value, found.exact) == (24.0, 0.041259765625, True)


def test_signed_ranks_flip_with_the_arms() -> None:
    up, down = (wilcoxon(DARWIN, alternative=side) for side in ("greater", "less"))
    back = wilcoxon([-one for one in DARWIN], alternative="less")
    assert back.p_value == up.p_value < down.p_value


def test_ties_are_counted_for_few_and_approximated_for_many() -> None:
    assert wilcoxon([1, 1, 2, 0, -1]).exact
    assert not wilcoxon([1, 1, 2, 0, -1] * 4).exact
    assert not wilcoxon(np.arange(1.0, 52.0)).exact


def test_differences_of_nothing_are_refused() -> None:
    with pytest.raises(AnalysisError, match="nothing can be ranked"):
        wilcoxon([0.0, 0.0])
    with pytest.raises(AnalysisError, match="'differences' row 1"):
        wilcoxon([1.0, math.nan])


@settings(max_examples=25)
@given(VALUES, VALUES)
def test_shuffling_is_counting_every_split(old: list[float], new: list[float]) -> None:
    pool, k = np.array(new + old), len(new)
    gaps = []
    for split in combinations(range(pool.size), k):
        chosen = np.isin(np.arange(pool.size), split)
        gaps.append(pool[chosen].mean() - pool[~chosen].mean())
    seen = np.mean(new) - np.mean(old)
    found = permutation(old, new, alternative="greater")
    assert found.statistic == pytest.approx(seen)
    assert found.p_value == pytest.approx(np.mean(np.array(gaps) >= seen - 1e-9))


def test_paired_shuffling_changes_signs() -> None:
    found = permutation([0, 0, 0, 0], [1, 2, 3, 4], paired=True, alternative="greater")
    assert found.p_value == 1 / 16


def test_medians_can_be_shuffled() -> None:
    found = permutation([1, 2, 90], [5, 6, 7], statistic="median_diff")
    assert found.statistic == 4


def test_too_many_splits_are_sampled_the_same_way_each_time() -> None:
    random = np.random.default_rng(1)
    old, new = random.normal(0, 1, 30), random.normal(0.6, 1, 30)
    found = permutation(old, new)
    assert not found.exact
    assert found == permutation(old, new)
    assert found.p_value == pytest.approx(stats.ttest_ind(new, old).pvalue, abs=0.01)


def test_arms_that_cannot_be_shuffled_are_refused() -> None:
    with pytest.raises(AnalysisError, match="cannot be shuffled"):
        permutation([], [1.0])
    with pytest.raises(AnalysisError, match="cannot be shuffled"):
        permutation([1.0], [1.0, 2.0], paired=True)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_tables_are_scipys(alternative: str) -> None:
    table = [[7, 12], [8, 3]]
    for test, oracle in (
        ("fisher", stats.fisher_exact(table, alternative=alternative)),
        ("boschloo", stats.boschloo_exact(table, alternative=alternative)),
        ("barnard", stats.barnard_exact(table, alternative=alternative, pooled=False)),
    ):
        found = table_test(table, test=test, alternative=alternative, pooled=False)  # type: ignore[arg-type] # its words
        assert (found.statistic, found.p_value) == pytest.approx((oracle.statistic, oracle.pvalue))


def test_boschloo_is_never_weaker_than_fisher() -> None:
    for a in range(7):
        table = [[a, 5], [6 - a, 1]]
        assert table_test(table).p_value <= table_test(table, test="fisher").p_value + 1e-7


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([[1, 2, 3], [4, 5, 6]], "two by two"),
        ([[1, -2], [3, 4]], "table is -2"),
        ([[1.5, 2], [3, 4]], "table is 1.5"),
        ([[1, math.inf], [3, 4]], "table is inf"),
        ([[1], [3, 4]], "two by two"),
        ([[0, 2], [0, 4]], "counts nothing"),
    ],
)
def test_what_is_no_table_is_refused(table: list[list[int]], words: str) -> None:
    with pytest.raises(AnalysisError, match=words):
        table_test(table)


def test_many_pairs_are_sampled_and_few_are_counted() -> None:
    random = np.random.default_rng(9)
    old, new = random.normal(size=(2, 20))
    assert permutation(old[:10], new[:10], paired=True).exact
    assert not permutation(old, new, paired=True).exact
