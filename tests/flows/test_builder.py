from __future__ import annotations

import pytest

from promptstudio_lab.errors import FlowError
from promptstudio_lab.flows.graph import from_document
from promptstudio_lab.flows.language.builder import Builder
from promptstudio_lab.flows.language.shorthand import prompt_config, returns_schema
from promptstudio_lab.flows.validate import errors, validate
from tests.flows.parts import FACTS, triage, triage_graph


def build() -> Builder:
    return Builder(lambda _: FACTS)


def test_the_example_of_the_design_is_a_clean_flow() -> None:
    f = build()
    triage(f)
    document = f.document()
    assert list(document["nodes"]) == [
        "ticket", "classify", "switch", "billing", "tech", "merge", "output",
    ]  # fmt: skip
    assert document["nodes"]["switch"]["config"] == {"cases": ["billing"]}
    assert document["nodes"]["billing"]["in"]["when"] == ["switch.billing"]
    assert document["nodes"]["tech"]["in"]["when"] == ["switch.default"]
    assert document["nodes"]["merge"]["in"] == {"in": ["billing.text", "tech.text"]}
    assert document["nodes"]["classify"]["config"]["prompt"] == {"ref": "support/classify@3"}
    assert validate(triage_graph(), FACTS) == ()


def test_building_twice_gives_the_same_document() -> None:
    one, other = build(), build()
    triage(one)
    triage(other)
    assert (build().built, one.built) == (False, True)
    assert one.document() == other.document()
    assert from_document(one.document()).hash == from_document(other.document()).hash


def test_handles_mean_outputs_and_then_places() -> None:
    f = build()
    kind = f.llm("k", prompt="Hi", returns={"label": ["a"], "who": {"type": "object"}})
    assert repr(kind) == "<k.json>"
    assert kind.label.binding == "k.json.label"
    assert kind.who.name.binding == "k.json.who.name"
    assert kind.text.binding == "k.text"


def test_a_place_may_be_called_like_an_output() -> None:
    kind = build().llm("k", prompt="Hi", returns={"text": "text"})
    assert kind.json.text.binding == "k.json.text"


def test_keywords_are_sorted_into_config_policy_and_bindings() -> None:
    f = build()
    name = f.input("name")
    f.llm("ask", prompt="Hi {{ name }}", name=name, model="simulated:large", timeout_s=3)
    node = f.document()["nodes"]["ask"]
    assert node["config"] == {"model": "simulated:large", "prompt": {"text": "Hi {{ name }}"}}
    assert node["policy"] == {"timeout_s": 3}
    assert node["in"] == {"name": ["name.value"]}


def test_a_handle_wins_over_a_setting_of_the_same_name() -> None:
    f = build()
    model = f.input("m")
    f.llm("ask", prompt="The {{ model }}", model=model)
    assert f.document()["nodes"]["ask"]["in"] == {"model": ["m.value"]}


@pytest.mark.parametrize("word", ["kind", "key"])
def test_an_answer_or_a_variable_may_be_called_anything(word: str) -> None:
    f = build()
    value = f.input("v")
    f.prompt("p", prompt=f"Say {{{{ {word} }}}}", **{word: value})
    f.output(**{word: value})
    document = f.document()
    assert document["nodes"]["p"]["in"] == {word: ["v.value"]}
    assert document["nodes"]["output"]["in"] == {word: ["v.value"]}
    assert errors(validate(from_document(document), FACTS)) == ()


@pytest.mark.parametrize(
    ("key", "said"),
    [("a b", "a b"), ("", "''"), ("1st", "1st"), ("Name", "exists already"), ("a.b", "a.b")],
)
def test_a_name_must_be_a_free_name(key: str, said: str) -> None:
    f = build()
    f.input("name")
    with pytest.raises(FlowError, match=said):
        f.input(key)
    assert list(f.document()["nodes"]) == ["name"], "a refused node leaves nothing behind"


def test_what_cannot_be_is_said_with_a_hint() -> None:
    f = build()
    x = f.input("x")
    with pytest.raises(FlowError, match="did you mean 'temperature'"):
        f.llm("a", prompt="Hi", temprature=1)
    with pytest.raises(FlowError, match=r"no input 'z'.*allowed are x"):
        f.prompt("a", prompt="{{ x }}", z=x)
    with pytest.raises(AttributeError, match="did you mean 'llm'"):
        f.lllm("a")
    with pytest.raises(FlowError, match="needs fields"):
        f.output()
    with pytest.raises(FlowError, match="no setting 'answer'"):
        f.output(answer="no handle")
    with pytest.raises(AttributeError):
        _ = f._hidden
    assert list(f.document()["nodes"]) == ["x"]


def test_an_unknown_kind_in_a_branch_is_refused() -> None:
    f = build()
    x = f.input("x")
    with f.switch(x) as s, pytest.raises(AttributeError, match="did you mean 'llm'"):
        s.default.lllm("a", prompt="Hi")
    with pytest.raises(AttributeError):
        _ = s.default._hidden


def test_cases_are_those_that_were_named_once_each() -> None:
    f = build()
    x = f.input("x")
    with f.switch(x, key="route") as s:
        s.case("b").prompt("one", prompt="1")
        s.case("a").prompt("two", prompt="2")
        s.case("b").prompt("three", prompt="3")
    f.output(answer=s.merge("joined", strategy="list"))
    nodes = f.document()["nodes"]
    assert nodes["route"]["config"] == {"cases": ["b", "a"]}
    assert nodes["joined"]["config"] == {"strategy": "list"}


def test_a_merge_joins_what_the_branches_end_in() -> None:
    f = build()
    x = f.input("x")
    with f.switch(x) as s:
        draft = s.case("a").prompt("draft", prompt="Draft {{ x }}", x=x)
        s.case("a").prompt("final", prompt="Final {{ draft }}", draft=draft)
        s.default.prompt("other", prompt="Other")
    f.output(answer=s.merge())
    assert f.document()["nodes"]["merge"]["in"] == {"in": ["final.text", "other.text"]}


def test_prompts_are_references_or_texts() -> None:
    assert prompt_config("support/classify") == {"ref": "support/classify"}
    assert prompt_config("a/b c/d.e-f@12") == {"ref": "a/b c/d.e-f@12"}
    assert prompt_config("classify") == {"text": "classify"}
    assert prompt_config("a/b\nc") == {"text": "a/b\nc"}
    assert prompt_config("{{ x }}/y") == {"text": "{{ x }}/y"}
    assert prompt_config({"text": "a/b"}) == {"text": "a/b"}


def test_the_short_form_of_returns() -> None:
    schema = returns_schema({"l": ("a", "b"), "n": "int", "f": "float", "t": "text", "s": "bool"})
    assert schema["properties"] == {
        "l": {"enum": ["a", "b"]},
        "n": {"type": "integer"},
        "f": {"type": "number"},
        "t": {"type": "string"},
        "s": {"type": "boolean"},
    }
    assert schema["required"] == ["l", "n", "f", "t", "s"]
    assert schema["additionalProperties"] is False
    whole = {"type": "object", "properties": {}}
    assert returns_schema(whole) == whole
    with pytest.raises(FlowError, match=r"returns\['x'\] is 'intt'"):
        returns_schema({"x": "intt"})
