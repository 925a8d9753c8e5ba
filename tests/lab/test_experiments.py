from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import promptstudio_lab as ps
from promptstudio_lab.errors import AnalysisError, Conflict
from promptstudio_lab.ids import new_id
from tests.lab.parts import TICKETS, classifying

if TYPE_CHECKING:
    from promptstudio_lab.lab import Experiment, Lab

CONTROL = "Label {{ ticket }}"
DATA = [{**TICKETS[n % 4], "id": f"t{n}"} for n in range(12)]


def compared(
    lab: Lab, treatment: str = "Which label? {{ ticket }}", **changed: Any
) -> Experiment:  # the lab's own arguments
    flow = classifying(lab, changed.pop("control", CONTROL))
    usual: dict[str, Any] = {  # the lab's own arguments
        "flow": flow,
        "variants": {"control": None, "treatment": flow.vary("classify.prompt", treatment)},
        "data": DATA,
        "scorer": ps.exact("label"),
    }
    made: Experiment = lab.experiment(changed.pop("name", "e"), **{**usual, **changed})
    return made


def calls(lab: Lab) -> int:
    return int(lab.sql("SELECT count(*) AS n FROM prompt_execution")["n"].item())


def test_the_controls_own_prompt_is_no_difference(lab: Lab) -> None:
    data = [{**row, "id": f"{n} {row['id']}"} for n in range(3) for row in DATA]
    experiment = compared(lab, CONTROL, data=data)
    experiment.run()
    report = experiment.report()
    assert report.decision.action == "hold"
    assert "no difference seen" in f"{report.decision.text} {report.decision.because}"
    assert report["success"].estimate == 0.0
    assert report["success"].identical


def test_several_treatments_are_compared_with_the_control_at_once(lab: Lab) -> None:
    flow = classifying(lab, CONTROL)
    variants = {
        "control": None,
        "asks": flow.vary("classify.prompt", "Which label? {{ ticket }}"),
        "orders": flow.vary("classify.prompt", "Give the label: {{ ticket }}"),
    }
    experiment = lab.experiment(
        "three", flow=flow, variants=variants, data=DATA, scorer=ps.exact("label")
    )
    experiment.run()
    found = experiment.report()
    assert [report.treatment for report in found] == ["asks", "orders"]
    assert "2 questions about goals share the error" in found["asks"].reason
    alone = experiment.report("orders")
    for told in ("estimate", "low", "high", "p_value"):  # what is added up may round otherwise
        both = (getattr(one["cost_usd"], told) for one in (alone, found["orders"]))
        assert next(both) == pytest.approx(next(both), rel=1e-9), told
    assert "share the error" not in alone.reason
    with pytest.raises(AnalysisError, match="'orders'"):
        experiment.report("order")


def test_a_plan_says_how_many_items_and_what_they_cost(lab: Lab) -> None:
    experiment = compared(lab)
    before = experiment.plan(0.1)
    assert before.cost_usd is None
    assert before.have == len(DATA)
    assert not before.enough
    assert "the widest spread" in before.text
    with pytest.raises(AnalysisError, match="run some items first"):
        experiment.plan(0.1, metric=ps.Mean("latency_ms"))
    experiment.run()
    after = experiment.plan(0.1, method="fixed")
    assert "the runs so far" in after.text
    assert after.runs == 2 * after.items
    spent: Any = lab.runs()["cost_usd"].mean()  # a number
    assert after.cost_usd == pytest.approx(after.runs * spent)
    assert experiment.plan(0.2, method="fixed").items < after.items
    assert experiment.plan(0.1).items > after.items, "looking at any time has its price"
    assert experiment.plan(50.0, metric=ps.Mean("latency_ms")).items > 1


def test_every_item_meets_every_variant_once(lab: Lab) -> None:
    frame = compared(lab).run()
    assert frame.height == 24
    assert frame.select("item", "variant").is_unique().all()
    assert frame.group_by("variant").len()["len"].to_list() == [12, 12]
    assert lab.sql("SELECT count(*) AS n FROM experiment_exposure")["n"].item() == 24
    assert set(lab.runs()["variant"]) == {"control", "treatment"}
    assert lab.sql("SELECT status FROM experiment")["status"].to_list() == ["completed"]


def test_the_same_plan_runs_nothing_again(lab: Lab) -> None:
    first = compared(lab).run()
    made = calls(lab)
    again = compared(lab).run()
    assert calls(lab) == made
    assert again.equals(first)
    assert compared(lab).results().equals(first)
    assert compared(lab).report().decision == compared(lab).report().decision


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"treatment": "Other {{ ticket }}"}, "variants"),
        ({"control": "Other {{ ticket }}"}, "flow_version"),
        ({"data": DATA[:-1]}, "dataset"),
        ({"scorer": ps.exact("label", "id")}, "scorer"),
        ({"alpha": 0.1}, "alpha"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_changed_plan_is_refused_naming_what_changed(
    lab: Lab, changed: Any, what: str
) -> None:  # the lab's own arguments
    compared(lab).run()
    made = calls(lab)
    with pytest.raises(Conflict, match=f"another plan: {what} changed"):
        compared(lab, **changed).run()
    assert calls(lab) == made
    assert compared(lab, **changed, name="another").run().height >= 22


def test_a_canvas_move_is_no_change_of_plan(memory: Lab) -> None:
    experiment = compared(memory)
    experiment.run()
    graph = experiment.flow.head().graph
    experiment.flow.apply({"type": "move", "nodes": {graph.nodes[0].id: {"x": 1, "y": 1}}})
    assert compared(memory).run().height == 24


def test_a_template_that_got_a_new_version_is_a_change_of_plan(memory: Lab) -> None:
    memory.template("lib/classify", CONTROL)
    experiment = compared(memory, control="lib/classify")
    experiment.run()
    memory.template("lib/classify", "Quite another text. {{ ticket }}")
    made = memory.runs().height
    with pytest.raises(Conflict, match="another plan"):
        compared(memory, control="lib/classify").run()
    assert memory.runs().height == made


def test_a_cut_short_experiment_goes_on_where_it_stopped(lab: Lab) -> None:
    experiment = compared(lab)
    whole = experiment.data if hasattr(experiment, "data") else experiment.dataset
    assert len(whole) == 12
    started = experiment._start(_plan(experiment))
    inputs = experiment._missing(started)
    assert len(inputs) == 24
    _run_some(experiment, inputs[:7])
    assert len(experiment._missing(started)) == 17
    made = calls(lab)
    assert compared(lab).run().height == 24
    assert calls(lab) == made + 17


def test_a_run_that_was_cut_short_runs_again_under_a_new_key(lab: Lab) -> None:
    experiment = compared(lab)
    experiment.run()
    one = lab.sql("SELECT id FROM flow_execution ORDER BY id LIMIT 1")["id"].item()
    _force(lab, one, "interrupted")
    again = compared(lab)
    assert len(again._missing(again._found())) == 1
    assert again.run().height == 24
    statuses = lab.runs()["status"].to_list()
    assert (statuses.count("interrupted"), statuses.count("succeeded")) == (1, 24)


def _plan(experiment: Experiment) -> Any:  # a plan
    from promptstudio_lab.lab.running import execution

    return execution.prepare(
        experiment._environment,
        experiment.flow.head().id,
        experiment.variants,
        experiment.scorer,
    )


def _run_some(experiment: Experiment, inputs: Any) -> None:  # some of its items
    from dataclasses import replace

    from promptstudio_lab.lab.running import execution

    started = experiment._started
    assert started is not None
    plan = _plan(experiment)
    variants = {
        name: replace(variant, variant_id=started.variants[name])
        for name, variant in plan.variants.items()
    }
    plan = replace(plan, variants=variants, experiment_id=started.id, batch_id=started.id)
    execution.execute(experiment._environment, plan, inputs, lambda run: run)


def _force(lab: Lab, run_id: str, status: str) -> None:
    from promptstudio_lab.warehouse.append import execute

    sql = "UPDATE flow_execution SET status = ? WHERE id = ?"
    lab.warehouse.append(
        lab.actor, lambda connection: _done(execute(connection, sql, [(status, run_id)]))
    )


def _done(_: int) -> None:
    """Return nothing, as group writes do."""


def test_what_a_budget_stopped_runs_when_there_is_money_again(lab: Lab) -> None:
    flow = classifying(lab, CONTROL, max_tokens=20)

    def experiment() -> Experiment:
        return compared(
            lab, variants={"control": None, "treatment": flow.vary("classify.seed", 1)}, flow=flow
        )

    experiment().run(budget=60_000, concurrency=1)
    assert experiment().run(budget=ps.usd(1))["status"].to_list() == ["succeeded"] * 24
    assert experiment().report().n == 12


def test_asking_for_a_report_too_early_freezes_nothing(memory: Lab) -> None:
    with pytest.raises(AnalysisError, match=r"call \.run\(\) first"):
        compared(memory).report()
    assert compared(memory, "A better idea {{ ticket }}").run().height == 24


def test_what_cannot_be_compared_is_said(memory: Lab) -> None:
    flow = classifying(memory, CONTROL)
    with pytest.raises(AnalysisError, match="at least two"):
        memory.experiment("e", flow=flow, variants={"a": None}, data=DATA, scorer=ps.exact("label"))
    experiment = compared(memory)
    experiment.run()
    with pytest.raises(AnalysisError, match="did you mean 'treatment'"):
        experiment.report("tretment")
    with pytest.raises(AnalysisError, match="no variant 'control'"):
        experiment.report("control")
    assert "control vs treatment" in repr(experiment)
    with pytest.raises(AnalysisError, match="did you mean"):
        experiment.report()["sucess"]


def test_the_chance_that_was_agreed_is_the_reports(memory: Lab) -> None:
    experiment = compared(memory, alpha=0.2)
    experiment.run()
    wide = experiment.report()["success"]
    narrow = compared(memory, alpha=0.01, name="strict")
    narrow.run()
    other = narrow.report()["success"]
    assert other.high - other.low > wide.high - wide.low


def test_two_experiments_on_one_flow_do_not_mix(lab: Lab) -> None:
    one = compared(lab, name="one").run()
    other = compared(lab, name="other", treatment=CONTROL).run()
    assert set(one["flow_execution_id"]).isdisjoint(other["flow_execution_id"])
    assert compared(lab, name="one").results().equals(one)
    assert new_id() not in set(one["flow_execution_id"])


def test_what_was_planned_is_reported_without_being_asked_again(lab: Lab) -> None:
    slow = ps.Mean("latency_ms", max_regression="900%")
    plan: dict[str, Any] = {  # the lab's own arguments
        "goals": [ps.Rate("success"), ps.Mean("quality")],
        "guards": [slow],
        "costs": [],
    }
    compared(lab, **plan).run()
    report = compared(lab).report()
    assert list(report.effects) == ["success", "quality", "latency_ms"]
    assert "2 questions about goals share the error" in report.reason
    check = report.health[-1]
    assert (check.name, check.state) == ("plan", "ok")
    (kept,) = lab.sql("SELECT plan_hash FROM experiment")["plan_hash"]
    assert kept[:8] in check.meaning
    with pytest.raises(Conflict, match="another plan: metrics changed"):
        compared(lab).run()


def test_what_was_not_planned_is_exploratory_and_decides_nothing(lab: Lab) -> None:
    experiment = compared(lab, goals=[ps.Rate("success")])
    experiment.run()
    planned = experiment.report()
    report = experiment.report(metrics=[ps.Mean("quality"), ps.Mean("output_tokens")])
    assert report["success"] == planned["success"], "it shares its error with nothing new"
    assert report.decision.action == planned.decision.action
    assert "quality and output tokens were not in the plan: exploratory" in report.reason
    assert any("exploratory" in line for line in report.decision.because)
    for shown in (repr(report), report.to_html(), report.to_markdown()):
        assert "exploratory" in shown
    assert "exploratory" in report.to_polars()["role"].to_list()
    kept = set(lab.sql("SELECT DISTINCT metric FROM experiment_analysis")["metric"])
    assert "quality" not in kept, "so no variant is called significant for it"


def test_a_plan_sizes_its_own_goals(memory: Lab) -> None:
    one = compared(memory, goals=[ps.Rate("success")]).plan(0.1)
    two = compared(memory, goals=[ps.Rate("success"), ps.Mean("quality")]).plan(0.1)
    assert two.items > one.items, "two goals share the error"
    assert "a difference of 10.0 points" in one.text


def test_what_an_experiment_came_from_is_a_table_and_a_graph_whose_selection_is_a_frame(
    lab: Lab,
) -> None:
    experiment = compared(lab)
    with pytest.raises(AnalysisError, match="no finished runs"):
        lab.lineage(experiment)
    experiment.run()
    compared(lab, name="another", treatment="Say the label: {{ ticket }}").run()
    found = lab.lineage(experiment)
    mine = set(experiment.results()["flow_execution_id"])
    assert set(found.calls["flow_execution_id"]) == mine
    assert found.frame["calls"].sum() == 24
    assert "experiment e" in found.sentence
    graph = found.graph()
    version = next(box.label for box in found.layers.boxes if box.kind == "template version")
    graph.select(version)
    assert 0 < graph.selected.height < 24
    assert set(graph.selected["flow_execution_id"]) <= mine
