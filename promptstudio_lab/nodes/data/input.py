"""Input: a value that the flow is given."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.ports import Port, Ports
from promptstudio_lab.nodes.shapes import checker, misfits
from promptstudio_lab.values import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema_rs import Draft202012Validator

    from promptstudio_lab.values import Json

# What a value of each type is; what it lacks may be anything.
_SCHEMAS: dict[str, dict[str, Json]] = {
    "text": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "list": {"type": "array"},
    "table": {"type": "array", "items": {"type": "object"}},
}
_LONGEST = 60


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


def unfit(config: Mapping[str, Json], value: Json) -> list[tuple[str, str]]:
    """Return where and why a value is not of an input's type; an edge's conversions do not count.

    >>> unfit({"type": "table"}, [{}, 1])
    [('/1', '1 is not of type "object"')]
    """
    wanted = str(config.get("type", "text"))
    return list(misfits(_checker(wanted), value)) if wanted in _SCHEMAS else []


def refused(config: Mapping[str, Json], value: Json) -> str | None:
    """Return why an input cannot be given a value, or None if it can.

    What an edge would convert is taken: a number is also text. Null is no value, so an input with a
    default takes it.

    >>> refused({"type": "int"}, 4.5), refused({"type": "text"}, 4.5)
    ('takes int, not 4.5', None)
    >>> refused({}, None), refused({"default": ""}, None), refused({"type": "json"}, None)
    ('has no value: it is null', None, None)
    """
    wanted = str(config.get("type", "text"))
    if wanted not in _SCHEMAS:
        return None
    if value is None:
        return None if "default" in config else "has no value: it is null"
    scalar = isinstance(value, (str, int, float))
    if (wanted == "text" and scalar) or not unfit(config, value):
        return None
    shown = f"the text {value!r}" if isinstance(value, str) else dumps(value)
    return f"takes {wanted}, not {shown if len(shown) <= _LONGEST else shown[:_LONGEST] + '…'}"


@lru_cache
def _checker(name: str) -> Draft202012Validator:
    return checker(_SCHEMAS[name])


kinds.register("input")(Input())
