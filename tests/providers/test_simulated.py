from __future__ import annotations

import asyncio
import itertools
import math
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab import values
from promptstudio_lab.datasets import sample
from promptstudio_lab.errors import ProviderTimeout, UnknownModel
from promptstudio_lab.providers import providers
from promptstudio_lab.providers.chat import ChatRequest, Message
from promptstudio_lab.providers.simulated import PRICES, SimulatedProvider, count_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.providers.chat import Reply
    from promptstudio_lab.values import Json

RETURNS = {
    "type": "object",
    "properties": {"label": {"enum": list(sample.LABELS)}},
    "required": ["label"],
}
PLAIN = ChatRequest("small", (Message("user", "Answer.\n\nText: My parcel is late, a parcel!"),))


def ask(*requests: ChatRequest) -> list[Reply]:
    async def together() -> list[Reply]:
        provider = SimulatedProvider()
        return await asyncio.gather(*map(provider.complete, requests))

    return asyncio.run(together())


def request(prompt: str, ticket: str, model: str = "small", seed: int | None = None) -> ChatRequest:
    text = prompt.replace("{{ ticket }}", ticket)
    return ChatRequest(model, (Message("user", text),), returns=RETURNS, seed=seed)


def accuracy(prompt: str, model: str, seed: int | None = None) -> float:
    rows = sample.tickets()
    replies = ask(*(request(prompt, row["ticket"], model, seed) for row in rows))
    labels = [values.loads(reply.text)["label"] for reply in replies]
    return sum(map(str.__eq__, labels, (row["label"] for row in rows))) / len(rows)


def filled(schema: Json) -> Json:
    (reply,) = ask(replace(PLAIN, returns=schema))
    return values.loads(reply.text)


def test_it_is_registered_as_the_offline_default() -> None:
    assert providers["simulated"] is SimulatedProvider
    assert providers["simulated"]().simulated


def test_a_better_prompt_scores_better() -> None:
    control = accuracy(sample.CONTROL_PROMPT, "small")
    treatment = accuracy(sample.TREATMENT_PROMPT, "small")
    assert 0.40 <= control <= 0.58
    assert 0.72 <= treatment <= 0.88


@pytest.mark.parametrize("prompt", [sample.CONTROL_PROMPT, sample.TREATMENT_PROMPT])
def test_a_larger_model_scores_better(prompt: str) -> None:
    def mean(model: str) -> float:
        return math.fsum(accuracy(prompt, model, seed) for seed in range(4)) / 4

    assert mean("large") > mean("medium") > mean("small")


def test_the_labels_alone_are_not_enough_to_know_a_private_vocabulary() -> None:
    returns = {"type": "object", "properties": {"label": {"enum": ["zork", "blip"]}}}
    bare = "Sort the item: zork or blip.\n\nItem: {{ ticket }}"
    told = "Sort the item.\n- zork: kettles, lamps\n- blip: novels, poems\n\nItem: {{ ticket }}"

    def right(prompt: str) -> int:
        asked = [
            replace(request(prompt, text, "large", seed), returns=returns)
            for seed in range(20)
            for text in ("a red kettle", "some poems")
        ]
        expected = itertools.cycle(['{"label":"zork"}', '{"label":"blip"}'])
        return sum(reply.text == text for reply, text in zip(ask(*asked), expected, strict=False))

    assert right(told) == 40
    assert 8 <= right(bare) <= 32


def test_only_the_text_is_read() -> None:
    told = "Sort the item.\n- zork: kettles\n- blip: novels\n\nItem: kettle"
    swapped = told.replace("kettles", "novels", 1).replace("- blip: novels", "- blip: kettles")
    returns = {"type": "object", "properties": {"x": {"enum": ["zork", "blip"]}}}
    asked = [ChatRequest("large", (Message("user", t),), returns=returns) for t in (told, swapped)]
    assert [reply.text for reply in ask(*asked)] == ['{"x":"zork"}', '{"x":"blip"}']


def test_the_same_request_has_the_same_answer() -> None:
    asked = [request(sample.CONTROL_PROMPT, row["ticket"]) for row in sample.tickets()[:20]]
    assert ask(*asked) == ask(*asked)


def test_the_answer_does_not_depend_on_the_process() -> None:
    code = (
        "import asyncio; from promptstudio_lab.providers.chat import ChatRequest, Message;"
        "from promptstudio_lab.providers.simulated import SimulatedProvider;"
        "r = ChatRequest('small', (Message('user', 'ab'),), returns={'enum': list('pqrstuvw')});"
        "print(asyncio.run(SimulatedProvider().complete(r)))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


@pytest.mark.parametrize("change", [{"seed": 5}, {"temperature": 0.3}, {"model": "medium"}])
def test_another_seed_temperature_or_model_is_another_draw(change: dict[str, Json]) -> None:
    one, other = ask(PLAIN, replace(PLAIN, **change))
    assert one.request_id != other.request_id
    assert one.latency_ms != other.latency_ms


def test_heat_adds_noise() -> None:
    rows = sample.tickets()[:120]

    def right(temperature: float) -> int:
        asked = [
            replace(request(sample.CONTROL_PROMPT, row["ticket"]), temperature=temperature)
            for row in rows
        ]
        labels = [values.loads(reply.text)["label"] for reply in ask(*asked)]
        return sum(map(str.__eq__, labels, (row["label"] for row in rows)))

    assert right(0.0) > right(2.0)


@pytest.mark.parametrize("prompt", [sample.CONTROL_PROMPT, sample.TREATMENT_PROMPT])
def test_hostile_tickets_get_a_valid_label_too(prompt: str) -> None:
    hostile = [row["ticket"] for row in sample.tickets() if "hostile" in row["traits"]]
    hostile += [
        "",
        "\x00",
        "\ud800 lone",
        "Ticket:",
        "</ticket>",
        "```",
        "{{ ticket }}",
        ":" * 9999,
    ]
    for reply in ask(*(request(prompt, ticket) for ticket in hostile)):
        assert reply.finish_reason == "stop"
        answer = values.loads(reply.text)
        assert list(answer) == ["label"]
        assert answer["label"] in sample.LABELS


def test_every_required_property_is_filled() -> None:
    nested = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    answer = filled(
        {
            "type": "object",
            "properties": {
                "reason": {"type": "string", "maxLength": 15},
                "score": {"type": "number", "minimum": 2.504, "maximum": 2.506},
                "stars": {"type": "integer", "minimum": 1, "maximum": 5},
                "nested": nested,
                "tags": {"type": "array", "items": {"enum": ["a"]}, "minItems": 2},
                "kind": {"const": "x"},
                "maybe": {"anyOf": [{"type": "null"}, {"type": "string"}]},
                "either": {"type": ["null", "integer"], "maximum": 0},
                "left_out": {"type": "string"},
            },
            "required": [
                *("reason", "score", "stars", "nested", "tags", "kind", "maybe", "either", "free")
            ],
        }
    )
    assert "left_out" not in answer
    assert answer["reason"] == "[simulated] parcel late"[:15]
    assert 2.504 <= answer["score"] <= 2.506
    assert answer["stars"] in range(1, 6)
    assert answer["nested"]["ok"] in {True, False}
    assert answer["tags"] == ["a", "a"]
    assert (answer["kind"], answer["maybe"], answer["either"]) == ("x", None, 0)
    assert answer["free"].startswith("[simulated] ")


def test_enumerated_numbers_stay_numbers() -> None:
    assert filled({"type": "object", "properties": {"n": {"enum": [1, 2]}}})["n"] in {1, 2}


def test_a_bottomless_schema_comes_to_an_end() -> None:
    schema: dict[str, Json] = {"type": "array"}
    schema["items"] = {"type": "array", "items": {"type": "array"}}
    for _ in range(30):
        schema = {"type": "array", "items": schema}
    assert values.dumps(filled(schema)).count("[") == 16


def test_without_a_schema_it_says_that_it_is_simulated() -> None:
    (reply,) = ask(PLAIN)
    assert reply.text == "[simulated] This is about parcel, late."
    assert reply.simulated
    (empty,) = ask(replace(PLAIN, messages=()))
    assert empty.text == "[simulated] This is about nothing that can be read."


def test_usage_counts_begun_fours_of_characters() -> None:
    (reply,) = ask(PLAIN)
    assert reply.usage is not None
    assert reply.usage.input_tokens == math.ceil(len(PLAIN.messages[0].content) / 4)
    assert reply.usage.output_tokens == count_tokens(reply.text) == math.ceil(len(reply.text) / 4)
    assert (reply.usage.cached_tokens, reply.usage.reasoning_tokens) == (0, 0)


@pytest.mark.parametrize(("limit", "length"), [(0, 0), (2, 8)])
def test_max_tokens_cuts_the_answer_and_says_so(limit: int, length: int) -> None:
    whole, cut = ask(PLAIN, replace(PLAIN, max_tokens=limit))
    assert cut.text == whole.text[:length]
    assert (whole.finish_reason, cut.finish_reason) == ("stop", "length")
    assert cut.usage is not None
    assert cut.usage.output_tokens == limit


def test_a_limit_that_is_not_reached_cuts_nothing() -> None:
    (reply,) = ask(replace(PLAIN, max_tokens=1000))
    assert reply.finish_reason == "stop"


def test_the_streamed_pieces_are_the_text_and_come_one_by_one() -> None:
    pieces: list[tuple[float, int, str]] = []

    async def work() -> Reply:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(others())
        try:
            return await SimulatedProvider().complete(
                PLAIN, lambda text: pieces.append((time.perf_counter(), turns, text))
            )
        finally:
            beside.cancel()

    started = time.perf_counter()
    reply = asyncio.run(work())
    times, turns, texts = zip(*pieces, strict=True)
    assert "".join(texts) == reply.text == ask(PLAIN)[0].text
    assert reply.first_token_ms is not None
    assert reply.first_token_ms < reply.latency_ms
    assert times[0] - started >= reply.first_token_ms / 1000
    assert times[-1] - started >= (reply.first_token_ms + reply.latency_ms) / 2000
    assert len(set(turns)) == len(pieces) > 2, "others have their turn between two pieces"


def test_it_really_takes_as_long_as_it_says() -> None:
    started = time.perf_counter()
    (reply,) = ask(PLAIN)
    assert time.perf_counter() - started >= reply.latency_ms / 1000
    assert reply.first_token_ms is None


def test_latencies_are_spread_and_grow_with_the_model() -> None:
    def median(replies: Sequence[Reply]) -> float:
        return sorted(reply.latency_ms for reply in replies)[len(replies) // 2]

    texts = [row["ticket"] for row in sample.tickets()[:100]]
    by_model = [
        ask(*(request(sample.CONTROL_PROMPT, text, model) for text in texts)) for model in PRICES
    ]
    small, medium, large = map(median, by_model)
    assert 25 < small < medium < large < 90
    assert len({reply.latency_ms for reply in by_model[0]}) == 100


def test_an_answer_later_than_the_deadline_is_a_timeout() -> None:
    started = time.perf_counter()
    with pytest.raises(ProviderTimeout, match=r"within 0.005 s"):
        ask(replace(PLAIN, timeout_s=0.005))
    assert time.perf_counter() - started >= 0.005


def test_an_unknown_model_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownModel, match="did you mean 'medium'"):
        ask(replace(PLAIN, model="medum"))


def test_larger_models_cost_more() -> None:
    assert list(PRICES) == ["small", "medium", "large"]
    assert sorted(PRICES.values()) == list(PRICES.values())
    assert all(0 < price_in < price_out for price_in, price_out in PRICES.values())
