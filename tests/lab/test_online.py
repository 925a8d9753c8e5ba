"""Online experiments: each unit meets one variant, keeps it, and is counted for it alone."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

import promptstudio_lab as ps
from promptstudio_lab.engine.recorder import write
from promptstudio_lab.engine.records import RunInput, RunStarted
from promptstudio_lab.engine.rows import Rows
from promptstudio_lab.errors import AnalysisError, Conflict, DatasetError, FlowError
from promptstudio_lab.experiments import analysis
from promptstudio_lab.ids import new_id
from promptstudio_lab.lab.running import execution
from promptstudio_lab.stats.assignment.hashing import growthbook_hash
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from promptstudio_lab.lab import Flow, Lab, OnlineExperiment

GOLDEN = Path(__file__).parents[1] / "stats" / "golden"
USERS = [f"user-{n}" for n in range(400)]


def greeting(lab: Lab) -> Flow:
    """Return a flow without a model, so that many runs take no time."""
    flow = lab.flow("greet")
    hello = flow.prompt("hello", prompt="Hello {{ name }}!", name=flow.input("name"))
    flow.output(said=hello)
    return flow


def compared(lab: Lab, name: str = "greeting", **how: Any) -> OnlineExperiment:  # as the lab takes
    flow = greeting(lab)
    variants = {
        "formal": None,
        "warm": flow.vary("hello.prompt", "Hi {{ name }}!"),
        "short": flow.vary("hello.prompt", "{{ name }}"),
    }
    some = how.pop("variants", 2)
    chosen = dict(list(variants.items())[:some])
    made: OnlineExperiment = lab.experiment(
        name, flow=flow, variants=chosen, **{"unit": "user", **how}
    )
    return made


def of(experiment: OnlineExperiment) -> dict[str, str | None]:
    return {user: experiment.assign(user) for user in USERS}


def test_a_unit_gets_one_variant_and_keeps_it(lab: Lab) -> None:
    experiment = compared(lab).start()
    first = experiment.run("user-3", name="Ada")
    assert first.variant == experiment.assign("user-3") == "warm"
    assert first.outputs == {"said": "Hi Ada!"}
    again = lab.experiment("greeting", flow=lab.flow("greet"))
    assert isinstance(again, ps.lab.OnlineExperiment)
    assert again.run("user-3", name="Bob").variant == "warm"
    exposed = lab.sql("SELECT * FROM v_experiment_exposure")
    told = exposed.select("variant", "unit_key", "propensity", "exposure_count", "executions")
    assert told.rows() == [("warm", "user-3", 0.5, 2, 2)]
    assert not exposed["multi"].item()
    assert lab.sql("SELECT runs FROM experiment_unit")["runs"].to_list() == [2]


def test_asking_who_would_get_what_writes_nothing(lab: Lab) -> None:
    experiment = compared(lab).start()
    found = of(experiment)
    assert of(compared(lab).start()) == found
    counts = [list(found.values()).count(name) for name in ("formal", "warm")]
    assert sum(counts) == len(USERS)
    assert abs(counts[0] - counts[1]) < 60
    assert lab.sql("SELECT count(*) AS n FROM experiment_exposure")["n"].item() == 0


@pytest.mark.parametrize("kind", ["blake2b", "growthbook"])
def test_raising_coverage_lets_units_in_and_moves_none(memory: Lab, kind: Any) -> None:
    experiment = compared(memory, coverage=0.2, hash=kind).start()
    few = of(experiment)
    assert 40 < sum(name is not None for name in few.values()) < 120
    more = of(experiment.cover(0.6))
    every = of(compared(memory).cover(1.0))
    for user in USERS:
        assert more[user] == few[user] or few[user] is None
        assert every[user] == more[user] or more[user] is None
    assert None not in every.values()
    with pytest.raises(AnalysisError, match="can only be raised"):
        experiment.cover(0.5)
    assert experiment.assign(USERS[0]) == every[USERS[0]]


def test_growthbooks_hash_gives_growthbooks_variants(memory: Lab) -> None:
    experiment = compared(memory, name="my-test", hash="growthbook", weights=[0.8, 0.2]).start()
    for user, name in of(experiment).items():
        assert name == ("formal" if growthbook_hash("my-test", user) < 0.8 else "warm")


def test_growthbooks_namespaces_are_its_published_ones(memory: Lab) -> None:
    cases = json.loads((GOLDEN / "assignment_namespace.json").read_text(encoding="utf-8"))
    assert {case["expected"]["inside"] for case in cases} == {True, False}
    for number, case in enumerate(cases):
        name, low, high = case["inputs"]["namespace"]
        experiment = compared(
            memory, name=f"e{number}", hash="growthbook", namespace=(name, low, high)
        ).start()
        inside = experiment.assign(case["inputs"]["value"]) is not None
        assert inside == case["expected"]["inside"], case["id"]


def test_parts_of_a_namespace_share_no_unit(memory: Lab) -> None:
    low = compared(memory, name="low", namespace=("checkout", 0.0, 0.5)).start()
    high = compared(memory, name="high", namespace=("checkout", 0.5, 1.0)).start()
    one, other = of(low), of(high)
    for user in USERS:
        assert (one[user] is None) != (other[user] is None)


def test_who_is_held_out_meets_no_experiment(memory: Lab) -> None:
    one = of(compared(memory, name="one", holdout=0.1).start())
    other = of(compared(memory, name="other", holdout=0.1).start())
    held = {user for user, name in one.items() if name is None}
    assert held == {user for user, name in other.items() if name is None}
    assert 20 < len(held) < 70


def test_who_takes_no_part_gets_the_control_and_is_not_counted(lab: Lab) -> None:
    experiment = compared(lab, coverage=0.5).start()
    outside = next(user for user, name in of(experiment).items() if name is None)
    run = experiment.run(outside, name="Ada")
    assert (run.variant, run.outputs) == (None, {"said": "Hello Ada!"})
    assert lab.sql("SELECT count(*) AS n FROM experiment_exposure")["n"].item() == 0
    assert lab.sql("SELECT experiment_id AS e FROM flow_execution")["e"].to_list() == [None]


def test_what_runs_is_what_was_frozen(lab: Lab) -> None:
    experiment = compared(lab).start()
    flow = lab.flow("greet")
    hello = flow.prompt("hello", prompt="Changed {{ name }}", name=flow.input("name"))
    flow.output(said=hello)
    flow.save()
    said = {
        compared_again.outputs["said"]
        for compared_again in [
            lab.experiment("greeting", flow=lab.flow("greet")).run(user, name="Ada")
            for user in USERS[:8]
        ]
    }
    assert said == {"Hello Ada!", "Hi Ada!"}
    assert experiment.run("user-3", name="Ada").outputs == {"said": "Hi Ada!"}


def test_another_plan_under_the_same_name_is_refused(lab: Lab) -> None:
    compared(lab).start()
    compared(lab).start()
    for changed in ({"weights": [0.9, 0.1]}, {"variants": 3}, {"holdout": 0.2}, {"alpha": 0.1}):
        with pytest.raises(Conflict, match="begun with another plan"):
            compared(lab, **changed).start()
    assert lab.sql("SELECT count(*) AS n FROM experiment")["n"].item() == 1


def test_a_unit_that_met_two_variants_is_counted_and_left_out(lab: Lab) -> None:
    experiment = compared(lab).start()
    experiment.batch([{"user": user, "name": user} for user in USERS[:60]])
    before = experiment.report()
    plan, other = experiment._plan(), {"formal": "warm", "warm": "formal"}
    for user in USERS[:3]:
        name = other[str(experiment.assign(user))]
        item = RunInput(new_id(), name, {"name": "x"}, user, propensity=0.5)
        execution.execute(lab.environment, plan, [item], lambda run: run)
        assert experiment.assign(user) == other[name], "the first variant stays"
    marked = lab.sql("SELECT unit_key FROM v_experiment_exposure WHERE multi ORDER BY unit_key")
    assert marked["unit_key"].to_list() == sorted(USERS[:3] * 2)
    after = experiment.report()
    assert after.n == before.n - 3
    assert "3 that met two variants are left out" in after.reason


def test_a_report_compares_units_that_met_one_variant_each(lab: Lab) -> None:
    experiment = compared(lab, variants=3, weights=[0.5, 0.25, 0.25]).start()
    frame = experiment.batch([{"user": user, "name": user} for user in USERS])
    assert frame.height == len(USERS)
    found = experiment.report()
    assert [report.treatment for report in found] == ["warm", "short"]
    report = found["warm"]
    counts = frame.group_by("variant").len().rows_by_key("variant", named=True, unique=True)
    assert report.counts == {name: counts[name]["len"] for name in ("formal", "warm")}
    assert report.n == sum(report.counts.values())
    assert report.srm is not None
    assert report.srm.ok
    assert report.reason.startswith("each user met one variant, independent arms of ")
    assert "2 questions about goals" in report.reason
    assert report["success"].estimate == 0.0
    assert report.decision.action in {"hold", "keep_running"}
    assert "FROM experiment_unit" in report.sql
    assert lab.sql("SELECT max(look) AS n FROM experiment_analysis")["n"].item() == 1


@pytest.mark.parametrize(("until", "state"), [("u15", "warn"), ("u9", "ok")])
def test_whether_an_effect_lasts_is_told_from_sums_where_rows_are_too_many(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, until: str, state: str
) -> None:
    experiment = compared(lab, goals=[ps.Rate("success")]).start()
    for start in (100, 150):
        experiment.batch([{"user": f"u{start + n}", "name": "x"} for n in range(50)])
    # The control fails those who came first, or every second one of all.
    fails = (
        "UPDATE experiment_unit SET success = 0 WHERE unit_key < :until "
        "AND (:until = 'u15' OR CAST(substr(unit_key, 2) AS INTEGER) % 2 = 0) "
        "AND variant_id IN (SELECT id FROM flow_variant WHERE is_control)"
    )
    lab.warehouse.transact(
        lab.actor, lambda session: session.execute(text(fails), {"until": until})
    )
    monkeypatch.setattr(analysis, "FEW_ROWS", 50)
    report = experiment.report()
    (found,) = (check for check in report.health if check.name == "novelty")
    assert found.state == state
    assert "first and second half" in found.meaning
    assert report.health is report.health, "asked once"


def test_a_plan_says_how_many_units_and_how_many_days(lab: Lab) -> None:
    experiment = compared(lab, weights=[0.7, 0.3])
    before = experiment.plan("10pp", per_day=200)
    assert before.have == 0
    assert before.units["formal"] > 2 * before.units["warm"]
    assert before.days == -(-before.total // 200)
    with pytest.raises(AnalysisError, match="run some users first"):
        experiment.plan(5.0, metric=ps.Mean("latency_ms"))
    with pytest.raises(AnalysisError, match="is not known before something has run"):
        experiment.plan("10%")
    experiment.start()
    assert experiment.plan(0.1).per_day is None
    experiment.batch([{"user": f"u{n}", "name": "x" * (n % 9)} for n in range(120)])
    after = experiment.plan("50%", metric=ps.Mean("latency_ms"))
    assert (after.have, after.per_day) == (120, 120)
    assert after.cost_usd == 0
    assert "the runs so far" in after.text
    again = lab.experiment("greeting", flow=lab.flow("greet"))
    assert isinstance(again, ps.lab.OnlineExperiment)
    assert again.plan("50%", metric=ps.Mean("latency_ms")).units == after.units


def test_results_of_a_batch_are_reported_without_those_who_took_no_part(lab: Lab) -> None:
    experiment = compared(lab, coverage=0.5).start()
    results = experiment.batch([{"user": f"u{n}", "name": "x" * (n % 7)} for n in range(120)])
    expected = experiment.report()
    for data in (results, results.to_pandas()):
        found = experiment.report(data)
        assert found.counts == expected.counts
        assert sum(found.counts.values()) < 120
        assert found["latency_ms"].estimate == pytest.approx(expected["latency_ms"].estimate)
        assert "each user met one variant" in found.reason


def test_lost_traffic_makes_the_decision_invalid(lab: Lab) -> None:
    experiment = compared(lab).start()
    rows = [{"user": user, "name": user} for user, name in of(experiment).items() if name == "warm"]
    some = [{"user": user, "name": user} for user, name in of(experiment).items() if name != "warm"]
    experiment.batch(rows + some[: len(some) // 3])
    assert experiment.report().decision.action == "invalid"


def test_too_few_units_are_said(lab: Lab) -> None:
    experiment = compared(lab).start()
    with pytest.raises(AnalysisError, match="no finished runs"):
        experiment.report()
    experiment.run("user-3", name="Ada")
    with pytest.raises(AnalysisError, match=r"0 users met 'formal'"):
        experiment.report()


def test_an_experiment_that_was_stopped_assigns_nobody(lab: Lab) -> None:
    experiment = compared(lab).start()
    experiment.run("user-3", name="Ada")
    experiment.stop()
    assert experiment.assign("user-3") is None
    assert experiment.run("user-3", name="Ada").variant is None
    assert lab.sql("SELECT status FROM experiment")["status"].item() == "completed"


def test_awaitable_twins_do_the_same(memory: Lab) -> None:
    experiment = compared(memory).start()
    run = asyncio.run(experiment.arun("user-3", name="Ada"))
    assert run.outputs == {"said": "Hi Ada!"}
    frame = asyncio.run(experiment.abatch([{"user": "user-3", "name": "Bob"}]))
    assert frame["said"].to_list() == ["Hi Bob!"]


def test_what_cannot_begin_is_said(memory: Lab) -> None:
    with pytest.raises(AnalysisError, match=r"call \.start\(\) first"):
        compared(memory).assign("user-3")
    for wrong, said in (
        ({"variants": 1}, "at least two"),
        ({"weights": [0.5, 0.6]}, "1 together"),
        ({"weights": [1.0]}, "1 weights for 2 variants"),
        ({"coverage": 0.0}, "no share of the units"),
        ({"holdout": 1.0}, "no share of the units"),
        ({"namespace": ("a", 0.5, 0.2)}, "no part of a namespace"),
        ({"hash": "md5"}, "no 'md5' here"),
        ({"allocation": "thomson"}, "did you mean 'thompson'"),
        ({"hash": "growthbook", "allocation": "thompson"}, "no changing shares"),
        ({"wieghts": [0.5, 0.5]}, "did you mean 'weights'"),
    ):
        with pytest.raises(AnalysisError, match=said):
            compared(memory, **wrong)
    experiment = compared(memory).start()
    assert repr(experiment) == "<OnlineExperiment 'greeting': formal vs warm by user>"
    with pytest.raises(FlowError, match="no input 'nam'"):
        experiment.run("user-3", name="Ada", nam="x")
    with pytest.raises(FlowError, match="'name' gets no value"):
        experiment.run("user-3")
    with pytest.raises(DatasetError, match="row 1 has no 'user'"):
        experiment.batch([{"name": "Ada"}])
    flow = greeting(memory)
    with pytest.raises(AnalysisError, match="needs variants and a scorer"):
        memory.experiment("x", flow=flow, data=[{"name": "a"}])  # type: ignore[call-overload]


def test_two_who_expose_a_unit_at_the_same_time_are_both_marked(lab: Lab) -> None:
    experiment, written = compared(lab).start(), threading.Event()
    # What both would write is there already, so nothing else makes one wait for the other.
    experiment.run(USERS[1], name="x")
    plan = experiment._plan()

    def expose(name: str) -> None:
        with lab.warehouse.reading(lab.actor) as session:
            rows = Rows(payloads.address(session), "somebody", now())
        item = RunInput(new_id(), name, {"name": name}, USERS[0], propensity=0.5)
        rows.add(RunStarted(plan, plan.variants[name], item, now()))

        def work(connection: Any) -> None:  # a connection
            write(connection, rows)
            if name == "formal":
                written.set()
                # Time for the other to come and not to see this yet.
                time.sleep(0.5)

        if name == "warm":
            assert written.wait(10)
        lab.warehouse.append(lab.actor, work)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(expose, ["formal", "warm"]))
    marked = lab.sql("SELECT count(*) AS n FROM experiment_exposure WHERE multi")["n"].item()
    assert marked == 2


@pytest.fixture
def rated(lab: Lab) -> OnlineExperiment:
    """Return a bandit whose second variant answers right more often."""
    flow = lab.flow("guess")
    said = flow.prompt("say", prompt="{{ word.one }}", word=flow.input("word", "json"))
    flow.output(label=said)
    return lab.experiment(
        "bandit",
        flow=flow,
        variants={"a": None, "b": flow.vary("say.prompt", "{{ word.two }}")},
        scorer=ps.exact("label", "truth"),
        unit="user",
        allocation="thompson",
    ).start()


def guesses(start: int, count: int) -> list[dict[str, Any]]:
    """Return users of whom `a` gets every second right, and `b` three of four."""
    return [
        {
            "user": f"u{n}",
            "word": {"one": "yes" if n % 2 else "no", "two": "yes" if n % 4 else "no"},
            "truth": "yes",
        }
        for n in range(start, start + count)
    ]


def test_a_bandit_gives_the_better_variant_more_and_says_how_much(
    lab: Lab, rated: OnlineExperiment
) -> None:
    assert rated.shares() == {"a": 0.5, "b": 0.5}
    rated.batch(guesses(0, 200))
    now = rated.shares()
    assert now["b"] > 0.9
    assert now["a"] >= 0.05
    rated.batch(guesses(200, 200))
    drawn = lab.sql(
        "SELECT v.name AS variant, x.propensity, count(*) AS n FROM experiment_exposure AS x "
        "JOIN flow_variant AS v ON v.id = x.variant_id GROUP BY 1, 2 ORDER BY 1, 2"
    )
    late = {row["variant"]: row for row in drawn.to_dicts() if row["propensity"] != 0.5}
    assert late["b"]["propensity"] == pytest.approx(now["b"])
    assert late["b"]["n"] > 150
    report = rated.report()
    assert report.srm is None, "shares that change promise none"
    assert "units weigh 1 / their propensity" in report.reason
    raw = lab.sql(
        "SELECT u.success, x.propensity, v.name AS variant FROM experiment_unit AS u "
        "JOIN experiment_exposure AS x ON x.unit_key = u.unit_key "
        "JOIN flow_variant AS v ON v.id = u.variant_id"
    )
    for name, value in (("a", report["success"].control), ("b", report["success"].treatment)):
        mine = raw.filter(variant=name)
        weights = [1 / propensity for propensity in mine["propensity"]]
        rights = [weight * right for weight, right in zip(weights, mine["success"], strict=True)]
        assert value == pytest.approx(sum(rights) / sum(weights))
    assert report["success"].treatment == pytest.approx(0.75, abs=0.06)
    assert report["success"].control == pytest.approx(0.5, abs=0.12)
