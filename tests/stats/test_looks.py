from __future__ import annotations

import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.looks import Fixed, rule
from promptstudio_lab.stats.sequential.anytime import Anytime


def test_each_method_has_its_rule() -> None:
    assert rule("anytime", 0.05) == Anytime(0.05)
    assert rule("fixed", 0.1) == Fixed(0.1)


def test_an_unknown_method_names_the_nearest() -> None:
    with pytest.raises(AnalysisError, match=r"'anytim'.*'anytime'"):
        rule("anytim", 0.05)


@pytest.mark.parametrize("alpha", [0, 1, -1, 5, float("nan")])
def test_an_impossible_level_is_refused(alpha: float) -> None:
    with pytest.raises(AnalysisError, match="between 0 and 1"):
        rule("anytime", alpha)


def test_looking_at_any_time_costs_width() -> None:
    for n in (10, 100, 1000, 10_000):
        assert rule("anytime", 0.05).half_width(n) > 1.5 * rule("fixed", 0.05).half_width(n) * 0.9
