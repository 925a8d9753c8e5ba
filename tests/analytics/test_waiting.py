"""What runs wait for, and how long calls take: against sums by hand and exact quantiles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from promptstudio_lab.analytics.paths import Span, critical_path
from promptstudio_lab.errors import AnalysisError, NotFound
from promptstudio_lab.lab.invented.past import PastCall, PastRun, write_past

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.invented.desk import Truth

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def span(name: str, start: float, end: float, path: str = "") -> Span:
    return Span(name, name, path, AT + timedelta(seconds=start), AT + timedelta(seconds=end))


def path_of(spans: list[Span], **feeds: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for one, ms in critical_path(spans, {name: frozenset(of) for name, of in feeds.items()}):
        found[one.name] = found.get(one.name, 0.0) + ms
    return found


def test_the_slower_branch_is_waited_for() -> None:
    spans = [span("a", 0, 1), span("b", 1, 5), span("c", 1, 3), span("d", 5, 6)]
    feeds = {"a": "", "b": "a", "c": "a", "d": "bc"}
    assert path_of(spans, **feeds) == {"d": 1000, "b": 4000, "a": 1000}


def test_what_runs_beside_and_feeds_nothing_is_not_waited_for() -> None:
    # z ended just before d began, but d takes nothing from it.
    spans = [span("a", 0, 5), span("z", 0, 5.5), span("d", 6, 7)]
    assert path_of(spans, a="", z="", d="a") == {"d": 1000, "a": 5000}


def test_without_its_edges_a_node_waits_for_what_ended_last() -> None:
    assert path_of([span("a", 0, 1), span("b", 0, 2), span("d", 2, 3)]) == {"d": 1000, "b": 2000}


def test_a_map_is_what_its_items_waited_for() -> None:
    spans = [
        span("each", 0, 7),
        span("x", 0, 3, "each[0]"), span("x", 0, 4, "each[1]"), span("y", 3, 3.5, "each[0]"),
        # The third item began when the first was over: two at a time.
        span("x", 3.5, 6.5, "each[2]"), span("y", 6.5, 7, "each[2]"),
    ]  # fmt: skip
    found = path_of(spans, each="", x="", y="x")
    assert found == {"each": 0, "y": 1000, "x": 6000}
    assert path_of([]) == {}


def test_a_flow_within_a_flow_is_one_item() -> None:
    spans = [span("sub", 0, 4), span("x", 1, 3, "sub")]
    assert path_of(spans, sub="", x="") == {"sub": 2000, "x": 2000}


def test_the_bottleneck_is_found(told: Lab, truth: Truth) -> None:
    found = told.analytics.bottlenecks("desk/triage")
    assert found.frame["node"][0] == truth.bottleneck
    shares = dict(found.frame.select("node", "share").rows())
    assert sum(shares.values()) == pytest.approx(1)
    # The label is made beside the summary and feeds nothing but the output.
    assert shares.get("classify", 0.0) < 0.01
    assert 0.2 < shares["shorten"] < 0.4
    by_hand = told.analytics.facts().filter(
        pl.col("first") & pl.col("node").is_in(["answer", "shorten"]),
        flow_id=told.flow("desk/triage").head().id,
    )
    mean = by_hand.group_by("node").agg(pl.col("node_ms").mean()).collect()
    answer = mean.filter(node="answer")["node_ms"].item()
    assert found.frame["critical_ms"][0] == pytest.approx(answer, rel=1e-6)
    assert found.sentence.startswith("Runs of triage wait for answer: 7")


def test_the_newest_runs_are_looked_at_and_that_is_said(told: Lab) -> None:
    found = told.analytics.bottlenecks("triage", most=50)
    assert set(found.frame["runs"]) == {50}
    assert "critical paths of 50 runs, the newest of 7" in found.reason
    assert set(told.analytics.bottlenecks().frame["flow"]) == {"triage", "alone", "digest"}
    with pytest.raises(NotFound, match="there is no flow 'none'"):
        told.analytics.bottlenecks("none")


def test_real_runs_of_a_map_are_followed_inside(room: Lab) -> None:
    flow = room.flow("desk/many")
    with flow.map("each", items=flow.input("xs", "list"), concurrency=1) as each:
        said = each.llm("say", prompt="Say {{ x }}", x=each.item)
        each.output(y=said.text)
    flow.output(ys=each.items)
    flow.run(xs=["a", "b", "c"])
    frame = room.analytics.bottlenecks().frame
    assert frame["node"][0] == "say"
    assert frame.filter(node="say")["share"].item() > 0.5
    assert frame["share"].sum() == pytest.approx(1)


@pytest.mark.parametrize("by", ["flow", "model", ["node", "user"]])
def test_quantiles_are_right_over_any_window(told: Lab, by: str | list[str]) -> None:
    found = told.analytics.latency(by, quantiles=(0.5, 0.95))
    ids = {"flow": ["flow_id"], "model": ["model"]}
    keys = ids.get(str(by), ["node_id", "user"])
    windows = [(None, None), ("2026-07-01", "2026-07-08"), ("2026-08-01", None)]
    for since, until in windows:
        frame = found.window(since, until)
        facts = told.analytics.facts(since, until).filter(pl.col("latency_ms").is_not_null())
        p50, p95 = (pl.col("latency_ms").quantile(p, "lower") for p in (0.5, 0.95))
        exact = facts.group_by(keys).agg(n=pl.len(), p50=p50, p95=p95).collect()
        assert frame["calls"].sum() == exact["n"].sum()
        both = frame.join(exact, on=[name for name in exact.columns if name in frame.columns])
        assert both.height == frame.height == exact.height
        for p in ("p50", "p95"):
            assert both[f"{p}_ms"].to_list() == pytest.approx(both[p].to_list(), rel=0.0101)
    assert found.frame.equals(found.window())


def test_a_window_is_of_whole_days(told: Lab) -> None:
    found = told.analytics.latency("model")
    with pytest.raises(AnalysisError, match="is no midnight"):
        found.window("2026-07-01T12:00:00+00:00")
    assert told.sql(found.sql).height == found.counts["times"].sum()
    assert "highest p99" in found.sentence


def test_an_interval_holds_what_it_was_drawn_from(room: Lab) -> None:
    flow = room.flow("desk/a")
    flow.output(y=flow.llm("say", prompt="Say {{ x }}", x=flow.input("x")).text)
    random = np.random.default_rng(2)
    waits = random.lognormal(6, 0.5, 400)
    write_past(flow, [PastRun(AT, "ada", {"say": PastCall(float(ms), 1)}) for ms in waits])
    row = room.analytics.latency("model", quantiles=(0.5,)).frame.row(0, named=True)
    assert row["p50_low_ms"] < np.exp(6) < row["p50_high_ms"]
    assert row["p50_high_ms"] / row["p50_low_ms"] < 1.2
