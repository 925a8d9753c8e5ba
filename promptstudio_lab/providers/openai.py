"""OpenAI and every server that speaks its Chat Completions, through the `openai` client.

The client is shared and never retries: each attempt is a row of its own, so the engine does that.
It follows no redirect, since the prompt would go where nobody sent it. The key is looked up by
name when a call is made, and no error keeps it.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from promptstudio_lab import settings, values
from promptstudio_lab.errors import MissingKey, ProviderError
from promptstudio_lab.providers import providers
from promptstudio_lab.providers.completions import Answer, body_of
from promptstudio_lab.providers.failures import Call, failure_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from openai import AsyncOpenAI

    from promptstudio_lab.providers.chat import ChatRequest, Reply
    from promptstudio_lab.values import Json

    _Held = tuple[AsyncGenerator[AsyncOpenAI], AsyncOpenAI]

_KEY = "OPENAI_API_KEY"
_ADDRESS = "OPENAI_BASE_URL"
_OPENAI = "https://api.openai.com/v1"
_OPENAI_HOST = "api.openai.com"
_NO_KEY = "no-key"  # local servers want none, but the client does
_PATH = "/chat/completions"
# Shorter keys are placeholders such as "ollama", and words that a text may hold.
_SHORTEST_SECRET = 16
_LIKE_A_KEY = re.compile(r"\b(?:sk-|Bearer )[\w*.\-]{8,}")
_REDACTED = "[key]"
_END = object()


@providers.register("openai")
class OpenAIProvider:
    """Answers chat requests by OpenAI, or by the server that `OPENAI_BASE_URL` names.

    The caller holds the total deadline; `timeout_s` here limits each wait for the server. Being
    cancelled closes the connection, which stops the billing.
    """

    simulated = False

    @staticmethod
    def ready() -> bool:
        """Tell whether a call could be made: whether there is a key, or none is needed."""
        try:
            _key(_base_url())
        except ProviderError:
            return False
        return True

    def __init__(self) -> None:
        """Begin without a connection."""
        self._held: dict[tuple[asyncio.AbstractEventLoop, str], _Held] = {}

    async def complete(
        self, request: ChatRequest, on_text: Callable[[str], None] | None = None
    ) -> Reply:
        """Answer one request, telling `on_text` each piece of text as it arrives.

        Raises:
            MissingKey: if there is no key, or the server does not take it.
            UnknownModel: if the server has no such model.
            RateLimited: if the server asks to wait.
            ProviderUnavailable: if it failed or cannot be reached.
            ProviderTimeout: if it fell silent for longer than `request.timeout_s`.
            BadReply: by its code: `incomplete`, `truncated`, `refusal`, `malformed`,
                `bad_request` or `quota`.
        """
        base_url = _base_url()
        _key(base_url)
        client = await self._client(base_url)
        answer = Answer(f"openai:{request.model}", request.model, _without_key)
        limit = "max_completion_tokens" if _is_openai(base_url) else "max_tokens"
        failure = await _send(client, body_of(request, limit), request, answer, on_text)
        # Raised where no error of the client is being handled: it would be kept as the context.
        if failure is not None:
            raise failure
        return answer.whole()

    async def _client(self, base_url: str) -> AsyncOpenAI:
        loop = asyncio.get_running_loop()
        if (loop, base_url) not in self._held:
            for old in [key for key in self._held if key[0].is_closed()]:
                self._held.pop(old, None)
            lifetime = self._lifetime(loop, base_url)
            self._held[loop, base_url] = (lifetime, await anext(lifetime))
        return self._held[loop, base_url][1]

    async def _lifetime(
        self, loop: asyncio.AbstractEventLoop, base_url: str
    ) -> AsyncGenerator[AsyncOpenAI]:
        """Hold a client until its loop ends, which closes what the loop generates."""
        import openai

        async def key() -> str:
            return _key(base_url)

        client = openai.AsyncOpenAI(
            api_key=key,
            base_url=base_url,
            max_retries=0,
            http_client=openai.DefaultAioHttpClient(follow_redirects=False),
        )
        try:
            yield client
        finally:
            self._held.pop((loop, base_url), None)
            await client.close()


async def _send(
    client: AsyncOpenAI,
    body: dict[str, Json],
    request: ChatRequest,
    answer: Answer,
    on_text: Callable[[str], None] | None,
) -> ProviderError | None:
    """Send a request and give `answer` what comes back; return what went wrong on the way."""
    import httpx2
    import openai

    try:
        if on_text is None:
            await _ask(client, body, request.timeout_s, answer)
        else:
            await _stream(client, body, request.timeout_s, answer, on_text)
    except (openai.OpenAIError, httpx2.HTTPError) as error:
        call = Call(request.model, client.base_url.host, _KEY, _without_keys)
        return failure_of(error, call, answer.partial())
    return None


async def _ask(
    client: AsyncOpenAI, body: dict[str, Json], timeout_s: float, answer: Answer
) -> None:
    import httpx2

    # The bytes as they came: the client's typed response believes whatever a server sends.
    response = await client.post(
        _PATH, body=body, cast_to=httpx2.Response, options={"timeout": timeout_s}
    )
    answer.known_as(response.headers.get("x-request-id"))
    answer.add(_json(response.content))


async def _stream(
    client: AsyncOpenAI,
    body: dict[str, Json],
    timeout_s: float,
    answer: Answer,
    on_text: Callable[[str], None],
) -> None:
    import openai

    stream = await client.post(
        _PATH,
        body=body | {"stream": True, "stream_options": {"include_usage": True}},
        cast_to=object,
        options={"timeout": timeout_s},
        stream=True,
        stream_cls=openai.AsyncStream[object],
    )
    async with stream:
        answer.known_as(stream.response.headers.get("x-request-id"))
        chunks = aiter(stream)
        while (chunk := await _next(chunks)) is not _END:
            if text := answer.add(chunk):
                on_text(text)


async def _next(chunks: AsyncIterator[object]) -> object:
    try:
        return await anext(chunks, _END)
    except (ValueError, RecursionError):  # a line that is no JSON: what follows cannot be trusted
        return _END


def _json(content: bytes) -> Json:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):  # HTML, as a rule
        return None


def _base_url() -> str:
    base_url = (settings.provider_origin(_ADDRESS) or _OPENAI).strip()
    if not _is_address(base_url):
        # Not quoted: it may hold a password.
        message = f"{_ADDRESS} is no address of a server; one looks like {_OPENAI}"
        raise ProviderError(message)
    # The key is what a server is told; a name and a password in its address are never sent.
    parts = urlsplit(base_url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _is_address(base_url: str) -> bool:
    try:
        parts = urlsplit(base_url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_openai(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    return host == _OPENAI_HOST or host.endswith(f".{_OPENAI_HOST}")


def _key(base_url: str) -> str:
    key = (settings.secret(_KEY) or "").strip()
    if not key and _is_openai(base_url):
        message = (
            f"OpenAI needs a key, and {_KEY} is not set. Hint: put this line into a cell, and the "
            f"key where it asks: import getpass, os; os.environ[{_KEY!r}] = getpass.getpass()"
        )
        raise MissingKey(message)
    # A header takes nothing else, and the client's complaint would show the key.
    if not all("!" <= character <= "~" for character in key):
        message = f"{_KEY} holds characters that no key has. Hint: copy it again, whole."
        raise MissingKey(message)
    return key or _NO_KEY


def _without_key(text: str) -> str:
    """Return a stranger's text as it may be kept: well-formed, and without the key."""
    key = (settings.secret(_KEY) or "").strip()
    if len(key) >= _SHORTEST_SECRET:
        text = text.replace(key, _REDACTED)
    return values.without_surrogates(text)


def _without_keys(text: str) -> str:
    """Return a message without anything that looks like a key, even a masked or an old one."""
    return _LIKE_A_KEY.sub(_REDACTED, _without_key(text))
