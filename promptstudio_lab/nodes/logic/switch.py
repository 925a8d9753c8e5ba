"""Switch: opens one branch by a value, or by what holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.nodes.expressions import evaluate, names
from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.ports import Port, Ports
from promptstudio_lab.nodes.wanted import wanted_by
from promptstudio_lab.values import Json, dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "default"
_CASES: list[Json] = ["yes"]


class Switch(Kind):
    """Opens the first branch that is named like the value or whose condition holds.

    Where none does, the default one opens.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").draft()
    >>> kind, text = f.input("kind"), f.input("text")
    >>> with f.switch(kind, "route") as route:
    ...     _ = route.case("loud").transform("up", do="upper", value=text)
    ...     _ = route.default.transform("down", do="lower", value=text)
    >>> _ = f.output(text=route.merge("said"))
    >>> f.run(kind="loud", text="Hello").outputs
    {'text': 'HELLO'}
    """

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
                "description": "The branches: a name that the value must have, or a name and the "
                "expression that must hold.",
                "type": "array",
                "items": {
                    "oneOf": [
                        {"type": "string", "minLength": 1, "not": {"const": DEFAULT}},
                        {
                            "type": "object",
                            "properties": {
                                "name": {
                                    "title": "Name",
                                    "description": "What the branch is called.",
                                    "type": "string",
                                    "minLength": 1,
                                    "not": {"const": DEFAULT},
                                },
                                "when": {
                                    "title": "When",
                                    "description": "What must hold of the inputs that it names.",
                                    "type": "string",
                                    "format": "expression",
                                },
                            },
                            "required": ["name", "when"],
                            "additionalProperties": False,
                        },
                    ]
                },
                "uniqueItems": True,
                "default": _CASES,
            }
        },
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return one branch a case, and the default; `value`, and what the conditions name."""
        cases = _cases(config)
        conditions = [when for _, when in cases if when is not None]
        inputs = ["value"] if len(conditions) < len(cases) or not cases else []
        others = wanted_by(names, *conditions)
        inputs += [name for name in others or () if name not in inputs]
        branches = dict.fromkeys([*(name for name, _ in cases), DEFAULT])
        outputs = tuple(Port(name, "branch") for name in branches)
        return Ports(tuple(map(Port, inputs)), outputs, open=others is None)

    async def run(
        self,
        config: Mapping[str, Json],
        inputs: Mapping[str, Json],
        context: Context,
    ) -> dict[str, Json]:
        """Open one branch, named as JSON names the value; the others stay closed.

        Raises:
            ExpressionRefused: if a condition cannot be worked out.
        """
        value = inputs.get("value")
        text = value if isinstance(value, str) else dumps(value)
        for name, when in _cases(config):
            if name == text if when is None else evaluate(when, inputs):
                return {name: True}
        return {DEFAULT: True}


def _cases(config: Mapping[str, Json]) -> list[tuple[str, str | None]]:
    """Return pairs of name and condition; what is neither is left to validation."""
    found: list[tuple[str, str | None]] = []
    cases = config.get("cases", _CASES)
    for case in cases if isinstance(cases, list) else []:
        if isinstance(case, str):
            found.append((case, None))
        elif isinstance(case, dict) and isinstance(case.get("name"), str):
            found.append((case["name"], str(case.get("when", ""))))
    return found


kinds.register("switch")(Switch())
