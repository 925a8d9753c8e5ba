"""The changes that a transform node can make: each takes a value and the node's config."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from promptstudio_lab.errors import NodeFailed, ValueRefused, did_you_mean
from promptstudio_lab.nodes import patterns
from promptstudio_lab.nodes.expressions import evaluate
from promptstudio_lab.values import Json, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Step = Callable[[Json, Mapping[str, Json]], Json]

_LONGEST_INDEX = 9


def _parse(value: Json, config: Mapping[str, Json]) -> Json:
    try:
        return loads(str(value))
    except ValueRefused as error:
        message = f"cannot parse the value: {error}"
        raise NodeFailed(message) from None


def _text(value: Json) -> str:
    return value if isinstance(value, str) else dumps(value)


def _items(value: Json) -> list[Json]:
    if isinstance(value, list):
        return value
    message = f"the value is {type(value).__name__}, and this needs a list"
    raise NodeFailed(message)


def at_path(value: Json, path: str) -> Json:
    """Return what stands at a dotted path inside a value.

    Raises:
        NodeFailed: if there is nothing.

    >>> at_path({"rows": [{"n": 4}]}, "rows.0.n")
    4
    """
    for part in filter(None, path.split(".")):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and _is_index(part) and int(part) < len(value):
            value = value[int(part)]
        else:
            allowed = value if isinstance(value, dict) else []
            message = f"{path!r} leads nowhere at {part!r}.{did_you_mean(part, map(str, allowed))}"
            raise NodeFailed(message)
    return value


def _is_index(part: str) -> bool:
    return part.isdecimal() and len(part) <= _LONGEST_INDEX


def _extract(value: Json, config: Mapping[str, Json]) -> Json:
    pattern, group = str(config.get("pattern", "")), int(config.get("group", 0))
    return patterns.extracted(pattern, _text(value), group)


def _split(value: Json, config: Mapping[str, Json]) -> Json:
    separator = str(config.get("separator", "")) or ","
    return [part.strip() for part in _text(value).split(separator)]


def _join(value: Json, config: Mapping[str, Json]) -> Json:
    return str(config.get("separator", ",")).join(map(_text, _items(value)))


def _slice(value: Json, config: Mapping[str, Json]) -> Json:
    whole = value if isinstance(value, str) else _items(value)
    return whole[config.get("start") : config.get("stop")]


def _sort(value: Json, config: Mapping[str, Json]) -> Json:
    path = str(config.get("by", ""))
    try:
        return sorted(
            _items(value),
            key=lambda item: at_path(item, path),
            reverse=bool(config.get("descending", False)),
        )
    except TypeError:
        message = "the items are of several kinds and have no order"
        raise NodeFailed(message) from None


def _unique(value: Json, config: Mapping[str, Json]) -> Json:
    path = str(config.get("by", ""))
    found: dict[str, Json] = {}
    for item in _items(value):
        found.setdefault(dumps(at_path(item, path)), item)
    return list(found.values())


def _length(value: Json, config: Mapping[str, Json]) -> Json:
    if isinstance(value, (str, list, dict)):
        return len(value)
    message = f"{type(value).__name__} has no length"
    raise NodeFailed(message)


def _filter(value: Json, config: Mapping[str, Json]) -> Json:
    expression = str(config.get("expression", "item"))
    return [
        item
        for index, item in enumerate(_items(value))
        if evaluate(expression, {"item": item, "index": index})
    ]


def _format_number(value: Json, config: Mapping[str, Json]) -> Json:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        message = f"the value is {type(value).__name__} and no number"
        raise NodeFailed(message)
    return f"{value:,.{int(config.get('decimals', 2))}f}"


def _format_date(value: Json, config: Mapping[str, Json]) -> Json:
    try:
        return datetime.fromisoformat(_text(value)).strftime(str(config.get("format", "%Y-%m-%d")))
    except ValueError as error:
        message = f"the value is no ISO date, or the format no format: {error}"
        raise NodeFailed(message) from None


STEPS: Mapping[str, tuple[str, Step]] = {
    "trim": ("text", lambda value, _: _text(value).strip()),
    "lower": ("text", lambda value, _: _text(value).lower()),
    "upper": ("text", lambda value, _: _text(value).upper()),
    "to_text": ("text", lambda value, _: _text(value)),
    "parse_json": ("json", _parse),
    "path": ("any", lambda value, config: at_path(value, str(config.get("path", "")))),
    "regex_extract": ("text", _extract),
    "split": ("list", _split),
    "join": ("text", _join),
    "slice": ("any", _slice),
    "sort": ("list", _sort),
    "unique": ("list", _unique),
    "length": ("int", _length),
    "filter": ("list", _filter),
    "format_number": ("text", _format_number),
    "format_date": ("text", _format_date),
}
