"""Every view is described as it is, answers alike on both engines, and never reads a payload."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from sqlalchemy import text

import promptstudio_lab as ps
from promptstudio_lab.datasets.sample import CONTROL_PROMPT, LABELS, TREATMENT_PROMPT, tickets
from promptstudio_lab.warehouse.queries.views import views

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from promptstudio_lab.lab import Lab

VIEWS = {view.name: view for view in views()}


@pytest.fixture
def compared(lab: Lab) -> Lab:
    """Give a lab in which an experiment of two variants ran over six items."""
    lab.template("support/classify", CONTROL_PROMPT)
    lab.template("support/classify", TREATMENT_PROMPT)
    flow = lab.flow("support/triage")
    ticket = flow.input("ticket", "text")
    kind = flow.llm(
        "classify",
        prompt="support/classify@1",
        ticket=ticket,
        returns={"label": list(LABELS)},
    )
    flow.output(label=kind.label)
    experiment = lab.experiment(
        "definitions",
        flow=flow,
        variants={"bare": None, "defined": flow.vary("classify.prompt", "support/classify@2")},
        data=lab.dataset("tickets", tickets()[:6]),
        scorer=ps.exact("label"),
    )
    experiment.run()
    return lab


@pytest.mark.parametrize("name", VIEWS)
def test_every_column_is_described(memory: Lab, name: str) -> None:
    found = memory.sql(f"SELECT * FROM {name}").columns
    assert list(VIEWS[name].columns) == found
    assert VIEWS[name].grain.endswith(".")
    assert all(VIEWS[name].columns.values())


def test_views_say_the_same_of_the_same_runs(compared: Lab) -> None:
    lab = compared
    runs = lab.sql("SELECT * FROM v_flow_execution")
    calls = lab.sql("SELECT * FROM v_prompt_execution")
    spent = pytest.approx(runs["cost_usd"].sum())
    assert (runs.height, calls.height) == (12, 12)
    assert calls["cost_usd"].sum() == spent
    assert lab.sql("SELECT * FROM v_flow")["cost_usd"].sum() == spent
    assert lab.sql("SELECT * FROM v_template")["cost_usd"].sum() == spent
    assert lab.sql("SELECT * FROM v_flow_cost_daily")["cost_usd"].sum() == spent
    exposed = lab.sql("SELECT * FROM v_experiment_exposure")
    assert exposed["cost_usd"].sum() == spent
    assert exposed.group_by("variant").len().sort("variant").rows() == [("bare", 6), ("defined", 6)]


def test_counters_are_means_of_the_runs(compared: Lab) -> None:
    (flow,) = compared.sql("SELECT * FROM v_flow").rows(named=True)
    runs = compared.sql("SELECT * FROM v_flow_execution")
    assert flow["executions"] == runs.height
    assert flow["success_rate"] == pytest.approx(runs["success"].mean())
    assert flow["mean_cost_usd"] == pytest.approx(runs["cost_usd"].mean())
    assert flow["last_started_at"] == runs["started_at"].max()
    (template,) = compared.sql("SELECT * FROM v_template").rows(named=True)
    assert (template["flows"], template["calls"], template["success_rate"]) == (1, 12, 1.0)


def test_an_unknown_price_is_never_a_zero(compared: Lab) -> None:
    def forget_prices(connection: Connection) -> None:
        connection.execute(text("UPDATE flow_execution SET total_cost = NULL"))

    compared.warehouse.append(compared.actor, forget_prices)
    (day,) = compared.sql("SELECT * FROM v_flow_cost_daily").rows(named=True)
    assert (day["cost_usd"], day["unpriced_executions"]) == (None, 12)
    assert compared.sql("SELECT mean_cost_usd FROM v_flow").item() is None


def test_lineage_leads_from_the_template_to_the_call(compared: Lab) -> None:
    steps = compared.sql("SELECT * FROM v_lineage")
    assert set(steps["relation"]) == {
        "used_in", "varied_as", "compares", "input_of", "executed_as", "sent_as",
    }  # fmt: skip
    template = compared.sql("SELECT id FROM prompt_template").item()
    sent = steps.filter(pl.col("source_id") == template, pl.col("relation") == "sent_as")
    assert sent.group_by("source_version").len().sort("source_version").rows() == [(1, 6), (2, 6)]


@pytest.mark.parametrize("name", VIEWS)
def test_no_view_reads_a_payload(lab: Lab, name: str) -> None:
    explain = "EXPLAIN QUERY PLAN" if lab.warehouse.dialect == "sqlite" else "EXPLAIN"
    with lab.warehouse.reading(lab.actor) as session:
        plan = session.execute(text(f"{explain} SELECT * FROM {name}")).all()
    assert plan
    assert "payload" not in " ".join(str(row) for row in plan).replace("_payload_id", "")


def test_the_list_of_runs_reads_no_payload(compared: Lab) -> None:
    watched = []

    def note(*parts: object) -> None:
        watched.append(str(parts[2]))

    from sqlalchemy import event

    for engine in (compared.warehouse._database.engine, compared.warehouse._database.readers):
        event.listen(engine, "before_cursor_execute", note)
    assert compared.runs().height == 12
    assert compared.flows().height == compared.templates().height == 1
    assert watched
    assert not [sql for sql in watched if " payload " in sql]


def test_a_lab_tells_its_views(memory: Lab) -> None:
    told = memory.views()
    assert told.columns == ["view", "grain", "column", "meaning"]
    assert set(told["view"]) == set(VIEWS)
