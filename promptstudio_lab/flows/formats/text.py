"""A flow as JSON or YAML, and back: the canonical document, one setting a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from promptstudio_lab.errors import FlowError, ValueRefused
from promptstudio_lab.flows.graph import Graph, from_document
from promptstudio_lab.values import loads

if TYPE_CHECKING:
    from promptstudio_lab.values import Json

_LARGEST = 10_000_000  # characters
_SUFFIXES = (".json", ".yaml", ".yml")


def to_json(graph: Graph) -> str:
    """Return a flow's document as JSON, keys in order.

    >>> to_json(Graph()).splitlines()[1]
    '  "format": "promptstudio.flow/1",'
    """
    return json.dumps(graph.document(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def to_yaml(graph: Graph) -> str:
    """Return a flow's document as YAML, keys in order.

    >>> to_yaml(Graph()).splitlines()[0]
    'format: promptstudio.flow/1'
    """
    import yaml

    return str(yaml.safe_dump(_plain(graph.document()), allow_unicode=True, width=100))


def _plain(value: Json) -> Json:
    # YAML would write an alias where two settings are one object in memory.
    return json.loads(json.dumps(value))


def read(source: str | Path) -> Graph:
    """Return the flow of a JSON or YAML text, or of a file with one; nothing in it is run.

    Args:
        source: the text, or the path of a `.json`, `.yaml` or `.yml` file.

    Raises:
        FlowError: if it cannot be read, or is no flow.

    >>> read('{"format": "promptstudio.flow/1", "nodes": {"ask": {"kind": "input"}}}').nodes[0].key
    'ask'
    >>> read(to_yaml(Graph())) == Graph()
    True
    """
    text = _text(source)
    if len(text) > _LARGEST:
        message = f"this text has {len(text):,} characters; a flow has at most {_LARGEST:,}"
        raise FlowError(message)
    return from_document(_json(text) if text.lstrip().startswith("{") else _yaml(text))


def _text(source: str | Path) -> str:
    named = isinstance(source, str) and "\n" not in source and source.endswith(_SUFFIXES)
    if not named and not isinstance(source, Path):
        return source
    try:
        return Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        message = f"cannot read {str(source)!r}: {error}"
        raise FlowError(message) from None


def _json(text: str) -> Json:
    try:
        return loads(text)
    except ValueRefused as error:
        message = f"this is no JSON that can be kept: {error}"
        raise FlowError(message) from None


def _yaml(text: str) -> Json:
    import yaml

    try:
        _refuse_aliases(text)
        found = yaml.safe_load(text)
        # Dates and the like are YAML's own; what JSON has no word for is no part of a flow.
        return loads(json.dumps(found, allow_nan=False))
    except (yaml.YAMLError, TypeError, ValueError, RecursionError, ValueRefused) as error:
        message = f"this is no flow's YAML: {' '.join(str(error).split())}"
        raise FlowError(message) from None


def _refuse_aliases(text: str) -> None:
    """Refuse aliases, by which a short text can unfold into an endless one."""
    import yaml

    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
        message = "aliases (*name) have no place in a flow"
        raise ValueError(message)
