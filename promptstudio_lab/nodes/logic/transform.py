"""Transform: small, safe changes of a value, without code."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.errors import NodeFailed, ValueRefused
from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.ports import Port, Ports
from promptstudio_lab.values import Json, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _parse(value: Json) -> Json:
    try:
        return loads(str(value))
    except ValueRefused as error:
        message = f"cannot parse the value: {error}"
        raise NodeFailed(message) from None


def _text(value: Json) -> str:
    return value if isinstance(value, str) else dumps(value)


_STEPS: dict[str, tuple[str, Callable[[Json], Json]]] = {
    "trim": ("text", lambda value: _text(value).strip()),
    "lower": ("text", lambda value: _text(value).lower()),
    "upper": ("text", lambda value: _text(value).upper()),
    "to_text": ("text", _text),
    "parse_json": ("json", _parse),
}


class Transform(Kind):
    """Changes one value in a fixed, named way."""

    name = "transform"
    title = "Transform"
    summary = "Trims, folds, parses or formats a value."
    category = "Logic"
    icon = "transform"
    headline = "do"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "do": {"title": "Do", "enum": list(_STEPS), "default": "trim"},
        },
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return one value in, one out."""
        step = _STEPS.get(str(config.get("do", "trim")), ("any", None))
        return Ports((Port("value"),), (Port("value", step[0]),))

    async def run(
        self,
        config: Mapping[str, Json],
        inputs: Mapping[str, Json],
        context: Context,
    ) -> dict[str, Json]:
        """Change the value."""
        return {"value": _STEPS[str(config.get("do", "trim"))][1](inputs["value"])}


kinds.register("transform")(Transform())
