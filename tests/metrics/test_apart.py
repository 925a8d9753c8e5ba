from __future__ import annotations

import numpy as np
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.metrics import Mean, Metric, Quantile, Rate, RatioOfSums
from promptstudio_lab.stats.sums import Sums, SumsApart

RANDOM = np.random.default_rng(6)
ROWS = {
    name: {
        "success": (RANDOM.random(n) < 0.6).astype(float),
        "cost_usd": RANDOM.lognormal(0, 0.3, n),
    }
    for name, n in (("a", 180), ("b", 220))
}
APART = SumsApart({name: Sums.of(columns) for name, columns in ROWS.items()})


@pytest.mark.parametrize("metric", [Rate("success"), Mean("cost_usd")])
def test_units_of_one_variant_each_are_compared_by_their_means(metric: Rate | Mean) -> None:
    (column,) = metric.columns
    effect = metric.effect(APART, "a", "b", method="fixed")
    assert effect.control == pytest.approx(ROWS["a"][column].mean())
    assert effect.estimate == pytest.approx(ROWS["b"][column].mean() - ROWS["a"][column].mean())
    assert metric.effect(APART, "b", "a", method="fixed").estimate == -effect.estimate


def test_a_ratio_of_units_apart_is_that_of_their_sums() -> None:
    metric = RatioOfSums("cost_usd", "success")
    effect = metric.effect(APART, "a", "b")
    assert effect.control == pytest.approx(ROWS["a"]["cost_usd"].sum() / ROWS["a"]["success"].sum())
    none = Sums.of({"cost_usd": [1.0, 2.0], "success": [0.0, 0.0]})
    reason = metric.effect(SumsApart({"a": none, "b": none}), "a", "b").reason
    assert "would divide by 0 over 2 units" in reason


def test_most_metrics_add_up_the_columns_that_rows_have() -> None:
    goal = Rate("success")
    assert goal.raw == goal.columns
    assert goal.derived(ROWS["a"]) == {}
    assert Quantile("cost_usd").raw == ("cost_usd",)


def test_a_metric_of_pairs_alone_refuses_units_apart() -> None:
    with pytest.raises(AnalysisError, match="only compares items that met every variant"):
        Metric.arm(Rate("success"), APART["a"])
