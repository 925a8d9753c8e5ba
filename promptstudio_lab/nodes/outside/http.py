"""HTTP: asks a host that the user allows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from promptstudio_lab.errors import NodeFailed, ValueRefused
from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.ports import Port, Ports
from promptstudio_lab.nodes.wanted import wanted_by
from promptstudio_lab.rendering import parse, render, variables
from promptstudio_lab.values import Json, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT_S = 30
_FAILS_FROM = 300  # redirects are not followed, so they are no answer either
_SHOWN = 200
_SECRET = re.compile(r"secret:[A-Za-z_]\w*")
# Scheme and host are written out; values come behind them.
_ORIGIN = re.compile(r"https?://[^/?#\s]+(?:[/?#]|$)")


class Http(Kind):
    """Makes one request; values go into its path, headers and body, never into its host.

    A header may hold `secret:NAME`: it is looked up when the request is made, and sent only where
    the user's own settings let it go.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").draft()
    >>> page = f.http("read", url="https://example.com/{{ page }}", page=f.input("page"))
    >>> _ = f.output(text=page.text)
    >>> f.check()
    <no problems>
    """

    name = "http"
    title = "HTTP"
    summary = "Asks a web service that you allow."
    category = "Outside"
    icon = "http"
    headline = "url"
    side_effects = "unsafe"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "method": {
                "title": "Method",
                "description": "What is asked of the host.",
                "enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
                "default": "GET",
            },
            "url": {
                "title": "Address",
                "description": "Where to; {{ variables }} may stand behind the host.",
                "type": "string",
                "default": "https://example.com/{{ path }}",
            },
            "headers": {
                "title": "Headers",
                "description": "By name; a value may hold {{ variables }}, or secret:NAME.",
                "type": "object",
                "additionalProperties": {"type": "string"},
            },
            "body": {
                "title": "Body",
                "description": "A text with {{ variables }}.",
                "type": "string",
                "format": "multiline",
            },
            "json": {
                "title": "JSON body",
                "description": "Sent as JSON instead; a text in it that is one {{ variable }} "
                "becomes its value.",
                "format": "json",
            },
            "timeout_s": {
                "title": "Most seconds",
                "description": "Until when the whole answer must be there.",
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 600,
                "default": _TIMEOUT_S,
            },
            "any_status": {
                "title": "Any status",
                "description": "Whether an answer of 300 or more is given on and no failure.",
                "type": "boolean",
                "default": False,
            },
        },
        "required": ["url"],
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return one input a variable, and the answer."""
        wanted = wanted_by(variables, *_templates(config))
        outputs = (
            Port("text", "text"),
            Port("json", "json"),
            Port("status", "int"),
            Port("headers", "json"),
        )
        return Ports(tuple(map(Port, wanted or ())), outputs, open=wanted is None)

    async def run(
        self, config: Mapping[str, Json], inputs: Mapping[str, Json], context: Context
    ) -> dict[str, Json]:
        """Ask once; `json` is there only where the answer is JSON.

        Raises:
            NodeFailed: if the host is not allowed or does not answer well.
        """
        request = _request(config, inputs)
        answer = await context.fetch(request, float(config.get("timeout_s", _TIMEOUT_S)))
        status, text = int(answer["status"]), str(answer["text"])
        if status >= _FAILS_FROM and not config.get("any_status", False):
            message = f"the host answered {status}: {text[:_SHOWN]}"
            raise NodeFailed(message)
        given: dict[str, Json] = {"text": text, "status": status, "headers": answer["headers"]}
        try:
            return {**given, "json": loads(text)}
        except ValueRefused:
            return given


def _templates(config: Mapping[str, Json]) -> list[Json]:
    headers = config.get("headers", {})
    written = headers.values() if isinstance(headers, dict) else [None]
    found = [config.get("url", ""), *written, *_leaves(config.get("json"))]
    return [*found, config["body"]] if "body" in config else found


def _leaves(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)


def _request(config: Mapping[str, Json], inputs: Mapping[str, Json]) -> dict[str, Json]:
    headers = {
        name: _header(name, text, inputs) for name, text in config.get("headers", {}).items()
    }
    body = render(config["body"], inputs) if config.get("body") else None
    if config.get("json") is not None:
        body = dumps(_filled(config["json"], inputs))
        if "content-type" not in map(str.lower, headers):
            headers["Content-Type"] = "application/json"
    method = str(config.get("method", "GET"))
    return {"method": method, "url": _url(config, inputs), "headers": headers, "body": body}


def _url(config: Mapping[str, Json], inputs: Mapping[str, Json]) -> str:
    """Return the address; what a value brings stays within its part of the path."""
    first, *rest = parse(str(config["url"])) or ("",)
    if not isinstance(first, str) or not (origin := _ORIGIN.match(first)):
        message = "the address begins with https:// and a host, written out"
        raise NodeFailed(message)
    if rest and origin[0][-1] not in "/?#":
        message = "a variable stands in the host of the address; it may only stand behind it"
        raise NodeFailed(message)
    parts = [first]
    for part in rest:
        if isinstance(part, str):
            parts.append(part)
            continue
        text = render(f"{{{{ {'.'.join((part.name, *part.path))} }}}}", inputs)
        if text in {".", ".."}:
            message = f"{part.name!r} is {text!r}, which would lead elsewhere"
            raise NodeFailed(message)
        parts.append(quote(text, safe=""))
    return "".join(parts)


def _header(name: str, template: str, inputs: Mapping[str, Json]) -> str:
    """Return a header's value; only the flow itself may name a secret, and never a value."""
    text = render(template, inputs)
    if _SECRET.findall(text) != _SECRET.findall(template):
        message = f"a value in the header {name!r} reads like a reference to a secret"
        raise NodeFailed(message)
    if "\r" in text or "\n" in text:
        message = f"a value in the header {name!r} has more than one line"
        raise NodeFailed(message)
    return text


def _filled(value: Json, inputs: Mapping[str, Json]) -> Json:
    if isinstance(value, dict):
        return {key: _filled(item, inputs) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, inputs) for item in value]
    if not isinstance(value, str):
        return value
    parts = parse(value)
    alone = parts[0] if len(parts) == 1 else ""
    if isinstance(alone, str) or alone.path or alone.name not in inputs:
        return render(value, inputs)
    return inputs[alone.name]


kinds.register("http")(Http())
