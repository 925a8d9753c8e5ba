"""Transform: small, safe changes of a value, without code."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.nodes import patterns
from promptstudio_lab.nodes.expressions import evaluate, names
from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.logic.steps import STEPS
from promptstudio_lab.nodes.ports import Port, Ports
from promptstudio_lab.nodes.wanted import wanted_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json

_EXPRESSION = "expression"


class Transform(Kind):
    """Changes one value in a fixed, named way, or works out an expression over its inputs.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").draft()
    >>> _ = f.output(words=f.transform("words", do="split", separator=" ", value=f.input("text")))
    >>> f.run(text="one two").outputs
    {'words': ['one', 'two']}
    """

    name = "transform"
    title = "Transform"
    summary = "Trims, folds, parses, picks, sorts or formats a value."
    category = "Logic"
    icon = "transform"
    headline = "do"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "do": {
                "title": "Do",
                "description": "What happens to the value.",
                "enum": [*STEPS, _EXPRESSION],
                "default": "trim",
            },
            "expression": {
                "title": "Expression",
                "description": "For `expression`, over the inputs that it names; for `filter`, "
                "what must hold of `item`.",
                "type": "string",
                "format": "expression",
            },
            "path": {
                "title": "Path",
                "description": "For `path`: the dotted way into the value, as `rows.0.title`.",
                "type": "string",
            },
            "pattern": {
                "title": "Pattern",
                "description": "For `regex_extract`: what to look for.",
                "type": "string",
                "maxLength": patterns.LONGEST,
            },
            "group": {
                "title": "Group",
                "description": "For `regex_extract`: which brackets to take; 0 is all of it.",
                "type": "integer",
                "minimum": 0,
                "maximum": 99,
            },
            "separator": {
                "title": "Separator",
                "description": "For `split` and `join`: what stands between the parts.",
                "type": "string",
            },
            "start": {
                "title": "Start",
                "description": "For `slice`: the first place; below 0 counts from the end.",
                "type": "integer",
            },
            "stop": {
                "title": "Stop",
                "description": "For `slice`: the place behind the last.",
                "type": "integer",
            },
            "by": {
                "title": "By",
                "description": "For `sort` and `unique`: the path inside an item that counts.",
                "type": "string",
            },
            "descending": {
                "title": "Descending",
                "description": "For `sort`: the largest first.",
                "type": "boolean",
            },
            "decimals": {
                "title": "Decimals",
                "description": "For `format_number`: digits behind the point.",
                "type": "integer",
                "minimum": 0,
                "maximum": 20,
            },
            "format": {
                "title": "Format",
                "description": "For `format_date`: as `%d %B %Y`.",
                "type": "string",
                "maxLength": 100,
            },
        },
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return one value in, one out; an expression takes what it names."""
        if config.get("do") == _EXPRESSION:
            wanted = wanted_by(names, config.get(_EXPRESSION, "value"))
            inputs = tuple(map(Port, wanted or ()))
            return Ports(inputs, (Port("value"),), open=wanted is None)
        step = STEPS.get(str(config.get("do", "trim")), ("any", None))
        return Ports((Port("value"),), (Port("value", step[0]),))

    async def run(
        self,
        config: Mapping[str, Json],
        inputs: Mapping[str, Json],
        context: Context,
    ) -> dict[str, Json]:
        """Change the value.

        Raises:
            NodeFailed: if the value is not of the kind that this needs.
            ExpressionRefused: if an expression or a pattern means nothing here.
        """
        if config.get("do") == _EXPRESSION:
            return {"value": evaluate(str(config.get(_EXPRESSION, "value")), inputs)}
        return {"value": STEPS[str(config.get("do", "trim"))][1](inputs["value"], config)}


kinds.register("transform")(Transform())
