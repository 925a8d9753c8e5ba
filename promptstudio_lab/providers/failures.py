"""What went wrong with a call, in our own words: nothing of the client's errors is kept.

Those errors hold the request with its key, and take it along when they are logged or pickled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from promptstudio_lab.errors import (
    BadReply,
    MissingKey,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    UnknownModel,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openai import APIStatusError

    from promptstudio_lab.providers.chat import Reply

_LONGEST_QUOTE = 200
_MS_PER_S = 1e3
_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT}
_NO_ENTRY = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass(frozen=True, slots=True)
class Call:
    """Whom a call went to, for messages.

    Attributes:
        model: the model that was asked.
        host: the server that was asked.
        key: the name of the setting that holds the key.
        clean: makes a stranger's text fit to keep, without the key.
    """

    model: str
    host: str
    key: str
    clean: Callable[[str], str]

    def quote(self, said: object) -> str:
        """Return what a server said as the end of a sentence, short and on one line."""
        if not isinstance(said, str) or not said.strip() or said.lstrip().startswith("<"):
            return ""
        words = " ".join(self.clean(said).replace("\0", "").split())
        more = "…" if len(words) > _LONGEST_QUOTE else ""
        return f": {words[:_LONGEST_QUOTE]}{more}"


def failure_of(error: Exception, call: Call, partial: Reply | None) -> ProviderError:
    """Return our error for one of the client's.

    Args:
        error: what the client raised.
        call: whom it asked.
        partial: what had already arrived.
    """
    import httpx2
    import openai

    if isinstance(error, openai.APIStatusError):
        return _of_status(error, call)
    silent = isinstance(error, (openai.APITimeoutError, httpx2.TimeoutException))
    # No connection was made, be it refused at once or never answered: then nothing was asked.
    reached = not isinstance(error.__cause__ or error, httpx2.ConnectTimeout)
    if silent and reached:
        return ProviderTimeout(f"{call.host} fell silent for too long", reply=partial)
    if isinstance(error, openai.APIConnectionError) or not isinstance(error, openai.APIError):
        if partial is not None:
            message = f"{call.host} broke off in the middle of the answer of {call.model}"
            return BadReply(message, code="incomplete", reply=partial)
        cause = error.__cause__ or error
        reason = call.quote(str(cause) or type(cause).__name__)
        return ProviderUnavailable(f"{call.host} cannot be reached{reason}")
    message = f"{call.host} failed in the middle of the answer{call.quote(error.message)}"
    return ProviderUnavailable(message, reply=partial)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how many seconds a server asks to wait, by either of its headers.

    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> retry_after_s({"retry-after-ms": "1500"}, now)
    1.5
    >>> retry_after_s({"retry-after": "Thu, 01 Jan 2026 00:01:00 GMT"}, now)
    60.0
    >>> retry_after_s({"retry-after": "soon"}, now) is None
    True
    """
    for name, unit in (("retry-after-ms", _MS_PER_S), ("retry-after", 1.0)):
        seconds = _number(headers.get(name, "")) / unit
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    try:
        at = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    # A date without a zone is meant as the header's own: always UTC.
    return max((at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds(), 0.0)


def _of_status(error: APIStatusError, call: Call) -> ProviderError:
    status, code, said = error.status_code, error.code, _said(error.body)
    told = f"{call.host} answered {status}{call.quote(said)}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        if code == "insufficient_quota":
            return BadReply(f"{told}. Hint: the account has nothing left to spend.", code="quota")
        wait_s = retry_after_s(error.response.headers, datetime.now(UTC))
        return RateLimited(told, retry_after_s=wait_s)
    if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProviderUnavailable(told)
    if status in _NO_ENTRY:
        return MissingKey(f"{told}. Hint: is {call.key} a key for this server and this model?")
    return _refused(told, status, code, said, call)


def _refused(told: str, status: int, code: str | None, said: str, call: Call) -> ProviderError:
    named = status == HTTPStatus.NOT_FOUND and call.model in said
    if code == "model_not_found" or (named and call.model):
        return UnknownModel(f"{told}. Hint: {call.host} has no model {call.model!r} for this key.")
    if code == "content_filter":
        return BadReply(told, code="refusal")
    if status == HTTPStatus.NOT_FOUND:
        told += ". Hint: does OPENAI_BASE_URL name the API itself, as in https://host/v1?"
    elif status < HTTPStatus.BAD_REQUEST:
        told += ": a redirect is not followed, for the prompt would go elsewhere."
    return BadReply(told, code="bad_request")


def _said(body: object) -> str:
    """Return the message of an error's body, wherever the server has put it."""
    if isinstance(body, dict):
        body = next((body[name] for name in ("message", "detail") if body.get(name)), "")
    return body if isinstance(body, str) else ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
