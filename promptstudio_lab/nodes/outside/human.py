"""Human: asks a person, and waits for the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.errors import NodeFailed
from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.ports import Port, Ports, type_of
from promptstudio_lab.nodes.shapes import checker, misfits
from promptstudio_lab.nodes.wanted import wanted_by
from promptstudio_lab.rendering import render, variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json

_SCHEMA: dict[str, Json] = {"type": "string"}


class Human(Kind):
    """Shows a person a question, and a value where one comes in, and gives what they answer.

    >>> import promptstudio_lab as ps
    >>> lab = ps.connect("memory")
    >>> f = lab.flow("asks")
    >>> _ = f.output(good=f.human("rate", question="Is it good?", schema={"type": "boolean"}))
    >>> f.run().status
    'waiting'
    >>> lab.answer(lab.questions()["question_id"][0], value=True).outputs
    {'good': True}
    """

    name = "human"
    title = "Human"
    summary = "Asks a person and waits for the answer."
    category = "Outside"
    icon = "human"
    headline = "question"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "question": {
                "title": "Question",
                "description": "What the person is asked; it may hold {{ variables }}.",
                "type": "string",
                "format": "multiline",
                "default": "Is this right?",
            },
            "schema": {
                "title": "Form",
                "description": "JSON Schema of the answer: the form is drawn from it.",
                "type": "object",
                "format": "json",
                "default": _SCHEMA,
            },
            "default": {
                "title": "Default",
                "description": "What the form begins with, and the answer where nobody can be "
                "asked.",
            },
        },
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return the question's variables, a value to show, and the answer."""
        wanted = wanted_by(variables, config.get("question", ""))
        shown = [Port("value", required=False)] if "value" not in (wanted or ()) else []
        schema = config.get("schema", _SCHEMA)
        answer = Port("answer", type_of(schema), schema=schema if isinstance(schema, dict) else {})
        return Ports((*map(Port, wanted or ()), *shown), (answer,), open=wanted is None)

    async def run(
        self, config: Mapping[str, Json], inputs: Mapping[str, Json], context: Context
    ) -> dict[str, Json]:
        """Give the answer.

        Raises:
            Waiting: if nobody has answered yet.
            NodeFailed: if the answer does not fit the form.
        """
        schema = config.get("schema", _SCHEMA)
        question: dict[str, Json] = {
            "prompt": render(str(config.get("question", "")), inputs),
            "schema": schema,
            "value": inputs.get("value"),
        }
        if "default" in config:
            question["default"] = config["default"]
        answer = context.answer(question)
        for place, reason in misfits(checker(schema), answer):
            message = f"the answer does not fit the form at {place or '/'}: {reason}"
            raise NodeFailed(message)
        return {"answer": answer}


kinds.register("human")(Human())
