from __future__ import annotations

import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.metrics import Mean, Rate, RatioOfSums, default_metrics, metrics
from promptstudio_lab.stats.sums import Sums


def test_built_in_metrics_come_in_by_the_door_of_third_parties() -> None:
    assert set(metrics) >= {"mean", "quantile", "rate", "ratio"}
    assert metrics["ratio"] is RatioOfSums


def test_what_is_measured_unless_told_otherwise() -> None:
    found = [(metric.name, metric.label, metric.unit, metric.role) for metric in default_metrics()]
    assert found == [
        ("success", "success", "share", "goal"),
        ("cost_usd", "cost", "usd", "cost"),
        ("latency_ms", "latency", "ms", "guardrail"),
        ("cost_per_success", "cost per success", "usd per success", "cost"),
    ]
    assert [metric.better for metric in default_metrics()] == ["higher", "lower", "lower", "lower"]


@pytest.mark.parametrize("word", ["better", "role"])
def test_a_word_that_no_report_understands_is_refused(word: str) -> None:
    with pytest.raises(AnalysisError, match="metric 'success' says 'up'"):
        Rate("success", **{word: "up"})  # type: ignore[arg-type] # what a careless caller may pass


def test_what_is_said_is_kept() -> None:
    quality = Mean(
        "quality", unit="points", label="answer quality", max_regression=0.1, role="guardrail"
    )
    assert (quality.unit, quality.label, quality.better) == ("points", "answer quality", "higher")
    tokens = RatioOfSums("tokens", "calls", unit="tokens per call", better="higher", role="goal")
    assert (tokens.name, tokens.unit) == ("tokens_per_calls", "tokens per call")
    assert RatioOfSums("tokens", "calls").unit == "tokens per calls"
    assert RatioOfSums("latency_ms", "calls").unit == "ms per calls"


def test_a_column_named_only_by_its_unit_keeps_a_label() -> None:
    assert Mean("ms").label == "ms"


@pytest.mark.parametrize(
    ("metric", "estimate"),
    [(Rate("success"), 0.5), (Mean("cost_usd"), 1.0), (RatioOfSums("cost_usd", "success"), -1.0)],
)
def test_each_metric_reads_the_columns_of_both_variants(
    metric: Rate | Mean | RatioOfSums, estimate: float
) -> None:
    sums = Sums.of(
        {
            "v1.success": [0, 1],
            "v1.cost_usd": [1, 3],
            "v.2.success": [1, 1],
            "v.2.cost_usd": [2, 4],
        }
    )
    assert metric.effect(sums, "v1", "v.2").estimate == estimate
    assert metric.effect(sums, "v.2", "v1", 0.1, "fixed").estimate == -estimate
    assert metric.effect(sums, "v1", "v.2", 0.1, "fixed").alpha == 0.1


def test_a_missing_column_is_named() -> None:
    with pytest.raises(AnalysisError, match=r"no column 'b.success'"):
        Rate("success").effect(Sums.of({"a.success": [0, 1]}), "a", "b")


def test_a_rate_of_more_than_all_is_refused() -> None:
    sums = Sums.of({"a.score": [40, 50], "b.score": [60, 70]})
    with pytest.raises(AnalysisError, match=r"'a.score' averages 45.*Mean\('score'\)"):
        Rate("score").effect(sums, "a", "b")
