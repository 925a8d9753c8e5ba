"""Flows written down and read back: the same flow, and nothing is run on the way."""

from __future__ import annotations

import builtins
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptstudio_lab.errors import FlowError, OperationRefused
from promptstudio_lab.flows.formats.mermaid import to_mermaid
from promptstudio_lab.flows.formats.python import to_python
from promptstudio_lab.flows.formats.text import read, to_json, to_yaml
from promptstudio_lab.flows.graph import FORMAT, Graph, from_document
from promptstudio_lab.flows.language.builder import Builder
from promptstudio_lab.flows.validate import validate
from promptstudio_lab.flows.validation.problem import errors
from promptstudio_lab.ids import new_id
from tests.flows.parts import (
    FACTS,
    answer,
    bodies_graph,
    graph_of,
    nested_graph,
    prompt,
    triage_graph,
    wide_and_long,
)

if TYPE_CHECKING:
    from pathlib import Path

    from promptstudio_lab.lab import Lab
    from promptstudio_lab.values import Json

FLOWS = [triage_graph, bodies_graph, nested_graph, lambda: wide_and_long(9), Graph]
QUIETLY = settings(deadline=None, derandomize=True, max_examples=200, database=None)
KEYS = ["ask", "f", "my-key", "in", "class", "each", "label", "Output", "_x", "prompt"]
TEXTS = ["Hi", "{{ class }} {{ x }}", 'a "quoted" \\ line\n{{ model }}', "Is it a/b@3?", "é{{ x }}"]
PROMPTS = st.one_of(
    st.sampled_from(TEXTS).map(lambda text: {"text": text}),
    st.sampled_from(["support/classify@3", "a b/c"]).map(lambda ref: {"ref": ref}),
)
RETURNS = st.sampled_from(
    [
        {"type": "object", "properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"]},
        {
            "type": "object",
            "properties": {"a": {"type": "string"}, "n": {"type": "integer", "minimum": 1}},
            "required": ["a", "n"],
            "additionalProperties": False,
        },
        {"properties": {}},
    ]
)
CONFIGS: dict[str, st.SearchStrategy[dict[str, Any]]] = {  # documents' own JSON
    "input": st.sampled_from([{"type": "text"}, {"type": "json", "default": {"a": [1, None]}}, {}]),
    "output": st.sampled_from([{"fields": ["answer"]}, {"fields": ["class", "b"]}, {}]),
    "prompt": st.fixed_dictionaries({"prompt": PROMPTS}),
    "llm": st.fixed_dictionaries({"prompt": PROMPTS}, optional={"returns": RETURNS}),
    "switch": st.sampled_from([{"cases": ["a", "b c", "v1.2", '"q".x']}, {"cases": []}, {}]),
    "merge": st.sampled_from([{"strategy": "first"}, {}]),
    "transform": st.sampled_from([{"do": "trim"}, {"nonsense": True}]),
    "map": st.just({}),
    "loop": st.sampled_from([{"max_iterations": 3}, {}]),
    "subflow": st.just({"flow": "support/check@2"}),
    "note": st.sampled_from([{"text": "Read me"}, {}]),
    "gone": st.just({"anything": [1, 2.5, "x"]}),
}
POLICIES = st.sampled_from(
    [{}, {"retry": {"max": 2}, "timeout_s": 1.5}, {"cache": True, "on_error": "skip"}, {"odd": 1}]
)
PORTS = ["when", "in", "x", "value", "items", "answer", "class", "model", "label", "nowhere"]
OUTPUTS = ["value", "text", "json", "json.a", "json.text.0", "a", "default", "items", "x..y"]


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:  # a document's JSON
    """Return any flow, whole or broken."""
    names: list[str] = []
    nodes: dict[str, Json] = {}
    for key in draw(st.lists(st.sampled_from(KEYS), unique_by=str.casefold, max_size=8)):
        above = draw(
            st.sampled_from(["", *(n for n in names if nodes[n]["kind"] in ("map", "loop"))])
        )
        name = f"{above}/{key}" if above else key
        kind = draw(st.sampled_from(list(CONFIGS)))
        nodes[name] = {"kind": kind, "config": draw(CONFIGS[kind]), "policy": draw(POLICIES)}
        names.append(name)
    for name in names:
        above = name.rpartition("/")[0]
        mates = [n for n in names if n.rpartition("/")[0] == above and nodes[n]["kind"] != "note"]
        fed: dict[str, list[str]] = {}
        if nodes[name]["kind"] != "note":
            for port in draw(st.lists(st.sampled_from(PORTS), unique=True, max_size=3)):
                ends = st.tuples(st.sampled_from(mates), st.sampled_from(OUTPUTS))
                found = draw(st.lists(ends, min_size=1, max_size=2, unique=True))
                fed[port] = [f"{n.rpartition('/')[2]}.{out}" for n, out in found]
        nodes[name]["in"] = fed
    return {"format": FORMAT, "nodes": nodes}


def built(code: str) -> Graph:
    f = Builder(lambda _: FACTS)
    exec(compile(code, "cell", "exec"), {"f": f})  # noqa: S102 — what a user does with it
    return from_document(f.document())


@pytest.mark.parametrize("made", FLOWS)
def test_python_builds_the_same_flow_again(made: Any) -> None:  # a flow's maker
    graph = made()
    code = to_python(graph, FACTS)
    assert "verbatim" not in code, "all of it is in the language"
    again = built(code)
    assert again.hash == graph.hash
    assert to_python(again, FACTS) == code


@QUIETLY
@given(documents())
def test_python_builds_any_flow_again(document: dict[str, Any]) -> None:  # a document's JSON
    graph = from_document(document)
    again = built(to_python(graph, FACTS))
    assert again.hash == graph.hash
    assert again.document().get("notes") == graph.document().get("notes")


def test_the_language_is_what_a_person_would_write() -> None:
    code = to_python(bodies_graph(), FACTS, first='f = lab.flow("support/replies")')
    assert code.startswith('f = lab.flow("support/replies")\ntickets = f.input("tickets", "list")')
    assert 'with f.map("each", items=tickets, tone=tone) as each:' in code
    assert 'with switch.default.loop("refine", max_iterations=3, draft=item) as refine:' in code


@pytest.mark.parametrize("made", FLOWS)
@pytest.mark.parametrize("write", [to_json, to_yaml])
def test_json_and_yaml_come_back_whole(made: Any, write: Any) -> None:  # a flow's maker and writer
    graph = made()
    assert read(write(graph)).document() == graph.document()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "JSON"),
        ("[1, 2]", "object"),
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("!!python/object/apply:os.system ['true']", "YAML"),
        ("format: promptstudio.flow/1\nnodes: 2020-01-01\n", "YAML"),
        ("format: promptstudio.flow/2\n", "format"),
        ("nowhere/at all.yaml", "cannot read"),
    ],
)
def test_what_is_no_flow_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(FlowError, match=said):
        read(text)


def test_reading_runs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    trap = {"kind": "code", "config": {"source": "import os; os.system('true')"}}
    file = tmp_path / "flow.json"
    file.write_text(to_json(graph_of({"trap": trap, "p": prompt("Hi")})), encoding="utf-8")
    monkeypatch.setattr(builtins, "exec", refuse)
    monkeypatch.setattr(builtins, "eval", refuse)
    assert read(file).by_key["trap"].config == trap["config"]
    assert read(str(file)).hash == read(file).hash


def test_mermaid_shows_bodies_and_lets_no_text_out() -> None:
    chart = to_mermaid(bodies_graph())
    assert chart.count("subgraph") == chart.count("\n    end") + chart.count("\n  end") == 2
    graph = graph_of({"a": {"kind": 'x"]; click a call()\n<b>'}})
    assert to_mermaid(graph).splitlines()[1:] == [
        '  n0["a<br/>x#quot;]; click a call() #lt;b#gt;"]'
    ]


def test_a_lab_imports_what_a_flow_exports(lab: Lab) -> None:
    flow = lab.flow("one")
    with flow.map("each", items=flow.input("rows", "list")) as each:
        each.output(told=each.prompt("say", prompt="Say {{ row }}", row=each.item))
    flow.output(told=each.items)
    for number, text in enumerate((flow.to_json(), flow.to_yaml())):
        copy = lab.import_flow(text, f"copy {number}")
        assert copy.head().graph.hash == flow.head().graph.hash
        assert not set(copy.head().graph.by_id) & set(flow.head().graph.by_id)
        assert copy.check() == ()
        with pytest.raises(OperationRefused, match="not empty"):
            lab.import_flow(text, f"copy {number}")
    assert "with f.map(" in flow.to_python()
    assert flow.to_mermaid().startswith("flowchart LR")


def test_a_kind_that_is_not_installed_survives_import_as_an_error(lab: Lab) -> None:
    document = {
        "format": FORMAT,
        "nodes": {
            "old": {"kind": "no_longer_here", "v": 7, "config": {"n": [1]}},
            "output": {
                "kind": "output",
                "config": {"fields": ["answer"]},
                "in": {"answer": ["old.text.part"]},
            },
        },
    }
    flow = lab.import_flow(json.dumps(document), "old")
    assert [(p.code, p.node) for p in flow.check()] == [("F101", "old")]
    assert flow.head().graph.semantics["nodes"]["old"]["v"] == 7
    assert json.loads(flow.to_json())["nodes"]["output"]["in"] == {"answer": ["old.text.part"]}


def test_a_binding_to_nothing_survives_as_an_error_and_is_never_dropped(lab: Lab) -> None:
    graph = graph_of({"a": prompt("{{ x }}", x="nobody.text.part"), "out": answer("a.text")})
    assert [(p.code, p.node) for p in validate(graph, FACTS)] == [("F103", "a")]
    assert from_document(graph.document()) == graph
    assert built(to_python(graph, FACTS)).hash == graph.hash
    assert read(to_yaml(graph)).hash == graph.hash
    with pytest.raises(OperationRefused, match="hang in the air"):
        lab.import_flow(to_json(graph), "lost")
    flow = lab.flow("cell")
    flow.verbatim("a", graph.semantics["nodes"]["a"])
    with pytest.raises(FlowError, match=r"a\.x is fed by 'nobody', which is no node"):
        flow.head()


@pytest.mark.parametrize("case", ["v1.2", ".", '"q"', 'a."b', "x.y[0].", "\\."])
def test_a_case_is_called_what_people_call_it(memory: Lab, case: str) -> None:
    flow = memory.flow("support/versions")
    kind, text = flow.input("kind"), flow.input("text")
    with flow.switch(kind, "route") as route:
        route.case(case).transform("up", do="upper", value=text)
        route.default.transform("down", do="lower", value=text)
    flow.output(text=route.merge("said"))
    # On the canvas, where an edge is drawn by the name of its port.
    ids = {key: node.id for key, node in flow.head().graph.by_key.items()}
    drawn = {"source": ids["route"], "source_port": case, "target": ids["down"]}
    gone = [edge.id for edge in flow.head().graph.into(ids["up"]) if edge.target_port == "when"]
    flow.apply({"type": "remove", "edges": gone})
    flow.apply({"type": "connect", "edge": new_id(), **drawn, "target_port": "when"})
    flow.undo()
    flow.undo()
    number = flow.save()
    made: dict[str, Any] = {"lab": memory}
    exec(flow.to_python().replace("support/versions", "support/again"), made)  # noqa: S102 — ours
    brought = memory.import_flow(flow.to_yaml(), "support/brought")
    for one in (flow, made["f"], brought, flow.fork("support/mine", version=number)):
        assert not errors(tuple(one.check()))
        assert one.head().graph.semantics == flow.head().graph.semantics
        assert one.run(kind=case, text="Aa").outputs == {"text": "AA"}
        assert one.run(kind="v1", text="Aa").outputs == {"text": "aa"}
    flow.apply({"type": "remove", "edges": gone})
    flow.restore_version(number)
    assert flow.run(kind=case, text="Aa").outputs == {"text": "AA"}
