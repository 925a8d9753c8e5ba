"""Chat Completions, which OpenAI and every compatible server speak: requests, and answers read.

A stranger wrote the answers: every field may be missing, of another type, or hostile.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from promptstudio_lab import values
from promptstudio_lab.errors import BadReply
from promptstudio_lab.providers.chat import Reply, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.providers.chat import ChatRequest
    from promptstudio_lab.values import Json

_MOST_TOKENS = 2**63 - 1  # what a BIGINT holds
_LONGEST_NAME = 200
_MS_PER_S = 1e3


def body_of(request: ChatRequest, limit: str) -> dict[str, Json]:
    """Return the JSON body that asks for one answer, whole.

    Args:
        request: what to ask; what it leaves open is not sent.
        limit: the server's name for the most output tokens.

    >>> from promptstudio_lab.providers.chat import ChatRequest, Message
    >>> body_of(ChatRequest("gpt-5", (Message("user", "Hi"),), max_tokens=5), "max_tokens")
    {'model': 'gpt-5', 'messages': [{'role': 'user', 'content': 'Hi'}], 'max_tokens': 5}
    """
    body: dict[str, Json] = {
        "model": request.model,
        "messages": [
            {"role": message.role, "content": values.without_surrogates(message.content)}
            for message in request.messages
        ],
    }
    options = {"temperature": request.temperature, limit: request.max_tokens, "seed": request.seed}
    body.update({name: value for name, value in options.items() if value is not None})
    if request.returns is not None:
        shape = {"name": "answer", "strict": True, "schema": request.returns}
        body["response_format"] = {"type": "json_schema", "json_schema": shape}
    return body


def usage_of(told: Json) -> Usage | None:
    """Return the tokens that a server counted, in disjoint buckets; None where it is silent.

    >>> usage_of(
    ...     {
    ...         "prompt_tokens": 120,
    ...         "completion_tokens": "30",
    ...         "prompt_tokens_details": {"cached_tokens": 100},
    ...     }
    ... )
    Usage(input_tokens=20, cached_tokens=100, output_tokens=30, reasoning_tokens=None)
    >>> usage_of(None) is None
    True
    """
    if not isinstance(told, dict):
        return None
    cached = _count(told.get("prompt_tokens_details"), "cached_tokens")
    reasoning = _count(told.get("completion_tokens_details"), "reasoning_tokens")
    read, cached = _apart(_count(told, "prompt_tokens"), cached)
    written, reasoning = _apart(_count(told, "completion_tokens"), reasoning)
    return None if read is None and written is None else Usage(read, cached, written, reasoning)


class Answer:
    """What has arrived of one answer, whole or in pieces, and when.

    Args:
        where: provider and model, as messages name them.
        model: the model that was asked.
        clean: makes a stranger's text fit to keep.

    >>> answer = Answer("openai:gpt-5", "gpt-5", values.without_surrogates)
    >>> answer.add({"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]})
    'Hello'
    >>> answer.whole().text
    'Hello'
    """

    def __init__(self, where: str, model: str, clean: Callable[[str], str]) -> None:
        """Begin with nothing, and the clock running."""
        self._where, self._model, self._clean = where, model, clean
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._reason: str | None = None
        self._usage: Usage | None = None
        self._answered = False
        self._request_id: str | None = None
        self._started = perf_counter()
        self._first_text_at: float | None = None

    def known_as(self, request_id: str | None) -> None:
        """Keep the provider's id of the call."""
        self._request_id = self._name(request_id) or self._request_id

    def add(self, part: Json) -> str:
        """Take in a whole answer or one piece of a stream, and return the text that it brings."""
        if not isinstance(part, dict):
            return ""
        self._model = self._name(part.get("model")) or self._model
        self._request_id = self._request_id or self._name(part.get("id"))
        self._usage = usage_of(part.get("usage")) or self._usage
        choices = part.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return ""
        self._answered = True
        self._reason = self._name(choice.get("finish_reason")) or self._reason
        if isinstance(whole := choice.get("message"), dict):
            return self._hear(whole)
        piece = choice.get("delta")
        text = self._hear(piece) if isinstance(piece, dict) else ""
        if text and self._first_text_at is None:
            self._first_text_at = perf_counter()
        return text

    def partial(self) -> Reply | None:
        """Return what has arrived so far, if anything has."""
        return self._reply() if self._answered or self._usage else None

    def whole(self) -> Reply:
        """Return the reply.

        Raises:
            BadReply: unless it is a whole answer; it keeps what has arrived.
        """
        problem = self._problem()
        if problem is None:
            return self._reply()
        code, message = problem
        message = f"{self._where} {message}"
        raise BadReply(message, code=code, reply=self._reply())

    def _hear(self, said: Mapping[str, Json]) -> str:
        refusal, content = said.get("refusal"), said.get("content")
        if isinstance(refusal, str) and refusal:
            self._refusals.append(refusal)
        if not isinstance(content, str):
            return ""
        text = self._clean(content)
        self._texts.append(text)
        return text

    def _problem(self) -> tuple[str, str] | None:
        if not self._answered:
            return "malformed", (
                "sent no `choices`: this is no Chat Completions answer. "
                "Hint: does OPENAI_BASE_URL name the API itself, as in https://host/v1?"
            )
        if self._refusals or self._reason == "content_filter":
            return "refusal", "refused to answer; its words are kept with the call."
        if self._reason == "stop":
            return None if self._texts else ("malformed", "sent `choices` without any text.")
        if self._reason is None:
            return "incomplete", "broke off: it never said why it stopped (`finish_reason`)."
        if self._reason == "length":
            return "truncated", "stopped at the token limit. Hint: raise max_tokens."
        return "incomplete", f"stopped because of {self._reason!r}, which is no whole answer."

    def _reply(self) -> Reply:
        now = perf_counter()
        return Reply(
            text="".join(self._texts) or self._clean("".join(self._refusals)),
            finish_reason=self._reason or "",
            usage=self._usage,
            model=self._model,
            request_id=self._request_id,
            latency_ms=(now - self._started) * _MS_PER_S,
            first_token_ms=self._first_token_ms(),
        )

    def _first_token_ms(self) -> float | None:
        if self._first_text_at is None:
            return None
        return (self._first_text_at - self._started) * _MS_PER_S

    def _name(self, told: Json) -> str | None:
        if not isinstance(told, str):
            return None
        return self._clean(told)[:_LONGEST_NAME].replace("\0", "") or None


def _count(told: Json, name: str) -> int | None:
    """Return a count that is exactly a whole number, however it is written."""
    value = told.get(name) if isinstance(told, dict) else None
    if isinstance(value, str):
        digits = value.isascii() and value.isdigit() and len(value) <= len(str(_MOST_TOKENS))
        value = int(value) if digits else None
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= _MOST_TOKENS else None


def _apart(everything: int | None, part: int | None) -> tuple[int | None, int | None]:
    """Return the rest and the part; a part that is larger than everything tells us neither."""
    if everything is None or part is None:
        return everything, None
    return (everything - part, part) if part <= everything else (None, None)
