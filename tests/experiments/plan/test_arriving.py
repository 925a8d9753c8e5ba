from __future__ import annotations

import math

import numpy as np
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.plan.arriving import arriving
from promptstudio_lab.experiments.plan.sizing import smallest
from promptstudio_lab.experiments.wording import Noun
from promptstudio_lab.metrics import Mean, Rate
from promptstudio_lab.stats.sums import Sums, SumsApart

HALVES = {"old": 0.5, "new": 0.5}


def test_the_planned_number_of_units_has_the_planned_power() -> None:
    random, metric = np.random.default_rng(11), Rate("success")
    plan = arriving(metric, 0.12, shares={"old": 0.7, "new": 0.3}, method="fixed")
    seen = []
    for _ in range(1500):
        arms = {
            name: Sums.of({"success": (random.random(plan.units[name]) < rate).astype(float)})
            for name, rate in (("old", 0.44), ("new", 0.56))
        }
        effect = metric.effect(SumsApart(arms), "old", "new", method="fixed")
        seen.append(effect.low > 0)
    assert np.mean(seen) == pytest.approx(0.8, abs=0.03)


def test_equal_halves_are_the_smallest_and_more_questions_ask_for_more() -> None:
    plain = arriving(Rate("success"), 0.1, shares=HALVES)
    assert plain.units["old"] == plain.units["new"]
    skewed = arriving(Rate("success"), 0.1, shares={"old": 0.9, "new": 0.1})
    assert skewed.total > plain.total
    assert skewed.units["old"] == pytest.approx(9 * skewed.units["new"], abs=9)
    third = {"old": 1 / 3, "new": 1 / 3, "other": 1 / 3}
    assert arriving(Rate("success"), 0.1, shares=third).total > 1.5 * plain.total
    assert arriving(Rate("success"), 0.1, shares=HALVES, goals=2).total > plain.total


def test_days_and_dollars_follow_from_the_traffic() -> None:
    plan = arriving(
        Rate("success"),
        0.1,
        shares=HALVES,
        have=100,
        per_day=50,
        cost_per_run=0.001,
        noun=Noun.of("user_id"),
    )
    assert plan.days == math.ceil((plan.total - 100) / 50)
    assert plan.cost_usd == pytest.approx(plan.total * 0.001)
    assert repr(plan) == plan.text
    assert f"100 came so far, 50 a day: {plan.days} more days" in plan.text
    assert "users (" in plan.text
    assert "10.0 points" in plan.text
    enough = arriving(Rate("success"), 0.1, shares=HALVES, have=10**6)
    assert enough.days == 0
    assert "enough" in enough.text
    unknown = arriving(Rate("success"), 0.1, shares=HALVES)
    assert unknown.days is None
    assert "per_day=" in unknown.text
    with pytest.raises(AnalysisError, match="no traffic"):
        arriving(Rate("success"), 0.1, shares=HALVES, per_day=0)


def test_what_matters_is_said_in_numbers_or_in_words() -> None:
    assert smallest(0.05, Rate("success"), None) == 0.05
    assert smallest("5pp", Rate("success"), None) == 0.05
    assert smallest("200 ms", Mean("latency_ms"), None) == 200.0
    assert smallest("10%", Mean("latency_ms"), 800.0) == 80.0
    with pytest.raises(AnalysisError, match=r"how much 10% of the control's success is"):
        smallest("10%", Rate("success"), None)
    with pytest.raises(AnalysisError, match="cannot be read"):
        smallest("a lot", Rate("success"), None)
