"""Typed ports: what a node takes and gives, and which types fit together."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json

TYPES = (
    "text",
    "json",
    "int",
    "float",
    "bool",
    "list",
    "table",
    "messages",
    "document",
    "branch",
    "any",
)
# Any node may wait for a branch of a switch through this port.
WHEN = "when"

_LIST = re.compile(r"list\[(\w+)\]")
# What each type may also be given to, besides itself and `any`.
_WIDER: dict[str, tuple[str, ...]] = {
    "int": ("float", "text", "json"),
    "float": ("text", "json"),
    "bool": ("text", "json"),
    "text": ("json",),
    "json": ("text", "list"),
    "list": ("json",),
    "table": ("list",),
    "document": ("json", "text"),
    "messages": ("json",),
}


@dataclass(frozen=True, slots=True)
class Port:
    """One opening of a node.

    Attributes:
        name: unique among the node's inputs, or outputs.
        type: one of `TYPES`, or `list[T]`.
        required: for an input, whether the node cannot run without it.
        many: for an input, whether it takes several edges.
        schema: what is known of the value's shape, as JSON Schema.
    """

    name: str
    type: str = "any"
    required: bool = True
    many: bool = False
    schema: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Ports:
    """All openings of a node.

    Attributes:
        inputs: what it takes.
        outputs: what it gives; the first is what a bare handle means.
        open: whether further inputs may exist that cannot be known now, because a referenced
            template is missing.
    """

    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    open: bool = field(default=False)

    def input(self, name: str) -> Port | None:
        """Return the input of that name; every node has the input `when`."""
        if name == WHEN:
            return Port(WHEN, "branch", required=False, many=True)
        found = next((port for port in self.inputs if port.name == name), None)
        return Port(name, required=False) if found is None and self.open else found

    def output(self, name: str) -> Port | None:
        """Return the output of that name."""
        return next((port for port in self.outputs if port.name == name), None)


def mismatch(source: str, target: str) -> str | None:
    """Return why a value of type `source` does not fit `target`, or None if it fits.

    >>> mismatch("int", "float"), mismatch("any", "table")
    (None, None)
    >>> mismatch("table", "text")
    'a table does not fit text'
    >>> mismatch("list[text]", "text")
    'a list[text] fits text only through a map node'
    """
    if "branch" in (source, target):
        return None if source == target else f"a {source} does not fit {target}"
    if "any" in (source, target) or source == target or target in _WIDER.get(source, ()):
        return None
    inner = _LIST.fullmatch(source)
    if inner and target in ("list", "json"):
        return None
    if inner and mismatch(inner[1], target) is None:
        return f"a {source} fits {target} only through a map node"
    return f"a {source} does not fit {target}"


def type_at(port: Port, path: str) -> str | None:
    """Return the type of the value at a dotted path inside an output, or None if it cannot exist.

    >>> label = Port("json", "json", schema={"properties": {"label": {"type": "string"}}})
    >>> type_at(label, "label"), type_at(label, "lable"), type_at(Port("json", "json"), "x")
    ('text', None, 'any')
    """
    schema, kind = port.schema, port.type
    for part in filter(None, path.split(".")):
        if kind not in ("json", "any", "document"):
            return None
        properties = schema.get("properties") if isinstance(schema, dict) else None
        if not isinstance(properties, dict):
            return "any"
        if part not in properties:
            return None
        schema = properties[part]
        kind = type_of(schema)
    return kind


def type_of(schema: Json) -> str:
    """Return the port type of a JSON Schema's values; a strange schema tells nothing.

    >>> type_of({"type": "integer"}), type_of({"enum": ["a", "b"]}), type_of(True)
    ('int', 'text', 'json')
    """
    if not isinstance(schema, dict):
        return "json"
    plain = {"string": "text", "integer": "int", "number": "float", "boolean": "bool"}
    words = schema.get("enum")
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        return "text"
    return plain.get(str(schema.get("type")), "json")
