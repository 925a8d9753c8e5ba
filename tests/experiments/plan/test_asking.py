from __future__ import annotations

import pytest

from promptstudio_lab.experiments.plan.asking import asking
from promptstudio_lab.metrics import Mean, Metric, Quantile, Rate

PLAN = [Rate("success"), Quantile("latency_ms", 0.95, max_regression="10%")]


def test_what_was_planned_is_measured_whatever_is_asked() -> None:
    found = asking(PLAN, None, "3f9c1a2b77")
    assert found.metrics == tuple(PLAN)
    assert found.check.state == "ok"
    assert "1 goal and 1 guardrail frozen before the first run (plan 3f9c1a2b)" in (
        found.check.meaning
    )
    assert asking(PLAN, [Rate("success")]) == asking(PLAN, None)


@pytest.mark.parametrize("role", ["goal", "cost", "guardrail"])
def test_what_was_not_planned_decides_nothing_in_whatever_role(role: Metric) -> None:
    found = asking(PLAN, [Mean("quality", role=role)])  # type: ignore[arg-type] # one of the words
    assert [metric.role for metric in found.metrics] == ["goal", "guardrail", "exploratory"]
    assert found.check.state == "warn"
    assert "quality was not in the plan: exploratory" in found.check.meaning


def test_a_margin_cannot_be_loosened_afterwards() -> None:
    found = asking(PLAN, [Quantile("latency_ms", 0.95, max_regression="90%"), Mean("cost_usd")])
    assert found.metrics[:2] == tuple(PLAN)
    assert "latency p95 was asked for otherwise than planned" in found.check.meaning
    assert "cost was not in the plan" in found.check.meaning


def test_without_a_plan_what_is_asked_is_answered_and_that_is_said() -> None:
    assert asking([], None).check.state == "ok"
    found = asking([], [Mean("quality")])
    assert found.metrics == (Mean("quality"),)
    assert found.check.state == "unknown"
