from __future__ import annotations

import math

import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.proportions import mcnemar, wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (20, 20), (1, 1), (7, 20)])
def test_a_share_stays_between_nothing_and_all(successes: int, n: int) -> None:
    share = wilson(successes, n)
    assert 0 <= share.low <= share.share <= share.high <= 1
    assert share.high - share.low > 0


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_what_is_no_share_is_refused(successes: int, n: int) -> None:
    with pytest.raises(AnalysisError, match="no share"):
        wilson(successes, n)


def test_items_that_never_disagree_say_nothing() -> None:
    assert math.isnan(mcnemar(0, 0).p_value)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(AnalysisError, match="no counts"):
        mcnemar(-1, 3)
