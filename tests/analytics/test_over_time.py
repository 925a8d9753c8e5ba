"""Trends, anomalies, forecasts and alerts over the desk's weeks: what is there is found."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from statsmodels.api import OLS, add_constant

import promptstudio_lab as ps
from promptstudio_lab.analytics.faces.drawing import Drawing, Mark
from promptstudio_lab.analytics.trends import slope_of
from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.lab.invented.past import PastCall, PastRun, write_past
from tests.analytics.conftest import UNTIL

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.invented.desk import Truth

AT = datetime(2026, 3, 2, tzinfo=UTC)


def one_flow(lab: Lab, calls: list[list[PastCall]]) -> None:
    """Write what each day's runs did, one call a run."""
    flow = lab.flow("desk/one")
    flow.output(y=flow.llm("say", prompt="Say {{ x }}", x=flow.input("x")).text)
    write_past(
        flow,
        [
            PastRun(AT + timedelta(days=day, hours=9), "ada", {"say": call})
            for day, made in enumerate(calls)
            for call in made
        ],
    )


def test_a_dearer_prompt_is_dated(told: Lab, truth: Truth) -> None:
    found = told.analytics.trend("cost_per_call_usd", by=["flow", "model"], until=UNTIL)
    (change,) = found.changes.filter(flow="triage", model="gpt-5-mini").iter_rows(named=True)
    assert abs((change["at"] - truth.day(truth.dearer_from)).days) <= 2
    assert change["low"] < change["difference"] < change["high"]
    assert change["low"] > 0
    assert "From 2026-07-2" in found.sentence
    assert found.changes.filter(flow="digest").is_empty()
    assert found.changes.filter(flow="alone").is_empty()


def test_the_picture_of_a_trend_is_of_the_change_that_is_told(told: Lab) -> None:
    found = told.analytics.trend("cost_per_call_usd", by=["node", "model"], until=UNTIL)
    assert found.changes.height > 1
    assert found.drawing is not None
    _, label = found.drawing.title.split(": ")
    assert f" of {label} was " in found.sentence
    (start,) = [mark.label for mark in found.drawing.marks if mark.state == "changed"]
    assert found.sentence.startswith(f"From {start[:10]} ")


def test_a_trend_says_its_sql_and_its_days(told: Lab, truth: Truth) -> None:
    found = told.analytics.trend("cost_usd", until=UNTIL)
    assert found.frame.height == truth.days
    sql = told.sql(found.sql).with_columns(pl.col("value").cast(pl.Float64)).sort("day")
    mine = found.frame.filter(pl.col("calls") > 0)
    assert mine["value"].to_list() == pytest.approx(sql["value"].to_list())
    assert found.frame.filter(calls=0)["at"].to_list() == [truth.day(truth.silent_day)]
    (slope,) = found.slopes.iter_rows(named=True)
    assert slope["low"] < slope["slope"] < slope["high"]


def test_the_slope_is_statsmodels_own() -> None:
    random = np.random.default_rng(3)
    values = 5 + 0.2 * np.arange(50) + random.normal(0, 1, 50)
    theirs = OLS(values, add_constant(np.arange(50.0))).fit(
        cov_type="HAC", cov_kwds={"maxlags": 3, "use_correction": True}, use_t=True
    )
    mine = slope_of(values)
    assert mine is not None
    assert mine.estimate == pytest.approx(theirs.params[1])
    assert (mine.low, mine.high) == pytest.approx(tuple(theirs.conf_int()[1]))
    assert slope_of(values[:9]) is None
    assert slope_of(np.full(30, 2.0)) is None


def test_steady_days_show_no_change(room: Lab) -> None:
    random = np.random.default_rng(4)
    one_flow(room, [[PastCall(100, int(random.normal(9e6, 1e5)))] * 3 for _ in range(40)])
    found = room.analytics.trend("cost_usd")
    assert found.changes.is_empty()
    assert "no change of level in 40 periods" in found.sentence
    assert found.table.equals(found.slopes)


def test_a_week_hides_no_change(room: Lab) -> None:
    # Weekends cost a tenth of other days, which is far more than what changes on day 28.
    random = np.random.default_rng(5)
    days = [
        (10.0 if day % 7 >= 5 else 100.0) + (15.0 if day >= 28 else 0.0) + random.normal(0, 1)
        for day in range(56)
    ]
    one_flow(room, [[PastCall(100, int(usd * 1e9))] for usd in days])
    (change,) = room.analytics.trend("cost_usd").changes.iter_rows(named=True)
    assert change["at"] == AT + timedelta(days=28)
    assert change["difference"] == pytest.approx(15, abs=1)


def test_a_slow_day_and_a_silent_day_are_found(told: Lab, truth: Truth) -> None:
    found = told.analytics.anomalies("latency_p95_ms", until=UNTIL)
    states = dict(found.found.select("at", "state").rows())
    assert states == {
        truth.day(truth.slow_day): "high",
        truth.day(truth.silent_day): "no data",
    }
    calls = told.analytics.anomalies("calls", until=UNTIL).found
    # To count nothing is to know something.
    assert ("low", truth.day(truth.silent_day)) in calls.select("state", "at").rows()
    assert "no data" not in set(calls["state"])


def test_the_picture_of_what_is_unusual_is_of_what_is_told(told: Lab) -> None:
    found = told.analytics.anomalies("latency_p95_ms", by=["flow", "node"], until=UNTIL)
    flow, node, at = found.found.select("flow", "node", "at").row(0)
    assert f"the latest on {at:%Y-%m-%d} for {flow} · {node}:" in found.sentence
    assert found.drawing is not None
    assert found.drawing.title.endswith(f": {flow} · {node}")


def test_every_measure_has_a_series(told: Lab) -> None:
    for metric in (
        "cost_usd", "calls", "runs", "tokens", "cost_per_call_usd", "latency_ms",
        "latency_p50_ms", "success", "score",
    ):  # fmt: skip
        found = told.analytics.anomalies(metric, since="2026-06-01", until="2026-06-15")
        assert found.frame["value"].null_count() == 0, metric
        assert told.sql(found.sql).height > 0
    week = told.analytics.anomalies("score", by="flow", every="1w", until=UNTIL)
    assert week.frame.filter(flow="triage").height == 12
    facts = told.analytics.facts("2026-06-01", "2026-06-08").filter(pl.col("first"))
    runs = facts.filter(flow_id=told.flow("desk/triage").head().id).collect()
    mean = runs.unique("flow_execution_id")["score"].mean()
    assert week.frame.filter(flow="triage")["value"][0] == pytest.approx(mean)


def test_days_that_are_not_over_are_left_out(room: Lab) -> None:
    flow = room.flow("desk/one")
    flow.output(y=flow.llm("say", prompt="Say {{ x }}", x=flow.input("x")).text)
    now = datetime.now(UTC)
    call = {"say": PastCall(10, 5)}
    write_past(flow, [PastRun(now - timedelta(days=n), "ada", call) for n in range(3)])
    found = room.analytics.trend("calls")
    assert found.frame["value"].to_list() == [1.0, 1.0]
    assert room.analytics.trend("calls", until=now - timedelta(days=1)).frame.height == 1


def test_forecasts_hold_what_then_came(told: Lab, truth: Truth) -> None:
    known = truth.day(70).date().isoformat()
    made = told.analytics.forecast("runs", until=known, periods=14)
    came = told.analytics.trend("runs", since=known, until=UNTIL).frame
    both = made.frame.join(came, on="at")
    assert both.height == 14
    held = both.filter(pl.col("value").is_between(pl.col("low"), pl.col("high")))
    assert held.height >= 12, "one day in twenty, and the one on which nothing ran"
    (total,) = made.totals.iter_rows(named=True)
    assert total["low"] < came["value"].sum() < total["high"]
    assert 0.85 <= total["coverage"] <= 1
    assert total["trials"] == 20
    assert "ThetaModel" in made.model
    assert "20 trials on its own past" in made.reason


def test_forecasts_stay_where_a_measure_can_be(told: Lab) -> None:
    score = told.analytics.forecast("score", by="flow", until=UNTIL, periods=7)
    assert set(score.totals["flow"]) == {"triage", "alone", "digest"}
    assert score.frame.filter((pl.col("high") > 1) | (pl.col("low") < 0)).is_empty()
    drift = score.totals.filter(flow="triage").row(0, named=True)
    assert drift["total"] == pytest.approx(0.7, abs=0.03)
    assert drift["drift"] == pytest.approx(drift["total"] - drift["recent"])
    cost = told.analytics.forecast("cost_usd", by="user", until=UNTIL, periods=7)
    assert cost.frame["low"].min() == 0.0
    assert cost.drawing is not None
    assert [mark.state for mark in cost.drawing.marks].count("forecast") == 7


def test_too_little_of_a_past_is_said(room: Lab, told: Lab) -> None:
    with pytest.raises(AnalysisError, match="nothing can be forecast"):
        room.analytics.forecast("calls")
    with pytest.raises(AnalysisError, match="too few to try a forecast of 14"):
        told.analytics.forecast("calls", since="2026-08-10", until=UNTIL)
    partly = told.analytics.forecast("cost_usd", by="model", until=UNTIL, periods=7)
    notes = dict(partly.totals.select("model", "note").rows())
    assert notes["gpt-5"] == ""
    assert "all 84 values are 0" in notes["llama"]


def test_rules_fire_when_they_should(told: Lab, truth: Truth) -> None:
    rules = [
        ps.Alert("slow", "latency_p95_ms", unusual=True),
        ps.Alert("dear", "cost_usd", above=1e-6, by="flow"),
        ps.Alert("cheap", "cost_usd", above=10.0),
        ps.Alert("bad", "score", below=0.5),
        ps.Alert("thin", "success", below=0.5, least=10_000),
    ]
    that_day = truth.day(truth.slow_day + 1)
    found = told.analytics.alerts(rules, until=that_day)
    states = {(row["rule"], row["group"]): row["state"] for row in found.frame.to_dicts()}
    assert states == {
        ("slow", "all calls"): "firing",
        ("dear", "triage"): "firing", ("dear", "alone"): "firing", ("dear", "digest"): "firing",
        ("cheap", "all calls"): "ok", ("bad", "all calls"): "ok", ("thin", "all calls"): "no data",
    }  # fmt: skip
    assert found.firing.height == 4
    assert found.sentence.startswith("4 alerts of 7 fire: slow (all calls) was ")
    assert set(found.frame["at"]) == {truth.day(truth.slow_day)}
    assert set(found.queries) == {rule.name for rule in rules}
    day_before = told.analytics.alerts(rules[:1], until=truth.day(truth.slow_day))
    assert day_before.firing.is_empty()
    assert day_before.sentence == "No alert of 1 fires."


def test_a_key_tells_an_alert_once(told: Lab, truth: Truth) -> None:
    rule = ps.Alert("dear", "cost_usd", above=0.0, by="user")
    days = [told.analytics.alerts([rule], until=truth.day(n)).frame for n in (40, 40, 41)]
    keys = [set(day["key"]) for day in days]
    assert keys[0] == keys[1]
    assert not keys[0] & keys[2]
    assert len(keys[0]) == 3


def test_silence_is_its_own_alert(told: Lab, truth: Truth) -> None:
    after = truth.day(truth.silent_day + 1)
    plain = ps.Alert("quality", "score", below=0.5)
    silent = ps.Alert("silence", "score", below=0.5, silent=True)
    found = told.analytics.alerts([plain, silent], until=after).frame
    assert dict(found.select("rule", "state").rows()) == {
        "quality": "no data",
        "silence": "firing",
    }
    assert set(found["note"]) == {"0 calls in the latest period"}
    counted = ps.Alert("stopped", "calls", below=1.0)
    assert told.analytics.alerts([counted], until=after).firing["value"].to_list() == [0.0]


def test_impossible_questions(told: Lab) -> None:
    with pytest.raises(AnalysisError, match="has no condition"):
        ps.Alert("never", "calls")
    with pytest.raises(AnalysisError, match="an alert needs a rule"):
        told.analytics.alerts([])
    with pytest.raises(AnalysisError, match="two alerts have one name"):
        told.analytics.alerts([ps.Alert("a", "calls", above=1)] * 2)
    with pytest.raises(AnalysisError, match="did you mean 'cost_usd'"):
        told.analytics.trend("cost_us")
    with pytest.raises(AnalysisError, match="every is '1y'"):
        told.analytics.trend("calls", every="1y")
    with pytest.raises(AnalysisError, match="has its days already"):
        told.analytics.trend("calls", by="day")


def test_pictures_break_where_nothing_is_known(told: Lab) -> None:
    found = told.analytics.anomalies("score", until=UNTIL)
    assert found.drawing is not None
    svg = found.drawing.svg
    assert svg.count("<polyline") == 2
    assert "nan" not in svg
    for theme in ("auto", "light", "dark"):
        spec = found.plot(theme).chart.to_dict()
        assert len(spec["layer"]) == 3
        json.dumps(spec, allow_nan=False)
    open_ended = told.analytics.latency("flow", since="2026-08-20").plot()
    assert "Infinity" not in json.dumps(open_ended._repr_mimebundle_())
    assert told.analytics.cost("flow").plot().chart.to_dict()["mark"]["type"] == "bar"


def test_what_stands_alone_is_a_dot_and_a_whole_day_has_no_hour() -> None:
    days = [("2026-06-01 00:00", 1.0), ("2026-06-02 00:00", None), ("2026-06-03 00:00", 2.0)]
    svg = Drawing("line", "cost", "usd", tuple(Mark(day, value) for day, value in days)).svg
    assert svg.count('stroke-width="3"') == 2
    assert (">2026-06-01<" in svg, " 00:00<" in svg) == (True, False)
