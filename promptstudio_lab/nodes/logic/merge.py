"""Merge: brings branches together again."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.ports import Port, Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json


class Merge(Kind):
    """Gives what its live inputs give: the first, or all of them."""

    name = "merge"
    title = "Merge"
    summary = "Brings branches together."
    category = "Logic"
    icon = "merge"
    headline = "strategy"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "strategy": {"title": "Strategy", "enum": ["first", "list"], "default": "first"}
        },
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return one input for any number of edges."""
        kind = "list" if config.get("strategy") == "list" else "any"
        return Ports((Port("in", many=True),), (Port("value", kind),))

    async def run(
        self,
        config: Mapping[str, Json],
        inputs: Mapping[str, Json],
        context: Context,
    ) -> dict[str, Json]:
        """Choose among the live inputs, in the order of their edges."""
        live = inputs["in"]
        return {"value": live if config.get("strategy") == "list" else live[0]}


kinds.register("merge")(Merge())
