"""What a request may carry: checked whole, before anything acts on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jsonschema_rs import Draft202012Validator

from promptstudio_lab.errors import ValueRefused
from promptstudio_lab.values import loads

if TYPE_CHECKING:
    from promptstudio_lab.values import Json

MOST_BYTES = 1024 * 1024
_MOST_DEPTH = 64
_MOST_SHOWN = 300
_MOST_DIGITS = 15

_WORD = {"type": "string", "maxLength": 200}
_OPTIONAL_WORD = {"type": ["string", "null"], "maxLength": 1000}
_IDS = {"type": "array", "items": _WORD, "maxItems": 10_000}
_OBJECT = {"type": ["object", "null"]}
_SEQUENCE = {"type": "integer", "minimum": 0, "maximum": 2**53}

_ASKED = (
    "view",
    "edit",
    "undo",
    "redo",
    "changes",
    "ask",
    "save",
    "restore",
    "label",
    "fork",
    "merge",
)

# The shapes only; what an operation means is checked where it is done, whoever asks for it.
_OPERATION = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": _WORD,
        "op_id": {"type": ["string", "null"], "maxLength": 64},
        "base_seq": {**_SEQUENCE, "type": ["integer", "null"]},
        "config": _OBJECT,
        "policy": _OBJECT,
        "x": {"type": "number"},
        "y": {"type": "number"},
        "edges": _IDS,
        "operations": {"type": "array", "items": {"type": "object"}, "maxItems": 5_000},
        **dict.fromkeys(("settings", "rules", "heights", "from", "to"), _OBJECT),
        **dict.fromkeys(("without", "without_rules"), _IDS),
        **dict.fromkeys(("source", "source_port", "target", "target_port"), _WORD),
        **dict.fromkeys(("node", "kind", "key", "edge", "source_path"), _OPTIONAL_WORD),
    },
    # `tidy` may carry no list, `move` carries places by node, `remove` a list of nodes.
    "if": {"properties": {"type": {"const": "move"}}},
    "then": {
        "properties": {"nodes": {"type": "object", "additionalProperties": {"type": "object"}}}
    },
    "else": {"properties": {"nodes": {**_IDS, "type": ["array", "null"]}}},
}

MESSAGE = Draft202012Validator(
    {
        "type": "object",
        "required": ["client_id", "do"],
        "properties": {
            "client_id": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"},
            "do": {"enum": list(_ASKED)},
            "operation": _OPERATION,
            "since": _SEQUENCE,
            "problems_tag": _OPTIONAL_WORD,
            "hunks": _IDS,
        },
        "if": {"properties": {"do": {"const": "edit"}}},
        "then": {"required": ["operation"]},
    }
)

NEW_FLOW = Draft202012Validator(
    {
        "type": "object",
        "required": ["path"],
        "properties": {"path": {"type": "string", "minLength": 1, "maxLength": 500}},
        "additionalProperties": False,
    }
)


ANSWER = Draft202012Validator(
    {
        "type": "object",
        "required": ["value"],
        "properties": {"value": {}},
        "additionalProperties": False,
    }
)

NEW_LABEL = Draft202012Validator(
    {
        "type": "object",
        "required": ["name", "version"],
        "properties": {
            "name": _WORD,
            "version": {**_SEQUENCE, "type": ["integer", "null"]},
        },
        "additionalProperties": False,
    }
)

NEW_FORK = Draft202012Validator(
    {
        "type": "object",
        "required": ["path"],
        "properties": {
            "path": {"type": "string", "minLength": 1, "maxLength": 500},
            "version": {**_SEQUENCE, "type": ["integer", "null"]},
        },
        "additionalProperties": False,
    }
)

NEW_RUN = Draft202012Validator(
    {
        "type": "object",
        "required": ["inputs"],
        "properties": {"inputs": {"type": "object"}, "until": _OPTIONAL_WORD},
        "additionalProperties": False,
    }
)


def read(body: bytes, shape: Draft202012Validator) -> dict[str, Json]:
    """Return the JSON object in a request's body.

    Args:
        body: as it came.
        shape: `MESSAGE`, `NEW_FLOW`, `NEW_LABEL`, `NEW_FORK`, `NEW_RUN` or `ANSWER`.

    Raises:
        ValueRefused: with the place and the reason, if it is not what the route takes.

    >>> read(b'{"path": "support/triage"}', NEW_FLOW)
    {'path': 'support/triage'}
    """
    if len(body) > MOST_BYTES:
        message = f"the body has {len(body):,} bytes; at most {MOST_BYTES:,} are taken"
        raise ValueRefused(message)
    found = loads(body)
    _refuse_depth(found)
    wrong = next(shape.iter_errors(found), None)
    if wrong is not None:
        place = "/" + "/".join(map(str, wrong.instance_path))
        message = f"{place}: {wrong.message[:_MOST_SHOWN]}"
        raise ValueRefused(message)
    return dict(found)


def read_sequence(text: str) -> int:
    """Return a sequence that stands in an address.

    Raises:
        ValueRefused: if it is no whole number from 0.

    >>> read_sequence("17")
    17
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        message = f"since is {text[:_MOST_SHOWN]!r}, which is not a sequence"
        raise ValueRefused(message)
    return int(text)


def _refuse_depth(value: Json) -> None:
    level = [value]
    for _ in range(_MOST_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    message = f"the body is nested deeper than {_MOST_DEPTH} levels"
    raise ValueRefused(message)
