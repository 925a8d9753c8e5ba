"""Output: what the flow answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds, texts
from promptstudio_lab.nodes.ports import Port, Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json


class Output(Kind):
    """Collects the flow's answers by name."""

    name = "output"
    title = "Output"
    summary = "What a run answers, by name."
    category = "Data"
    icon = "output"
    headline = "fields"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "fields": {
                "title": "Fields",
                "description": "The names of what a run answers.",
                "type": "array",
                "items": {"type": "string", "pattern": "^[A-Za-z_]\\w*$"},
                "uniqueItems": True,
                "minItems": 1,
                "default": ["answer"],
            }
        },
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return one input a field."""
        names = texts(config.get("fields", ["answer"]))
        return Ports(inputs=tuple(map(Port, names)))

    async def run(
        self,
        config: Mapping[str, Json],
        inputs: Mapping[str, Json],
        context: Context,
    ) -> dict[str, Json]:
        """Return the fields as the run's answer."""
        return dict(inputs)


kinds.register("output")(Output())
