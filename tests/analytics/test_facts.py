"""The facts that all answers share, and cost over them: against SQL, and against each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest

from promptstudio_lab.analytics import source
from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.lab.invented.past import PastCall, PastRun, write_past
from promptstudio_lab.warehouse.frames.tables import scan

if TYPE_CHECKING:
    from promptstudio_lab.lab import Flow, Lab

SINCE, UNTIL = "2026-06-10", "2026-06-20"
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def two_questions(lab: Lab) -> Flow:
    flow = lab.flow("desk/both")
    ticket = flow.input("ticket", "text")
    one = flow.llm("one", prompt="One {{ ticket }}", ticket=ticket)
    two = flow.llm("two", prompt="Two {{ ticket }}", ticket=ticket)
    flow.output(one=one.text, two=two.text)
    return flow


def test_a_fact_is_a_call_and_a_node_without_one(told: Lab) -> None:
    facts = told.analytics.facts().collect()
    calls = facts.filter(pl.col("prompt_execution_id").is_not_null())
    count = told.sql(
        "SELECT count(*) AS n FROM prompt_execution WHERE organization_id = :organization_id"
    )
    nodes = told.sql(
        "SELECT count(*) AS n FROM node_execution WHERE organization_id = :organization_id"
    )
    assert calls.height == count["n"].item()
    assert facts["first"].sum() == facts["node_execution_id"].n_unique() == nodes["n"].item()
    assert calls["cost"].sum() == told.analytics.cost().total
    assert calls.null_count().select("user", "flow_version", "template_version", "day").row(0) == (
        0, 0, 0, 0,
    )  # fmt: skip


@pytest.mark.parametrize("by", ["flow", "version", "node", "model", "user", "day"])
def test_the_sql_gives_what_the_answer_says(told: Lab, by: str) -> None:
    cost = told.analytics.cost(by, since=SINCE, until=UNTIL)
    found = told.sql(cost.sql)
    keys = [name for name in found.columns if name not in {"calls", "priced_calls", "cost_usd"}]
    mine = cost.frame.select(pl.col(keys).cast(pl.String), "calls", "priced_calls", "cost_usd")
    theirs = found.select(
        pl.col(keys).cast(pl.String),
        pl.col("calls", "priced_calls").cast(pl.Int64),
        pl.col("cost_usd").cast(pl.Float64),
    )
    assert theirs.height > 1
    assert mine.sort(keys).to_dicts() == [
        pytest.approx(row) for row in theirs.sort(keys).iter_rows(named=True)
    ]


def test_every_table_is_read_within_both_ends(told: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, object, object]] = []

    def heard(*arguments: object, **named: object) -> pl.LazyFrame:
        asked.append((str(arguments[2]), named["since"], named["until"]))
        return scan(*arguments, **named)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(source, "scan", heard)
    found = told.analytics.facts(SINCE, UNTIL).collect()
    tables = ("node_execution", "prompt_execution", "flow_execution")
    assert asked == [(name, SINCE, UNTIL) for name in tables]
    days = found["day"].unique().sort()
    assert (str(days[0]), str(days[-1])) == (SINCE, "2026-06-19")
    # Nothing is lost at the ends: a run's rows all lie on its side of them.
    whole = told.analytics.facts().filter(pl.col("day").is_in(days.implode())).collect()
    assert found.height == whole.height
    assert found.null_count()["user"].item() == 0


def test_a_cached_answer_counts_though_a_stand_in_answered_beside_it(room: Lab) -> None:
    flow = two_questions(room)
    small = PastCall(100, 5_000, model="openai:gpt-5-mini")
    write_past(flow, [PastRun(AT, "ada", {"one": small, "two": small})])
    first = room.sql(
        "SELECT id, node_key FROM node_execution WHERE organization_id = :organization_id"
    )
    ids = {row["node_key"]: row["id"] for row in first.iter_rows(named=True)}
    played = PastCall(100, 7_000, model="simulated:small", simulated=True)
    again = PastCall(0, 5_000, original=ids["one"])
    write_past(flow, [PastRun(AT + timedelta(days=40), "bo", {"one": again, "two": played})])
    cost = room.analytics.cost("model")
    assert cost.saved == 5_000
    assert cost.frame.filter(model="gpt-5-mini")["cache_hits"].to_list() == [1]
    assert cost.sentence == (
        "$0.0000100 was spent on 2 calls, each with a known price; cached answers of 1 node saved"
        " $0.00000500; 1 simulated call would have cost $0.00000700."
    )
    # What is asked about one month alone finds the original in another.
    later = room.analytics.cost("user", since=AT + timedelta(days=30))
    assert later.saved == 5_000
    assert later.frame.filter(user="bo")["cache_hits"].to_list() == [1]


def test_what_a_stand_in_answered_first_was_not_saved(room: Lab) -> None:
    flow = two_questions(room)
    played = PastCall(100, 7_000, model="simulated:small", simulated=True)
    real = PastCall(100, 5_000)
    write_past(flow, [PastRun(AT, "ada", {"one": played, "two": real})])
    found = room.sql(
        "SELECT id FROM node_execution WHERE node_key = 'one'"
        " AND organization_id = :organization_id"
    )
    again = PastCall(0, 7_000, original=found["id"].item())
    write_past(flow, [PastRun(AT, "ada", {"one": again, "two": real})])
    assert room.analytics.cost("model").saved == 0
    gone = PastCall(0, 9_000, original="00000000-0000-7000-8000-000000000000")
    write_past(flow, [PastRun(AT, "ada", {"one": gone, "two": real})])
    assert room.analytics.cost("model").saved == 9_000


def test_an_organisation_sees_its_own(told: Lab, room: Lab) -> None:
    assert told.analytics.facts().collect().height > 1_000
    assert room.analytics.facts().collect().height == 0
    assert room.analytics.cost("day").frame.height == 0


def test_faces(told: Lab) -> None:
    cost = told.analytics.cost("flow")
    page = cost._repr_html_()
    assert page.count("<svg") == 1
    assert "The SQL behind these numbers" in page
    assert cost.to_pandas().shape == cost.to_polars().shape
    assert "_id" not in repr(cost).splitlines()[2]
    assert "#1e1e1e" in str(cost.plot("dark").chart.to_dict()["config"])
    assert "#ffffff" in str(cost.plot("light").chart.to_dict()["config"])
    bundle = cost.plot()._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.vegalite.v5+json", "image/svg+xml", "text/plain"}
    with pytest.raises(AnalysisError, match="there is no theme 'blue'"):
        cost.plot("blue")  # type: ignore[arg-type]  # as a user might
