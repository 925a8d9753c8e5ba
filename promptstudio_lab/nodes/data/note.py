"""Note: words beside a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json


class Note(Kind):
    """Tells readers something; it does nothing, and no version of a flow depends on it."""

    name = "note"
    title = "Note"
    summary = "Words for whoever reads the flow."
    category = "Data"
    icon = "note"
    headline = "text"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "text": {
                "title": "Text",
                "description": "What readers are told.",
                "type": "string",
                "format": "multiline",
                "default": "",
            }
        },
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return none: a note is connected to nothing."""
        return Ports()

    async def run(
        self, config: Mapping[str, Json], inputs: Mapping[str, Json], context: Context
    ) -> dict[str, Json]:
        """Give nothing."""
        return {}


kinds.register("note")(Note())
