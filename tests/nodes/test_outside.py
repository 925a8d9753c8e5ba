from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.errors import MissingVariable, NodeFailed
from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.nodes import Waiting, kinds
from tests.nodes.parts import Answers, run

if TYPE_CHECKING:
    from promptstudio_lab.values import Json

COUNT: Json = {"source": "return {}", "inputs": ["a", "b"], "outputs": {"n": "int"}}


def test_code_is_given_its_inputs_and_gives_its_outputs() -> None:
    context = Answers(computed={"n": 3})
    assert run("code", {**COUNT, "timeout_s": 5}, {"a": 1, "b": 2}, context) == {"n": 3}
    assert context.reached == [("compute", "return {}", {"a": 1, "b": 2}, 5.0)]
    ports = kinds["code"].ports(COUNT, Facts())
    assert [port.name for port in ports.inputs] == ["a", "b"]
    assert [(port.name, port.type) for port in ports.outputs] == [("n", "int")]


@pytest.mark.parametrize("value", ["3", 3.5, True, None, [3]])
def test_code_that_returns_another_type_than_it_declares_fails(value: Json) -> None:
    with pytest.raises(NodeFailed, match="int was declared"):
        run("code", COUNT, {}, Answers(computed={"n": value}))


def test_code_that_returns_an_unknown_name_fails_and_one_that_is_left_out_is_skipped() -> None:
    with pytest.raises(NodeFailed, match="did you mean 'n'"):
        run("code", COUNT, {}, Answers(computed={"nn": 1}))
    config = {**COUNT, "outputs": {"n": "int", "m": "text"}}
    assert run("code", config, {}, Answers(computed={"n": 1})) == {"n": 1}


def asked(config: Json, inputs: Json) -> Json:
    context = Answers()
    run("http", config, inputs, context)
    return context.reached[0][1]


def test_values_go_into_a_request_and_stay_in_their_place() -> None:
    config = {
        "method": "POST",
        "url": "https://host.example/a/{{ id }}?q={{ q }}",
        "headers": {"Authorization": "Bearer secret:TOKEN", "X-Who": "{{ who.name }}"},
        "json": {"text": "{{ q }}", "deep": [{"n": "{{ n }}"}, "so {{ n }}"], "k": True},
    }
    inputs = {"id": "../x/y", "q": 'a&b="c"', "who": {"name": "Ann"}, "n": 5}
    assert asked(config, inputs) == {
        "method": "POST",
        "url": "https://host.example/a/..%2Fx%2Fy?q=a%26b%3D%22c%22",
        "headers": {
            "Authorization": "Bearer secret:TOKEN",
            "X-Who": "Ann",
            "Content-Type": "application/json",
        },
        "body": '{"deep":[{"n":5},"so 5"],"k":true,"text":"a&b=\\"c\\""}',
    }
    ports = kinds["http"].ports(config, Facts())
    assert [port.name for port in ports.inputs] == ["id", "q", "who", "n"]


@pytest.mark.parametrize(
    ("url", "inputs"),
    [
        ("https://{{ host }}/x", {"host": "evil.example"}),
        ("{{ url }}", {"url": "https://evil.example"}),
        ("https://good.example{{ rest }}", {"rest": "@evil.example"}),
        ("https://good.example:{{ port }}/", {"port": 1}),
        ("ftp://good.example/", {}),
        ("file:///etc/passwd", {}),
        ("https://good.example/{{ part }}/admin", {"part": ".."}),
    ],
)
def test_no_value_chooses_where_a_request_goes(url: str, inputs: Json) -> None:
    context = Answers()
    with pytest.raises(NodeFailed):
        run("http", {"url": url}, inputs, context)
    assert not context.reached


@pytest.mark.parametrize("value", ["secret:OPENAI_API_KEY", "x\r\nX-Evil: 1", "x\ny"])
def test_no_value_asks_for_a_secret_or_adds_a_header(value: str) -> None:
    config = {"url": "https://a.example/", "headers": {"X-Note": "{{ v }}"}}
    with pytest.raises(NodeFailed, match="X-Note"):
        run("http", config, {"v": value})
    split = {"url": "https://a.example/", "headers": {"X-Note": "sec{{ v }}"}}
    with pytest.raises(NodeFailed, match="X-Note"):
        run("http", split, {"v": "ret:KEY"})


def test_an_answer_is_given_as_text_and_as_json_where_it_is_json() -> None:
    fetched = {"status": 200, "headers": {"a": "b"}, "text": '{"n": 1}'}
    found = run("http", {"url": "https://a.example"}, {}, Answers(fetched=fetched))
    assert found == {**fetched, "json": {"n": 1}}
    plain = {**fetched, "text": "hello"}
    assert run("http", {"url": "https://a.example"}, {}, Answers(fetched=plain)) == plain


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_bad_answer_fails_unless_any_will_do(status: int) -> None:
    fetched = {"status": status, "headers": {}, "text": "gone"}
    with pytest.raises(NodeFailed, match=f"{status}: gone"):
        run("http", {"url": "https://a.example"}, {}, Answers(fetched=fetched))
    config = {"url": "https://a.example", "any_status": True}
    assert run("http", config, {}, Answers(fetched=fetched))["status"] == status


def test_a_broken_template_leaves_the_inputs_open() -> None:
    assert kinds["http"].ports({"url": "https://a.example/{{ x"}, Facts()).open
    with pytest.raises(MissingVariable):
        run("http", {"url": "https://a.example/{{ x }}"}, {})


def test_sql_takes_its_parameters_and_tells_when_there_are_more_rows() -> None:
    query = r"SELECT * FROM t WHERE a = :a AND b > :b AND c::text = '12:30' AND d = '\:x' OR :a"
    ports = kinds["sql"].ports({"query": query}, Facts())
    assert [port.name for port in ports.inputs] == ["a", "b"]
    rows: list[Json] = [{"n": n} for n in range(5)]
    config = {"connection": "shop", "query": query, "most": 3}
    context = Answers(rows=rows)
    found = run("sql", config, {"a": 1, "b": 2}, context)
    assert found == {"rows": rows[:3], "count": 3, "cut": True}
    assert context.reached == [("query", "shop", query, {"a": 1, "b": 2}, 4)]
    assert run("sql", {**config, "most": 5}, {}, context)["cut"] is False


def test_a_person_is_shown_what_to_answer_and_the_answer_must_fit() -> None:
    config = {"question": "Fine, {{ who }}?", "schema": {"enum": ["yes", "no"]}, "default": "no"}
    with pytest.raises(Waiting) as caught:
        run("human", config, {"who": "Ann", "value": {"a": 1}}, Answers(person=None))
    assert caught.value.question == {
        "prompt": "Fine, Ann?",
        "schema": {"enum": ["yes", "no"]},
        "value": {"a": 1},
        "default": "no",
    }
    assert run("human", config, {"who": "Ann"}, Answers(person="yes")) == {"answer": "yes"}
    with pytest.raises(NodeFailed, match="does not fit the form"):
        run("human", config, {"who": "Ann"}, Answers(person="maybe"))
    ports = kinds["human"].ports(config, Facts())
    assert [(port.name, port.required) for port in ports.inputs] == [
        ("who", True),
        ("value", False),
    ]
    assert ports.outputs[0].type == "text"
