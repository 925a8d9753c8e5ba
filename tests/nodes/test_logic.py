from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.errors import BudgetExceeded, ExpressionRefused, NodeFailed
from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.nodes import Port, Signature, Waiting, kinds
from promptstudio_lab.nodes.personal import luhn
from tests.nodes.parts import Answers, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json


class Inside(Facts):
    """Surroundings of a node whose body takes an item, its index and a tone."""

    @property
    def body(self) -> Signature:
        """Return what the body takes and gives."""
        inputs = (Port("item", "text"), Port("index", "int"), Port("tone", "text"))
        return Signature(inputs, (Port("answer", "text"), Port("iterations", "int")))


NUMBERED: Json = [{"n": 1}, {"n": 2}, {"n": 3}]


def test_a_map_keeps_the_order_of_its_items_though_they_end_in_another() -> None:
    async def inside(values: Mapping[str, Json]) -> Json:
        await asyncio.sleep((9 - values["index"]) * 0.003)
        return {"answer": f"{values['tone']} {values['item']}"}

    context = Answers(inside=inside)
    found = run("map", {"concurrency": 4}, {"items": list(range(10)), "tone": "dry"}, context)
    assert found == {"items": [f"dry {n}" for n in range(10)], "errors": []}
    assert context.most_running == 4
    assert {place for place, _ in context.bodies} == {f"[{n}]" for n in range(10)}


def test_a_map_gives_objects_when_the_body_answers_with_several_fields() -> None:
    context = Answers(inside=lambda values: {"a": values["item"], "b": values["index"]})
    found = run("map", {}, {"items": ["x", "y"]}, context)
    assert found["items"] == [{"a": "x", "b": 0}, {"a": "y", "b": 1}]
    assert run("map", {}, {"items": []}, context) == {"items": [], "errors": []}


def odd_fails(values: Mapping[str, Json]) -> Json:
    if values["index"] % 2:
        message = f"item {values['index']} is odd"
        raise NodeFailed(message)
    return {"answer": values["item"]}


@pytest.mark.parametrize(
    ("on_error", "items"), [("skip", ["a", "c"]), ("null", ["a", None, "c", None])]
)
def test_a_map_tells_which_items_failed(on_error: str, items: Json) -> None:
    context = Answers(inside=odd_fails)
    found = run("map", {"on_item_error": on_error}, {"items": ["a", "b", "c", "d"]}, context)
    assert found["items"] == items
    assert found["errors"] == [
        {"index": 1, "error": "item 1 is odd"},
        {"index": 3, "error": "item 3 is odd"},
    ]


def test_a_map_that_stops_cuts_the_others_off() -> None:
    ended: list[int] = []

    async def inside(values: Mapping[str, Json]) -> Json:
        if values["index"] == 1:
            message = "no"
            raise NodeFailed(message)
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(values["index"])
        return {}

    context = Answers(inside=inside)
    with pytest.raises(NodeFailed, match="no"):
        run("map", {"concurrency": 3}, {"items": list(range(50))}, context)
    assert sorted(ended) == [0, 2], "what was under way ended, and nothing else began"


def test_a_map_leaves_out_items_but_never_a_broken_budget() -> None:
    def inside(_: Mapping[str, Json]) -> Json:
        message = "too dear"
        raise BudgetExceeded(message)

    with pytest.raises(BudgetExceeded):
        run("map", {"on_item_error": "skip"}, {"items": [1]}, Answers(inside=inside))


def test_a_map_does_what_it_can_before_it_waits_for_a_person() -> None:
    def inside(values: Mapping[str, Json]) -> Json:
        if values["index"] == 0:
            raise Waiting({"prompt": "well?"})
        return {"answer": 1}

    context = Answers(inside=inside)
    with pytest.raises(Waiting):
        run("map", {"concurrency": 1}, {"items": [0, 1, 2]}, context)
    assert len(context.bodies) == 3


def test_a_map_takes_a_list() -> None:
    with pytest.raises(NodeFailed, match="takes a list"):
        run("map", {}, {"items": "abc"})


def test_a_container_shows_what_its_body_takes() -> None:
    ports = kinds["map"].ports({}, Inside())
    assert [port.name for port in ports.inputs] == ["items", "tone"]
    ports = kinds["loop"].ports({}, Inside())
    assert [port.name for port in ports.inputs] == ["item", "index", "tone"]
    assert [port.name for port in ports.outputs] == ["answer", "iterations"]


def test_a_loop_ends_when_its_condition_holds() -> None:
    context = Answers(inside=lambda state: {"n": state["n"] + state["step"], "word": "x"})
    found = run("loop", {"max_iterations": 9, "until": "n >= 5"}, {"n": 0, "step": 2}, context)
    assert found == {"n": 6, "word": "x", "iterations": 3}
    assert [values["n"] for _, values in context.bodies] == [0, 2, 4]
    assert [place for place, _ in context.bodies] == ["[0]", "[1]", "[2]"]


def test_a_loop_never_runs_more_often_than_it_may() -> None:
    context = Answers(inside=lambda state: {"n": state["n"]})
    found = run("loop", {"max_iterations": 3, "until": "n > 0"}, {"n": 0}, context)
    assert found["iterations"] == 3
    assert len(context.bodies) == 3
    assert run("loop", {"max_iterations": 2}, {"n": 0}, context)["iterations"] == 2


def test_a_loop_whose_condition_means_nothing_says_so() -> None:
    with pytest.raises(ExpressionRefused, match="did you mean"):
        run("loop", {"max_iterations": 3, "until": "countt > 1"}, {"count": 0})


def test_a_subflow_has_the_ports_of_its_flow() -> None:
    facts = Facts(flows={"lab/a@1": Signature((Port("q"),), (Port("answer", "text"),))})
    ports = kinds["subflow"].ports({"flow": "lab/a@1"}, facts)
    assert (ports.inputs, ports.outputs) == ((Port("q"),), (Port("answer", "text"),))
    assert kinds["subflow"].ports({"flow": "lab/b@1"}, facts).open
    context = Answers(inside=lambda values: {"answer": values["q"]})
    assert run("subflow", {"flow": "lab/a@1"}, {"q": 5}, context) == {"answer": 5}
    assert context.bodies == [("", {"q": 5})]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("mail ann.b+c@example.co.uk now", "e-mail"),
        ({"deep": [{"mail": "a@b.de"}]}, "e-mail"),
        ({"ann@example.com": 1}, "e-mail"),
        ("call +49 30 901820", "telephone"),
        ("call (030) 90 18 20 77", "telephone"),
        ("card 4111-1111-1111-1111.", "card"),
        ("5500005555555559", "card"),
        (378282246310005, "card"),
    ],
)
def test_a_guard_finds_personal_data_and_does_not_repeat_it(value: Json, found: str) -> None:
    with pytest.raises(NodeFailed, match=found) as caught:
        run("guard", {"check": "pii"}, {"value": value})
    assert not set("@0123456789") & set(str(caught.value))


@pytest.mark.parametrize(
    "value",
    [
        "nothing here",
        "at 12:30 on 2026-11-26",
        "order 4111111111111112",
        "version 3.11.2, 1,250,000 rows",
        "me@home",
        5,
        None,
        True,
        {"n": [1.5, "ok"]},
        "id 01936f2e-7c1a-7bbb-8d3f-6a1f0c9e2b41",
    ],
)
def test_a_guard_lets_the_rest_through_untouched(value: Json) -> None:
    assert run("guard", {}, {"value": value}) == {"value": value, "passed": True}


@pytest.mark.parametrize("digit", "0123456789")
def test_luhn_has_one_right_digit(digit: str) -> None:
    assert luhn(f"7992739871{digit}") == (digit == "3"), "the textbook's example"


@pytest.mark.parametrize(
    ("config", "good", "bad"),
    [
        ({"check": "schema", "schema": {"type": "integer", "minimum": 2}}, 2, 1),
        ({"check": "regex", "pattern": "^[A-Z]{2}$"}, "AB", "ABC"),
        ({"check": "expression", "expression": "len(value) < 4"}, "abc", "abcd"),
    ],
)
def test_a_guard_checks_and_fails_or_gives_a_default(config: Json, good: Json, bad: Json) -> None:
    assert run("guard", config, {"value": good}) == {"value": good, "passed": True}
    with pytest.raises(NodeFailed):
        run("guard", config, {"value": bad})
    instead = {**config, "action": "default", "default": {"x": 1}}
    assert run("guard", instead, {"value": bad}) == {"value": {"x": 1}, "passed": False}


def test_a_guards_expression_may_name_other_inputs() -> None:
    config = {"check": "expression", "expression": "value < limit"}
    ports = kinds["guard"].ports(config, Facts())
    assert [port.name for port in ports.inputs] == ["value", "limit"]
    assert kinds["guard"].ports({**config, "expression": "value <"}, Facts()).open


@pytest.mark.parametrize(
    ("config", "value", "expected"),
    [
        ({"do": "path", "path": "rows.1.n"}, {"rows": [{}, {"n": 4}]}, 4),
        ({"do": "regex_extract", "pattern": r"#(\d+)", "group": 1}, "see #12, #13", "12"),
        ({"do": "regex_extract", "pattern": "z"}, "a", None),
        ({"do": "split"}, "a, b,c", ["a", "b", "c"]),
        ({"do": "split", "separator": "|"}, "a|b", ["a", "b"]),
        ({"do": "join", "separator": "-"}, ["a", 1], "a-1"),
        ({"do": "slice", "start": 1, "stop": -1}, [1, 2, 3, 4], [2, 3]),
        ({"do": "slice", "stop": 2}, "abc", "ab"),
        ({"do": "sort", "by": "n", "descending": True}, [{"n": 1}, {"n": 3}], [{"n": 3}, {"n": 1}]),
        ({"do": "sort"}, ["b", "a"], ["a", "b"]),
        ({"do": "unique"}, [1, 1.0, True, 1, "1"], [1, 1.0, True, "1"]),
        ({"do": "unique", "by": "k"}, [{"k": 1, "v": 1}, {"k": 1, "v": 2}], [{"k": 1, "v": 1}]),
        ({"do": "length"}, {"a": 1, "b": 2}, 2),
        ({"do": "filter", "expression": "item.n > 1 and index < 2"}, NUMBERED, [{"n": 2}]),
        ({"do": "format_number", "decimals": 1}, 1234567.25, "1,234,567.2"),
        ({"do": "format_date", "format": "%d.%m.%Y"}, "2026-11-26T10:00:00Z", "26.11.2026"),
    ],
)  # fmt: skip
def test_a_transform_of_lists_and_texts(config: Json, value: Json, expected: Json) -> None:
    assert run("transform", config, {"value": value}) == {"value": expected}


@pytest.mark.parametrize(
    ("config", "value"),
    [
        ({"do": "path", "path": "a.c"}, {"a": {"b": 1}}),
        ({"do": "path", "path": "9" * 5000}, [1]),
        ({"do": "join"}, "abc"),
        ({"do": "sort"}, [1, "a"]),
        ({"do": "sort"}, {"a": 1}),
        ({"do": "length"}, 5),
        ({"do": "format_number"}, "5"),
        ({"do": "format_number"}, True),
        ({"do": "format_date"}, "yesterday"),
    ],
)
def test_a_transform_of_the_wrong_kind_of_value_says_so(config: Json, value: Json) -> None:
    with pytest.raises(NodeFailed):
        run("transform", config, {"value": value})


def test_a_transform_by_expression_takes_what_it_names() -> None:
    config = {"do": "expression", "expression": "price * amount"}
    ports = kinds["transform"].ports(config, Facts())
    assert [port.name for port in ports.inputs] == ["price", "amount"]
    assert run("transform", config, {"price": 2, "amount": 3}) == {"value": 6}
    assert kinds["transform"].ports({**config, "expression": "a +"}, Facts()).open


def test_a_switch_opens_the_first_branch_whose_condition_holds() -> None:
    cases = [{"name": "big", "when": "n > 10"}, {"name": "some", "when": "n > 0"}, "zero"]
    ports = kinds["switch"].ports({"cases": cases}, Facts())
    assert [port.name for port in ports.inputs] == ["value", "n"]
    assert [port.name for port in ports.outputs] == ["big", "some", "zero", "default"]
    for value, n, branch in (("x", 11, "big"), ("x", 5, "some"), ("zero", 0, "zero")):
        assert run("switch", {"cases": cases}, {"value": value, "n": n}) == {branch: True}
    assert run("switch", {"cases": cases}, {"value": "x", "n": 0}) == {"default": True}


def test_a_switch_of_conditions_alone_needs_no_value() -> None:
    ports = kinds["switch"].ports({"cases": [{"name": "a", "when": "n > 1"}]}, Facts())
    assert [port.name for port in ports.inputs] == ["n"]
    assert kinds["switch"].ports({"cases": [{"name": "a", "when": "n >"}]}, Facts()).open


@pytest.mark.parametrize(
    ("strategy", "live", "expected"),
    [
        ("all", ["x", 5], {"0": "x", "1": 5}),
        ("concat", ["x", "y"], "x\ny"),
        ("concat", [[1], [2, 3]], [1, 2, 3]),
        ("vote", ["a", {"k": 1}, {"k": 1}], {"k": 1}),
        ("vote", ["b", "a", "a", "b"], "b"),
        ("vote", [True, 1, 1.0, 1], 1),
    ],
)
def test_a_merge_joins_what_is_live(strategy: str, live: Json, expected: Json) -> None:
    found = run("merge", {"strategy": strategy}, {"in": live})["value"]
    assert found == expected
    assert type(found) is type(expected)


def test_a_merge_does_not_put_texts_and_lists_together() -> None:
    with pytest.raises(NodeFailed, match="list, str"):
        run("merge", {"strategy": "concat"}, {"in": ["a", ["b"]]})
