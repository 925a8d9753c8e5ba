"""Rules that look beyond one node: branches, bodies, money, and what a flow refers to."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest

from promptstudio_lab.flows.facts import Price, code_hash
from promptstudio_lab.flows.gestures.changes import applied
from promptstudio_lab.flows.graph import Graph, Node, from_document
from promptstudio_lab.flows.language.builder import Builder
from promptstudio_lab.flows.operations import changes
from promptstudio_lab.flows.shape import migrated
from promptstudio_lab.flows.validate import errors, validate
from promptstudio_lab.flows.validation import environment
from promptstudio_lab.flows.validation.fixes import operations_of
from promptstudio_lab.flows.validation.problem import Problem, Subject
from promptstudio_lab.ids import new_id
from promptstudio_lab.nodes import Signature, kinds
from tests.flows.parts import (
    FACTS,
    answer,
    bodies_graph,
    found,
    graph_of,
    nested_graph,
    only,
    prompt,
    triage_graph,
    wide_and_long,
)

if TYPE_CHECKING:
    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.values import Json

ASK = {"kind": "input", "config": {"type": "text"}}
WORDS = {"type": "object", "properties": {"label": {"enum": ["a", "b"]}}}


def built(make: Any) -> Graph:  # what builds a flow
    f = Builder(lambda _: FACTS)
    make(f)
    return from_document(f.document())


@pytest.mark.parametrize("made", [triage_graph, bodies_graph, nested_graph])
def test_a_clean_flow_has_no_error_and_no_warning(made: Any) -> None:  # a flow's maker
    assert validate(made(), FACTS) == ()


def test_problems_in_a_body_name_it_in_full() -> None:
    graph = bodies_graph()
    say = graph.by_key["each/billing"]
    left = Graph(graph.nodes, tuple(e for e in graph.edges if e.target != say.id))
    problem = next(p for p in validate(left, FACTS) if p.code == "F202")
    assert problem.node == "each/billing"
    assert problem.pointer.startswith("/nodes/each~1billing/in/")


def test_f102_names_that_differ_only_in_case() -> None:
    both = prompt("{{ x }}{{ y }}", x="ask.value", y="ASK.value")
    graph = graph_of({"ask": ASK, "ASK": ASK, "o": both, "out": answer("o.text")})
    problem = only(graph, "F102")
    assert problem.node == "ASK"
    assert problem.fix == {"do": "rename", "node": graph.by_key["ASK"].id, "key": "ASK_2"}


def test_f104_every_body_has_its_own_cycles() -> None:
    nodes = {
        "rows": {"kind": "input", "config": {"type": "list"}},
        "each": {"kind": "map", "in": {"items": ["rows.value"]}},
        "each/a": prompt("{{ x }}", x="b.text"),
        "each/b": prompt("{{ x }}", x="a.text"),
        "each/out": answer("a.text"),
        "c": prompt("{{ x }}{{ y }}", x="d.text", y="each.items"),
        "d": prompt("{{ x }}", x="c.text"),
        "out": answer("c.text"),
    }
    cycles = [p for p in validate(graph_of(nodes), FACTS) if p.code == "F104"]
    assert {p.node for p in cycles} & {"each/a", "each/b"}
    assert {p.node for p in cycles} & {"c", "d"}


def test_f106_a_body_without_an_answer_gets_one_by_a_click() -> None:
    graph = built(lambda f: f.output(x=f.map("each", items=f.input("rows", "list"))))
    problem = only(graph, "F106")
    assert problem.node == "each"
    assert problem.fix is not None
    mended = graph
    for operation in operations_of(problem.fix, graph):
        mended = applied(mended, changes(mended, new_id(), operation, FACTS))
    assert "each/output" in mended.by_key


def test_f107_an_answer_that_some_or_all_paths_skip() -> None:
    def some(f: Builder) -> None:
        s = f.switch(f.input("ask"), cases=["a"])
        f.output(answer=s.case("a").prompt("p", prompt="Hi"))

    problem = only(built(some), "F107")
    assert (problem.severity, problem.node) == ("warning", "output")
    assert "where switch takes 'default', no answer is given" in problem.message

    def none(f: Builder) -> None:
        s = f.switch(f.input("ask"), cases=["a", "b"])
        one, other = (s.case(c).prompt(f"p{c}", prompt="Hi") for c in "ab")
        f.output(answer=f.prompt("q", prompt="{{ x }}{{ y }}", x=one, y=other))

    problem = only(built(none), "F107")
    assert (problem.severity, problem.node) == ("error", "output")


def test_f107_a_case_for_every_value_needs_no_default() -> None:
    def make(f: Builder, *labels: str) -> None:
        kind = f.llm("kind", prompt="Which?", returns={"label": list(labels)})
        s = f.switch(kind.label, cases=["a", "b"])
        f.output(answer=f.merge("m", *(s.case(c).prompt(f"p{c}", prompt="Hi") for c in "ab")))

    assert not validate(built(lambda f: make(f, "a", "b")), FACTS)
    found = validate(built(lambda f: make(f, "a", "b", "c")), FACTS)
    assert {problem.code for problem in found} == {"F107", "F108"}


def test_f107_two_switches_in_a_row_that_cover_everything() -> None:
    def make(f: Builder) -> None:
        ask = f.input("ask")
        s = f.switch(ask, cases=["a"])
        one = s.case("a").prompt("one", prompt="1")
        t = f.switch(ask, "inner", cases=["b"], when=s.default)
        two, three = t.case("b").prompt("two", prompt="2"), t.default.prompt("three", prompt="3")
        f.output(answer=f.merge("m", one, two, three))

    assert validate(built(make), FACTS) == ()


def test_f108_cases_that_never_come_and_values_without_a_case() -> None:
    def make(f: Builder) -> None:
        kind = f.llm("k", prompt="{{ x }}", x=f.input("x"), returns={"label": ["a", "b"]})
        s = f.switch(kind.label, cases=["a", "c"])
        f.output(answer=f.merge("m", *(s.case(c).prompt(f"p{c}", prompt="Hi") for c in "ac")))

    problems = [p for p in validate(built(make), FACTS) if p.code == "F108"]
    assert [p.pointer for p in problems] == [
        "/nodes/switch/config/cases/1",
        "/nodes/switch/config/cases",
    ]
    assert {p.severity for p in problems} == {"warning"}
    assert "'b'" in problems[1].message


def test_f205_a_default_of_another_type() -> None:
    node = {"kind": "input", "config": {"type": "int", "default": "five"}}
    problem = only(graph_of({"ask": node, "out": answer("ask.value")}), "F205")
    assert (problem.node, problem.pointer) == ("ask", "/nodes/ask/config/default")


def test_f206_no_item_reads_what_the_whole_batch_gives() -> None:
    batch = {"kind": "stand_in_batch", "in": {"value": ["ask.value"]}}
    graph = graph_of({"ask": ASK, "sum": batch, "out": answer("sum.n")})
    assert only(graph, "F206").node == "out"


def test_f301_a_loop_without_an_end_gets_one_by_a_click() -> None:
    graph = nested_graph()
    rounds = graph.by_key["rounds"]
    endless = Graph(
        tuple(replace(n, config={}) if n is rounds else n for n in graph.nodes), graph.edges
    )
    problem = only(endless, "F301")
    assert problem.node == "rounds"
    assert problem.fix is not None
    (operation,) = operations_of(problem.fix, endless)
    assert validate(applied(endless, changes(endless, new_id(), operation, FACTS)), FACTS) == ()


def test_f302_calls_that_a_budget_can_never_or_may_not_pay() -> None:
    facts = replace(FACTS, prices={"simulated:small": Price(150, 600)})

    def flow(budget: int, **policy: Json) -> Graph:
        node = prompt("Hi") | {"kind": "llm", "policy": {"budget": budget, **policy}}
        node["config"]["max_tokens"] = 100
        return graph_of({"n": node, "out": answer("n.text")})

    assert only(flow(59_999), "F302", facts).severity == "error"
    assert only(flow(60_000, retry={"max": 1}), "F302", facts).severity == "warning"
    assert validate(flow(120_000, retry={"max": 1}), facts) == ()


@pytest.mark.parametrize("policy", [{"retry": {"max": 1}}, {"cache": True}])
def test_f303_what_acts_outside_is_neither_repeated_nor_remembered(policy: Json) -> None:
    node = {"kind": "stand_in_unsafe", "policy": policy}
    assert only(graph_of({"n": node, "out": answer("n.text")}), "F303").node == "n"


def test_f304_and_f305_time_and_width_of_bodies() -> None:
    def make(f: Builder) -> None:
        rows = f.input("rows", "list")
        with f.map("each", items=rows, concurrency=100, timeout_s=5) as each:
            with each.map("inner", items=each.item, concurrency=100, timeout_s=9) as inner:
                inner.output(x=inner.item)
            each.output(x=inner.items)
        f.output(x=each.items)

    problems = {p.code: p for p in validate(built(make), FACTS)}
    assert set(problems) == {"F304", "F305"}
    assert {p.node for p in problems.values()} == {"each/inner"}
    assert {p.severity for p in problems.values()} == {"warning"}


def refers(kind: str, facts: Facts = FACTS, **config: Json) -> list[Problem]:
    node = Node(new_id(), "n", kind, config)
    subject = Subject.of(Graph((node,)), facts)
    rule = {
        "llm": environment._models,
        "subflow": environment._subflow,
        "sql": environment._connection,
        "code": environment._code,
    }[kind]
    return list(rule(subject, node))


def test_f401_f402_and_f406_who_is_asked() -> None:
    facts = replace(FACTS, prices={"openai:new": None}, credentials={"openai": False})
    codes = [(p.code, p.severity) for p in refers("llm", facts, model="openai:new")]
    assert codes == [("F401", "warning"), ("F402", "warning")]
    facts = replace(FACTS, classification="restricted", clearances={"openai": "internal"})
    (problem,) = refers("llm", facts, model="openai:new")
    assert (problem.code, problem.severity) == ("F406", "error")
    assert refers("llm", facts, model="simulated:small") == []


def test_f110_and_f403_a_flow_that_runs_itself_or_is_not_there() -> None:
    facts = replace(
        FACTS,
        flow_id="me",
        flows={"a/b": Signature(), "gone": None},
        reaches={"a/b": frozenset({"me"})},
    )
    assert [p.code for p in refers("subflow", facts, flow="a/b")] == ["F110"]
    assert [p.code for p in refers("subflow", facts, flow="gone")] == ["F403"]
    assert refers("subflow", FACTS, flow="support/check@2") == []


@pytest.mark.parametrize("query", ["SELECT {{ x }}", "WHERE a = '{name}'", "WHERE a = %s"])
def test_f404_connections_and_values_inside_a_statement(query: str) -> None:
    facts = replace(FACTS, connections={"shop": True, "main": False})
    assert [p.severity for p in refers("sql", facts, connection="shop", query=query)] == ["error"]
    assert [p.severity for p in refers("sql", facts, connection="main", query="")] == ["warning"]
    assert [p.severity for p in refers("sql", facts, connection="no", query="")] == ["error"]
    assert refers("sql", facts, connection="shop", query="SELECT a FROM t WHERE b = :b") == []


def test_f405_code_is_read_and_never_run() -> None:
    facts = replace(FACTS, approved=frozenset({code_hash("return 1")}))
    assert refers("code", facts, source="return 1") == []
    assert [p.severity for p in refers("code", facts, source="return 2")] == ["warning"]
    (problem,) = refers("code", facts, source="x = 1\nreturn (")
    assert problem.severity == "error"
    assert problem.message.startswith("line 2")


def test_a_nearly_right_name_is_mended_by_a_click() -> None:
    node = {"kind": "llm", "config": {"prompt": {"text": "Hi"}, "returns": WORDS}}
    for binding in ("n.json.lable", "n.jso.label", "n.json.label"):
        graph = graph_of({"n": node, "out": answer(binding)})
        for problem in validate(graph, FACTS):
            assert problem.fix is not None
            for operation in operations_of(problem.fix, graph):
                graph = applied(graph, changes(graph, new_id(), operation, FACTS))
        assert validate(graph, FACTS) == ()


def test_two_hundred_nodes_are_validated_within_fifty_milliseconds() -> None:
    graph = wide_and_long(200)
    times = []
    for _ in range(5):
        start = perf_counter()
        assert validate(Graph(graph.nodes, graph.edges), FACTS) == ()
        times.append(perf_counter() - start)
    assert min(times) < 0.05


def test_an_older_config_is_brought_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(kinds["transform"])
    monkeypatch.setattr(kind, "version", 2)
    node = {"kind": "transform", "config": {"did": "trim"}, "in": {"value": ["ask.value"]}}
    graph = graph_of({"ask": ASK, "t": node, "out": answer("t.value")})
    assert ("F101", "t") in found(migrated(graph)), "nobody knows how"

    def migrate(self: object, config: dict[str, Json], version: int) -> dict[str, Json]:
        assert (self, version) == (kinds["transform"], 1)
        return {"do": config["did"]}

    monkeypatch.setattr(kind, "migrate", migrate, raising=False)
    now = migrated(graph)
    assert (now.by_key["t"].config, now.by_key["t"].version) == ({"do": "trim"}, 2)
    assert errors(validate(now, FACTS)) == ()
    strange = graph_of({"ask": ASK, "t": {**node, "config": {}}, "out": answer("t.value")})
    assert ("F101", "t") in found(migrated(strange)), "what cannot be migrated is told"


def test_a_lab_gathers_what_a_flow_names(lab: Lab) -> None:
    inner = lab.flow("team/inner")
    inner.output(said=inner.input("text"))
    assert inner.save() == 1
    flow = lab.flow("team/outer")
    said = flow.subflow("call", flow="team/inner@1", text=flow.input("x"))
    flow.output(said=said.said)
    assert flow.check() == ()
    facts = flow.facts(flow.head().graph)
    assert facts.reaches == {"team/inner@1": frozenset({inner.id})}
    assert facts.prices[facts.default_model] is not None
    loop = lab.flow("team/inner")
    loop.subflow("again", flow="team/inner@1", text=loop.input("text"))
    loop.output(said=loop.subflow("lost", flow="team/nowhere").answer)
    assert {("F110", "again"), ("F403", "lost")} <= {(p.code, p.node) for p in loop.check()}


def test_prompts_of_two_bodies_keep_histories_of_their_own(lab: Lab) -> None:
    flow = lab.flow("twins")
    rows = flow.input("rows", "list", default=[])
    for name in ("one", "two"):
        with flow.map(name, items=rows) as each:
            each.output(said=each.prompt("say", prompt=f"{name} {{{{ x }}}}", x=each.item))
    flow.output(one=rows)
    said = flow.promote("two/say", "team/say")
    assert said.text == "two {{ x }}"
    assert flow.head().graph.by_key["two/say"].config["prompt"] == {"ref": "team/say@1"}
    assert "ref" not in flow.head().graph.by_key["one/say"].config["prompt"]
