"""Subflow: runs another flow as one node."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json


class Subflow(Kind):
    """Runs a version of another flow; its inputs and outputs are the node's.

    >>> import promptstudio_lab as ps
    >>> lab = ps.connect("memory")
    >>> inner = lab.flow("loud")
    >>> _ = inner.output(loud=inner.transform("up", do="upper", value=inner.input("word")))
    >>> _ = inner.save()
    >>> f = lab.draft()
    >>> _ = f.output(said=f.subflow("say", flow="loud@1", word=f.input("x")).loud)
    >>> f.run(x="hello").outputs
    {'said': 'HELLO'}
    """

    name = "subflow"
    title = "Subflow"
    summary = "Runs another flow."
    category = "Logic"
    icon = "subflow"
    headline = "flow"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "flow": {
                "title": "Flow",
                "description": "The flow and its version, as `library/name@3`.",
                "type": "string",
                "format": "flow",
                "pattern": "^[^@]+(@([0-9]+|[A-Za-z][A-Za-z0-9_-]*))?$",
            }
        },
        "required": ["flow"],
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return the flow's own ports; open while it is not known."""
        found = known.flow(str(config.get("flow", "")))
        return Ports(found.inputs, found.outputs) if found else Ports(open=True)

    async def run(
        self, config: Mapping[str, Json], inputs: Mapping[str, Json], context: Context
    ) -> dict[str, Json]:
        """Run the flow once.

        Raises:
            NodeFailed: naming the node of it that failed.
        """
        return dict(await context.body(inputs, ""))


kinds.register("subflow")(Subflow())
