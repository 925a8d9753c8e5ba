"""What an analyst does in a notebook, from the first cell to the decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pytest

import promptstudio_lab as ps
from promptstudio_lab.datasets.sample import CONTROL_PROMPT, TREATMENT_PROMPT, tickets
from promptstudio_lab.datasets.sample import LABELS as SAMPLE_LABELS
from promptstudio_lab.errors import (
    FlowError,
    FlowInvalid,
    NodeFailed,
    NotFound,
    OperationRefused,
    PromptStudioError,
)
from promptstudio_lab.ids import new_id
from promptstudio_lab.lab import Lab, connect
from tests.flows.parts import triage
from tests.lab.parts import TICKETS, as_somebody, classifying, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.lab import Flow

BARE = "Label the ticket. {{ ticket }}"


def test_the_quickstart_ends_in_a_decision(lab: Lab) -> None:
    data = lab.dataset("tickets", tickets()[:120])
    bare = lab.template("quick/classify", CONTROL_PROMPT, "labels only")
    defined = lab.template("quick/classify", TREATMENT_PROMPT, "with definitions")
    assert (bare.version, defined.version) == (1, 2)
    flow = lab.flow("quick/triage")
    ticket = flow.input("ticket", "text")
    kind = flow.llm(
        "classify",
        model="simulated:small",
        prompt=bare.reference,
        ticket=ticket,
        returns={"label": list(SAMPLE_LABELS)},
    )
    flow.output(label=kind.label)
    assert flow.check() == ()
    experiment = lab.experiment(
        "do definitions help?",
        flow=flow,
        variants={"labels": None, "definitions": flow.vary("classify.prompt", defined.reference)},
        data=data,
        scorer=ps.exact("label"),
    )
    frame = experiment.run(budget=ps.usd(1))
    assert frame.height == 240
    report = experiment.report()
    assert report.decision.action == "ship"
    assert report.decision.variant == "definitions"
    assert report.simulated
    assert report["success"].low > 0
    rates = frame.group_by("variant").agg(pl.col("score").mean()).sort("variant")
    by_hand = dict(rates.iter_rows())
    assert report["success"].estimate == pytest.approx(by_hand["definitions"] - by_hand["labels"])
    costs = frame.group_by("variant").agg(pl.col("cost_usd").mean()).sort("variant")
    assert costs["cost_usd"][0] > costs["cost_usd"][1], "definitions are longer"
    assert "definitions" in repr(report)


def test_a_run_says_what_it_gave(lab: Lab) -> None:
    run = classifying(lab, BARE).run(ticket="My invoice is wrong: billing")
    assert run.status == "succeeded"
    assert run.outputs["label"] in {"billing", "tech"}
    assert run.simulated
    assert run.cost_nano_usd is not None
    assert run.cost_nano_usd > 0
    assert "[simulated]" in repr(run)
    found = lab.runs().row(0, named=True)
    assert found["flow_execution_id"] == run.id
    assert found["cost_usd"] == pytest.approx(run.cost_nano_usd / 1e9)
    assert (found["requested_by"], found["trigger"]) == (lab.actor.id, "cell")


def test_a_failed_run_is_a_value_and_its_outputs_are_an_error(memory: Lab) -> None:
    run = classifying(memory, BARE, model="simulated:huge").run(ticket="x")
    assert run.status == "failed"
    assert "huge" in repr(run)
    with pytest.raises(NodeFailed, match=r"classify: .*huge"):
        _ = run.outputs
    html = run._repr_html_()
    assert "failed" in html
    assert memory.runs()["status"].to_list() == ["failed"]


def test_a_run_shown_as_html_shows_only_text(memory: Lab) -> None:
    flow = memory.flow("hostile")
    flow.output(answer=flow.input("x", "any"))
    hostile = "<img src=x onerror=alert(1)>"
    html = flow.run(x=hostile)._repr_html_()
    assert hostile not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "\\u202e" in flow.run(x="pay \u202eevil")._repr_html_()
    assert "characters)" in flow.run(x="long " * 1_000)._repr_html_()
    assert "[1,2]" in flow.run(x=[1, 2])._repr_html_()


def test_a_flow_that_cannot_run_says_every_reason(memory: Lab) -> None:
    flow = memory.flow("broken")
    flow.prompt("p", prompt="{{ x }}")
    with pytest.raises(FlowInvalid) as caught:
        flow.run()
    assert "2 problems" in str(caught.value)
    assert memory.sql("SELECT count(*) AS n FROM prompt_flow_version")["n"].item() == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "gets no value"),
        ({"tickt": "x"}, "did you mean"),
        ({"ticket": "x", "y": 1}, "no input 'y'"),
    ],
)
def test_inputs_are_checked_before_anything_runs(
    memory: Lab, given: Any, said: str
) -> None:  # any inputs
    with pytest.raises(FlowError, match=said):
        classifying(memory, BARE).run(**given)
    assert memory.runs().height == 0


@pytest.mark.parametrize("how", ["polars", "pandas", "list", "dataset"])
def test_a_batch_takes_whatever_an_analyst_has(lab: Lab, how: str) -> None:
    ways: dict[str, Callable[[], Any]] = {  # frames of both libraries
        "polars": lambda: pl.DataFrame(TICKETS),
        "pandas": lambda: pd.DataFrame(TICKETS),
        "list": lambda: TICKETS,
        "dataset": lambda: lab.dataset("tickets", TICKETS),
    }
    data = ways[how]()
    frame = classifying(lab, BARE).batch(data, scorer=ps.exact("label"), budget=ps.usd(1))
    assert isinstance(frame, pl.DataFrame)
    assert frame["item"].to_list() == ["t1", "t2", "t3", "t4"]
    assert frame["label"].is_in(["billing", "tech"]).all()
    assert frame["score"].is_in([0.0, 1.0]).all()
    assert frame["simulated"].all()
    assert list(frame.to_pandas()["item"]) == ["t1", "t2", "t3", "t4"]
    assert lab.runs().height == 4
    kept = lab.sql("SELECT dataset_item_id FROM flow_execution")["dataset_item_id"]
    assert kept.is_null().all() == (how != "dataset")


def test_a_batch_runs_the_flow_that_an_output_may_call_anything(memory: Lab) -> None:
    flow = memory.flow("names")
    x = flow.input("x", "any")
    flow.output(status=x, score=x, item=x)
    frame = flow.batch([{"x": "one"}])
    assert frame.height == 1
    assert "succeeded" in frame.row(0), "how the run ended can still be read"
    assert frame.width == 14


def test_outputs_of_several_types_keep_their_values(memory: Lab) -> None:
    flow = memory.flow("mixed")
    flow.output(answer=flow.input("x", "any"))
    values: list[Any] = [1, "a", 2.5, None, [1], {"b": 2}, True]  # JSON values
    frame = flow.batch([{"x": value} for value in values])
    assert frame["answer"].null_count() == 1, "only what was null is null"


def test_a_row_without_an_input_is_refused_by_its_number_before_anything_runs(memory: Lab) -> None:
    flow = classifying(memory, BARE)
    with pytest.raises(PromptStudioError, match="ticket"):
        flow.batch([{"ticket": "one"}, {"tickt": "two"}])
    assert memory.runs().height == 0


def test_an_experiment_on_data_without_the_input_is_refused(memory: Lab) -> None:
    flow = classifying(memory, BARE)
    experiment = memory.experiment(
        "e",
        flow=flow,
        variants={"a": None, "b": flow.vary("classify.seed", 1)},
        data=[{"id": "1", "text": "hi", "label": "tech"}],
        scorer=ps.exact("label"),
    )
    with pytest.raises(PromptStudioError, match="ticket"):
        experiment.run()


def test_one_value_without_an_exact_form_does_not_lose_the_batch(memory: Lab) -> None:
    flow = memory.flow("nan")
    flow.output(answer=flow.input("x", "any"))
    try:
        frame = flow.batch([{"x": 1.0}, {"x": float("nan")}, {"x": 2.0}], concurrency=1)
    except PromptStudioError as error:
        assert "row 2" in str(error)  # noqa: PT017 — told before anything ran
        assert memory.runs().height == 0
    else:
        assert frame["status"].to_list() == ["succeeded", "failed", "succeeded"]


def test_a_draft_runs_and_leaves_no_trace(lab: Lab) -> None:
    draft = lab.draft()
    x = draft.input("x", "text")
    draft.output(answer=draft.prompt("p", prompt="Hi {{ x }}", x=x))
    assert draft.run(x="you").outputs == {"answer": "Hi you"}
    assert draft.batch([{"x": "a"}, {"x": "b"}])["answer"].to_list() == ["Hi a", "Hi b"]
    assert draft.check() == ()
    assert "draft" in repr(draft)
    for refused in (draft.save, draft.undo, lambda: draft.apply({"type": "move"})):
        with pytest.raises(FlowError, match="kept nowhere"):
            refused()
    assert lab.flows().height == 0
    assert lab.runs().height == 0
    assert lab.sql("SELECT count(*) AS n FROM prompt_template")["n"].item() == 0


def test_a_draft_runs_saved_flows_and_says_which_are_not_there(lab: Lab) -> None:
    inner = lab.flow("inner")
    inner.output(text=inner.prompt("say", prompt="Say {{ x }}", x=inner.input("x")))
    inner.save()
    draft = lab.draft()
    draft.output(text=draft.subflow("say", flow="inner@1", x=draft.input("x")).text)
    assert draft.run(x="a").outputs == {"text": "Say a"}
    missing = lab.draft()
    missing.output(text=missing.subflow("say", flow="other@1", x=missing.input("x")).text)
    with pytest.raises(FlowInvalid, match="other@1"):
        missing.run(x="a")


def test_the_same_content_makes_no_new_version(lab: Lab) -> None:
    flow = classifying(lab, BARE)
    assert flow.save() == 1
    assert flow.save() == 1
    flow.apply({"type": "move", "nodes": {flow.head().graph.nodes[0].id: {"x": 5, "y": 5}}})
    assert flow.save() == 1, "a place is no content"
    assert classifying(lab, f"{BARE} Please.").save() == 2
    assert classifying(lab, BARE).save() == 3, "a version is a moment, and history goes on"
    assert lab.flows().row(0, named=True)["version"] == 3
    run = classifying(lab, BARE).run(ticket="x")
    assert lab.runs().row(0, named=True)["flow_version"] == 3
    assert run.status == "succeeded"


def test_promoting_a_prompt_keeps_its_history(lab: Lab) -> None:
    classifying(lab, "One {{ ticket }}").run(ticket="x")
    flow = classifying(lab, "Two {{ ticket }}")
    flow.run(ticket="x")
    template = flow.promote("classify", "support/label")
    assert template.reference == "support/label@2"
    assert flow.head().graph.by_key["classify"].config["prompt"] == {"ref": "support/label@2"}
    assert lab.template("support/label@1").text == "One {{ ticket }}"
    flow.run(ticket="x")
    trace = lab.trace("support/label")
    assert dict(trace.group_by("template_version").agg(pl.col("calls").sum()).iter_rows()) == {
        1: 1,
        2: 2,
    }
    with pytest.raises(OperationRefused, match="already"):
        classifying(lab, "Three {{ ticket }}", "other/flow").promote("classify", "support/label")
    with pytest.raises(FlowError, match="did you mean 'classify'"):
        flow.promote("clasify", "x/y")


def test_promoting_a_prompt_does_not_change_what_the_flow_does(lab: Lab) -> None:
    classifying(lab, "One {{ ticket }}").run(ticket="x")
    classifying(lab, "Two {{ ticket }}").run(ticket="x")
    flow = classifying(lab, "One {{ ticket }}")
    assert flow.promote("classify", "support/label").text == "One {{ ticket }}"


def test_a_renamed_node_keeps_the_history_of_its_prompt(lab: Lab) -> None:
    flow = classifying(lab, BARE)
    flow.run(ticket="x")
    node = flow.head().graph.by_key["classify"].id
    flow.apply({"type": "rename", "node": node, "key": "label_it"})
    flow.run(ticket="x")
    used = lab.sql("SELECT DISTINCT prompt_template_id FROM prompt_execution")
    assert used.height == 1


def test_edits_and_undo_over_the_lab(lab: Lab) -> None:
    flow = classifying(lab, BARE)
    before = flow.head()
    node = before.graph.by_key["classify"]
    flow.apply({"type": "configure", "node": node.id, "policy": {"timeout_s": 9}})
    assert flow.head().graph.by_key["classify"].policy == {"timeout_s": 9}
    assert [row.type for row in flow.undo()] == ["undo configure"]
    assert flow.head().graph.by_key["classify"].policy == {}
    assert [row.type for row in flow.redo()] == ["configure"]
    assert flow.head().graph.by_key["classify"].policy == {"timeout_s": 9}
    assert flow.redo() == []
    with pytest.raises(OperationRefused):
        flow.apply({"type": "rename", "node": new_id(), "key": "x"})


def test_the_triage_example_of_the_design_runs(memory: Lab) -> None:
    for text in ("One {{ ticket }}", "Two {{ ticket }}", "billing or tech? {{ ticket }}"):
        memory.template("support/classify", text)
    flow = memory.flow("triage")
    triage(flow)
    assert flow.check() == ()
    run = flow.run(ticket="The billing invoice is wrong")
    assert run.status == "succeeded"
    assert str(run.outputs["answer"]).startswith("[simulated]")
    nodes = memory.sql("SELECT node_key, status FROM v_node_execution")
    found = dict(nodes.iter_rows())
    assert sorted([found["billing"], found["tech"]]) == ["skipped", "succeeded"]
    assert flow.path == "triage"
    assert memory.flows()["flow"].to_list() == ["Drafts/triage"]


def test_everybody_of_a_lab_sees_the_same(lab: Lab) -> None:
    flow = classifying(lab, BARE)
    flow.run(ticket="x")
    other = as_somebody(lab, "ben")
    assert other.flow("support/classify").head().graph == flow.head().graph
    other.flow("support/classify").run(ticket="y")
    assert set(lab.runs()["requested_by"]) == {lab.actor.id, "ben"}
    assert repr(other).startswith("<Lab 'default' as ben")


def test_a_lab_opened_again_finds_everything(warehouse_url: str) -> None:
    with opened(warehouse_url) as first:
        classifying(first, BARE).run(ticket="x")
        seen = first.runs().drop("lab", strict=False)
        first.dataset("tickets", TICKETS)
    with opened(warehouse_url) as again:
        assert again.runs().equals(seen)
        assert len(again.dataset("tickets")) == 4
        assert again.flow("support/classify").run(ticket="y").status == "succeeded"


def test_what_is_not_there_is_said(memory: Lab) -> None:
    with pytest.raises(NotFound, match="no template"):
        memory.template("no/such")
    with pytest.raises(NotFound, match="no dataset"):
        memory.dataset("nothing")
    memory.template("a/b", "x")
    with pytest.raises(NotFound, match="versions 1 to 1"):
        memory.template("a/b@7")
    with pytest.raises(NotFound):
        memory.trace("no/such")
    with pytest.raises(OperationRefused, match="not a path"):
        memory.flow("a//b")
    with pytest.raises(PromptStudioError):
        connect("mysql://nowhere/x")


def test_a_query_with_a_mistake_is_an_error_of_ours(memory: Lab) -> None:
    with pytest.raises(PromptStudioError, match="SELEC"):
        memory.sql("SELEC 1")


def test_frames_of_what_a_lab_holds(lab: Lab) -> None:
    assert lab.flows().columns == [
        "flow",
        "version",
        "nodes",
        "created_by",
        "created_at",
        "flow_id",
    ]
    assert lab.templates().height == 0
    assert lab.runs().height == 0
    lab.template("a/b", "x")
    lab.template("a/b", "y")
    classifying(lab, BARE).run(ticket="x")
    assert lab.templates().row(0)[:2] == ("a/b", 2), "an inline prompt is not listed"
    row = lab.flows().row(0, named=True)
    assert (row["flow"], row["nodes"], row["version"]) == ("support/classify", 3, 1)
    assert row["created_at"].tzinfo is not None
    assert lab.runs(0).height == 0
    assert lab.sql("SELECT :n AS n", n=5)["n"].item() == 5


def test_the_public_names_are_all_there() -> None:
    assert set(ps.__all__) <= set(dir(ps))
    for name in ps.__all__:
        assert getattr(ps, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ps.nothing
    assert ps.exact("label").output == "label"
    assert ps.Lab is Lab


def flows_of(lab: Lab) -> Flow:
    return lab.flow("shared")


def test_faces_that_are_missing_name_the_line_that_installs_them(
    memory: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptstudio_lab.lab.faces import faces

    assert list(faces)
    monkeypatch.setattr(faces, "_found", {})
    with pytest.raises(PromptStudioError, match="pip install promptstudio-lab"):
        flows_of(memory).graph()
