from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from promptstudio_lab.errors import AnalysisError, PromptStudioError
from promptstudio_lab.metrics import Mean, Metric, Quantile, Rate, RatioOfSums, metrics
from promptstudio_lab.metrics.planned import document, planned, read
from promptstudio_lab.values import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Sequence

EVERY_KIND = [
    Rate("refusal", better="lower", role="guardrail", max_regression=".5pp"),
    Mean("score", name="s", label="the score", unit="points", covariate="before", role="goal"),
    Mean("latency_ms", max_regression="0.00001"),
    RatioOfSums("cost_usd", "success", name="cost_per_success", max_regression="$0.01"),
    Quantile("latency_ms", 0.95, max_regression="10%"),
]


@pytest.mark.parametrize("metric", EVERY_KIND, ids=lambda metric: metric.name)
def test_a_plan_gives_back_the_metric_that_it_holds(metric: Metric) -> None:
    written = loads(dumps(document(metric)))
    assert isinstance(written, dict)
    assert read(written) == metric
    assert type(read(written)) is type(metric)


def test_every_kind_can_be_planned() -> None:
    assert {document(metric)["kind"] for metric in EVERY_KIND} == set(metrics)


def test_what_is_not_named_is_as_usual_and_roles_are_those_it_was_named_for() -> None:
    assert planned() == ()
    found = planned([Mean("latency_ms")], guards=[Rate("success", max_regression="1pp")])
    assert [(one.name, one.role) for one in found] == [
        ("latency_ms", "goal"),
        ("cost_usd", "cost"),
        ("cost_per_success", "cost"),
        ("success", "guardrail"),
    ]
    usual = planned(costs=[])
    assert [one.name for one in usual] == ["success", "latency_ms"]


@pytest.mark.parametrize(
    ("goals", "words"),
    [
        (["success"], r"'success' is no metric.*ps\.Rate\('success'\)"),
        (7, r"7 is no metric"),
        ([], "no metric is a goal"),
        ([Rate("success"), Mean("success")], "two metrics are called 'success'"),
    ],
)
def test_what_cannot_be_planned_is_said(goals: Any, words: str) -> None:  # whatever a caller gives
    with pytest.raises(AnalysisError, match=words):
        planned(goals)


def test_one_metric_needs_no_list() -> None:
    one: Sequence[Metric] | Any = Rate("success")  # not what the signature says, but what is meant
    assert planned(one, costs=[], guards=[]) == (Rate("success"),)


def test_a_kind_that_nobody_registered_cannot_be_read_again() -> None:
    class Own(Rate):
        pass

    with pytest.raises(AnalysisError, match="Own is no registered metric"):
        document(Own("success"))
    with pytest.raises(PromptStudioError, match=r"no metric 'rat'.*'rate'"):
        read({"kind": "rat"})
