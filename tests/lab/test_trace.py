"""One row of truth, read from both ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.parts import classifying

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.values import Json

TEXTS = ("One {{ ticket }}", "Two billing tech {{ ticket }}", "Three {{ ticket }}")
FIGURES = (
    "template", "template_version", "flow", "flow_version", "node_key", "flow_executions",
    "node_executions", "calls", "unpriced_calls",
)  # fmt: skip


def told(lab: Lab) -> None:
    """Use three versions of one template in two flows, once without success."""
    for text in TEXTS:
        lab.template("lib/label", text)
    for version, path, count in (
        (1, "a/one", 2),
        (2, "a/one", 3),
        (2, "b/two", 4),
        (3, "b/two", 1),
    ):
        flow = classifying(lab, f"lib/label@{version}", path)
        flow.batch([{"ticket": f"ticket {n}"} for n in range(count)])
    classifying(lab, "lib/label@2", "b/two", model="simulated:nothing").run(ticket="x")


def test_which_executions_used_version_two_where_at_what_cost_and_success(lab: Lab) -> None:
    told(lab)
    trace = lab.trace("lib/label@2")
    rows = trace.select("flow", "flow_version", "flow_executions", "calls", "success_rate").rows()
    assert rows == [("one", 2, 3, 3, 1.0), ("two", 1, 4, 4, 1.0), ("two", 3, 1, 1, 0.0)]
    by_hand = lab.sql(
        "SELECT f.name AS flow, fe.flow_version, COUNT(*) AS calls, SUM(pe.cost) AS cost "
        "FROM prompt_execution AS pe "
        "JOIN flow_execution AS fe ON fe.id = pe.flow_execution_id "
        "JOIN prompt_flow AS f ON f.id = fe.flow_id "
        "JOIN prompt_template AS t ON t.id = pe.prompt_template_id "
        "WHERE t.name = 'label' AND pe.template_version = 2 "
        "GROUP BY f.name, fe.flow_version ORDER BY f.name, fe.flow_version"
    )
    assert trace["calls"].to_list() == by_hand["calls"].to_list()
    assert [round((cost or 0) * 1e9) for cost in trace["cost_usd"]] == [
        int(cost or 0) for cost in by_hand["cost"]
    ]
    executions = lab.sql(
        "SELECT DISTINCT flow_execution_id FROM v_trace "
        "WHERE template = 'label' AND template_version = 2"
    )
    assert executions.height == 8
    assert set(executions["flow_execution_id"]) <= set(lab.runs()["flow_execution_id"])
    everything = lab.trace("lib/label")
    assert everything["calls"].sum() == 11
    assert set(everything["template_version"]) == {1, 2, 3}


_ANSWERS: dict[str, list[tuple[Json, ...]]] = {}


def test_both_engines_give_the_same_answer(lab: Lab, warehouse_engine: str) -> None:
    told(lab)
    trace = lab.trace("lib/label")
    costs = [round(cost * 1e9) if cost else None for cost in trace["cost_usd"]]
    answer = [*trace.select(FIGURES).rows(), tuple(costs)]
    assert len(answer) == 6
    _ANSWERS[warehouse_engine] = answer
    assert all(other == answer for other in _ANSWERS.values())


def test_from_a_call_back_to_the_user(lab: Lab) -> None:
    told(lab)
    for call in lab.sql("SELECT id FROM prompt_execution")["id"]:
        (row,) = lab.sql(
            "SELECT * FROM v_trace WHERE prompt_execution_id = :call", call=call
        ).to_dicts()
        assert row["requested_by"] == row["executed_by"] == lab.actor.id
        assert row["trigger"] == "cell"
        assert row["node_key"] == "classify"
        assert row["flow"] in {"one", "two"}
        assert row["template"] == "label"
        assert row["template_version"] in {1, 2, 3}
        assert len(row["flow_version_hash"]) == len(row["template_version_hash"]) == 64
        assert row["workflow_template_usage_id"]
        assert row["change_seq"] >= 1


def test_the_view_has_every_call_once(lab: Lab) -> None:
    told(lab)
    calls = set(lab.sql("SELECT id FROM prompt_execution")["id"])
    seen = lab.sql("SELECT prompt_execution_id FROM v_trace")["prompt_execution_id"].to_list()
    assert len(seen) == len(calls)
    assert set(seen) == calls
    spent = lab.sql("SELECT SUM(cost_usd) AS c FROM v_trace")["c"].item()
    assert spent == pytest.approx(lab.runs()["cost_usd"].drop_nulls().sum())


def test_an_inline_prompt_is_traced_too(lab: Lab) -> None:
    classifying(lab, "Inline {{ ticket }}").run(ticket="x")
    (row,) = lab.sql("SELECT template, template_version, node_key FROM v_trace").rows()
    assert row == ("classify", 1, "classify")


def test_other_labs_and_versions_that_never_ran_are_empty(lab: Lab) -> None:
    lab.template("lib/label", TEXTS[0])
    assert lab.trace("lib/label").height == 0
    assert lab.trace("lib/label@9").height == 0
