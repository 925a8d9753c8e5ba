"""Code: runs Python that the user has approved, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.errors import NodeFailed, did_you_mean
from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds, texts
from promptstudio_lab.nodes.ports import Port, Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json

_SOURCE = 'def run(text):\n    return {"text": text}\n'
_INPUTS: list[Json] = ["text"]
_OUTPUTS: dict[str, Json] = {"text": "text"}
_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "list": (list,),
    "table": (list,),
    "json": (object,),
    "any": (object,),
}
_TIMEOUT_S = 30


class Code(Kind):
    r"""Calls `run` of the source, or the source as a function's body, and gives what it returns.

    Nothing runs before the user has approved this very source. The process of its own keeps a
    fault inside; it is no sandbox.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").draft()
    >>> source = "def run(text):\n    return {'n': len(text)}"
    >>> outputs = {"n": "int"}
    >>> n = f.code("count", source=source, outputs=outputs, text=f.input("text"))
    >>> _ = f.output(n=n.n)
    >>> f.check()
    F405 warning count: nobody has approved this code yet; read it, then approve it
    """

    name = "code"
    title = "Code"
    summary = "Runs Python that you have approved."
    category = "Outside"
    icon = "code"
    headline = "source"
    side_effects = "unsafe"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "source": {
                "title": "Source",
                "description": "Python: a function `run` of the inputs, or only its body. It "
                "returns a dict with the outputs.",
                "type": "string",
                "format": "python",
                "default": _SOURCE,
            },
            "inputs": {
                "title": "Inputs",
                "description": "The names of what it is given.",
                "type": "array",
                "items": {"type": "string", "pattern": "^[A-Za-z_]\\w*$"},
                "uniqueItems": True,
                "default": _INPUTS,
            },
            "outputs": {
                "title": "Outputs",
                "description": "The names of what it returns, each with its type.",
                "type": "object",
                "propertyNames": {"pattern": "^[A-Za-z_]\\w*$"},
                "additionalProperties": {"enum": list(_TYPES)},
                "minProperties": 1,
                "default": _OUTPUTS,
            },
            "timeout_s": {
                "title": "Most seconds",
                "description": "When it is ended.",
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 3600,
                "default": _TIMEOUT_S,
            },
        },
        "required": ["source"],
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return what is declared."""
        inputs = tuple(map(Port, texts(config.get("inputs", _INPUTS))))
        outputs = tuple(Port(name, str(sort)) for name, sort in _outputs(config).items())
        return Ports(inputs, outputs)

    async def run(
        self, config: Mapping[str, Json], inputs: Mapping[str, Json], context: Context
    ) -> dict[str, Json]:
        """Run the source once; an output that it leaves out is skipped downstream.

        Raises:
            NodeFailed: if it is not approved, failed, took too long or returned something else
                than was declared.
        """
        timeout_s = float(config.get("timeout_s", _TIMEOUT_S))
        found = await context.compute(str(config["source"]), inputs, timeout_s)
        declared = _outputs(config)
        for name, value in found.items():
            if name not in declared:
                hint = did_you_mean(name, declared)
                message = f"the code returned {name!r}, which is no output of the node.{hint}"
                raise NodeFailed(message)
            if not _fits(value, str(declared[name])):
                message = f"{name!r} is {type(value).__name__}, and {declared[name]} was declared"
                raise NodeFailed(message)
        return dict(found)


def _outputs(config: Mapping[str, Json]) -> dict[str, Json]:
    outputs = config.get("outputs", _OUTPUTS)
    return outputs if isinstance(outputs, dict) else {}


def _fits(value: Json, sort: str) -> bool:
    if isinstance(value, bool):
        return sort in {"bool", "json", "any"}
    return isinstance(value, _TYPES.get(sort, (object,)))


kinds.register("code")(Code())
