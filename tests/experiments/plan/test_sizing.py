from __future__ import annotations

import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.plan.sizing import size
from promptstudio_lab.metrics import Mean, Rate


def test_more_treatments_and_goals_ask_for_more() -> None:
    plan = size(Rate("success"), 0.1, have=100, cost_per_run=0.001)
    three = size(Rate("success"), 0.1, have=100, treatments=3, goals=2, cost_per_run=0.001)
    assert three.items > plan.items
    assert three.runs == 4 * three.items
    assert plan.cost_usd == pytest.approx(plan.runs * 0.001)
    assert three.alpha == pytest.approx(0.05 / 6)


def test_a_plan_is_a_sentence_in_the_metrics_unit() -> None:
    plan = size(Mean("latency_ms"), 50.0, have=10_000, sd=200.0, method="fixed")
    assert plan.enough
    assert repr(plan) == plan.text
    assert "50.0 ms in latency 80% of the time" in plan.text.replace("\u00a0", " ")
    assert "enough" in plan.text
    assert "$" not in plan.text, "no price is known"
    assert "more are needed" in size(Rate("success"), 0.01, have=10).text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"mde": 0.0}, "mde"),
        ({"mde": float("nan")}, "mde"),
        ({"power": 1.0}, "power"),
        ({"sd": 0.0}, "sd"),
        ({"have": 1}, "at least 2"),
        ({"mde": 1e-12}, "no number of items"),
    ],
)
def test_plans_that_mean_nothing_are_refused(words: dict[str, float], says: str) -> None:
    usual: dict[str, float] = {"mde": 0.1, "have": 100}
    with pytest.raises(AnalysisError, match=says):
        size(Rate("success"), **{**usual, **words})  # type: ignore[arg-type] # the mistakes
