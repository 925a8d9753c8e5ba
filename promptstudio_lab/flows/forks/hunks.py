"""What a fork changed, told apart from what its origin's people changed meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.errors import Conflict
from promptstudio_lab.flows.diff import Binding, diff
from promptstudio_lab.flows.forks.places import Place, Values, places_of, put, same, values_of
from promptstudio_lab.shown import card, changes, printable
from promptstudio_lab.values import content_hash, dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from promptstudio_lab.flows.graph import Graph
    from promptstudio_lab.values import Json

_LINE = 100


class Clash(NamedTuple):
    """One place that both have changed, in words: what it was and what either made of it."""

    base: str
    mine: str
    theirs: str


@dataclass(frozen=True, slots=True, repr=False)
class Hunk:
    """One change of a fork that can be taken back to its origin by itself.

    Attributes:
        id: of this very change: once either side does something else there, it is another.
        node: the node that it is about, by its id in the origin.
        lines: what taking it does to the origin, in words.
        clash: what both have changed, if the origin's people changed the same; else None.
        needs: the ids of hunks without which it cannot stand: they come with it.
        changed: the places of it, with the fork's values.
    """

    id: str
    node: str
    lines: tuple[str, ...]
    clash: Clash | None
    needs: tuple[str, ...]
    changed: Mapping[Place, Json | None] = field(hash=False)

    def __str__(self) -> str:
        """Say it in one line a change, and both values where two people changed the same."""
        if self.clash is None:
            return "\n".join(self.lines)
        was, mine, theirs = (_short(text) for text in self.clash)
        both = f"    both changed it: was {was}, yours {mine}, theirs {theirs}"
        return "\n".join([*self.lines, both])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return card("A change", changes(str(self).splitlines()))


def _short(text: str) -> str:
    shown = printable(text).replace("\n", "⏎")
    return shown if len(shown) <= _LINE else f"{shown[: _LINE - 1]}…"


@dataclass(slots=True)
class _Draft:
    """A hunk before it has words."""

    place: Place
    changed: dict[Place, Json | None]
    clash: Clash | None
    # Nodes that must be there for it.
    nodes: set[str] = field(default_factory=set)


def hunks(base: Values, mine: Graph, theirs: Graph) -> tuple[Hunk, ...]:
    """Return what would bring the fork's changes into the origin, one change each.

    Args:
        base: what both began with.
        mine: the fork, with the identities that its nodes have in the origin.
        theirs: the origin as it stands.
    """
    return _Comparison(base, mine, theirs).hunks()


def closed(found: Iterable[Hunk], wanted: Iterable[str]) -> list[Hunk]:
    """Return the hunks of these ids, with those that they need, in the order found.

    Raises:
        Conflict: if there is no such hunk (any more).
    """
    by_id = {hunk.id: hunk for hunk in found}
    waiting, chosen = list(wanted), set[str]()
    while waiting:
        key = waiting.pop()
        if key not in by_id:
            message = "the flows have changed since these changes were listed: look at them again"
            raise Conflict(message)
        if key not in chosen:
            chosen.add(key)
            waiting += by_id[key].needs
    return [hunk for key, hunk in by_id.items() if key in chosen]


def together(chosen: Iterable[Hunk]) -> dict[Place, Json | None]:
    """Return all places that some hunks change, with the fork's values."""
    found: dict[Place, Json | None] = {}
    for hunk in chosen:
        found |= hunk.changed
    return found


class _Comparison:
    def __init__(self, base: Values, mine: Graph, theirs: Graph) -> None:
        self._base, self._mine, self._theirs = base, mine, theirs
        self._m, self._t = values_of(mine), values_of(theirs)
        self._by_node = places_of({**base, **self._m, **self._t})
        self._fed_before, self._fed_now = _fed(base), _fed(self._t)
        self._fed_here = _fed(self._m)

    def hunks(self) -> tuple[Hunk, ...]:
        drafts = [draft for node in self._by_node for draft in self._of_node(node)]
        made = {key for draft in drafts for key in _coming(draft)}
        missing = {key for draft in drafts for key in draft.nodes} - made - {*self._theirs.by_id}
        # Something of mine leans on what they have removed: it has to come back for that.
        drafts += [self._whole(key) for key in sorted(missing)]
        return self._worded(self._outermost(drafts))

    def _of_node(self, node: str) -> Iterator[_Draft]:
        kind = Place("kind", node)
        in_base, in_mine, in_theirs = (kind in v for v in (self._base, self._m, self._t))
        if in_mine and not in_theirs:
            if not in_base or self._differs(self._m, node):
                yield self._whole(node)
        elif in_base and in_theirs and not in_mine:
            yield self._removed(node)
        elif in_mine:
            yield from filter(None, map(self._one, self._by_node[node]))

    def _differs(self, values: Values, node: str) -> bool:
        return not all(same(self._base, values, place) for place in self._by_node[node])

    def _whole(self, node: str) -> _Draft:
        """Bring in a node with all that is set and that feeds it."""
        kind = Place("kind", node)
        places = [place for place in self._by_node[node] if place in self._m]
        own = self._mine.by_id[node]
        changed: dict[Place, Json | None] = {
            kind: self._m[kind],
            Place("at", node): [own.x, own.y],
            **{place: self._m[place] for place in places},
        }
        feeding = [self._m[place] for place in places if place.what == "in"]
        nodes = {source for sources in feeding for source, *_ in sources}
        clash = None
        if kind in self._base:
            clash = Clash("a node", "changed", "removed")
            # What it fed is fed again, unless that has got something else.
            changed |= {place: self._m[place] for place in self._starved(node)}
        return _Draft(kind, changed, clash, nodes | ({own.parent} if own.parent else set()))

    def _starved(self, node: str) -> Iterator[Place]:
        for place in self._fed_here.get(node, ()):
            left = [one for one in self._base.get(place, ()) if one[0] in self._theirs.by_id]
            if same(self._base, self._m, place) and (self._t.get(place) or []) == left:
                yield place

    def _removed(self, node: str) -> _Draft:
        kind = Place("kind", node)
        used = {*self._fed_now.get(node, ())} - {*self._fed_before.get(node, ())}
        clash = None
        if used or self._differs(self._t, node):
            clash = Clash("a node", "removed", "changed, or used elsewhere")
        return _Draft(kind, {kind: None}, clash)

    def _one(self, place: Place) -> _Draft | None:
        """Return the change of one place of a node that both have, if it is the fork's."""
        if same(self._base, self._m, place) or same(self._m, self._t, place):
            return None
        mine = self._m.get(place)
        nodes = set[str]()
        if place.what == "in":
            left = [one for one in self._base.get(place, ()) if one[0] in self._mine.by_id]
            if left == (mine or []):
                return None  # it only loses what comes from nodes that go
            nodes = {source for source, *_ in mine or ()}
        elif place.what == "name" and mine and mine[1]:
            nodes = {mine[1]}
        clash = None
        if not same(self._base, self._t, place):
            clash = Clash(*(self._word(v, place) for v in (self._base, self._m, self._t)))
        return _Draft(place, {place: mine}, clash, nodes)

    def _word(self, values: Values, place: Place) -> str:
        value = values.get(place)
        if value is None or value == []:
            return "nothing"
        if place.what == "name":
            return str(value[0])
        if place.what == "in":
            return ", ".join(self._arrow(source, place) for source in value)
        return value if isinstance(value, str) else dumps(value)

    def _arrow(self, source: Json, place: Place) -> str:
        graphs = (self._mine, self._theirs)
        names = [
            next((g.name(g.by_id[key]) for g in graphs if key in g.by_id), "a removed node")
            for key in (source[0], place.node)
        ]
        return str(Binding(names[0], source[1], source[2], names[1], place.detail))

    def _outermost(self, drafts: list[_Draft]) -> list[_Draft]:
        """Let a container come and go with all that lies in it."""
        whole = {draft.place.node: draft for draft in drafts if draft.place.what == "kind"}
        kept = []
        for draft in drafts:
            key = draft.place.node
            while draft.place.what == "kind" and self._above(key) in whole:
                key = self._above(key)
            if key == draft.place.node:
                kept.append(draft)
                continue
            outer = whole[key]
            outer.changed |= draft.changed
            outer.nodes |= draft.nodes
            outer.clash = outer.clash or draft.clash
        return kept

    def _above(self, node: str) -> str:
        name = Place("name", node)
        value = self._m.get(name) or self._t.get(name) or [None, None]
        return str(value[1] or "")

    def _worded(self, drafts: list[_Draft]) -> tuple[Hunk, ...]:
        """Put what is needed first, and say each change as it is after what it needs."""
        bringing = {key: draft for draft in drafts for key in _coming(draft)}
        found: dict[Place, Hunk] = {}
        waiting = drafts[::-1]
        while waiting:
            draft = waiting[-1]
            needed = [bringing[key] for key in sorted(draft.nodes) if key in bringing]
            first = [one for one in needed if one is not draft and one.place not in found]
            if draft.place in found or first:
                waiting = waiting[:-1] if draft.place in found else [*waiting, *first]
                continue
            needs = dict.fromkeys(found[one.place].id for one in needed if one is not draft)
            found[draft.place] = self._hunk(draft, tuple(needs), found.values())
        return tuple(found.values())

    def _hunk(self, draft: _Draft, needs: tuple[str, ...], others: Iterable[Hunk]) -> Hunk:
        before = put(self._theirs, together(closed(others, needs)))
        after = put(before, draft.changed)
        lines = tuple(line for line in str(diff(before, after)).splitlines() if _meant(line))
        key = content_hash([list(draft.place), list(lines), list(draft.clash or ()), list(needs)])
        return Hunk(key[:16], draft.place.node, lines, draft.clash, needs, draft.changed)


def _fed(values: Values) -> dict[str, list[Place]]:
    """Return the inputs that each node feeds."""
    found: dict[str, list[Place]] = {}
    for place, sources in values.items():
        for source, *_ in sources if place.what == "in" else ():
            found.setdefault(source, []).append(place)
    return found


def _coming(draft: _Draft) -> set[str]:
    """Return the nodes that come, or come back, by a change; a kind alone changes none."""
    if draft.place.what != "kind":
        return set()
    return {p.node for p, v in draft.changed.items() if p.what == "kind" and v is not None}


def _meant(line: str) -> bool:
    return not line.startswith(("moved:", "no difference"))
