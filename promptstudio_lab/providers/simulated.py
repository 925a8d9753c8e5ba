"""The offline default: a deterministic stand-in that reads the prompt, and is no language model.

It chooses between labels by the words that the prompt gives for them, plus seeded noise that is
larger for smaller models. So a better prompt really scores better, and everything around a model
(latency, tokens, prices, schemas, streaming) can be tried without a key.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from dataclasses import dataclass
from statistics import NormalDist
from types import MappingProxyType
from typing import TYPE_CHECKING

from promptstudio_lab import values
from promptstudio_lab.errors import ProviderTimeout, UnknownModel, did_you_mean
from promptstudio_lab.providers import providers
from promptstudio_lab.providers.chat import Reply, Usage
from promptstudio_lab.providers.reading import read_prompt, salient_words, score_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.providers.chat import ChatRequest
    from promptstudio_lab.providers.reading import Reading
    from promptstudio_lab.values import Json

_CHARACTERS_PER_TOKEN = 4
_LATENCY_SIGMA = 0.25
_MS_PER_S = 1000.0
_SALIENT_WORDS = 3
_PREFIX = "[simulated]"
_DEEPEST = 16
_DEFAULT_MAXIMUM = {"number": 1.0, "integer": 10.0}
_STANDARD_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class _Model:
    """One simulated model: its noise in words of evidence, its speed, its prices."""

    noise: float
    base_latency_ms: float
    ms_per_token: float
    input_nano_usd: int
    output_nano_usd: int


_MODELS = {
    "small": _Model(0.19, 25.0, 0.8, 150, 600),
    "medium": _Model(0.11, 40.0, 1.5, 800, 3_200),
    "large": _Model(0.07, 65.0, 3.0, 3_000, 15_000),
}

PRICES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {name: (model.input_nano_usd, model.output_nano_usd) for name, model in _MODELS.items()}
)
"""Per model: nano-USD for one input token and for one output token."""


@providers.register("simulated")
class SimulatedProvider:
    r"""Answers chat requests without a network, the same request always in the same way.

    A request with `returns` is answered by compact JSON in which every required property (every
    property, if none is required) is filled; a choice between enumerated values goes to the one
    whose words in the prompt fit the item best. A request without is answered by one sentence
    that begins with `[simulated]`.

    >>> from promptstudio_lab.providers.chat import ChatRequest, Message
    >>> schema = {"type": "object", "properties": {"label": {"enum": ["billing", "shipping"]}}}
    >>> prompt = "Sort the ticket: billing or shipping.\n\nTicket: My invoice is wrong."
    >>> request = ChatRequest("large", (Message("user", prompt),), returns=schema)
    >>> asyncio.run(SimulatedProvider().complete(request)).text
    '{"label":"billing"}'
    """

    simulated = True

    async def complete(
        self, request: ChatRequest, on_text: Callable[[str], None] | None = None
    ) -> Reply:
        """Answer one request after its simulated latency, telling `on_text` each piece of text.

        A token is four characters, begun ones counted whole: of all messages together for the
        input, of the text for the output. `max_tokens` cuts the text by the same rule.

        Raises:
            UnknownModel: if the model is none of `small`, `medium` and `large`.
            ProviderTimeout: if the latency is longer than `request.timeout_s`.
        """
        started = asyncio.get_running_loop().time()
        model = _model(request.model)
        draw = _Draw(request)
        whole = _answer(request, model.noise, draw)
        text = whole
        if request.max_tokens is not None:
            text = whole[: max(request.max_tokens, 0) * _CHARACTERS_PER_TOKEN]
        tokens = count_tokens(text)
        pace = math.exp(_LATENCY_SIGMA * draw.normal("latency"))
        first_ms = pace * model.base_latency_ms
        each_ms = pace * model.ms_per_token
        latency_ms = first_ms + tokens * each_ms
        await _wait(started, min(first_ms, request.timeout_s * _MS_PER_S))
        if latency_ms > request.timeout_s * _MS_PER_S:
            await _wait(started, request.timeout_s * _MS_PER_S)
            message = f"no whole answer within {request.timeout_s:g} s. Hint: raise timeout_s."
            raise ProviderTimeout(message)
        if on_text is not None:
            for count, piece in enumerate(_pieces(text)):
                await _wait(started, first_ms + count * each_ms)
                on_text(piece)
        await _wait(started, latency_ms)
        return Reply(
            text=text,
            finish_reason="stop" if text == whole else "length",
            usage=Usage(count_tokens("".join(m.content for m in request.messages)), 0, tokens, 0),
            model=request.model,
            request_id=f"simulated-{draw.key.hex()[:16]}",
            latency_ms=latency_ms,
            first_token_ms=first_ms if on_text is not None and text else None,
            simulated=True,
        )


def count_tokens(text: str) -> int:
    """Return the tokens of a text by the simulator's rule: one for each begun four characters.

    >>> count_tokens("four"), count_tokens("fives"), count_tokens("")
    (1, 2, 0)
    """
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN)


class _Draw:
    """Named random numbers that depend on nothing but the request."""

    def __init__(self, request: ChatRequest) -> None:
        asked = {
            "model": request.model,
            "messages": [
                [message.role, values.without_surrogates(message.content)]
                for message in request.messages
            ],
            "returns": request.returns,
            "seed": request.seed,
            "temperature": request.temperature,
        }
        text = values.dumps(asked).encode("ascii")
        self.key = hashlib.blake2b(text, digest_size=32).digest()

    def uniform(self, name: str) -> float:
        """Return the number between 0 and 1, both excluded, that has this name."""
        digest = hashlib.blake2b(name.encode("utf-8", "replace"), key=self.key, digest_size=6)
        return (int.from_bytes(digest.digest(), "big") + 0.5) / 2**48

    def normal(self, name: str) -> float:
        """Return the standard normal number that has this name."""
        return _STANDARD_NORMAL.inv_cdf(self.uniform(name))


def _model(name: str) -> _Model:
    if name not in _MODELS:
        message = f"there is no simulated model {name!r}.{did_you_mean(name, _MODELS)}"
        raise UnknownModel(message)
    return _MODELS[name]


def _answer(request: ChatRequest, noise: float, draw: _Draw) -> str:
    reading = read_prompt(request.messages)
    if request.returns is None:
        words = ", ".join(salient_words(reading.item, _SALIENT_WORDS))
        return f"{_PREFIX} This is about {words or 'nothing that can be read'}."
    # At temperature 0 half of the noise stays: a small model is also wrong when it is certain.
    heat = 1.0 if request.temperature is None else request.temperature
    return values.dumps(_Filler(reading, noise * (1.0 + heat) / 2, draw).fill(request.returns))


@dataclass(frozen=True, slots=True)
class _Filler:
    """Fills a JSON Schema with values that follow from the prompt and the draw alone."""

    reading: Reading
    noise: float
    draw: _Draw

    def fill(self, schema: Mapping[str, Json], path: str = "", depth: int = 0) -> Json:
        """Return a value for one schema, the first of several; what is left open is a text."""
        schema = next(iter(schema.get("anyOf") or schema.get("oneOf") or ()), schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._choice(schema["enum"], path)
        kind = _kind(schema) if depth < _DEEPEST else "null"
        if kind == "object":
            return self._object(schema, path, depth)
        if kind == "array":
            items = schema.get("items", {})
            count = max(1, schema.get("minItems", 1))
            return [self.fill(items, f"{path}/{at}", depth + 1) for at in range(count)]
        return self._scalar(schema, kind, path)

    def _scalar(self, schema: Mapping[str, Json], kind: str, path: str) -> Json:
        if kind == "null":
            return None
        if kind == "boolean":
            return self.draw.uniform(path) < 1 / 2
        if kind in _DEFAULT_MAXIMUM:
            return self._number(schema, kind, path)
        words = " ".join(salient_words(self.reading.item, _SALIENT_WORDS))
        return f"{_PREFIX} {words}".strip()[: schema.get("maxLength")]

    def _object(self, schema: Mapping[str, Json], path: str, depth: int) -> Json:
        properties = schema.get("properties", {})
        return {
            name: self.fill(properties.get(name, {}), f"{path}/{name}", depth + 1)
            for name in schema.get("required") or properties
        }

    def _choice(self, options: list[Json], path: str) -> Json:
        by_name = {str(option): option for option in options}
        scores = score_labels(list(by_name), self.reading)

        def appeal(name: str) -> float:
            return scores[name] + self.noise * self.draw.normal(f"{path}={name}")

        return by_name[max(by_name, key=appeal)]

    def _number(self, schema: Mapping[str, Json], kind: str, path: str) -> Json:
        low = schema.get("minimum", 0)
        high = schema.get("maximum", low + _DEFAULT_MAXIMUM[kind])
        drawn = low + self.draw.uniform(path) * (high - low)
        if kind == "integer":
            return max(math.ceil(low), math.floor(drawn))
        return min(max(round(drawn, 2), low), high)


def _kind(schema: Mapping[str, Json]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, (list, tuple)):
        kind = next((name for name in kind if name != "null"), "null")
    return str(kind)


def _pieces(text: str) -> list[str]:
    step = _CHARACTERS_PER_TOKEN
    return [text[at : at + step] for at in range(0, len(text), step)]


async def _wait(started: float, until_ms: float) -> None:
    left_s = started + until_ms / _MS_PER_S - asyncio.get_running_loop().time()
    await asyncio.sleep(max(left_s, 0.0))
