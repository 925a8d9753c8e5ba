from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import promptstudio_lab as ps
from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.plan.shuffled import self_check
from promptstudio_lab.metrics import Mean
from tests.experiments.parts import frame, report


def asked(*, apart: bool = False, **more: Any) -> Any:  # a Report
    rows = frame(160, lift=0.4, apart=apart)
    metrics = [ps.Rate("success"), ps.Mean("cost_usd"), ps.Quantile("latency_ms", 0.5)]
    return ps.analyze(rows, unit="unit", control="a", metrics=metrics, **more)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("cluster", [None, "document"])
def test_where_nothing_differs_nothing_is_found_more_often_than_promised(
    apart: Any, cluster: str | None
) -> None:
    fixed = asked(apart=apart, cluster=cluster, method="fixed").self_check()
    assert fixed.ok
    assert 0.02 <= fixed.share <= 0.09, "about 1 in 20, though the variants really differ"
    anytime = asked(apart=apart, cluster=cluster).self_check("cost_usd", times=100)
    assert anytime.share <= 0.05
    assert anytime.metric == "cost"


def test_a_quantile_is_taken_anew_of_every_shuffle() -> None:
    assert asked(method="fixed").self_check("latency_ms_p50", times=100).share <= 0.12


def test_intervals_that_are_too_narrow_are_found_out() -> None:
    class Eager(Mean):
        def effect(self, *args: Any, **words: Any) -> Any:  # as every metric's
            found = super().effect(*args, **words)
            half = (found.high - found.low) / 6
            return replace(found, low=found.estimate - half, high=found.estimate + half)

    found = self_check(asked().rows, Eager("cost_usd"), method="fixed", times=100)
    assert not found.ok
    assert "do not trust its intervals" in repr(found)


def test_what_cannot_be_shuffled_is_said() -> None:
    with pytest.raises(AnalysisError, match="at least 20"):
        asked().self_check(times=3)
    with pytest.raises(AnalysisError, match="no metric 'sucess'"):
        asked().self_check("sucess")
    with pytest.raises(AnalysisError, match="from sums alone"):
        report().self_check()
