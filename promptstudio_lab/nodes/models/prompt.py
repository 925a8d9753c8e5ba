"""Prompt: fills a template without asking a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.nodes.kind import PROMPT_SCHEMA, Context, Kind, Known, kinds, variables_in
from promptstudio_lab.nodes.models.messages import MESSAGES, blocks
from promptstudio_lab.nodes.ports import Port, Ports
from promptstudio_lab.rendering import render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json


class Prompt(Kind):
    """Gives the filled text, or messages made of it, for a model further down.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").draft()
    >>> _ = f.output(text=f.prompt("greet", prompt="Dear {{ name }},", name=f.input("name")))
    >>> f.run(name="Ada").outputs
    {'text': 'Dear Ada,'}
    """

    name = "prompt"
    title = "Prompt"
    summary = "Fills a template with values."
    category = "Models"
    icon = "prompt"
    headline = "prompt"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "prompt": PROMPT_SCHEMA,
            "gives": {
                "title": "Gives",
                "description": "One text; or messages, where a line such as `# system:` or "
                "`# user:` or `# assistant:` in the template begins the next one.",
                "enum": ["text", "messages"],
                "default": "text",
            },
        },
        "required": ["prompt"],
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return one input a variable."""
        names = variables_in(config.get("prompt", {}), known)
        inputs = tuple(Port(name) for name in names or ())
        gives = MESSAGES if config.get("gives") == MESSAGES else "text"
        return Ports(inputs, (Port(gives, gives),), open=names is None)

    async def run(
        self,
        config: Mapping[str, Json],
        inputs: Mapping[str, Json],
        context: Context,
    ) -> dict[str, Json]:
        """Fill the template; a value never begins a message of its own."""
        if config.get("gives") == MESSAGES:
            return {
                MESSAGES: [
                    {"role": role, "content": render(text, inputs)}
                    for role, text in blocks(context.prompt)
                ]
            }
        return {"text": render(context.prompt, inputs)}


kinds.register("prompt")(Prompt())
