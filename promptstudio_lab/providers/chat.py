"""What is asked of a model and what comes back: the one vocabulary of every provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.values import Json


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation.

    Attributes:
        role: `system`, `user` or `assistant`.
        content: the literal text.
    """

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One call of a model.

    Attributes:
        model: the provider's own name of the model, without the provider's prefix.
        messages: the conversation, oldest first.
        returns: the JSON Schema of the wanted object, or None for plain text.
        temperature: sampling temperature, or None for the provider's default.
        max_tokens: the most output tokens, or None for the provider's default.
        seed: asks for repeatable sampling where the provider can.
        timeout_s: the total deadline of this call, in seconds.
    """

    model: str
    messages: tuple[Message, ...]
    returns: Mapping[str, Json] | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    timeout_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call in disjoint buckets, each counted once; None where the provider is silent.

    Attributes:
        input_tokens: read in full price, without what came from the provider's cache.
        cached_tokens: read from the provider's cache.
        output_tokens: written, without reasoning.
        reasoning_tokens: written while reasoning, charged as output.
    """

    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None

    @property
    def read_tokens(self) -> int | None:
        """Return all input tokens, cached or not; None when the provider is silent."""
        return None if self.input_tokens is None else self.input_tokens + (self.cached_tokens or 0)

    @property
    def written_tokens(self) -> int | None:
        """Return all output tokens, reasoning or not; None when the provider is silent."""
        if self.output_tokens is None:
            return None
        return self.output_tokens + (self.reasoning_tokens or 0)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered, whole.

    Attributes:
        text: the literal text.
        finish_reason: the provider's word for why it stopped; `stop` is a whole answer.
        usage: the tokens, or None when the provider did not say.
        model: the model that answered, as the provider names it.
        request_id: the provider's id of the call, for its support desk.
        latency_ms: from sending the request to the last byte, in milliseconds.
        first_token_ms: from sending the request to the first text, when it was streamed.
        simulated: whether a stand-in answered and not a language model.
    """

    text: str
    finish_reason: str
    usage: Usage | None
    model: str
    request_id: str | None = None
    latency_ms: float = 0.0
    first_token_ms: float | None = None
    simulated: bool = False


class Provider(Protocol):
    """Something that answers chat requests.

    Attributes:
        simulated: whether its answers are those of a stand-in; shown wherever they are.
    """

    simulated: bool

    async def complete(
        self, request: ChatRequest, on_text: Callable[[str], None] | None = None
    ) -> Reply:
        """Answer one request, telling `on_text` each piece of text as it arrives.

        Raises:
            ProviderError: one of its kinds, keeping what was already paid for.
        """
        ...
