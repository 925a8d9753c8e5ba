"""What every kind of node is, and what it may ask for while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from promptstudio_lab.errors import ValueRefused
from promptstudio_lab.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.nodes.ports import Ports
    from promptstudio_lab.values import Json


class Variables(Protocol):
    """Tells which variables a prompt needs."""

    def __call__(self, prompt: Mapping[str, Json]) -> tuple[str, ...] | None:
        """Return the names, or None when the template that it refers to is not known."""
        ...


class Context(Protocol):
    """What a running node may reach; everything else is closed to it."""

    @property
    def prompt(self) -> str:
        """Return the text of the node's template version."""
        ...

    async def ask(
        self,
        messages: list[tuple[str, str]],
        *,
        model: str,
        returns: Mapping[str, Json] | None,
        options: Mapping[str, Json],
    ) -> str:
        """Return a model's whole answer; every call is recorded with its cost.

        Args:
            messages: pairs of role and content.
            model: `provider:model`.
            returns: the JSON Schema that the answer must fit, or None.
            options: `temperature`, `max_tokens` and `seed` where given.
        """
        ...


@dataclass(frozen=True)
class Kind:
    """A kind of node. A subclass in a file of its own says what it does.

    Attributes:
        name: what it is called in code and in documents.
        version: of its config; a document keeps the version that wrote it.
        title: what people read.
        summary: one sentence for the palette.
        category: where the palette shows it.
        icon: the name of its picture.
        schema: the JSON Schema of its config: the inspector is drawn from it.
        headline: the config field that the node's card shows.
        side_effects: whether running it reaches outside: `none`, `idempotent` or `unsafe`.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    title: ClassVar[str]
    summary: ClassVar[str]
    category: ClassVar[str]
    icon: ClassVar[str]
    schema: ClassVar[Mapping[str, Json]]
    headline: ClassVar[str] = ""
    side_effects: ClassVar[str] = "none"

    def ports(self, config: Mapping[str, Json], variables_of: Variables) -> Ports:
        """Return the openings that a node with this config has."""
        raise NotImplementedError

    async def run(
        self, config: Mapping[str, Json], inputs: Mapping[str, Json], context: Context
    ) -> dict[str, Json]:
        """Return the value of each output that is live; a missing one is skipped downstream.

        Args:
            config: the node's config.
            inputs: values by input; an input that takes several edges gets a list.
            context: what the node may reach.
        """
        raise NotImplementedError


def variables_in(prompt: Json, variables_of: Variables) -> tuple[str, ...] | None:
    """Return a prompt's variables, or None when they cannot be known: its text may be anything.

    >>> variables_in({"text": "Hi {{ x }}"}, lambda prompt: ("x",))
    ('x',)
    >>> variables_in("Hi", lambda prompt: ("x",)) is None
    True
    """
    if not isinstance(prompt, dict):
        return None
    try:
        return variables_of(prompt)
    except ValueRefused:
        return None


def texts(value: Json) -> list[str]:
    """Return the texts of a list; what is none is left to validation, not to whoever draws ports.

    >>> texts(["a", 5]), texts(5)
    (['a'], [])
    """
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


kinds: Registry[Kind] = Registry("promptstudio_lab.nodes", "node kind")

# A path, and behind the `@` a version or a label.
_REFERENCE = "^[^@]+(@([0-9]+|[A-Za-z][A-Za-z0-9_-]*))?$"
PROMPT_SCHEMA: dict[str, object] = {
    "title": "Prompt",
    "format": "prompt",
    "description": "A text with {{ variables }}, or a template of a library.",
    "oneOf": [
        {
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"ref": {"type": "string", "pattern": _REFERENCE}},
            "required": ["ref"],
            "additionalProperties": False,
        },
    ],
}

POLICY_SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {
        "retry": {
            "type": ["object", "null"],
            "properties": {"max": {"type": "integer", "minimum": 0}},
            "additionalProperties": False,
        },
        "timeout_s": {"type": ["number", "null"], "exclusiveMinimum": 0},
        "budget": {"type": ["integer", "null"], "minimum": 0},
        "on_error": {"enum": ["fail", "skip"]},
        "cache": {"type": ["boolean", "null"]},
    },
    "additionalProperties": False,
}
