"""Looks that were planned are taken as planned, whoever asks for what in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import promptstudio_lab as ps
from promptstudio_lab.errors import AnalysisError, Conflict
from promptstudio_lab.identity import Actor
from promptstudio_lab.lab import Lab
from tests.lab.parts import as_somebody
from tests.lab.simulation import RIGHT, WRONG, guessing

if TYPE_CHECKING:
    from promptstudio_lab.lab import OnlineExperiment

FOUR = ps.Schedule(4, n=160)


def begun(lab: Lab, name: str = "s", **how: Any) -> OnlineExperiment:  # as the lab takes them
    flow = guessing(lab)
    variants = {"a": None, "b": flow.vary("say.prompt", "{{ says.b }}")}
    asked: dict[str, Any] = {"scorer": ps.exact("label", "truth"), "unit": "user", "looks": FOUR}
    made: OnlineExperiment = lab.experiment(name, flow=flow, variants=variants, **asked | how)
    return made.start()


def more(experiment: OnlineExperiment, first: int, last: int) -> None:
    """Let users come of whom most prefer the treatment."""
    right = np.random.default_rng(1).random((400, 2)) < (0.3, 0.8)
    words = [
        {key: RIGHT if ok else WRONG for key, ok in zip("ab", pair, strict=True)}
        for pair in right.tolist()
    ]
    users = range(first, last)
    experiment.batch([{"user": f"u{n}", "says": words[n], "truth": RIGHT} for n in users])


def test_planned_looks_decide_and_others_do_not(lab: Lab) -> None:
    experiment = begun(lab)
    more(experiment, 0, 30)
    assert "look 1 of 4 is due at 40 users, and there are 30" in experiment.report().decision.text
    more(experiment, 30, 41)
    first = experiment.report()
    assert "Look 1 of 4, at 25.6 % of the planned users: boundary z = 4.2" in first.reason
    assert str(experiment.report()) == str(first), "the same data are the same look"
    more(experiment, 41, 70)
    extra = experiment.report()
    assert (extra.decision.action, extra.method) == ("keep_running", "anytime")
    assert extra["success"].p_value < 0.05, "clear, and all the same no look of the plan"
    more(experiment, 70, 130)
    third = experiment.report(method="fixed")
    assert "fixed intervals were asked for, but the plan froze 4 planned looks" in third.reason
    assert "Look 3 of 4" in third.reason
    assert (third.decision.action, third.decision.variant) == ("ship", "b")
    kept = lab.sql(
        "SELECT look, method, information, decision FROM v_experiment_analysis"
        " WHERE role = 'goal' ORDER BY look"
    )
    assert kept["look"].to_list() == [1, 2, 3, 4]
    assert kept["method"].to_list() == ["anytime", "scheduled", "anytime", "scheduled"]
    assert kept["information"].to_list() == [None, 41 / 160, None, 130 / 160]
    assert lab.experiments()["decision"].to_list() == ["ship"]


def test_the_last_look_is_the_last(lab: Lab) -> None:
    experiment = begun(lab)
    more(experiment, 0, 170)
    last = experiment.report()
    assert "Look 4 of 4, at 106 % of the planned users: boundary z = 1.96" in last.reason
    assert "more came than was planned (170 of 160 users planned)" in last.reason
    more(experiment, 170, 190)
    after = experiment.report()
    assert after.decision.action == last.decision.action == "ship"
    assert "all 4 planned looks were taken, and the last said ship" in after.decision.text


def test_an_experiment_that_ends_early_has_one_more_look(lab: Lab) -> None:
    experiment = begun(lab)
    more(experiment, 0, 100)
    experiment.stop()
    ended = experiment.report()
    assert "Look 4 of 4, at 62.5 % of the planned users: boundary z = 2.6" in ended.reason
    assert "it ended with 100 of 160 users planned" in ended.reason


def test_looks_are_frozen_with_the_plan_and_opened_by_name(lab: Lab) -> None:
    experiment = begun(lab)
    with pytest.raises(Conflict, match="looks changed"):
        begun(lab, looks=ps.Schedule(5, n=160))
    with pytest.raises(AnalysisError, match="is frozen"):
        lab.experiment("s", looks=FOUR)  # type: ignore[call-overload] # the mistake
    more(experiment, 0, 41)
    told = str(experiment.report())
    again = as_somebody(lab, "bo").experiment("s")
    assert again.looks == FOUR
    assert str(again.report()) == told
    assert again.plan(0.3).method == "scheduled"
    usual = begun(lab, "usual", looks="anytime")
    assert "looks" not in usual._found().plan, "what began before there were looks is the same plan"
    assert usual._found().plan_hash == begun(lab, "usual", looks="anytime")._found().plan_hash
    assert begun(lab, "once", looks="fixed")._found().plan["looks"] == "fixed"


def test_a_look_that_nobody_could_write_down_is_none(lab: Lab) -> None:
    experiment = begun(lab)
    more(experiment, 0, 41)
    viewer = Actor("v", "v", "user", lab.actor.organization_id, role="viewer")
    seen = Lab(lab.warehouse, viewer, lab.id, lab.name, lab.choice).experiment("s")
    assert "Look 1 of 4" in seen.report().reason
    more(experiment, 41, 60)
    assert "Look 1 of 4" in experiment.report().reason


def test_every_item_of_a_dataset_is_planned_for(lab: Lab) -> None:
    flow = guessing(lab)
    variants = {"a": None, "b": flow.vary("say.prompt", "{{ says.b }}")}
    rows = [
        {"says": {"a": WRONG, "b": RIGHT if n % 2 else WRONG}, "truth": RIGHT} for n in range(24)
    ]
    experiment = lab.experiment(
        "o",
        flow=flow,
        variants=variants,
        data=rows,
        scorer=ps.exact("label", "truth"),
        looks=ps.Schedule(3),
    )
    assert experiment.plan(0.3).method == "scheduled"
    results = experiment.run()
    found = experiment.report()
    assert "Look 3 of 3, at 100 % of the planned items" in found.reason
    assert experiment._found().plan["looks"] == {
        "shares": [1 / 3, 2 / 3, 1.0], "spending": "obf", "n": 24,
    }  # fmt: skip
    own = experiment.report(results)
    assert own["success"] == found["success"], "the same look, from one's own rows"
    with pytest.raises(AnalysisError, match="bandit"):
        begun(lab, "t", allocation="thompson")
    with pytest.raises(AnalysisError, match="no way to look"):
        begun(lab, "t", looks=5)
    with pytest.raises(AnalysisError, match=r"ps\.Schedule"):
        begun(lab, "t", looks=ps.Schedule(5))


def test_main_effects_stand_beside_the_planned_looks(memory: Lab) -> None:
    flow = guessing(memory)
    grid = ps.grid({"say.prompt": {"a": "{{ says.a }}", "b": "{{ says.b }}"}})
    rows = [{"says": {"a": WRONG, "b": RIGHT}, "truth": RIGHT} for _ in range(24)]
    scorer, looks = ps.exact("label", "truth"), ps.Schedule(3)
    experiment = memory.experiment(
        "g", flow=flow, variants=grid, data=rows, scorer=scorer, looks=looks
    )
    experiment.run()
    assert "Look 3 of 3" in experiment.report().reason
    (found,) = experiment.main_effects().values()
    assert "beside the looks that were planned, and decide nothing" in found.reason
    kept = memory.sql("SELECT DISTINCT method FROM experiment_analysis")["method"]
    assert kept.to_list() == ["scheduled"]


def test_chances_are_told_by_the_prior_that_somebody_states(memory: Lab) -> None:
    experiment = begun(memory, looks="anytime")
    more(experiment, 0, 80)
    flat, stated = experiment.report(), experiment.report(prior=ps.Prior(0, 0.2))
    assert flat.decision == stated.decision
    chances = [found.to_polars()["chance_to_win"][0] for found in (flat, stated)]
    assert chances[0] > chances[1] > 0.5
    assert "a prior of 0 % (standard deviation 20.0 %)" in str(stated)
