"""One HTTP request to a host that the user allows: no redirect, no proxy, in time, of bounded size.

A secret is looked up here and nowhere before, goes only to the origin that the user's own settings
name for it, and stands in no answer and no error.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from promptstudio_lab import settings
from promptstudio_lab.engine.reach.hosts import PORTS, Origin, address_of
from promptstudio_lab.errors import NodeFailed, SettingsError
from promptstudio_lab.values import without_surrogates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from httpx2 import URL, Response

    from promptstudio_lab.values import Json

MOST_ANSWER = 5 << 20  # bytes of an answer, unpacked
_SECRET = re.compile(r"secret:([A-Za-z_]\w*)")
# These say where a request ends or goes, which is ours to say.
_OURS = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}
_SHORTEST_SECRET = 4


async def fetch(request: Mapping[str, Json], timeout_s: float) -> dict[str, Json]:
    """Make one request.

    Args:
        request: `method`, `url`, `headers` and `body`, a text or None.
        timeout_s: the total deadline, from the look-up of the name to the last byte.

    Returns:
        `status`, `headers` (names in lower case) and `text`.

    Raises:
        NodeFailed: if the host is not allowed, cannot be reached, takes too long or answers too
            much; or a secret may not go there.
        SettingsError: if the user's settings of hosts or secrets mean nothing.
    """
    url = _url(str(request["url"]))
    origin = Origin(url.scheme, url.host.lower(), url.port or PORTS[url.scheme])
    headers, secrets = _revealed(request.get("headers") or {}, origin)
    try:
        async with asyncio.timeout(timeout_s):
            found = await _ask(url, origin, headers, request)
    except TimeoutError:
        found = f"did not answer within {timeout_s:g} s"
    # Raised where no error of the client is being handled: it would keep the request's headers.
    if isinstance(found, str):
        message = _hidden(f"{origin} {found}", secrets)
        raise NodeFailed(message)
    return _hidden_in(found, secrets)


def _url(text: str) -> URL:
    import httpx2

    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, UnicodeError):
        url = httpx2.URL("")
    if url.scheme not in PORTS or not url.host or url.userinfo:
        message = "the address is none of http:// or https:// with a host and without a password"
        raise NodeFailed(message)
    return url


def _revealed(headers: Mapping[str, Json], origin: Origin) -> tuple[dict[str, str], dict[str, str]]:
    """Return the headers with their secrets, and the secrets by name."""
    secrets: dict[str, str] = {}
    found = {"Accept-Encoding": "identity"}
    for name, value in headers.items():
        if name.lower() in _OURS:
            message = f"the header {name!r} is not a flow's to set"
            raise NodeFailed(message)
        for wanted in _SECRET.findall(str(value)):
            secrets[wanted] = _secret(wanted, origin)
        found[name] = _SECRET.sub(lambda match: secrets[match[1]], str(value))
    return found, secrets


def _secret(name: str, origin: Origin) -> str:
    allowed = settings.personal("secrets") or {}
    if not isinstance(allowed, dict):
        message = '`secrets` in your settings.toml is no table, as NAME = "https://host"'
        raise SettingsError(message)
    if str(allowed.get(name, "")).rstrip("/").lower() != str(origin):
        message = (
            f"the secret {name} may not go to {origin}; to allow it, write "
            f'{name} = "{origin}" under [secrets] in '
            f"{settings.configuration_directory()}/settings.toml"
        )
        raise NodeFailed(message)
    value = settings.secret(name)
    if value is None:
        message = f"the environment has no {name}"
        raise NodeFailed(message)
    return value


async def _ask(
    url: URL, origin: Origin, headers: Mapping[str, str], request: Mapping[str, Json]
) -> dict[str, Json] | str:
    """Return the answer, or in words why there is none."""
    import httpx2

    address = await address_of(origin)
    try:
        async with httpx2.AsyncClient(
            trust_env=False, follow_redirects=False, timeout=None
        ) as client:
            sent = client.build_request(
                str(request["method"]),
                # What was looked up is what is connected to: a name may lead elsewhere next time.
                url.copy_with(host=address.partition("%")[0]),
                headers={**headers, "Host": url.netloc.decode("ascii")},
                content=None if request.get("body") is None else str(request["body"]).encode(),
                extensions={"sni_hostname": origin.host},
            )
            answer = await client.send(sent, stream=True)
            try:
                return await _read(answer)
            finally:
                await answer.aclose()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, OSError) as error:
        return f"could not be asked: {type(error).__name__}: {error}"


async def _read(answer: Response) -> dict[str, Json] | str:
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > MOST_ANSWER:
            return f"answers more than {MOST_ANSWER:,} bytes"
    try:
        text = body.decode(answer.charset_encoding or "utf-8", "replace")
    except LookupError:
        text = body.decode("utf-8", "replace")
    headers = {name: without_surrogates(value) for name, value in answer.headers.items()}
    return {
        "status": answer.status_code,
        "headers": headers,
        "text": without_surrogates(text).replace("\0", "\ufffd"),
    }


def _hidden(text: str, secrets: Mapping[str, str]) -> str:
    for name, value in secrets.items():
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, f"[{name}]")
    return text


def _hidden_in(found: dict[str, Json], secrets: Mapping[str, str]) -> dict[str, Json]:
    headers = {name: _hidden(value, secrets) for name, value in found["headers"].items()}
    return {**found, "headers": headers, "text": _hidden(found["text"], secrets)}
