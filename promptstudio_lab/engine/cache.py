"""What was paid for once is not paid for again: nodes found by their content, across variants."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from promptstudio_lab.nodes import kinds
from promptstudio_lab.values import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.engine.plan import Plan, Step
    from promptstudio_lab.engine.replay.past import Kept
    from promptstudio_lab.values import Json

_REMEMBERED = 10_000


class Cache:
    """Finds a node's earlier outputs; the same node under way twice runs once.

    Args:
        find: looks a key up among what is recorded; it may block.
    """

    def __init__(self, find: Callable[[str], Kept | None]) -> None:
        """Begin with nothing remembered."""
        self._find = find
        self._under_way: dict[str, asyncio.Future[Kept | None]] = {}

    async def claim(self, key: str) -> Kept | None:
        """Return what is known under a key; None makes the caller the one who must find out.

        Whoever gets None must call `settle`; until then others wait for it.
        """
        while (other := self._under_way.get(key)) is not None:
            found = await asyncio.shield(other)
            if found is not None:
                return found
        mine = asyncio.get_running_loop().create_future()
        self._under_way[key] = mine
        known: Kept | None = None
        looked = False
        try:
            known = await asyncio.to_thread(self._find, key)
            looked = True
        finally:
            if known is not None or not looked:
                self.settle(key, known)
        return known

    def settle(self, key: str, found: Kept | None) -> None:
        """Tell those who wait what came of it; after None the next of them tries."""
        future = self._under_way.pop(key, None)
        if future is None:
            return
        if found is not None:
            # What is over moves to the end, so that the oldest of it goes first.
            self._under_way[key] = future
            if len(self._under_way) > _REMEMBERED:
                over = (name for name, other in self._under_way.items() if other.done())
                self._under_way.pop(next(over, key), None)
        if not future.done():
            future.set_result(found)


def cache_key(plan: Plan, step: Step, inputs: Mapping[str, Json]) -> str | None:
    """Return what a node does, and on what, as one hash; None where it must not be remembered.

    Only a node that asks for it is remembered, and never one that changes the outside world.
    """
    if not step.policy.get("cache") or _touches(step):
        return None
    return content_hash([_nature(step), plan.default_model, dict(inputs)])


def _touches(step: Step) -> bool:
    return kinds[step.kind].side_effects == "unsafe" or any(map(_touches, step.body))


def _nature(step: Step) -> list[Json]:
    return [
        step.kind,
        kinds[step.kind].version,
        dict(step.config),
        step.prompt.text if step.prompt else None,
        [[inner.key, _wiring(inner, step.body), _nature(inner)] for inner in step.body],
    ]


def _wiring(step: Step, body: tuple[Step, ...]) -> list[Json]:
    names = {other.node_id: other.key for other in body}
    return [
        [binding.port, names.get(binding.source), binding.output, list(binding.path)]
        for binding in (*step.bindings, *step.when)
    ]
