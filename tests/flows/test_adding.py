"""What Tab and `?` show of the methods that add nodes."""

from __future__ import annotations

import inspect

import pytest

import promptstudio_lab as ps
from promptstudio_lab.errors import FlowError
from promptstudio_lab.flows.language.adding import POLICY, Adding
from promptstudio_lab.flows.language.builder import Builder
from promptstudio_lab.nodes import kinds
from promptstudio_lab.nodes.kind import POLICY_SCHEMA

# These are methods of the builder itself, with docstrings of their own.
PLAIN = {"input", "output", "switch", "note"}
ADDED = sorted(set(kinds) - PLAIN)


@pytest.mark.parametrize("kind", ADDED)
def test_a_method_says_what_its_node_takes(kind: str) -> None:
    add = getattr(Builder(), kind)
    assert isinstance(add, Adding)
    told = inspect.getdoc(add) or ""
    assert told.startswith((inspect.getdoc(type(kinds[kind])) or "")[:40])
    parameters = inspect.signature(add).parameters
    for name, schema in kinds[kind].schema["properties"].items():
        assert f"{name}: {schema['description']}" in " ".join(told.split())
        required = name in kinds[kind].schema.get("required", ())
        default = schema.get("default", inspect.Parameter.empty if required else None)
        assert parameters[name].default == default
    assert set(POLICY) < set(parameters)
    assert all(len(line) <= 100 for line in told.splitlines())
    assert f".{kind}(" in told, "an example shows it in use"
    assert f"<adds a node: {kind}(key, /, *many, " in repr(add)


@pytest.mark.parametrize("kind", sorted(PLAIN))
def test_a_method_of_the_builders_own_is_documented_too(kind: str) -> None:
    assert f".{kind}(" in (inspect.getdoc(getattr(Builder(), kind)) or "")


def test_what_is_said_of_the_policy_is_all_of_it() -> None:
    assert set(POLICY) == set(POLICY_SCHEMA["properties"])


def test_tab_lists_the_kinds_where_nodes_can_be_added() -> None:
    f = Builder()
    assert set(kinds) < set(dir(f))
    with f.map("each", items=f.input("xs", "list"), who=f.input("who")) as each:
        assert {"item", "index", "who", *kinds} < set(dir(each))
        route = each.switch(each.item, "route")
        assert set(kinds) < set(dir(route.case("a")))
        each.output(y=each.item)
    assert "llm" not in dir(each), "a body that is closed takes no further nodes"


def test_a_kind_that_is_not_there_is_no_method() -> None:
    f = Builder()
    branch = f.switch(f.input("x"), "route").case("a")
    for place in (f, branch):
        with pytest.raises(AttributeError, match="did you mean 'llm'"):
            place.lmm("ask")
        assert not hasattr(place, "_ipython_display_")


def test_a_code_node_is_told_its_inputs_by_what_it_is_given() -> None:
    lab = ps.connect("memory")
    f = lab.draft()
    a, b = f.input("a", "int"), f.input("b", "int")
    source = "return {'n': a + b}"
    added = f.code("add", source=source, outputs={"n": "int"}, a=a, b=b)
    f.output(n=added.n)
    assert [problem.code for problem in f.check()] == ["F405"]
    assert f.graph_now.by_key["add"].config["inputs"] == ["a", "b"]
    with pytest.raises(FlowError, match="'more' has no input 'b'"):
        f.code("more", source=source, inputs=["a"], a=a, b=b)
