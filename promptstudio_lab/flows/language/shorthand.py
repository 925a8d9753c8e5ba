"""Short forms of settings in code: a prompt by reference or text, what it returns by field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promptstudio_lab.errors import FlowError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json

# Words with spaces around a slash are a sentence, unless a version says that they are a name.
REFERENCE = re.compile(
    r"[\w.-]+(/[\w.-]+)+(@(\d+|[A-Za-z][A-Za-z0-9_-]*))?|[\w .-]+(/[\w .-]+)+@\d+"
)


def prompt_config(prompt: str | Mapping[str, Json]) -> dict[str, Json]:
    """Return a prompt as config: a reference such as `support/classify@3`, or a text.

    >>> prompt_config("support/classify@3"), prompt_config("Label: {{ x }}")
    ({'ref': 'support/classify@3'}, {'text': 'Label: {{ x }}'})
    >>> prompt_config("Answer yes/no")
    {'text': 'Answer yes/no'}
    """
    if not isinstance(prompt, str):
        return dict(prompt)
    return {"ref": prompt} if REFERENCE.fullmatch(prompt) else {"text": prompt}


def returns_schema(returns: Mapping[str, Json]) -> dict[str, Json]:
    """Return a JSON Schema from the short form: a field's labels, its type or its schema.

    >>> returns_schema({"label": ["a", "b"]})["properties"]
    {'label': {'enum': ['a', 'b']}}
    """
    if returns.get("type") == "object":
        return dict(returns)
    return {
        "type": "object",
        "properties": {name: _field(name, value) for name, value in returns.items()},
        "required": list(returns),
        "additionalProperties": False,
    }


_SHORT = {"text": "string", "int": "integer", "float": "number", "bool": "boolean"}


def _field(name: str, value: Json) -> dict[str, Json]:
    if isinstance(value, (list, tuple)):
        return {"enum": list(value)}
    if isinstance(value, str) and value in _SHORT:
        return {"type": _SHORT[value]}
    if isinstance(value, dict):
        return value
    message = f"returns[{name!r}] is {value!r}; give labels, {', '.join(_SHORT)}, or a JSON Schema"
    raise FlowError(message)


def config_value(name: str, value: Json) -> Json:
    """Return a setting as documents hold it.

    >>> config_value("prompt", "Hi"), config_value("seed", 7)
    ({'text': 'Hi'}, 7)
    """
    if name == "prompt":
        return prompt_config(value)
    if name == "returns" and isinstance(value, dict):
        return returns_schema(value)
    return value
