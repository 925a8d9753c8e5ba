from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.clusters import clustered_difference, clustered_mean
from promptstudio_lab.stats.independent import welch
from promptstudio_lab.stats.paired import paired_t

if TYPE_CHECKING:
    from promptstudio_lab.stats.clusters import Correction

ROWS = st.lists(
    st.tuples(st.integers(-20, 20), st.integers(-20, 20), st.integers(0, 5)), min_size=4
)


def scores(random: np.random.Generator, repeats: int, clusters: int, rows: int) -> np.ndarray:
    """Return scores of which rows of a cluster share 30 % of the variance."""
    shared = random.normal(0, math.sqrt(0.3), (repeats, clusters, 1))
    own = random.normal(0, math.sqrt(0.7), (repeats, clusters, rows))
    return (shared + own).reshape(repeats, clusters * rows)


def coverage(clusters: int, correction: Correction) -> float:
    random = np.random.default_rng(20261101)
    groups = np.repeat(np.arange(clusters), 4).tolist()
    found = [
        clustered_mean(row, groups, correction=correction)
        for row in scores(random, 4000, clusters, 4)
    ]
    return float(np.mean([one.low <= 0 <= one.high for one in found]))


@pytest.mark.parametrize("clusters", [5, 10, 20, 40])
def test_the_mean_covers_at_few_clusters(clusters: int) -> None:
    assert 0.94 <= coverage(clusters, "CR1") <= 0.96


@pytest.mark.parametrize("clusters", [5, 20])
def test_the_difference_of_two_arms_covers_at_few_clusters(clusters: int) -> None:
    random = np.random.default_rng(3)
    groups = np.repeat(np.arange(clusters), 4)
    samples = scores(random, 4000, clusters, 4), scores(random, 4000, clusters, 4)
    found = [
        welch(*(Arm.of_clusters(row, groups) for row in pair))
        for pair in zip(*samples, strict=True)
    ]
    assert 0.94 <= np.mean([one.low <= 0 <= one.high for one in found]) <= 0.96


def test_clusters_of_any_size_are_covered() -> None:
    random = np.random.default_rng(4)
    groups = np.repeat(np.arange(40), random.integers(1, 8, 40))
    shared = random.normal(0, math.sqrt(0.3), (3000, 40))
    rows = shared[:, groups] + random.normal(0, math.sqrt(0.7), (3000, len(groups)))
    found = [clustered_mean(row, groups) for row in rows]
    assert 0.935 <= np.mean([one.low <= 0 <= one.high for one in found]) <= 0.965


def test_the_published_error_covers_too_rarely_at_five_clusters() -> None:
    assert coverage(5, "CR0") == pytest.approx(0.845, abs=0.02)


def test_ignoring_clusters_is_wrong_and_the_design_effect_says_how() -> None:
    random = np.random.default_rng(2)
    groups = np.repeat(np.arange(60), 10).tolist()
    found = [clustered_mean(row, groups) for row in scores(random, 1000, 60, 10)]
    assert np.mean([one.p_value < 0.05 for one in found]) == pytest.approx(0.05, abs=0.02)
    ratio = np.sqrt(np.mean([one.design_effect for one in found]))
    assert ratio == pytest.approx(1.92, abs=0.05)


@given(ROWS)
def test_swapping_the_arms_flips_the_sign(rows: list[tuple[int, int, int]]) -> None:
    old, new, groups = zip(*rows, strict=True)
    assume(len(set(groups)) > 1)
    there, back = clustered_difference(old, new, groups), clustered_difference(new, old, groups)
    assert back.mean == pytest.approx(-there.mean, abs=1e-12)
    assert back.se == pytest.approx(there.se, nan_ok=True)


def test_one_row_a_cluster_is_the_paired_t() -> None:
    old, new = [1.0, 4.0, 2.0, 7.0], [2.0, 6.0, 2.0, 9.0]
    found = clustered_difference(old, new, ["a", "b", "c", "d"])
    oracle = paired_t([b - a for a, b in zip(old, new, strict=True)])
    assert (found.low, found.high, found.p_value) == pytest.approx(
        (oracle.low, oracle.high, oracle.p_value)
    )
    assert found.design_effect == pytest.approx(1)


def test_clusters_that_agree_exactly_show_no_spread() -> None:
    found = clustered_mean([0.0, 1.0, 0.0, 1.0], ["a", "a", "b", "b"])
    assert found.mean == 0.5
    assert math.isnan(found.se)
    assert math.isnan(found.p_value)


def test_what_cannot_be_paired_or_clustered_is_refused() -> None:
    with pytest.raises(AnalysisError, match="cannot be paired"):
        clustered_difference([1.0], [1.0, 2.0], ["a", "b"])
    with pytest.raises(AnalysisError, match="at least 2"):
        clustered_mean([1.0, 2.0], ["a", "a"])
    with pytest.raises(AnalysisError, match="'CR1'"):
        clustered_mean([1.0, 2.0], ["a", "b"], correction="CR2")  # type: ignore[arg-type] # the mistake
