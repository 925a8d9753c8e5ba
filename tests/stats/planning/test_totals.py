from __future__ import annotations

import numpy as np
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.planning.totals import total_of_more


def test_the_interval_covers_the_sum_as_often_as_it_says() -> None:
    chance = np.random.default_rng(7)
    seen, later = chance.normal(10, 3, (5_000, 12)), chance.normal(10, 3, (5_000, 30)).sum(axis=1)
    found = [total_of_more(row, 30) for row in seen]
    covered = [one.low <= total <= one.high for one, total in zip(found, later, strict=True)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.01)


def test_large_offsets_lose_nothing() -> None:
    near, far = total_of_more([1.0, 2.0, 4.0], 5), total_of_more([1e9 + 1, 1e9 + 2, 1e9 + 4], 5)
    assert far.high - far.low == pytest.approx(near.high - near.low, rel=1e-6)


def test_more_of_the_same_is_the_same_a_time() -> None:
    assert total_of_more([2.0, 2.0, 2.0], 5).estimate == 10.0
    assert total_of_more([2.0, 2.0, 2.0], 5).high == 10.0


@pytest.mark.parametrize(("seen", "count"), [([1.0], 3), ([], 3)])
def test_too_little_is_refused(seen: list[float], count: int) -> None:
    with pytest.raises(AnalysisError, match="say nothing"):
        total_of_more(seen, count)


@pytest.mark.parametrize("more", [-1, 2.5, float("nan")])
def test_what_is_no_count_is_refused(more: float) -> None:
    with pytest.raises(AnalysisError, match="whole number"):
        total_of_more([1.0, 2.0], more)  # type: ignore[arg-type] # the mistake


def test_what_is_no_number_or_no_level_is_refused() -> None:
    with pytest.raises(AnalysisError, match="'seen' row 1"):
        total_of_more([1.0, float("nan"), 2.0], 3)
    with pytest.raises(AnalysisError, match="alpha"):
        total_of_more([1.0, 2.0], 3, alpha=95)


def test_nothing_more_sums_to_nothing() -> None:
    found = total_of_more([1.0, 3.0], 0)
    assert (found.low, found.estimate, found.high) == (0.0, 0.0, 0.0)
