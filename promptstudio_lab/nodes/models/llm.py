"""LLM: asks a model, and checks the answer when a shape was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.errors import BadReply, NodeFailed, ValueRefused
from promptstudio_lab.nodes.kind import PROMPT_SCHEMA, Context, Kind, Known, kinds, variables_in
from promptstudio_lab.nodes.models.messages import MESSAGES, MESSAGES_SHAPE
from promptstudio_lab.nodes.ports import Port, Ports
from promptstudio_lab.nodes.shapes import checker, misfits
from promptstudio_lab.rendering import render, variables
from promptstudio_lab.values import Json, loads

if TYPE_CHECKING:
    from collections.abc import Mapping


class Llm(Kind):
    """Fills a prompt, asks a model and gives its answer as text, or as JSON of a known shape.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").draft()
    >>> kind = f.llm(
    ...     "classify",
    ...     prompt="Label this ticket: {{ ticket }}",
    ...     returns={"label": ["billing", "technical"]},
    ...     ticket=f.input("ticket"),
    ... )
    >>> _ = f.output(label=kind.label)
    >>> f.run(ticket="My invoice is wrong").outputs["label"] in {"billing", "technical"}
    True
    """

    name = "llm"
    title = "LLM"
    summary = "Asks a language model."
    category = "Models"
    icon = "llm"
    headline = "model"
    side_effects = "idempotent"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "model": {
                "title": "Model",
                "description": "Who is asked, as provider:model; empty for the lab's own.",
                "type": "string",
                "format": "model",
            },
            "fallback": {
                "title": "Fallback models",
                "description": "Asked one after the other when the model before has failed.",
                "type": "array",
                "items": {"type": "string", "format": "model"},
            },
            "prompt": PROMPT_SCHEMA,
            "system": {
                "title": "System message",
                "description": "What the model is told before everything else.",
                "type": "string",
                "format": "multiline",
            },
            "returns": {
                "title": "Returns",
                "description": "JSON Schema of the answer; empty for plain text.",
                "type": "object",
                "format": "json",
            },
            "temperature": {
                "title": "Temperature",
                "description": "How freely the model chooses its words; 0 is the least.",
                "type": "number",
                "minimum": 0,
                "maximum": 2,
            },
            "max_tokens": {
                "title": "Most output tokens",
                "description": "Where an answer is cut off.",
                "type": "integer",
                "minimum": 1,
            },
            "seed": {
                "title": "Seed",
                "description": "Asks for the same answer to the same question, as far as it goes.",
                "type": "integer",
            },
        },
        "required": ["prompt"],
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return one input a variable; the answer as `json` when a shape is asked for.

        Through `messages` comes what was said before, unless the prompt has a variable of that
        name.
        """
        names = variables_in(config.get("prompt", {}), known)
        inputs = tuple(Port(name) for name in names or ())
        if MESSAGES not in (names or ()):
            inputs += (Port(MESSAGES, "messages", required=False),)
        returns = config.get("returns")
        answer = (
            (Port("json", "json", schema=returns),) if returns and isinstance(returns, dict) else ()
        )
        return Ports(inputs, (*answer, Port("text", "text")), open=names is None)

    async def run(
        self, config: Mapping[str, Json], inputs: Mapping[str, Json], context: Context
    ) -> dict[str, Json]:
        """Ask once; an answer of another shape is an error that keeps its cost.

        Raises:
            NodeFailed: if `messages` are none.
        """
        messages = [*_before(context.prompt, inputs), ("user", render(context.prompt, inputs))]
        if config.get("system"):
            messages.insert(0, ("system", str(config["system"])))
        options = {name: config[name] for name in _OPTIONS if config.get(name) is not None}
        returns = config.get("returns")
        text = await context.ask(messages, models=_models(config), returns=returns, options=options)
        return {"text": text, **({"json": shaped(text, returns)} if returns else {})}


def _models(config: Mapping[str, Json]) -> list[str]:
    return [str(config.get("model", "")), *map(str, config.get("fallback", []))]


def _before(prompt: str, inputs: Mapping[str, Json]) -> list[tuple[str, str]]:
    """Return what was said before the prompt, as pairs of role and content."""
    said = inputs.get(MESSAGES)
    if said is None or MESSAGES in variables(prompt):
        return []
    against = checker(MESSAGES_SHAPE)
    for place, reason in misfits(against, said):
        message = f"these are no messages, at {place or '/'}: {reason}"
        raise NodeFailed(message)
    return [(one["role"], one["content"]) for one in said]


_OPTIONS = ("temperature", "max_tokens", "seed")


def shaped(text: str, schema: Mapping[str, Json]) -> Json:
    """Return the value of a model's JSON answer.

    Raises:
        BadReply: if it is not JSON, or not of the shape that was asked for.
    """
    try:
        value = loads(text)
    except ValueRefused as error:
        message = f"the model was asked for JSON and answered {text[:80]!r} ({error})"
        raise BadReply(message, code="schema") from None
    try:
        errors = list(checker(schema).iter_errors(value))
    except (ValueRefused, ValueError) as error:
        message = f"`returns` is no schema that an answer can be held against: {error}"
        raise BadReply(message, code="schema") from None
    for wrong in errors:
        place = "/".join(map(str, wrong.instance_path))
        message = f"the answer does not fit `returns` at /{place}: {wrong.message}"
        raise BadReply(message, code="schema")
    return value


kinds.register("llm")(Llm())
