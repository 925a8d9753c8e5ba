from __future__ import annotations

import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.srm import srm


def test_a_lopsided_split_is_no_accident() -> None:
    result = srm([400, 240], [1, 1])
    assert not result.ok
    assert result.expected == (320.0, 320.0)
    assert srm([400, 240], [5, 3]).ok


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
