from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema_rs import Draft202012Validator

from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.flows.graph import Edge, Graph, Node
from promptstudio_lab.flows.validate import errors, find_cycle, validate
from promptstudio_lab.ids import new_id
from promptstudio_lab.nodes import Ports, kinds
from tests.flows.parts import (
    FACTS,
    answer,
    found,
    graph_of,
    only,
    prompt,
    triage_graph,
    wide_and_long,
)

if TYPE_CHECKING:
    from promptstudio_lab.values import Json

ASK = {"kind": "input", "config": {"type": "text"}}


def llm(text: str = "Hi {{ x }}", **config: Json) -> dict[str, Any]:  # a node's JSON
    node = {"kind": "llm", "config": {"prompt": {"text": text}, **config}}
    return {**node, "in": {"x": ["ask.value"]}} if "{{ x }}" in text else node


def flow(node: Json, binding: str = "n.text") -> Graph:
    return graph_of({"ask": ASK, "n": node, "out": answer(binding)})


def test_a_clean_flow_has_no_problem() -> None:
    assert validate(triage_graph(), FACTS) == ()
    assert validate(flow(llm()), FACTS) == ()
    assert validate(wide_and_long(30), FACTS) == ()


def test_f101_an_unknown_kind_is_named_with_the_nearest() -> None:
    problem = only(flow({**llm(), "kind": "llmm"}), "F101")
    assert problem.node == "n"
    assert problem.pointer == "/nodes/n/kind"
    assert "did you mean 'llm'" in problem.message


def test_f101_a_config_from_a_newer_installation() -> None:
    problem = only(flow({**llm(), "v": 99}), "F101")
    assert (problem.node, problem.pointer) == ("n", "/nodes/n/v")


def test_f103_an_edge_from_an_output_or_to_an_input_that_is_not_there() -> None:
    problem = only(flow(llm(), "n.txt"), "F103")
    assert (problem.node, problem.pointer) == ("out", "/nodes/out/in/answer")
    assert "did you mean 'text'" in problem.message
    graph = flow(llm())
    extra = Edge("e", graph.by_key["ask"].id, "value", graph.by_key["n"].id, "y")
    problem = only(Graph(graph.nodes, (*graph.edges, extra)), "F103")
    assert (problem.node, problem.pointer) == ("n", "/nodes/n/in/y")
    assert problem.fix == {"do": "disconnect", "edge": "e"}


def test_f103_an_edge_from_a_node_that_is_gone() -> None:
    graph = flow(llm())
    ask = graph.by_key["ask"]
    left = Graph(tuple(node for node in graph.nodes if node != ask), graph.edges)
    problem = only(left, "F103")
    assert problem.node == "n"
    assert problem.fix == {"do": "disconnect", "edge": graph.into(graph.by_key["n"].id)[0].id}


def test_an_edge_to_a_node_that_is_gone_is_a_problem_and_no_accident() -> None:
    graph = flow(llm())
    out = graph.by_key["out"]
    left = Graph(tuple(node for node in graph.nodes if node != out), graph.edges)
    assert "F103" in [code for code, _ in found(left)]


def test_f104_a_cycle_is_shown_along_its_nodes() -> None:
    nodes = {
        "ask": ASK,
        "a": prompt("{{ x }} {{ y }}", x="c.text", y="ask.value"),
        "b": prompt("{{ x }}", x="a.text"),
        "c": prompt("{{ x }}", x="b.text"),
        "below": prompt("{{ x }}", x="c.text"),
        "out": answer("below.text"),
    }
    problem = only(graph_of(nodes), "F104")
    ring = problem.message.removeprefix("a cycle: ").split(" → ")
    assert ring[0] == ring[-1] == problem.node
    assert sorted(ring[:-1]) == ["a", "b", "c"], "what only hangs below is not in it"
    follows = {"a": "b", "b": "c", "c": "a"}
    assert all(follows[one] == other for one, other in pairwise(ring))


def test_f104_a_node_that_feeds_itself() -> None:
    nodes = {"a": prompt("{{ x }}", x="a.text"), "out": answer("a.text")}
    assert only(graph_of(nodes), "F104").message == "a cycle: a → a"


def test_f105_what_nobody_uses_is_only_a_warning() -> None:
    graph = graph_of({"ask": ASK, "spare": ASK, "out": answer("ask.value")})
    problem = only(graph, "F105")
    assert problem.severity == "warning"
    assert problem.node == "spare"
    assert errors((problem,)) == ()
    assert str(problem) == "F105 warning spare: nothing uses what this node gives"


def test_f106_an_empty_flow_and_one_without_an_answer() -> None:
    assert "no nodes" in only(Graph(), "F106").message
    assert only(Graph(), "F106").node is None
    codes = dict(found(graph_of({"ask": ASK})))
    assert codes == {"F106": None, "F105": "ask"}


@pytest.mark.parametrize(
    ("config", "pointer", "said"),
    [
        ({"temprature": 1}, "/nodes/n/config/temprature", "did you mean 'temperature'"),
        ({"temperature": 3}, "/nodes/n/config/temperature", "maximum"),
        ({"temperature": "hot"}, "/nodes/n/config/temperature", "number"),
        ({"max_tokens": 0}, "/nodes/n/config/max_tokens", "minimum"),
        ({"returns": []}, "/nodes/n/config/returns", "object"),
        ({"prompt": "Hi"}, "/nodes/n/config/prompt", "valid under any"),
        ({"prompt": {"ref": "a@b@c"}}, "/nodes/n/config/prompt", "valid under any"),
        ({"system": None}, "/nodes/n/config/system", "string"),
    ],
)
def test_f111_a_config_that_does_not_fit_its_kind(config: Json, pointer: str, said: str) -> None:
    problem = only(flow(llm(**config)), "F111")
    assert problem.node == "n"
    assert problem.pointer == pointer
    assert said in problem.message
    assert len(problem.message) <= 200


def test_f111_a_setting_that_there_is_not_can_be_removed_by_a_click() -> None:
    graph = flow(llm(temprature=1))
    problem = only(graph, "F111")
    wanted = {"do": "remove_setting", "node": graph.by_key["n"].id, "setting": "temprature"}
    assert problem.fix == wanted


@pytest.mark.parametrize(
    "policy",
    [
        {"on_error": "skipp"},
        {"retry": 3},
        {"timeout_s": "soon"},
        {"timeout_s": -1},
        {"retry": {"max": "many"}},
    ],
    ids=str,
)
def test_a_policy_that_means_nothing_is_found_before_the_run(policy: Json) -> None:
    assert errors(validate(flow({**llm(), "policy": policy}), FACTS))


def test_f201_types_that_do_not_fit() -> None:
    nodes = {
        "ask": {"kind": "input", "config": {"type": "text"}},
        "s": {"kind": "switch", "config": {"cases": ["a"]}, "in": {"value": ["ask.value"]}},
        "out": answer("s.a"),
    }
    problem = only(graph_of(nodes), "F201")
    assert problem.node == "out"
    assert "branch" in problem.message


def test_f202_an_input_without_a_value() -> None:
    graph = graph_of({"ask": ASK, "n": prompt("{{ x }} {{ y }}", x="ask.value"), **out("n.text")})
    problem = only(graph, "F202")
    assert (problem.node, problem.pointer) == ("n", "/nodes/n/in/y")


def out(binding: str) -> dict[str, Json]:
    return {"out": answer(binding)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hi {{ x", "line 1"),
        ("one\n{{ a b }}", "line 2"),
        ("{% if x %}", "logic"),
        ("{{ x.__class__ }}", "unsafe"),
        ("   ", "empty"),
        ("", "empty"),
    ],
)
def test_f203_a_prompt_that_cannot_be_parsed(text: str, said: str) -> None:
    graph = graph_of(
        {"n": {"kind": "prompt", "config": {"prompt": {"text": text}}}, **out("n.text")}
    )
    problem = only(graph, "F203")
    assert (problem.node, problem.pointer) == ("n", "/nodes/n/config/prompt")
    assert said in problem.message


@pytest.mark.parametrize("text", ["NUL \0", "half \ud800"], ids=["nul", "surrogate"])
def test_f203_a_prompt_that_no_engine_can_keep(text: str) -> None:
    graph = graph_of(
        {"n": {"kind": "prompt", "config": {"prompt": {"text": text}}}, **out("n.text")}
    )
    assert only(graph, "F203").node == "n"


def test_f204_a_place_that_is_not_in_the_value() -> None:
    shape = {"type": "object", "properties": {"label": {"type": "string"}}}
    problem = only(flow(llm(returns=shape), "n.json.lable"), "F204")
    assert problem.node == "out"
    assert "did you mean 'label'" in problem.message
    assert validate(flow(llm(returns=shape), "n.json.label"), FACTS) == ()


def test_f207_two_edges_into_one_opening() -> None:
    node = {**answer("a.value"), "in": {"answer": ["a.value", "b.value"]}}
    problem = only(graph_of({"a": ASK, "b": ASK, "out": node}), "F207")
    assert problem.node == "out"
    assert "merge" in problem.message
    joined = {"kind": "merge", "in": {"in": ["a.value", "b.value"]}}
    assert validate(graph_of({"a": ASK, "b": ASK, "m": joined, **out("m.value")}), FACTS) == ()


@pytest.mark.parametrize("model", ["simulatd:small", "small", "gone:x", "simulated:"])
def test_f401_a_model_of_no_installed_provider(model: str) -> None:
    problem = only(flow(llm(model=model)), "F401")
    assert (problem.node, problem.pointer) == ("n", "/nodes/n/config/model")
    assert model in problem.message


def test_f401_the_default_model_counts_where_none_is_named() -> None:
    facts = replace(FACTS, default_model="gone:x")
    assert only(flow(llm()), "F401", facts).node == "n"
    assert validate(flow(llm(model="simulated:small")), facts) == ()


def test_f403_a_template_that_there_is_not() -> None:
    node = {"kind": "llm", "config": {"prompt": {"ref": "support/gone@1"}}}
    graph = graph_of({"ask": ASK, "n": {**node, "in": {"x": ["ask.value"]}}, **out("n.text")})
    problem = only(graph, "F403")
    assert problem.node == "n"
    assert "support/gone@1" in problem.message


def test_every_problem_is_found_in_one_pass() -> None:
    nodes = {
        "a": {"kind": "llmm"},
        "b": llm(temprature=1),
        "c": prompt("{{ x"),
        "d": llm("Hi", model="nope:x"),
        "e": {"kind": "llm", "config": {"prompt": {"ref": "support/gone@1"}}},
        "f": prompt("{{ y }}"),
        "g": prompt("{{ x }}", x="h.text"),
        "h": prompt("{{ x }}", x="g.text"),
        "ask": ASK,
        "i": {"kind": "output", "config": {"fields": ["x", "y"]}},
    }
    nodes["i"]["in"] = {"x": ["ask.nothing"], "y": ["d.text", "f.text"]}
    problems = validate(graph_of(nodes), FACTS)
    wanted = {
        ("F101", "a"), ("F111", "b"), ("F203", "c"), ("F401", "d"), ("F403", "e"), ("F202", "f"),
        ("F103", "i"), ("F207", "i"),
    }  # fmt: skip
    seen = {(problem.code, problem.node) for problem in problems}
    assert wanted <= seen
    assert "F104" in {code for code, _ in seen}
    assert all(problem.message for problem in problems)


def test_a_cycle_is_told_in_the_same_words_every_time() -> None:
    program = (
        "from tests.flows.parts import *\n"
        "nodes = {k: prompt('{{ x }}', x=f'{v}.text') for k, v in zip('abcdefgh', 'habcdefg')}\n"
        "print(validate(graph_of({**nodes, 'out': answer('a.text')}), FACTS)[-1])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": "."},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(3)
    }
    assert len(told) == 1


WATCH = """
import json, sys
from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.flows.graph import FORMAT, from_document
from promptstudio_lab.flows.validate import validate
from promptstudio_lab.flows.draw import svg
from promptstudio_lab.flows.layout import places
from promptstudio_lab.nodes import kinds
warm = {"a": {"kind": "llm", "config": {"prompt": {"text": "{{ x"}, "t": 1}}}
validate(from_document({"format": FORMAT, "nodes": warm}), Facts())
heard = []
WATCHED = ("import", "exec", "compile", "socket.", "subprocess.", "open", "os.system", "os.exec")
def listen(event, arguments):
    if event.startswith(WATCHED):
        heard.append([event, str(arguments[:1])])
sys.addaudithook(listen)
document = json.loads(sys.argv[1])
graph = from_document(document)
problems = validate(graph, Facts(providers=frozenset({"simulated"})))
svg(graph.moved(places(graph)))
quiet = list(heard)
eval(compile("1 + 1", "control", "eval"))
import colorsys
open(colorsys.__file__).close()
print(json.dumps([quiet, [event for event, _ in heard[len(quiet):]], len(problems)]))
"""


def test_validating_and_drawing_import_open_and_run_nothing() -> None:
    trap = "__import__('os').system('touch pwned')"
    nodes = {
        "a": {"kind": "llm", "config": {"prompt": {"text": f"{{{{ {trap} }}}}"}, "model": trap}},
        "b": {"kind": "antigravity", "config": {"code": trap}},
        "c": {"kind": "llm", "config": {"prompt": {"ref": "http://127.0.0.1:9/x"}}},
        "d": llm("Hi", returns={"type": "object", "$ref": "http://127.0.0.1:9/s"}),
        "e": {"kind": "switch", "config": {"cases": [trap]}, "in": {"value": ["d.json"]}},
        "out": answer("d.json.x"),
    }
    document = json.dumps({"format": "promptstudio.flow/1", "nodes": nodes})
    done = subprocess.run(
        [sys.executable, "-c", WATCH, document], capture_output=True, text=True, check=True
    )
    quiet, control, problems = json.loads(done.stdout)
    assert quiet == []
    assert {"compile", "exec", "import", "open"} <= set(control), "the watch itself works"
    assert problems >= 4


def test_two_hundred_nodes_are_looked_at_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: Counter[str] = Counter()
    counted = type(kinds["prompt"])
    shape, into = counted.ports, Graph.into

    def ports(self: Any, config: Json, known: Any) -> Ports:  # any kind, any facts
        calls["ports"] += 1
        return shape(self, config, known)

    def looked(self: Graph, node_id: str) -> list[Edge]:
        calls["into"] += 1
        return into(self, node_id)

    monkeypatch.setattr(counted, "ports", ports)
    monkeypatch.setattr(Graph, "into", looked)
    assert validate(wide_and_long(200), FACTS) == ()
    assert calls["ports"] == 198
    assert calls["into"] <= 3 * 200


def test_a_chain_of_five_thousand_nodes_is_no_depth() -> None:
    graph = wide_and_long(5_000)
    assert validate(graph, FACTS) == ()
    assert find_cycle(graph) == []
    first, last = graph.by_key["n0"], graph.by_key["n4997"]
    back = Edge(new_id(), last.id, "text", first.id, "x")
    ring = find_cycle(Graph(graph.nodes, (*graph.edges, back)))
    assert len(ring) == 4_999
    assert len(graph.hash) == 64


def test_facts_know_texts_and_their_variables() -> None:
    assert FACTS.text({"ref": "support/classify@3"}) == "Label: {{ ticket }}"
    assert FACTS.text({"ref": "nowhere"}) is None
    assert FACTS.text({}) == ""
    assert FACTS.variables({"text": "{{ b }}{{ a.c }}"}) == ("b", "a")
    assert FACTS.variables({"text": "{{ b"}) is None
    assert FACTS.variables({"ref": "nowhere"}) is None


def test_the_schemas_of_all_kinds_refuse_an_unknown_setting() -> None:
    for name, kind in kinds.items():
        node = Node(new_id(), "n", name, {"no_such_setting": 1})
        codes = found(Graph((node,)), Facts(providers=frozenset({"simulated"})))
        assert ("F111", "n") in codes
        assert not Draft202012Validator(dict(kind.schema)).is_valid(dict(node.config))
