"""What tests of flows stand on: small documents, the facts about them, and an example flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.flows.graph import FORMAT, Graph, from_document
from promptstudio_lab.flows.language.builder import Builder
from promptstudio_lab.flows.validate import Problem, validate
from promptstudio_lab.nodes import Port, Signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json

FACTS = Facts(
    templates={"support/classify@3": "Label: {{ ticket }}", "support/gone@1": None},
    providers=frozenset({"simulated", "openai"}),
    flows={"support/check@2": Signature((Port("text", "text"),), (Port("verdict", "text"),))},
)


def graph_of(nodes: Mapping[str, Json]) -> Graph:
    """Return the flow of a document with these nodes."""
    return from_document({"format": FORMAT, "nodes": dict(nodes)})


def prompt(text: str, **bindings: str) -> dict[str, Any]:  # a node's JSON
    """Return a prompt node that is fed by these bindings."""
    fed = {name: [binding] for name, binding in bindings.items()}
    return {"kind": "prompt", "config": {"prompt": {"text": text}}, "in": fed}


def answer(binding: str) -> dict[str, Any]:  # a node's JSON
    """Return an output node with one field."""
    return {"kind": "output", "config": {"fields": ["answer"]}, "in": {"answer": [binding]}}


def found(graph: Graph, facts: Facts = FACTS) -> list[tuple[str, str | None]]:
    """Return the code and the node of each problem."""
    return [(problem.code, problem.node) for problem in validate(graph, facts)]


def only(graph: Graph, code: str, facts: Facts = FACTS) -> Problem:
    """Return the one problem that there is."""
    problems = validate(graph, facts)
    assert [problem.code for problem in problems] == [code], problems
    return problems[0]


def triage(builder: Builder) -> None:
    """Build the example of the design."""
    ticket = builder.input("ticket", "text")
    kind = builder.llm(
        "classify",
        prompt="support/classify@3",
        ticket=ticket,
        returns={"label": ["billing", "tech"]},
    )
    with builder.switch(kind.label) as s:
        s.case("billing").llm("billing", prompt="Answer: {{ ticket }}", ticket=ticket)
        s.default.llm("tech", prompt="Fix: {{ ticket }}", ticket=ticket)
    builder.output(answer=s.merge())


def triage_graph() -> Graph:
    """Return the example of the design as a graph."""
    builder = Builder(lambda _: FACTS)
    triage(builder)
    return from_document(builder.document())


def wide_and_long(count: int) -> Graph:
    """Return a clean flow of `count` nodes: an input, a chain of prompts, an output."""
    nodes = {"ask": {"kind": "input", "config": {"type": "text"}}}
    before = "ask.value"
    for number in range(count - 2):
        nodes[f"n{number}"] = prompt("Say {{ x }}", x=before)
        before = f"n{number}.text"
    nodes["out"] = answer(before)
    return graph_of(nodes)


def bodies(builder: Builder) -> None:
    """Build a flow with bodies in bodies: a map with a switch and a loop, and a subflow."""
    tickets = builder.input("tickets", "list")
    tone = builder.input("tone", "text", default="brief")
    with builder.map("each", items=tickets, tone=tone) as each:
        kind = each.llm(
            "label",
            prompt="Label: {{ ticket }}",
            ticket=each.item,
            returns={"label": ["billing", "tech"]},
        )
        with each.switch(kind.label) as s:
            prompt = "Answer {{ ticket }} ({{ tone }})"
            s.case("billing").llm("billing", prompt=prompt, ticket=each.item, tone=each.tone)
            with s.default.loop("refine", max_iterations=3, draft=each.item) as refine:
                better = refine.llm("better", prompt="Improve: {{ draft }}", draft=refine.draft)
                refine.output(draft=better.text)
        each.output(text=s.merge())
    check = builder.subflow("check", flow="support/check@2", text=tone)
    builder.output(replies=each.items, verdict=check.verdict)


def bodies_graph() -> Graph:
    """Return the flow with bodies as a graph."""
    builder = Builder(lambda _: FACTS)
    bodies(builder)
    return from_document(builder.document())


def nested_graph() -> Graph:
    """Return a flow of a map in a map in a loop, each with a prompt of its own."""
    f = Builder(lambda _: FACTS)
    state = f.input("state", "list")
    with f.loop("rounds", max_iterations=2, rows=state) as rounds:
        with rounds.map("row", items=rounds.rows) as row:
            with row.map("cell", items=row.item) as cell:
                told = cell.llm("tell", prompt="Tell {{ x }} at {{ n }}", x=cell.item, n=cell.index)
                short = cell.prompt("short", prompt="In short: {{ told }}", told=told)
                cell.output(told=short)
            joined = row.transform("join", do="to_text", value=cell.items)
            row.output(row=joined)
        rounds.output(rows=row.items)
    f.output(rows=rounds.rows)
    return from_document(f.document())
