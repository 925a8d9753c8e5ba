from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.metrics import Mean, Quantile
from promptstudio_lab.stats.quantiles import linearised, quantile_arm
from promptstudio_lab.stats.sums import Sums, SumsApart


def both(slow: Quantile, old: Any, new: Any) -> Sums:  # arrays
    (column,) = slow.columns
    return Sums.of({
        f"a.{column}": slow.derived({slow.column: old})[column],
        f"b.{column}": slow.derived({slow.column: new})[column],
    })  # fmt: skip


def test_it_is_named_for_what_it_is() -> None:
    slow = Quantile("latency_ms", 0.95)
    assert (slow.name, slow.label, slow.unit) == ("latency_ms_p95", "latency p95", "ms")
    assert slow.raw == ("latency_ms",)
    named = Quantile("latency_ms", 0.5, name="typical_wait", unit="s", better="higher", role="goal")
    assert (named.label, named.unit, named.better, named.role) == (
        "typical wait", "s", "higher", "goal",
    )  # fmt: skip
    assert Quantile("tokens", 0.999).name == "tokens_p99.9"
    with pytest.raises(AnalysisError, match=r"0\.5 is the median"):
        Quantile("latency_ms", 95)


def test_the_values_are_numpys_quantiles() -> None:
    random = np.random.default_rng(4)
    old, new = random.lognormal(6, 0.5, (2, 900))
    slow = Quantile("latency_ms", 0.9)
    effect = slow.effect(both(slow, old, new), "a", "b", method="fixed")
    assert effect.control == pytest.approx(np.quantile(old, 0.9), rel=1e-12)
    assert effect.treatment == pytest.approx(np.quantile(new, 0.9), rel=1e-12)
    arm = quantile_arm(old.tolist(), 0.9)
    assert np.std(linearised(old, 0.9)) / 30 == pytest.approx(np.sqrt(arm.squared_se), rel=0.02)


@pytest.mark.parametrize("p", [0.5, 0.95])
def test_the_paired_interval_covers(p: float) -> None:
    random = np.random.default_rng(11)
    slow, hits, widths = Quantile("ms", p), [], []
    for _ in range(1500):
        hard = random.normal(0, 0.7, 600)
        old, new = np.exp(hard + random.normal(0, 0.3, (2, 600)))
        found = slow.effect(both(slow, old, new), "a", "b", method="fixed")
        hits.append(found.low <= 0 <= found.high)
        apart = quantile_arm(old.tolist(), p).squared_se + quantile_arm(new.tolist(), p).squared_se
        widths.append(found.se / np.sqrt(apart))
    assert 0.935 <= np.mean(hits) <= 0.967
    assert np.mean(widths) < 0.85, "pairing pays"


def test_apart_it_is_the_quantile_of_each_arm() -> None:
    random = np.random.default_rng(5)
    old, new = random.lognormal(6, 0.5, 700), random.lognormal(6.1, 0.5, 800)
    slow = Quantile("ms", 0.5)
    sums = SumsApart({
        "a": Sums.of(slow.derived({"ms": old})), "b": Sums.of(slow.derived({"ms": new})),
    })  # fmt: skip
    effect = slow.effect(sums, "a", "b", method="fixed")
    assert effect.estimate == pytest.approx(np.median(new) - np.median(old))
    assert effect.se > 0


def test_too_few_rows_are_said_to_be() -> None:
    slow = Quantile("ms", 0.95)
    with pytest.raises(AnalysisError, match="too few"):
        slow.derived({"ms": np.arange(10.0)})
    empty = Sums.of({"a.other": [1, 2], "b.other": [1, 2]})
    assert "too few rows" in slow.effect(empty, "a", "b").reason
    one = Sums.of({"other": [1, 2]})
    assert "too few rows" in slow.effect(SumsApart({"a": one, "b": one}), "a", "b").reason


def test_values_that_are_equal_all_around_say_nothing() -> None:
    with pytest.raises(AnalysisError, match="equal all around"):
        linearised([3.0] * 100, 0.5)


def test_a_covariate_narrows_units_apart_and_changes_nothing_when_paired() -> None:
    random = np.random.default_rng(8)
    before = random.normal(size=(2, 400))
    after = 10 + 0.8 * before + 0.6 * random.normal(size=(2, 400)) + np.array([[0.0], [0.2]])
    sums = SumsApart({
        name: Sums.of({"score": after[i], "before": before[i]}) for i, name in enumerate("ab")
    })  # fmt: skip
    plain, less = Mean("score"), Mean("score", covariate="before")
    wide, narrow = plain.effect(sums, "a", "b"), less.effect(sums, "a", "b")
    assert narrow.se / wide.se == pytest.approx(0.6, abs=0.05)
    assert narrow.control == pytest.approx(10, abs=0.15), "shown where the scores lie"
    assert "CUPED: 'before' takes out" in narrow.reason
    paired = Sums.of({
        "a.score": after[0], "b.score": after[1], "a.before": before[0], "b.before": before[0],
    })  # fmt: skip
    same = less.effect(paired, "a", "b")
    assert same.se == plain.effect(paired, "a", "b").se
    assert "already takes out what 'before' explains" in same.reason
