"""Merge: brings branches together again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.errors import NodeFailed
from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.ports import Port, Ports
from promptstudio_lab.values import Json, dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TYPES = {"list": "list", "all": "json"}


class Merge(Kind):
    """Gives what its live inputs give: the first, all of them, or what most of them say.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").draft()
    >>> first, last = f.input("first"), f.input("last")
    >>> _ = f.output(name=f.merge("name", first, last, strategy="concat", separator=" "))
    >>> f.run(first="Ada", last="Lovelace").outputs
    {'name': 'Ada Lovelace'}
    """

    name = "merge"
    title = "Merge"
    summary = "Brings branches together."
    category = "Logic"
    icon = "merge"
    headline = "strategy"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "strategy": {
                "title": "Strategy",
                "description": "The first live input; a list of all; an object of all, by their "
                "order; texts or lists put together; or the value that most of them have.",
                "enum": ["first", "list", "all", "concat", "vote"],
                "default": "first",
            },
            "separator": {
                "title": "Between texts",
                "description": "What stands between texts that are put together.",
                "type": "string",
                "default": "\n",
            },
        },
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return one input for any number of edges."""
        kind = _TYPES.get(str(config.get("strategy")), "any")
        return Ports((Port("in", many=True),), (Port("value", kind),))

    async def run(
        self,
        config: Mapping[str, Json],
        inputs: Mapping[str, Json],
        context: Context,
    ) -> dict[str, Json]:
        """Join the live inputs, in the order of their edges.

        Raises:
            NodeFailed: if texts and lists would be put together.
        """
        return {"value": _STRATEGIES[str(config.get("strategy", "first"))](config, inputs["in"])}


def _concat(config: Mapping[str, Json], live: list[Json]) -> Json:
    if all(isinstance(value, str) for value in live):
        return str(config.get("separator", "\n")).join(live)
    if all(isinstance(value, list) for value in live):
        return [item for value in live for item in value]
    found = ", ".join(sorted({type(value).__name__ for value in live}))
    message = f"only texts, or only lists, can be put together; the inputs are {found}"
    raise NodeFailed(message)


def _vote(config: Mapping[str, Json], live: list[Json]) -> Json:
    texts = [dumps(value) for value in live]
    # Of equally many the first wins: a counter keeps the order in which it met them.
    return live[texts.index(Counter(texts).most_common(1)[0][0])]


_STRATEGIES: Mapping[str, Callable[[Mapping[str, Json], list[Json]], Json]] = {
    "first": lambda _, live: live[0],
    "list": lambda _, live: live,
    "all": lambda _, live: {str(at): value for at, value in enumerate(live)},
    "concat": _concat,
    "vote": _vote,
}

kinds.register("merge")(Merge())
