"""Guard: lets a value through only if it passes a check."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.errors import NodeFailed
from promptstudio_lab.nodes import patterns
from promptstudio_lab.nodes.expressions import evaluate, names
from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.personal import personal_data
from promptstudio_lab.nodes.ports import Port, Ports
from promptstudio_lab.nodes.shapes import checker, misfits
from promptstudio_lab.nodes.wanted import wanted_by
from promptstudio_lab.values import Json, dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Guard(Kind):
    """Gives the value on, or fails, or gives a default instead.

    A refusal names what was found and never shows it: it may be personal.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").draft()
    >>> safe = f.guard("safe", check="pii", action="default", default="-", value=f.input("text"))
    >>> _ = f.output(text=safe)
    >>> f.run(text="write to ada@example.com").outputs
    {'text': '-'}
    """

    name = "guard"
    title = "Guard"
    summary = "Lets a value through only if it passes a check."
    category = "Logic"
    icon = "guard"
    headline = "check"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "check": {
                "title": "Check",
                "description": "What the value must pass; `pii`: no e-mail address, no telephone "
                "number and no card number.",
                "enum": ["schema", "regex", "expression", "pii"],
                "default": "pii",
            },
            "schema": {
                "title": "JSON Schema",
                "description": "The shape that the value must have.",
                "type": "object",
                "format": "json",
            },
            "pattern": {
                "title": "Pattern",
                "description": "A regular expression that must be found in the value's text.",
                "type": "string",
                "maxLength": patterns.LONGEST,
            },
            "expression": {
                "title": "Expression",
                "description": "What must hold of `value`, and of other inputs that it names.",
                "type": "string",
                "format": "expression",
            },
            "action": {
                "title": "Otherwise",
                "description": "What happens to a value that does not pass.",
                "enum": ["fail", "default"],
                "default": "fail",
            },
            "default": {"title": "Default", "description": "Given instead of a refused value."},
        },
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return the value, whatever else the expression names, and whether it passed."""
        others: tuple[str, ...] | None = ()
        if config.get("check") == "expression":
            others = wanted_by(names, config.get("expression", ""))
        inputs = tuple(map(Port, dict.fromkeys(("value", *(others or ())))))
        outputs = (Port("value"), Port("passed", "bool"))
        return Ports(inputs, outputs, open=others is None)

    async def run(
        self, config: Mapping[str, Json], inputs: Mapping[str, Json], context: Context
    ) -> dict[str, Json]:
        """Check the value.

        Raises:
            NodeFailed: if it does not pass, and no default stands in.
        """
        reason = _CHECKS[str(config.get("check", "pii"))](config, inputs)
        if reason is None:
            return {"value": inputs["value"], "passed": True}
        if config.get("action") == "default":
            return {"value": config.get("default"), "passed": False}
        raise NodeFailed(reason)


def _schema(config: Mapping[str, Json], inputs: Mapping[str, Json]) -> str | None:
    against = checker(config.get("schema", {}))
    if against.is_valid(inputs["value"]):
        return None
    places = [place or "/" for place, _ in misfits(against, inputs["value"])]
    return f"the value does not fit the schema at {', '.join(places) or '/'}"


def _regex(config: Mapping[str, Json], inputs: Mapping[str, Json]) -> str | None:
    value, pattern = inputs["value"], str(config.get("pattern", ""))
    text = value if isinstance(value, str) else dumps(value)
    return None if patterns.found(pattern, text) else f"the value does not match {pattern!r}"


def _expression(config: Mapping[str, Json], inputs: Mapping[str, Json]) -> str | None:
    expression = str(config.get("expression", ""))
    return None if evaluate(expression, inputs) else f"of the value does not hold: {expression}"


def _pii(config: Mapping[str, Json], inputs: Mapping[str, Json]) -> str | None:
    found = personal_data(inputs["value"])
    return f"the value holds {' and '.join(found)}" if found else None


_CHECKS: Mapping[str, Callable[[Mapping[str, Json], Mapping[str, Json]], str | None]] = {
    "schema": _schema,
    "regex": _regex,
    "expression": _expression,
    "pii": _pii,
}

kinds.register("guard")(Guard())
