from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest
from genai_prices import calc_price

from promptstudio_lab.money import NANO_PER_USD, usd
from promptstudio_lab.providers.chat import ChatRequest, Message, Reply, Usage
from promptstudio_lab.providers.prices import DEFAULT_OUTPUT_TOKENS, price, worst_case
from promptstudio_lab.providers.simulated import PRICES

AT = datetime(2026, 6, 1, tzinfo=UTC)
SOURCE = f"genai-prices {genai_prices.__version__}"
REQUEST = ChatRequest("gpt-4o-mini", (Message("user", "word " * 400),), max_tokens=100)


def reply(model: str, usage: Usage | None) -> Reply:
    return Reply("text", "stop", usage, model)


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-4o-mini-2024-07-18", "gpt-5", "gpt-5.5"])
@pytest.mark.parametrize(
    "usage",
    [
        Usage(176, 1024, 192, 64),
        Usage(1200, None, 256, None),
        Usage(0, 0, 0, 0),
        Usage(1, 0, 1, 0),
        Usage(300_000, 1_000, 7, 3),  # beyond the first tier of long contexts
    ],
)
def test_a_known_model_costs_what_genai_prices_says(model: str, usage: Usage) -> None:
    inclusive = genai_prices.Usage(
        input_tokens=usage.read_tokens,
        cache_read_tokens=usage.cached_tokens,
        output_tokens=usage.written_tokens,
    )
    expected = calc_price(inclusive, model, provider_id="openai", genai_request_timestamp=AT)
    exact = expected.total_price * NANO_PER_USD
    cost, source = price("openai", reply(model, usage), AT)
    assert cost is not None
    assert abs(cost - exact) <= Decimal("0.5")
    assert source == SOURCE


def test_cached_tokens_are_counted_once() -> None:
    # By the price list: $0.15 and $0.075 (cached) a million read, $0.60 a million written.
    cost, _ = price("openai", reply("gpt-4o-mini", Usage(176, 1024, 192, 64)), AT)
    assert cost == 176 * 150 + 1024 * 75 + (192 + 64) * 600


def test_the_price_of_the_day_counts() -> None:
    usage = Usage(1_000_000, 0, 0, 0)
    assert price("openai", reply("o3", usage), datetime(2025, 6, 1, tzinfo=UTC))[0] == usd(10)
    assert price("openai", reply("o3", usage), datetime(2025, 7, 1, tzinfo=UTC))[0] == usd(2)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("openai", ""),
        ("openai", "whisper-1"),  # charged by the hour
        ("openai", "text-embedding-3-small"),  # writes nothing
        ("nobody", "gpt-4o-mini"),
        ("simulated", "gpt-4o-mini"),
        ("openai", "small"),
    ],
)
def test_an_unknown_model_has_no_price(provider: str, model: str) -> None:
    assert price(provider, reply(model, Usage(10, 0, 10, 0)), AT) == (None, None)
    assert worst_case(provider, replace(REQUEST, model=model)) == 0


@pytest.mark.parametrize("provider", ["openai", "simulated"])
@pytest.mark.parametrize(
    "usage", [None, Usage(None, None, None, None), Usage(None, 5, 1, 0), Usage(5, 0, None, 0)]
)
def test_unknown_tokens_have_no_price(provider: str, usage: Usage | None) -> None:
    model = "small" if provider == "simulated" else "gpt-4o-mini"
    assert price(provider, reply(model, usage), AT) == (None, None)


@pytest.mark.parametrize("model", list(PRICES))
def test_the_stand_in_has_its_own_prices(model: str) -> None:
    read, written = PRICES[model]
    cost = 10 * read + 3 * written
    assert price("simulated", reply(model, Usage(7, 3, 2, 1)), AT) == (cost, "simulated")
    request = replace(REQUEST, model=model)
    assert worst_case("simulated", request) == 500 * read + 100 * written


@pytest.mark.parametrize("text", ["word " * 400, "界" * 500, "0x1f9a" * 300, "😀" * 300, ""])
def test_the_worst_case_is_never_less_than_the_cost(text: str) -> None:
    request = replace(REQUEST, messages=(Message("user", text),))
    most_tokens = len(text.encode())  # no tokenizer makes more
    cost, _ = price(
        "openai", reply("gpt-4o-mini", Usage(most_tokens, 0, 100, 0)), datetime.now(UTC)
    )
    assert cost is not None
    assert cost <= worst_case("openai", request) <= cost + 2 * 1024 * 150


def test_what_a_call_may_write_is_stated() -> None:
    limited = worst_case("openai", replace(REQUEST, max_tokens=DEFAULT_OUTPUT_TOKENS))
    assert worst_case("openai", replace(REQUEST, max_tokens=None)) == limited
    assert worst_case("openai", replace(REQUEST, max_tokens=0)) < limited


def test_a_schema_is_read_too() -> None:
    schema = {"type": "object", "description": "x" * 10_000}
    assert worst_case("openai", replace(REQUEST, returns=schema)) > worst_case("openai", REQUEST)


def test_the_worst_case_is_cheap_to_know() -> None:
    worst_case("openai", REQUEST)
    started = time.thread_time()
    for size in range(200):
        worst_case("openai", replace(REQUEST, messages=(Message("user", "w" * size),)))
    priced = time.thread_time() - started
    started = time.thread_time()
    usage = genai_prices.Usage(input_tokens=100, output_tokens=100)
    for _ in range(200):
        calc_price(usage, "gpt-4o-mini", provider_id="openai")
    assert priced < time.thread_time() - started
