"""Map: runs its body once for each item of a list."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.errors import NodeFailed
from promptstudio_lab.nodes.kind import Context, Kind, Known, Waiting, kinds
from promptstudio_lab.nodes.ports import Port, Ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from promptstudio_lab.values import Json

_OWN = ("item", "index", "items")
_AT_ONCE = 8


class Map(Kind):
    """Runs the nodes inside it for each item, several at a time, and keeps the items' order.

    The body's inputs `item` and `index` are the item's; its other inputs are ports of the node.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").draft()
    >>> with f.map("each", items=f.input("words", "list"), concurrency=4) as each:
    ...     _ = each.output(loud=each.transform("up", do="upper", value=each.item))
    >>> _ = f.output(all=each.items)
    >>> f.run(words=["one", "two"]).outputs
    {'all': ['ONE', 'TWO']}
    """

    name = "map"
    title = "Map"
    summary = "Runs its body for each item of a list."
    category = "Logic"
    icon = "map"
    headline = "on_item_error"
    container = True
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "concurrency": {
                "title": "At the same time",
                "description": "How many items are worked on at once.",
                "type": "integer",
                "minimum": 1,
                "maximum": 1000,
                "default": _AT_ONCE,
            },
            "on_item_error": {
                "title": "When an item fails",
                "description": "Stop the node, leave the item out, or give null in its place.",
                "enum": ["stop", "skip", "null"],
                "default": "stop",
            },
        },
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return the list, the body's other inputs, and what came of the items."""
        others = tuple(port for port in known.body.inputs if port.name not in _OWN)
        outputs = (Port("items", "list"), Port("errors", "list"))
        return Ports((Port("items", "list"), *others), outputs)

    async def run(
        self, config: Mapping[str, Json], inputs: Mapping[str, Json], context: Context
    ) -> dict[str, Json]:
        """Run the body for each item.

        Raises:
            NodeFailed: if `items` is no list, or an item failed that may not.
            Waiting: when all other items are done and one waits for a person.
        """
        items = inputs["items"]
        if not isinstance(items, list):
            message = f"`items` is {type(items).__name__}; a map node takes a list"
            raise NodeFailed(message)
        others = {name: value for name, value in inputs.items() if name != "items"}
        each = _Each(items, others, str(config.get("on_item_error", "stop")), context)
        await each.finish(int(config.get("concurrency", _AT_ONCE)))
        return {"items": each.results(), "errors": [each.errors[at] for at in sorted(each.errors)]}


class _Each:
    """The items on their way."""

    def __init__(
        self, items: list[Json], others: Mapping[str, Json], on_error: str, context: Context
    ) -> None:
        self._items, self._others, self._on_error = items, others, on_error
        self._context = context
        self.outputs: dict[int, Mapping[str, Json]] = {}
        self.errors: dict[int, Json] = {}
        self._waiting: list[Waiting] = []

    async def finish(self, at_once: int) -> None:
        """Work on all items; when one may not fail and does, the others are cut off."""
        places = iter(range(len(self._items)))
        workers = [
            asyncio.create_task(self._work(places)) for _ in range(min(at_once, len(self._items)))
        ]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        if self._waiting:
            raise self._waiting[0]

    async def _work(self, places: Iterator[int]) -> None:
        for at in places:
            values = {**self._others, "item": self._items[at], "index": at}
            try:
                self.outputs[at] = await self._context.body(values, f"[{at}]")
            except Waiting as question:
                # Whoever is asked should not hold up what can be done without an answer.
                self._waiting.append(question)
            except NodeFailed as error:
                if self._on_error == "stop":
                    raise
                self.errors[at] = {"index": at, "error": str(error)}

    def results(self) -> list[Json]:
        """Return what the items gave: bare values when the body answers with one field."""
        fields = {name for outputs in self.outputs.values() for name in outputs}
        kept = [
            self.outputs.get(at)
            for at in range(len(self._items))
            if at in self.outputs or self._on_error == "null"
        ]
        if len(fields) > 1:
            return [None if one is None else dict(one) for one in kept]
        field = next(iter(fields), "")
        return [None if one is None else one.get(field) for one in kept]


kinds.register("map")(Map())
