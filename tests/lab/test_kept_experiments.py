"""What has begun is listed, and opened by its name in another session, ready to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from sqlalchemy import text

import promptstudio_lab as ps
from promptstudio_lab.engine.records import RunInput
from promptstudio_lab.errors import AnalysisError, Conflict, FlowError
from promptstudio_lab.ids import new_id
from promptstudio_lab.lab.running import execution
from tests.lab.parts import as_somebody, classifying
from tests.lab.test_experiments import CONTROL, DATA, calls, compared
from tests.lab.test_looks import look_again
from tests.lab.test_online import USERS
from tests.lab.test_online import compared as online
from tests.lab.test_unit_sums import compared as offline

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab


def test_experiments_are_listed_with_what_they_found(lab: Lab) -> None:
    assert lab.experiments().is_empty()
    first = compared(lab, data=lab.dataset("tickets", DATA))
    first.run()
    (row,) = lab.experiments().rows(named=True)
    assert (row["experiment"], row["flow"], row["design"]) == ("e", first.flow.path, "offline")
    assert (row["status"], row["variants"]) == ("completed", ["control", "treatment"])
    assert (row["units"], row["runs"], row["looks"], row["decision"]) == (12, 24, 0, None)
    assert row["cost_usd"] == pytest.approx(first.results()["cost_usd"].sum())
    report = first.report()
    (row,) = lab.experiments().rows(named=True)
    assert (row["looks"], row["decision"]) == (1, report.decision.action)
    assert row["experiment_id"] == first.id
    flow = first.flow
    shades = {name: flow.vary("classify.prompt", f"{name} {{{{ ticket }}}}") for name in "bc"}
    online = lab.experiment("o", flow=flow, variants={"a": None, **shades}, unit="user").start()
    for user in range(24):
        online.run(f"u{user}", ticket="x")
    online.report()
    found = lab.experiments()
    assert found["experiment"].to_list() == ["o", "e"]
    (row,) = found.filter(design="online").rows(named=True)
    assert (row["status"], row["units"], row["runs"]) == ("running", 24, 24)
    assert row["decision"].startswith("b: ")
    assert ", c: " in row["decision"]


def test_a_unit_that_met_two_variants_is_listed_once(lab: Lab) -> None:
    experiment = online(lab).start()
    experiment.batch([{"user": user, "name": user} for user in USERS[:30]])
    plan, other = experiment._plan(), {"formal": "warm", "warm": "formal"}
    for user in USERS[:3]:
        name = other[str(experiment.assign(user))]
        item = RunInput(new_id(), name, {"name": "x"}, user, propensity=0.5)
        execution.execute(lab.environment, plan, [item], lambda run: run)
    (row,) = lab.experiments().rows(named=True)
    assert (row["units"], row["runs"]) == (30, 33)


def test_the_newest_look_is_told_whatever_an_older_one_said(lab: Lab) -> None:
    experiment = offline(lab)
    experiment.run()
    experiment.report()
    look_again(lab, experiment, "t1")
    newest = experiment.report()
    relabel = "UPDATE experiment_analysis SET decision = 'stop' WHERE look = 1"
    lab.warehouse.transact(lab.actor, lambda session: session.execute(text(relabel)))
    (row,) = lab.experiments().rows(named=True)
    assert (row["looks"], row["decision"]) == (2, newest.decision.action)


def test_an_experiment_is_opened_by_its_name_and_goes_on(lab: Lab) -> None:
    ran = compared(lab, data=lab.dataset("tickets", DATA), goals=[ps.Rate("success")])
    ran.run()
    before, paid = ran.report(), calls(lab)
    found = as_somebody(lab, "bo").experiment("e")
    assert str(found.report()) == str(before)
    assert found.report().health == before.health
    assert found.variants == ran.variants
    assert found.run().equals(ran.results())
    assert calls(lab) == paid
    assert found.plan(0.1) == ran.plan(0.1)
    assert repr(found) == repr(ran)
    assert found.report(by="label").segments is not None


def test_what_was_cut_short_goes_on_where_it_stopped(lab: Lab) -> None:
    flow, data = classifying(lab, CONTROL, max_tokens=20), lab.dataset("tickets", DATA)
    variants = {"control": None, "treatment": flow.vary("classify.seed", 1)}
    cut = compared(lab, flow=flow, variants=variants, data=data)
    cut.run(budget=60_000, concurrency=1)
    paid = calls(lab)
    assert 0 < paid < 24
    assert lab.experiments()["status"].to_list() == ["running"]
    assert lab.experiment("e").run()["status"].to_list() == ["succeeded"] * 24
    assert calls(lab) == 24
    assert lab.experiments()["status"].to_list() == ["completed"]


def test_a_grid_is_opened_with_its_factors(lab: Lab) -> None:
    flow = classifying(lab, CONTROL)
    grid = ps.grid({"classify.prompt": {"a": CONTROL, "b": "Which? {{ ticket }}"}})
    data = lab.dataset("tickets", DATA)
    ran = lab.experiment("g", flow=flow, variants=grid, data=data, scorer=ps.exact("label"))
    ran.run()
    found = lab.experiment("g", flow=flow)
    assert found.variants == grid
    assert found.variants.factors == grid.factors
    assert list(found.main_effects()) == ["classify.prompt"]
    assert found.run().height == 24


def test_an_online_experiment_is_opened_with_its_unit(lab: Lab) -> None:
    flow = classifying(lab, CONTROL)
    variants = {"a": None, "b": flow.vary("classify.prompt", "Which? {{ ticket }}")}
    begun = lab.experiment("o", flow=flow, variants=variants, unit="user", alpha=0.1).start()
    found = lab.experiment("o")
    assert (found.unit, found.alpha) == ("user", 0.1)
    assert found.assign("u1") == begun.assign("u1")
    rows = pl.DataFrame({"user": ["u1", "u2"], "ticket": ["x", "y"]})
    assert found.batch(rows).height == 2


def test_rows_that_are_not_kept_are_asked_for(lab: Lab) -> None:
    ran = compared(lab)
    ran.run()
    found = lab.experiment("e")
    assert str(found.report()) == str(ran.report())
    assert "rows not kept" in repr(found)
    assert "not kept" in found._repr_html_()
    for ask in (found.run, lambda: found.plan(0.1), lambda: found.report(by="label")):
        with pytest.raises(AnalysisError, match="rows of 'e' are not kept"):
            ask()


def test_a_changed_dataset_is_another_plan(lab: Lab) -> None:
    compared(lab, data=lab.dataset("tickets", DATA)).run()
    lab.dataset("tickets", DATA[:5])
    with pytest.raises(Conflict, match="dataset changed"):
        lab.experiment("e").run()


def test_a_name_that_nothing_has_begun_under_is_refused(lab: Lab) -> None:
    compared(lab, name="prompts").run()
    with pytest.raises(AnalysisError, match="did you mean 'prompts'"):
        lab.experiment("promps")
    with pytest.raises(AnalysisError, match="no experiment 'prompts' has begun"):
        lab.experiment("prompts", flow=lab.flow("other/flow"))
    with pytest.raises(AnalysisError, match="frozen"):
        lab.experiment("prompts", goals=[ps.Rate("success")])  # type: ignore[call-overload] # the mistake
    with pytest.raises(AnalysisError, match="flow="):
        lab.experiment("prompts", variants={"a": None, "b": None})  # type: ignore[call-overload] # the mistake


def test_two_flows_with_an_experiment_of_one_name_are_told_apart(lab: Lab) -> None:
    compared(lab).run()
    other = lab.flow("b/other")
    said = other.llm("say", prompt="Say {{ ticket }}", ticket=other.input("ticket"))
    other.output(label=said)
    variants = {"a": None, "b": other.vary("say.prompt", "Tell {{ ticket }}")}
    lab.experiment("e", flow=other, variants=variants, data=DATA, scorer=ps.exact("label")).run()
    with pytest.raises(AnalysisError, match=r"of several flows: .*b/other.*flow="):
        lab.experiment("e")
    assert list(lab.experiment("e", flow=other).variants) == ["a", "b"]


def test_a_scorer_that_could_judge_nothing_is_told_before_anything_is_paid_for(lab: Lab) -> None:
    with pytest.raises(FlowError, match=r"no output 'lable'\. Hint: did you mean 'label'"):
        compared(lab, scorer=ps.exact("lable")).run()
    with pytest.raises(FlowError, match="no item has a field 'wanted'"):
        compared(lab, scorer=ps.exact("label", "wanted")).run()
    flow = classifying(lab, CONTROL)
    with pytest.raises(FlowError, match="no output 'lable'"):
        flow.batch(DATA, scorer=ps.exact("lable"))
    variants = {"a": None, "b": flow.vary("classify.prompt", "Which? {{ ticket }}")}
    with pytest.raises(FlowError, match="no output 'lable'"):
        lab.experiment("o", flow=flow, variants=variants, scorer=ps.exact("lable")).start()
    assert calls(lab) == 0
    assert lab.experiments().is_empty()
