"""What a reply cost and what a call may cost at most, in nano-dollars; unknown is never zero."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from promptstudio_lab import values
from promptstudio_lab.money import usd
from promptstudio_lab.providers.simulated import PRICES, count_tokens

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

    from promptstudio_lab.providers.chat import ChatRequest, Reply, Usage

DEFAULT_OUTPUT_TOKENS = 4_096
"""What a call is taken to write at most when it sets no `max_tokens`."""

_SIMULATED = "simulated"
_TOKENS_PER_MESSAGE = 16
_INPUT_STEP = 1_024
_LETTERS = 4


def price(provider: str, reply: Reply, at: datetime) -> tuple[int | None, str | None]:
    """Return what a reply cost and where the price came from.

    Args:
        provider: the provider's name, such as `openai`.
        reply: what was answered, with its tokens.
        at: when the call was made; the price of that moment counts.

    Returns:
        Nano-dollars and the source of the price; both None when the tokens or the price are
        unknown.

    >>> from promptstudio_lab.providers.chat import Reply, Usage
    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> price("simulated", Reply("yes", "stop", Usage(100, 0, 10, 0), "small"), at)
    (21000, 'simulated')
    >>> price("openai", Reply("yes", "stop", Usage(100, 0, 10, 0), "no-such-model"), at)
    (None, None)
    """
    usage = reply.usage
    if usage is None or usage.read_tokens is None or usage.written_tokens is None:
        return None, None
    if provider == _SIMULATED:
        cost, source = _simulated(reply.model, usage.read_tokens, usage.written_tokens), _SIMULATED
    else:
        cost, source = _charged(provider, reply.model, usage, at), _source()
    return (None, None) if cost is None else (cost, source)


def worst_case(provider: str, request: ChatRequest) -> int:
    """Return the most that a call may cost, in nano-dollars; 0 when its price is unknown.

    A token is at least one byte of the prompt, and no more than `max_tokens` are written, or
    `DEFAULT_OUTPUT_TOKENS` when the request leaves that to the provider.

    >>> from promptstudio_lab.providers.chat import ChatRequest, Message
    >>> worst_case("simulated", ChatRequest("small", (Message("user", "Hi!!"),), max_tokens=10))
    6150
    """
    written = DEFAULT_OUTPUT_TOKENS if request.max_tokens is None else request.max_tokens
    if provider == _SIMULATED:
        read = count_tokens("".join(message.content for message in request.messages))
        return _simulated(request.model, read, written) or 0
    read = sum(_most_tokens(m.content) + _TOKENS_PER_MESSAGE for m in request.messages)
    if request.returns is not None:
        read += _most_tokens(values.dumps(request.returns))
    # In steps, so that calls of about the same size share one computed price.
    read = -(-read // _INPUT_STEP) * _INPUT_STEP
    # Some prices hold for a part of the day, and none for less than a minute.
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    return _most(provider, request.model, read, written, minute)


def most_tokens(request: ChatRequest) -> int:
    """Return how many tokens a call is taken to use at most: about four letters of input a token.

    >>> from promptstudio_lab.providers.chat import ChatRequest, Message
    >>> most_tokens(ChatRequest("small", (Message("user", "Hi!!"),), max_tokens=10))
    11
    """
    written = DEFAULT_OUTPUT_TOKENS if request.max_tokens is None else request.max_tokens
    return written + sum(-(-len(message.content) // _LETTERS) for message in request.messages)


def per_token(provider: str, model: str) -> tuple[float, float] | None:
    """Return what a model asks for a token read and one written, in nano-dollars, or None.

    >>> per_token("simulated", "small"), per_token("simulated", "no-such-model")
    ((150.0, 600.0), None)
    """
    if provider == _SIMULATED:
        prices = PRICES.get(model)
        return (float(prices[0]), float(prices[1])) if prices else None
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    if _prices(provider, model, minute) is None:
        return None
    read = _most(provider, model, _INPUT_STEP, 0, minute) / _INPUT_STEP
    return read, _most(provider, model, 0, _INPUT_STEP, minute) / _INPUT_STEP


def _simulated(model: str, read: int, written: int) -> int | None:
    if model not in PRICES:
        return None
    input_nano_usd, output_nano_usd = PRICES[model]
    return read * input_nano_usd + written * output_nano_usd


def _charged(provider: str, model: str, usage: Usage, at: datetime) -> int | None:
    from genai_prices import Usage as Inclusive

    prices = _prices(provider, model, at)
    if prices is None:
        return None
    # Our buckets are disjoint; there, the cached are among the input and reasoning is output.
    inclusive = Inclusive(
        input_tokens=usage.read_tokens,
        cache_read_tokens=usage.cached_tokens,
        output_tokens=usage.written_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )
    return usd(prices.calc_price(inclusive)["total_price"])


@lru_cache(maxsize=1_024)
def _most(provider: str, model: str, read: int, written: int, at: datetime) -> int:
    from genai_prices import Usage as Inclusive

    prices = _prices(provider, model, at)
    if prices is None:
        return 0
    inclusive = Inclusive(input_tokens=read, output_tokens=written)
    return usd(prices.calc_price(inclusive)["total_price"])


def _prices(provider: str, model: str, at: datetime) -> ModelPrice | None:
    found = _model(provider, model)
    prices = found.get_prices(at) if found else None
    # A model without these two is not charged by the token: its price is not known to us.
    if prices is None or prices.input_mtok is None or prices.output_mtok is None:
        return None
    return prices


@lru_cache(maxsize=1_024)
def _model(provider: str, model: str) -> ModelInfo | None:
    from genai_prices import data_snapshot

    try:
        return data_snapshot.get_snapshot().find_provider_model(model, None, provider, None)[1]
    except LookupError:
        return None


def _most_tokens(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


@lru_cache(maxsize=1)
def _source() -> str:
    return f"genai-prices {version('genai-prices')}"
