"""What a run waited for: the chain of nodes that its time is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


class Span(NamedTuple):
    """A node's execution in time.

    Attributes:
        node_id: the node.
        name: its name in its body.
        path: where it ran, as `each[3]`; empty for the flow's own nodes.
        started_at: when it began.
        completed_at: when it ended.
    """

    node_id: str
    name: str
    path: str
    started_at: datetime
    completed_at: datetime


def critical_path(
    spans: Sequence[Span], feeds: Mapping[str, frozenset[str]]
) -> list[tuple[Span, float]]:
    """Return the spans that a run waited for, the last first, with the milliseconds of each.

    From the span that ended last, the walk goes to whichever of its feeding nodes ended last, and
    so on to the beginning. A node with a body is replaced by what it waited for inside: the walk
    within an item, then the item of the same body that ended last before that one began, as when
    only some run side by side. What is left of the node's own time stays its own.

    Args:
        spans: the executions of one run.
        feeds: by node, the nodes that it takes from; a node that is not there takes from whatever
            ended last before it began.

    >>> from datetime import datetime, timedelta
    >>> at = [datetime(2026, 1, 1) + timedelta(seconds=n) for n in range(6)]
    >>> spans = [
    ...     Span("a", "a", "", at[0], at[1]),
    ...     Span("b", "b", "", at[1], at[5]),
    ...     Span("c", "c", "", at[1], at[2]),
    ...     Span("d", "d", "", at[5], at[5]),
    ... ]
    >>> feeds = {"a": frozenset(), "b": frozenset("a"), "c": frozenset("a"), "d": frozenset("bc")}
    >>> [(span.name, ms) for span, ms in critical_path(spans, feeds)]
    [('d', 0.0), ('b', 4000.0), ('a', 1000.0)]
    """
    by_path: dict[str, list[Span]] = {}
    for span in spans:
        by_path.setdefault(span.path, []).append(span)
    return _Walk(by_path, feeds).through(by_path.get("", []))


class _Walk:
    def __init__(
        self, by_path: Mapping[str, list[Span]], feeds: Mapping[str, frozenset[str]]
    ) -> None:
        self._by_path, self._feeds = by_path, feeds

    def through(self, scope: Sequence[Span]) -> list[tuple[Span, float]]:
        """Walk back through the nodes of one body's item, or of the flow itself."""
        found: list[tuple[Span, float]] = []
        at = max(scope, key=_end, default=None)
        left = list(scope)
        while at is not None:
            left.remove(at)
            found += self._inside(at)
            at = self._before(at, left)
        return found

    def _before(self, span: Span, others: Sequence[Span]) -> Span | None:
        feeding = self._feeds.get(span.node_id)
        known = [
            other
            for other in others
            if (other.node_id in feeding if feeding is not None else _precedes(other, span))
        ]
        return max(known, key=_end, default=None)

    def _inside(self, span: Span) -> list[tuple[Span, float]]:
        own = f"{span.path}/{span.name}".removeprefix("/")
        items = [
            within
            for path, within in self._by_path.items()
            if path == own or (path.startswith(f"{own}[") and "/" not in path[len(own) :])
        ]
        found: list[tuple[Span, float]] = []
        item = max(items, key=_over, default=None)
        while item is not None:
            found += self.through(item)
            items.remove(item)
            begun = min(one.started_at for one in item)
            item = max((one for one in items if _over(one) <= begun), key=_over, default=None)
        rest = _ms(span) - sum(ms for _, ms in found)
        return [(span, max(0.0, rest)), *found]


def _end(span: Span) -> tuple[datetime, datetime]:
    # Of two that ended together, the later one was waited for less: it began later.
    return span.completed_at, span.started_at


def _over(item: Sequence[Span]) -> datetime:
    return max(span.completed_at for span in item)


def _precedes(other: Span, span: Span) -> bool:
    return other.completed_at <= span.started_at


def _ms(span: Span) -> float:
    return (span.completed_at - span.started_at).total_seconds() * 1000
