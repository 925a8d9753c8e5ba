"""What every kind of node is, and what it may ask for while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from promptstudio_lab.errors import ValueRefused
from promptstudio_lab.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptstudio_lab.nodes.ports import Port, Ports
    from promptstudio_lab.values import Json


@dataclass(frozen=True, slots=True)
class Signature:
    """What a body or another flow takes and gives, seen from outside.

    Attributes:
        inputs: one port an input node of it.
        outputs: one port a field of its output nodes.
    """

    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()


class Known(Protocol):
    """What a kind may know of a node's surroundings when it tells the node's ports."""

    @property
    def body(self) -> Signature:
        """Return what the nodes inside the node take and give."""
        ...

    def variables(self, prompt: Mapping[str, Json]) -> tuple[str, ...] | None:
        """Return a prompt's variables, or None when the template it refers to is not known."""
        ...

    def flow(self, reference: str) -> Signature | None:
        """Return what another flow takes and gives, or None when it is not known."""
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
        models: Sequence[str],
        returns: Mapping[str, Json] | None,
        options: Mapping[str, Json],
    ) -> str:
        """Return a model's whole answer; every call is recorded with its cost.

        Args:
            messages: pairs of role and content.
            models: each `provider:model`, asked one after the other until one answers; the
                lab's own where there is none.
            returns: the JSON Schema that the answer must fit, or None.
            options: `temperature`, `max_tokens` and `seed` where given.

        Raises:
            ProviderError: what the last model ended in.
            BudgetExceeded: if the call could break the budget.
        """
        ...

    async def body(self, values: Mapping[str, Json], place: str) -> Mapping[str, Json]:
        """Run the nodes inside this node once and return their outputs by field.

        Args:
            values: by the names of the body's inputs.
            place: which time it is, as `[3]`; it is part of the path of what runs.

        Raises:
            NodeFailed: naming the node that failed.
        """
        ...

    async def compute(
        self, source: str, inputs: Mapping[str, Json], timeout_s: float
    ) -> Mapping[str, Json]:
        """Run approved Python code in a child process and return what it returned.

        Raises:
            NodeFailed: if it is not approved, failed or took too long.
        """
        ...

    async def fetch(self, request: Mapping[str, Json], timeout_s: float) -> Mapping[str, Json]:
        """Make one HTTP request to a host that the user allows.

        Args:
            request: `method`, `url`, `headers` and `body`.
            timeout_s: the total deadline.

        Returns:
            `status`, `headers` and `text`.
        """
        ...

    async def query(
        self, connection: str, sql: str, parameters: Mapping[str, Json], most: int
    ) -> list[Json]:
        """Return the rows of a SELECT on one of the user's own named connections.

        Raises:
            NodeFailed: if there is no such connection, or the statement would write.
        """
        ...

    def answer(self, question: Mapping[str, Json]) -> Json:
        """Return what a person answered; until then the run stands still.

        Args:
            question: what the person is shown: `prompt`, `schema` and `value`.

        Raises:
            Waiting: if nobody has answered yet.
        """
        ...

    def metric(self, name: str, value: float, unit: str | None = None, **dimensions: Json) -> None:
        """Keep a measurement of this node."""
        ...


class Waiting(Exception):
    """A node waits for a person."""

    def __init__(self, question: Mapping[str, Json]) -> None:
        """Keep what is asked."""
        super().__init__("waits for an answer")
        self.question = dict(question)


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
        container: whether other nodes lie inside it: its body.
        once_a_batch: whether it runs once over all items of a batch, and not for each.
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
    container: ClassVar[bool] = False
    once_a_batch: ClassVar[bool] = False

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
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


def variables_in(prompt: Json, known: Known) -> tuple[str, ...] | None:
    """Return a prompt's variables, or None when they cannot be known: its text may be anything."""
    if not isinstance(prompt, dict):
        return None
    try:
        return known.variables(prompt)
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
