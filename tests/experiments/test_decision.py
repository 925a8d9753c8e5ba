from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.metrics import Mean, Rate, RatioOfSums
from promptstudio_lab.stats.sums import Sums
from tests.experiments.parts import items, report

if TYPE_CHECKING:
    from promptstudio_lab.experiments.report import Report

ARMS = ("control", "treatment")


def test_a_clear_gain_ships_and_names_its_price() -> None:
    decision = report().decision
    assert (decision.action, decision.variant) == ("ship", "treatment")
    assert decision.text.startswith("treatment ships: success rises from 46.7 % to 78.3 %")
    assert "95 % anytime interval +" in decision.text
    assert "it costs 1.9x as much per run, $0.000" in decision.text
    assert "per success against $0.000" in decision.text
    assert len(decision.because) == 4


def test_a_clear_loss_stops() -> None:
    decision = report(items(lift=-0.4)).decision
    assert (decision.action, decision.variant) == ("stop", "control")
    assert "success falls from" in decision.text


def test_a_goal_for_which_less_is_better_turns_the_rule_around() -> None:
    goal = Mean("cost_usd", role="goal")
    assert report(metrics=[goal]).decision.action == "stop"
    assert report(items(cost=0.5), metrics=[goal]).decision.action == "ship"


def test_an_open_question_says_how_many_items_it_takes() -> None:
    decision = report(items(n=120, lift=0.05)).decision
    assert (decision.action, decision.variant) == ("keep_running", None)
    assert decision.text.startswith("no winner yet: success is")
    assert "more items (some $" in decision.text
    assert "if the difference and the spread stayed as observed" in decision.because[-1]


def test_without_a_cost_metric_the_items_have_no_price() -> None:
    text = report(items(n=120, lift=0.05), metrics=[Rate("success")]).decision.text
    assert "more items would be needed" in text
    assert "$" not in text


def test_items_that_cost_nothing_have_no_price() -> None:
    free = {f"{arm}.cost_usd": [0.0] * 40 for arm in ARMS}
    wins = {"control.success": [0.0, 1, 1, 0] * 10, "treatment.success": [1.0, 0, 1, 1] * 10}
    found = report(Sums.of({**wins, **free}), metrics=[Rate("success"), Mean("cost_usd")])
    text = found.decision.text
    assert "more items would be needed" in text


def test_no_difference_on_average_promises_no_number_of_items() -> None:
    sums = Sums.of({"control.success": [0, 1] * 50, "treatment.success": [1, 0] * 50})
    decision = report(sums, metrics=[Rate("success")]).decision
    assert decision.action == "keep_running"
    assert "no number of items would tell" in decision.text


def test_equal_results_on_every_item_hold() -> None:
    sums = Sums.of({"control.success": [0, 1] * 120, "treatment.success": [0, 1] * 120})
    decision = report(sums, metrics=[Rate("success")]).decision
    assert (decision.action, decision.variant) == ("hold", "control")
    assert decision.text == (
        "no difference seen: both variants gave the same result on all 240 items, so success"
        " differs by at most 1.24 points."
    )
    assert decision.because == ("success: the same on all 240 items",)


def alike(n: int, column: str = "success") -> Sums:
    return Sums.of({f"{arm}.{column}": [1.0] * n for arm in ARMS})


def test_a_few_equal_results_hold_nothing() -> None:
    decision = report(alike(7), metrics=[Rate("success")]).decision
    assert decision.action == "keep_running"
    assert decision.text == (
        "too few to tell: both variants gave the same result on all 7 items, so success differs by"
        " at most 34.8 points."
    )


def test_silence_keeps_no_guardrail() -> None:
    guard = Rate("safe", role="guardrail", max_regression="2pp")

    def found(n: int) -> Report:
        gain = {"control.success": [0.0, 1.0] * (n // 2), "treatment.success": [1.0] * n}
        rows = {**gain, **{f"{arm}.safe": [1.0] * n for arm in ARMS}}
        return report(Sums.of(rows), metrics=[Rate("success"), guard])

    open_, kept = found(60), found(200)
    assert (open_.findings[1].guard, kept.findings[1].guard) == ("open", "kept")
    assert (open_.decision.action, kept.decision.action) == ("keep_running", "ship")
    (step,) = open_.decision.further
    assert step.items == 149 - 60


def test_equal_results_at_another_price_hold_and_say_so() -> None:
    same = np.array([0.0, 1.0] * 50)
    rows = {"success": (same, same), "cost_usd": (same + 1, same * 3 + 3)}
    sums = Sums.of(
        {f"{arm}.{key}": two[i] for key, two in rows.items() for i, arm in enumerate(ARMS)}
    )
    decision = report(sums, metrics=[Rate("success"), Mean("cost_usd")]).decision
    assert decision.action == "hold"
    assert "and treatment costs 3x as much per run" in decision.text


def test_a_mismatch_of_shares_makes_everything_invalid() -> None:
    found = report(counts={"control": 400, "treatment": 240})
    assert found.srm is not None
    assert not found.srm.ok
    assert (found.decision.action, found.decision.variant) == ("invalid", None)
    assert "400 : 240 instead of 320 : 320, p < 0.001" in found.decision.text


@pytest.mark.parametrize(("lost", "action"), [(13, "ship"), (14, "invalid")])
def test_too_many_items_without_a_partner_make_it_invalid(lost: int, action: str) -> None:
    found = report(items(n=250), unpaired=[f"item-{number}" for number in range(lost)])
    assert found.decision.action == action
    if action == "invalid":
        assert "14 of 264 items have a result from one variant only" in found.decision.text


def test_goals_that_disagree_hold() -> None:
    found = report(metrics=[Rate("success"), Mean("cost_usd", role="goal")])
    assert found.decision.action == "hold"
    assert found.decision.text.startswith("the goals disagree: success rises")
    assert ", but cost rises" in found.decision.text


def test_several_goals_share_the_error() -> None:
    found = report(metrics=[Rate("success"), Mean("latency_ms", role="goal"), Mean("cost_usd")])
    # Success is clear at the strictest level, which leaves the whole error for latency.
    assert [effect.alpha for effect in found.effects.values()] == [0.025, 0.05, 0.05]
    assert "2 questions about goals share the error of 0.05 by Holm's steps" in found.reason
    assert "97.5 % anytime interval" in found.decision.text


def test_a_guardrail_without_a_limit_is_told() -> None:
    found = report(items(slower=1.5))
    assert found.decision.action == "ship"
    assert "latency gets worse by +" in found.decision.text


def test_a_broken_guardrail_holds_what_would_ship() -> None:
    guard = Mean("latency_ms", max_regression="10%")
    found = report(items(slower=1.5), metrics=[Rate("success"), guard])
    assert (found.decision.action, found.decision.variant) == ("hold", "control")
    assert "at most 10 % worse is accepted" in found.decision.text
    assert report(metrics=[Rate("success"), guard]).decision.action == "ship"
    slight = report(items(slower=1.05), metrics=[Rate("success"), guard])
    assert slight["latency_ms"].low > 0
    assert slight.decision.action == "ship"


def test_a_guardrail_that_is_not_shown_to_be_kept_keeps_running_and_names_its_price() -> None:
    guard = Mean("latency_ms", max_regression="10%")
    found = report(items(slower=1.08), metrics=[Rate("success"), guard, Mean("cost_usd")])
    assert (found.decision.action, found.decision.variant) == ("keep_running", None)
    assert found.findings[1].guard == "open"
    assert "a guardrail is open" in found.decision.text
    (step,) = found.further
    assert step.metric == "latency_ms"
    assert step.items is not None
    assert step.cost_usd == pytest.approx(
        step.items * (found["cost_usd"].control + found["cost_usd"].treatment)
    )
    assert "to tell whether latency gets at most 10 % worse" in step.text
    wide = report(items(slower=1.08), metrics=[Rate("success"), Mean("latency_ms")])
    assert wide.decision.action == "ship", "what is held to no margin only tells"


def test_a_margin_in_the_metrics_own_unit_is_kept_or_broken() -> None:
    def guard(written: str, slower: float) -> object:
        metrics = [Rate("success"), Mean("latency_ms", max_regression=written)]
        return report(items(slower=slower), metrics=metrics).findings[1].guard

    assert guard("200 ms", 1.05) == "kept"
    assert guard("50 ms", 1.05) == "open"
    assert guard("10 ms", 1.05) == "broken"
    points = [
        Rate("success", role="guardrail", max_regression=".5pp"),
        Mean("cost_usd", role="goal"),
    ]
    assert report(items(lift=-0.3), metrics=points).findings[0].guard == "broken"
    assert report(items(lift=0.3), metrics=points).findings[0].guard == "kept"


def test_a_guardrail_for_which_more_is_better_breaks_downwards() -> None:
    random = np.random.default_rng(5)
    rows = {
        "control.success": random.random(200) < 0.3,
        "treatment.success": random.random(200) < 0.9,
        "control.polite": random.random(200) < 0.9,
        "treatment.polite": random.random(200) < 0.3,
    }
    sums = Sums.of({key: value.astype(float) for key, value in rows.items()})
    guard = Rate("polite", role="guardrail", max_regression=0.05)
    assert report(sums, metrics=[Rate("success"), guard]).decision.action == "hold"


@pytest.mark.parametrize(("limit", "action"), [(0.5, "hold"), (None, "ship")])
def test_a_guardrail_that_rises_from_zero_has_no_share_to_excuse_it(
    limit: float | None, action: str
) -> None:
    random = np.random.default_rng(6)
    rows = {
        "control.success": random.random(200) < 0.3,
        "treatment.success": random.random(200) < 0.9,
        "control.refused": np.zeros(200),
        "treatment.refused": random.random(200) < 0.4,
    }
    guard = Rate("refused", role="guardrail", better="lower", max_regression=limit)
    sums = Sums.of({key: value.astype(float) for key, value in rows.items()})
    decision = report(sums, metrics=[Rate("success"), guard]).decision
    assert decision.action == action
    if limit is None:
        assert "refused gets worse by +" in decision.text
        assert "points" in decision.text


def test_a_goal_that_cannot_be_computed_keeps_running_and_says_why() -> None:
    goal = RatioOfSums("cost_usd", "success", name="cost_per_success", role="goal")
    rows = {"success": [0.0] * 40, "cost_usd": [1.0, 2.0] * 20}
    sums = Sums.of({f"{arm}.{key}": values for key, values in rows.items() for arm in ARMS})
    decision = report(sums, metrics=[goal]).decision
    assert decision.action == "keep_running"
    assert "no answer yet: cost per success is unknown" in decision.text
    assert "would divide by 0" in decision.because[0]


def test_without_a_goal_nothing_is_decided() -> None:
    with pytest.raises(AnalysisError, match="no metric is a goal"):
        report(metrics=[Mean("cost_usd")])
