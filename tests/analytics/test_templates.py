"""Templates alone and inside flows, and where they are used: the truth is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from promptstudio_lab.errors import NotFound
from promptstudio_lab.lab.invented.past import PastCall, PastRun, write_past
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.unpaired import arm_difference
from tests.analytics.conftest import UNTIL

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.invented.desk import Truth

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_inside_and_alone_are_told_apart_as_they_are(told: Lab, truth: Truth) -> None:
    found = told.analytics.performance("desk/answer", until=UNTIL, method="fixed")
    rows = found.frame.filter(flow="triage", model="gpt-5-mini")
    score = rows.row(by_predicate=pl.col("metric") == "score", named=True)
    assert score["low"] < truth.inside_score < score["high"] < 0
    assert score["p_adjusted"] >= score["p_value"]
    wait = rows.row(by_predicate=pl.col("metric") == "latency_ms", named=True)
    # On one day of the 84 everything took six times as long.
    assert wait["low"] < truth.inside_latency_ms * (1 + 5 / truth.days) < wait["high"]
    success = rows.row(by_predicate=pl.col("metric") == "succeeded", named=True)
    assert success["low"] < 0 < success["high"]
    assert "answer@2 on gpt-5" in found.sentence
    assert "differ by more than chance" in found.sentence


def test_a_row_is_what_its_rows_say(told: Lab) -> None:
    found = told.analytics.performance("answer", until=UNTIL).frame
    row = found.filter(flow="triage", model="gpt-5", metric="score").row(0, named=True)
    facts = told.analytics.facts(until=UNTIL).filter(pl.col("call_index") == 0, model="gpt-5")
    calls = facts.filter(template_version=2).collect()
    alone, inside = (
        calls.filter(node="answer", flow_id=told.flow(f"desk/{name}").head().id)["score"]
        for name in ("alone", "triage")
    )
    mine = arm_difference(Arm.of_values(alone.to_numpy()), Arm.of_values(inside.to_numpy()))
    assert (row["alone_n"], row["inside_n"]) == (len(alone), len(inside))
    assert row["difference"] == pytest.approx(mine.estimate)
    # Clusters of one call each differ from single values by CR1 alone.
    assert row["low"] == pytest.approx(mine.low, abs=2e-3)


def test_like_is_compared_with_like_or_not_at_all(told: Lab) -> None:
    frame = told.analytics.performance("answer", until=UNTIL).frame
    lonely = frame.filter(template_version=1)
    assert set(lonely["flow"]) == {"digest"}
    assert lonely["difference"].null_count() == lonely.height
    assert set(lonely["note"]) == {"never ran alone with this model"}
    keys = ["template_version", "model", "flow", "flow_version", "node", "metric"]
    assert frame.select(keys).is_duplicated().sum() == 0
    assert set(frame["model"]) == {"gpt-5-mini", "gpt-5", "llama"}
    priceless = frame.filter(model="llama", metric="cost_usd")
    assert priceless.is_empty(), "no price is known, so there is no mean of prices"


def test_calls_of_a_run_are_one_unit(room: Lab) -> None:
    random = np.random.default_rng(1)
    alone = room.flow("desk/a")
    alone.output(y=alone.llm("say", prompt="desk/say@1", x=alone.input("x")).text)
    both = room.flow("desk/b")
    room.template("desk/say", "Say {{ x }}")
    x = both.input("x")
    more = both.llm("other", prompt="Other {{ x }}", x=x)
    both.output(y=both.llm("say", prompt="desk/say@1", x=x).text, z=more.text)
    runs = [
        PastRun(AT + timedelta(hours=n), "ada", {"say": PastCall(float(random.normal(100, 9)), 1)})
        for n in range(20)
    ]
    write_past(alone, runs)
    other = PastCall(5, 1)
    write_past(both, [PastRun(r.at, "ada", {**r.calls, "other": other}) for r in runs])
    frame = room.analytics.performance().frame
    row = frame.filter(metric="latency_ms", template="say").row(0, named=True)
    assert (row["alone_n"], row["inside_n"], row["difference"]) == (20, 20, 0.0)
    assert set(frame.filter(template="other")["note"]) == {"never ran alone with this model"}
    assert "score" not in set(frame["metric"]), "nothing was judged"


def test_a_stand_in_is_never_mixed_with_a_model(room: Lab) -> None:
    flow = room.flow("desk/a")
    flow.output(y=flow.llm("say", prompt="Say {{ x }}", x=flow.input("x")).text)
    played = PastCall(10, 1, model="simulated:small", simulated=True)
    write_past(flow, [PastRun(AT, "ada", {"say": played})] * 3)
    only = room.analytics.performance()
    assert only.simulated
    assert "simulated" in only._repr_html_()
    write_past(flow, [PastRun(AT, "ada", {"say": PastCall(10, 1)})] * 3)
    both = room.analytics.performance()
    assert not both.simulated
    assert set(both.frame["model"]) == {"gpt-5-mini"}
    assert "3 simulated calls left out" in both.reason


def test_where_templates_are_used(told: Lab) -> None:
    usage = told.analytics.usage()
    rows = {(row["flow"], row["node"]): row for row in usage.frame.iter_rows(named=True)}
    answer = rows["triage", "answer"]
    assert (answer["template_version"], answer["current_version"], answer["behind"]) == (2, 3, 1)
    # Two flows have an inline prompt of this name.
    assert answer["with"] == ["classify", "desk/triage/shorten"]
    assert answer["users"] == ["ada", "bo", "cy"]
    assert rows["digest", "answer"]["users"] == ["bo"]
    assert rows["alone", "answer"]["with"] == []
    assert set(usage.lagging["flow"]) == {"triage", "alone", "digest"}
    assert usage.unused.select("template", "template_version").rows() == [("answer", 3)]
    assert told.analytics.usage("desk/classify").unused.is_empty()
    assert told.sql(usage.sql).height == usage.frame.height
    calls = told.analytics.cost("node").frame.filter(flow="triage", node="answer")["calls"]
    assert answer["calls"] == calls.item()


def test_a_flow_that_was_brought_up_to_date_lags_no_more(room: Lab) -> None:
    room.template("desk/say", "Say {{ x }}")
    second = room.template("desk/say", "Say it: {{ x }}")
    for version in (1, 2, 1):
        flow = room.flow("desk/a")
        flow.output(y=flow.llm("say", prompt=f"desk/say@{version}", x=flow.input("x")).text)
        write_past(flow, [PastRun(AT, "ada", {"say": PastCall(10, 1)})])
        lagging = room.analytics.usage().lagging
        # Back at the first version it lags again, though it used the second one later.
        assert lagging["template_version"].to_list() == ([1] if version == 1 else [])
    assert room.analytics.usage().unused.is_empty()
    assert second.version == 2


def test_names_that_are_not_there(told: Lab) -> None:
    with pytest.raises(NotFound, match="there is no template 'none'"):
        told.analytics.performance("none")


def test_templates_and_flows_of_one_name_are_told_by_their_paths(room: Lab) -> None:
    for place in ("desk", "sales/eu"):
        room.template(f"{place}/greet", f"{place}: greet {{{{ name }}}}")
        flow = room.flow(f"{place}/hello")
        said = flow.llm("say", prompt=f"{place}/greet@1", name=flow.input("name"))
        flow.output(said=said)
        flow.run(name="Ada")
    paths = {"desk/greet", "sales/eu/greet"}
    usage = room.analytics.usage()
    assert set(usage.frame["template"]) == paths
    assert set(usage.frame["flow"]) == {"desk/hello", "sales/eu/hello"}
    assert set(room.analytics.usage("sales/eu/greet").frame["template"]) == {"sales/eu/greet"}
    assert set(room.analytics.cost(by="template").frame["template"]) == paths
    calls = [
        room.sql(room.analytics.performance(name).sql)["calls"].to_list()
        for name in ("sales/eu/greet", "greet")
    ]
    assert calls == [[1], [2]]
    with pytest.raises(NotFound, match="'eu/greet'"):
        room.analytics.performance("eu/greet")
    lineage = room.lineage(room.template("desk/greet"))
    assert lineage.frame["template"].to_list() == ["desk/greet"]
