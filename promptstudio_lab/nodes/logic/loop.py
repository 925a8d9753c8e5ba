"""Loop: runs its body again and again over a state."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.nodes.expressions import evaluate
from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.ports import Port, Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json

_COUNT = "iterations"


class Loop(Kind):
    """Runs the nodes inside it until a condition holds, at most so many times.

    The body's inputs are the state; a field of its output replaces the input of the same name.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").draft()
    >>> with f.loop("grow", max_iterations=9, until="len(text) >= 8", text=f.input("x")) as grow:
    ...     twice = grow.transform("twice", do="expression", expression="t + t", t=grow.text)
    ...     _ = grow.output(text=twice)
    >>> _ = f.output(text=grow.text)
    >>> f.run(x="ab").outputs
    {'text': 'abababab'}
    """

    name = "loop"
    title = "Loop"
    summary = "Runs its body until a condition holds."
    category = "Logic"
    icon = "loop"
    headline = "until"
    container = True
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "max_iterations": {
                "title": "Most iterations",
                "description": "How often the body runs at most.",
                "type": "integer",
                "minimum": 1,
                "maximum": 1000,
                "default": 10,
            },
            "until": {
                "title": "Until",
                "description": "An expression over the state, read after each time; "
                "when it holds, the loop ends. Empty: it runs as often as it may.",
                "type": "string",
                "format": "expression",
                "default": "",
            },
        },
        "required": ["max_iterations"],
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return the body's inputs and outputs, and how often it ran."""
        given = tuple(port for port in known.body.outputs if port.name != _COUNT)
        return Ports(known.body.inputs, (*given, Port(_COUNT, "int")))

    async def run(
        self, config: Mapping[str, Json], inputs: Mapping[str, Json], context: Context
    ) -> dict[str, Json]:
        """Run the body, once at least.

        Raises:
            NodeFailed: if the body failed.
            ExpressionRefused: if `until` cannot be worked out.
        """
        until = str(config.get("until", ""))
        found: dict[str, Json] = {}
        for iteration in range(int(config["max_iterations"])):
            found |= await context.body({**inputs, **found}, f"[{iteration}]")
            found[_COUNT] = iteration + 1
            if until and evaluate(until, {**inputs, **found}):
                break
        return found


kinds.register("loop")(Loop())
