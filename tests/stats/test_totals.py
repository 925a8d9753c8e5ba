from __future__ import annotations

import numpy as np
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.planning.totals import total_of_more


def test_the_interval_covers_the_sum_as_often_as_it_says() -> None:
    chance = np.random.default_rng(7)
    covered = 0
    for _ in range(2_000):
        seen, later = chance.normal(10, 3, 12), chance.normal(10, 3, 30)
        found = total_of_more(seen.tolist(), 30)
        covered += found.low <= later.sum() <= found.high
    assert covered / 2_000 == pytest.approx(0.95, abs=0.015)


def test_more_of_the_same_is_the_same_a_time() -> None:
    assert total_of_more([2.0, 2.0, 2.0], 5).estimate == 10.0
    assert total_of_more([2.0, 2.0, 2.0], 5).high == 10.0


@pytest.mark.parametrize(("seen", "count"), [([1.0], 3), ([], 3), ([1.0, 2.0], -1)])
def test_too_little_is_refused(seen: list[float], count: int) -> None:
    with pytest.raises(AnalysisError, match="say nothing"):
        total_of_more(seen, count)


def test_nothing_more_sums_to_nothing() -> None:
    found = total_of_more([1.0, 3.0], 0)
    assert (found.low, found.estimate, found.high) == (0.0, 0.0, 0.0)
