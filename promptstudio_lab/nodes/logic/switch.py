"""Switch: opens one branch by a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds, texts
from promptstudio_lab.nodes.ports import Port, Ports
from promptstudio_lab.values import Json, dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "default"


class Switch(Kind):
    """Opens the branch named like the value, else the default one."""

    name = "switch"
    title = "Switch"
    summary = "Opens one branch by a value."
    category = "Logic"
    icon = "switch"
    headline = "cases"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "cases": {
                "title": "Cases",
                "type": "array",
                "items": {"type": "string", "minLength": 1, "not": {"const": DEFAULT}},
                "uniqueItems": True,
                "default": ["yes"],
            }
        },
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return one branch a case, and the default."""
        names = [*texts(config.get("cases", ["yes"])), DEFAULT]
        return Ports((Port("value"),), tuple(Port(name, "branch") for name in names))

    async def run(
        self,
        config: Mapping[str, Json],
        inputs: Mapping[str, Json],
        context: Context,
    ) -> dict[str, Json]:
        """Open one branch, named as JSON names the value; the others stay closed."""
        value = inputs["value"]
        text = value if isinstance(value, str) else dumps(value)
        return {text if text in config.get("cases", ["yes"]) else DEFAULT: True}


kinds.register("switch")(Switch())
