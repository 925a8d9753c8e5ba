"""Input: a value that the flow is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.ports import Port, Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json


class Input(Kind):
    """Gives the item's value of the node's own name."""

    name = "input"
    title = "Input"
    summary = "A value that each run is given."
    category = "Data"
    icon = "input"
    headline = "type"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "type": {
                "title": "Type",
                "description": "What kind of value each run is given.",
                "enum": ["text", "json", "int", "float", "bool", "list", "table", "any"],
                "default": "text",
            },
            "default": {"title": "Default", "description": "Used when a run gives no value."},
            "description": {
                "title": "Description",
                "description": "What the value means, for whoever fills it in.",
                "type": "string",
            },
        },
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return one output of the declared type."""
        return Ports(outputs=(Port("value", str(config.get("type", "text"))),))

    async def run(
        self,
        config: Mapping[str, Json],
        inputs: Mapping[str, Json],
        context: Context,
    ) -> dict[str, Json]:
        """Pass the item's value on."""
        return {"value": inputs["value"]}


kinds.register("input")(Input())
