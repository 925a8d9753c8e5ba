"""Bad inputs with known verdicts; `golden/bad_inputs.json` holds them in a neutral form."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import jsonschema_rs
import pytest

from promptstudio_lab.errors import PromptStudioError
from promptstudio_lab.flows.draw import svg
from promptstudio_lab.flows.graph import FORMAT, Graph, from_document
from promptstudio_lab.flows.layout import places
from promptstudio_lab.flows.validate import errors, validate
from promptstudio_lab.money import format_usd
from promptstudio_lab.nodes import kinds
from promptstudio_lab.providers.chat import Reply, Usage
from promptstudio_lab.providers.prices import price
from promptstudio_lab.rendering import render
from promptstudio_lab.values import loads
from tests.flows.parts import FACTS, wide_and_long

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.values import Json

CASES: list[dict[str, Any]] = json.loads(  # a case's parts have their own shapes
    (Path(__file__).parent / "golden" / "bad_inputs.json").read_text(encoding="utf-8")
)

# The neutral form lists nodes where ours has an object by name.
OUR_WORDS = {"list": "object"}
# A plain template has no logic to bound: what asks for it is refused, whatever it would do.
LOGIC = {"limit", "size", "recursion"}


def cases(area: str, *outcomes: str, generated: bool = False) -> list[Any]:  # pytest's own type
    return [
        pytest.param(case, id=case["id"])
        for case in CASES
        if case["area"] == area
        and case["must"]["outcome"] in outcomes
        and case["input"]["kind"].endswith("_gen") == generated
    ]


def translated(value: Json) -> str:
    """Return the text of our document for a flow in the neutral form.

    The one rule: `schema` is our `format`, a node's `type` its `kind`; an edge, like a setting
    that ends in `_from`, feeds the input of a prompt that has it as its variable; any other text
    of a node (`label`, `data`) becomes its prompt, the free text that our documents show.
    """
    if not isinstance(value, dict):
        return json.dumps(value)
    if not isinstance(value["nodes"], list):
        return json.dumps({"format": FORMAT, "nodes": value["nodes"]})
    entries = []
    for node in value["nodes"]:
        feeds = {
            f"in_{n}": [f"{edge['source']}.text"]
            for n, edge in enumerate(value["edges"])
            if edge["target"] == node["id"]
        }
        config = dict(node["config"])
        for name in [name for name in config if name.endswith("_from")]:
            feeds[name] = [config.pop(name)]
        words = [node.get("label", ""), *map(str, node.get("data", {}).values())]
        holes = [f"{{{{ {name} }}}}" for name in feeds]
        text = " ".join(filter(None, ["Say", *words, *holes]))
        entry = {
            "kind": node["type"],
            "config": {"prompt": {"text": text}, **config},
            "in": feeds,
        }
        entries.append(f"{json.dumps(node['id'])}: {json.dumps(entry)}")
    return f'{{"format": "{FORMAT}", "nodes": {{{", ".join(entries)}}}}}'


def flow_of(case: dict[str, Any]) -> Graph:  # a case's parts have their own shapes
    given = case["input"]
    value = json.loads(given["text"]) if given["kind"] == "json_text" else given["value"]
    return from_document(loads(translated(value)))


def refusal(case: dict[str, Any]) -> str:  # a case's parts have their own shapes
    try:
        graph = flow_of(case)
    except PromptStudioError as error:
        return str(error)
    stopping = errors(validate(graph, FACTS))
    assert stopping, "it was accepted"
    return "\n".join(map(str, stopping))


@pytest.mark.parametrize("case", cases("flow", "reject"))
def test_a_bad_flow_is_refused_in_words_that_help(case: dict[str, Any]) -> None:  # its own shapes
    said = refusal(case)
    assert "Traceback" not in said
    for mention in case["must"]["mentions"]:
        wanted = [OUR_WORDS.get(word, word) for word in mention.split("|")]
        assert any(word in said for word in wanted), f"{wanted} not in {said!r}"


@pytest.mark.parametrize("case", cases("flow", "accept_inert"))
def test_hostile_text_in_a_flow_is_only_ever_text(
    case: dict[str, Any], memory: Lab
) -> None:  # its own shapes
    graph = flow_of(case)
    (node,) = graph.nodes
    hostile = node.config["prompt"]["text"]
    assert "<" in hostile
    flow = memory.flow("hostile")
    handle = flow.node(node.kind, node.key, **node.config)
    flow.output(answer=handle)
    assert flow.head().graph.by_key[node.key].config == node.config, "it is kept exactly"
    picture = ET.fromstring(flow._repr_svg_())
    assert any(hostile in "".join(element.itertext()) for element in picture.iter())
    assert {element.tag.rpartition("}")[2] for element in picture.iter()} <= {
        "svg", "style", "g", "title", "rect", "text", "path",
    }  # fmt: skip


def test_an_empty_flow_can_be_kept_and_not_run(memory: Lab) -> None:
    flow = memory.flow("empty")
    assert memory.flows().height == 1
    with pytest.raises(PromptStudioError, match="no nodes"):
        flow.run()
    assert memory.runs().height == 0


@pytest.mark.parametrize("case", cases("flow", "accept", generated=True))
def test_a_huge_flow_takes_no_recursion(case: dict[str, Any]) -> None:  # its own shapes
    graph = wide_and_long(case["input"]["nodes"] // 10)
    assert validate(graph, FACTS) == ()
    assert len(places(graph)) == len(graph.nodes)
    assert svg(graph).count("<g ") == len(graph.nodes)


@pytest.mark.parametrize("case", cases("flow", "accept", generated=True))
def test_a_huge_flow_reads_each_kinds_schema_once(
    case: dict[str, Any],  # its own shapes
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []
    real = jsonschema_rs.Draft202012Validator

    def counted(schema: Json, **how: Any) -> Any:  # as the library takes and gives them
        made.append(schema)
        return real(schema, **how)

    monkeypatch.setattr(jsonschema_rs, "Draft202012Validator", counted)
    graph = wide_and_long(case["input"]["nodes"] // 1_000)
    assert validate(graph, FACTS) == ()
    assert len(made) <= len(list(kinds)), "100,000 nodes shall take less than 10 s"


@pytest.mark.parametrize("case", cases("template", "reject"))
def test_a_bad_template_is_refused(case: dict[str, Any]) -> None:  # its own shapes
    values = dict(case["input"].get("vars", {}))
    with pytest.raises(PromptStudioError) as caught:
        render(case["input"]["text"], values)
    said = str(caught.value)
    for mention in case["must"]["mentions"]:
        assert mention in said or mention in LOGIC, said
    assert not Path("pwned").exists()


@pytest.mark.parametrize("case", cases("template", "reject", generated=True))
def test_a_huge_template_is_refused_with_the_limit(case: dict[str, Any]) -> None:  # its own shapes
    given = case["input"]
    with pytest.raises(PromptStudioError) as caught:
        render(given["unit"] * (given["bytes"] // len(given["unit"])), {})
    assert all(mention in str(caught.value) for mention in case["must"]["mentions"])


@pytest.mark.parametrize("case", cases("template", "accept"))
def test_a_strange_template_is_kept_exactly(
    case: dict[str, Any], lab: Lab
) -> None:  # its own shapes
    text = case["input"]["text"]
    assert lab.template("odd/one", text).text == text
    assert lab.template("odd/one").text == text


@pytest.mark.parametrize("case", cases("metric", "accept"))
def test_a_model_without_a_price_costs_an_unknown_sum(
    case: dict[str, Any],
) -> None:  # its own shapes
    given = case["input"]
    usage = Usage(given["tokens"], 0, given["tokens"], 0)
    reply = Reply("yes", "stop", usage, given["model"])
    cost, source = price("openai", reply, datetime.now(UTC))
    assert (cost, source) == (None, None)
    assert format_usd(cost) == "unknown"
