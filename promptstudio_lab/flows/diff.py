"""What differs between two flows: as data, and in words that a person reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from promptstudio_lab.shown import card, changes, named_html
from promptstudio_lab.values import Json, dumps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from promptstudio_lab.flows.graph import Edge, Graph, Node

_LONGEST = 60
_BEFORE = 16


@dataclass(frozen=True, slots=True)
class NodeNamed:
    """A node that came or went.

    Attributes:
        id: its identity.
        key: its name in the whole flow: `each/classify` in the body of `each`.
        kind: what it is.
    """

    id: str
    key: str
    kind: str

    _repr_html_ = named_html


@dataclass(frozen=True, slots=True)
class NodeRenamed:
    """A node that is called something else now, or lies elsewhere: whole names."""

    id: str
    old: str
    new: str

    _repr_html_ = named_html


@dataclass(frozen=True, slots=True)
class FieldChanged:
    """One setting of a node.

    Attributes:
        pointer: where it stands in the node, as `/config/prompt/text` or `/policy/retry`.
        change: whether it came, went or has another value.
        old: the value before; None where it came.
        new: the value now; None where it went.
    """

    pointer: str
    change: Literal["added", "removed", "changed"]
    old: Json
    new: Json

    _repr_html_ = named_html


@dataclass(frozen=True, slots=True)
class NodeChanged:
    """A node that does something else now.

    Attributes:
        id: its identity.
        key: its name in the whole flow now.
        fields: what differs, in the order of the pointers.
    """

    id: str
    key: str
    fields: tuple[FieldChanged, ...]

    _repr_html_ = named_html


@dataclass(frozen=True, slots=True)
class Binding:
    """An edge that came or went, by the names that its ends had then.

    Attributes:
        source: the node that gives.
        source_port: which of its outputs.
        source_path: where inside the output; empty for all of it.
        target: the node that takes.
        target_port: which of its inputs.
    """

    source: str
    source_port: str
    source_path: str
    target: str
    target_port: str

    _repr_html_ = named_html

    def __str__(self) -> str:
        """Say it as an arrow."""
        path = f".{self.source_path}" if self.source_path else ""
        return f"{self.source}.{self.source_port}{path} → {self.target}.{self.target_port}"


@dataclass(frozen=True, slots=True)
class Reordered:
    """An opening that takes the same edges in another order.

    Attributes:
        target: the node that takes.
        target_port: which of its inputs.
        order: what feeds it now, first to last.
    """

    target: str
    target_port: str
    order: tuple[Binding, ...]

    _repr_html_ = named_html


@dataclass(frozen=True, slots=True)
class NodeMoved:
    """A node that stands elsewhere on the canvas: places in pixels."""

    id: str
    key: str
    old: tuple[float, float]
    new: tuple[float, float]

    _repr_html_ = named_html


@dataclass(frozen=True, slots=True, repr=False)
class Diff:
    """What differs between two flows. Nodes are told apart by identity, edges by what they bind.

    Attributes:
        nodes_added: nodes that only the later flow has.
        nodes_removed: nodes that only the earlier one has.
        nodes_renamed: nodes that are called otherwise.
        nodes_changed: nodes of another kind, config or policy.
        edges_added: bindings that only the later flow has.
        edges_removed: bindings that only the earlier one has.
        reordered: openings that take what they took, in another order.
        moved: nodes at other places; no run depends on it.
    """

    nodes_added: tuple[NodeNamed, ...] = ()
    nodes_removed: tuple[NodeNamed, ...] = ()
    nodes_renamed: tuple[NodeRenamed, ...] = ()
    nodes_changed: tuple[NodeChanged, ...] = ()
    edges_added: tuple[Binding, ...] = ()
    edges_removed: tuple[Binding, ...] = ()
    reordered: tuple[Reordered, ...] = ()
    moved: tuple[NodeMoved, ...] = ()

    @property
    def same(self) -> bool:
        """Return whether both flows do the same under the same names, wherever nodes stand."""
        return not any(True for _ in self._meant())

    def __str__(self) -> str:
        """Say it in one line a difference."""
        return "\n".join(self._lines())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return card("What differs", changes(self._lines()))

    def _lines(self) -> list[str]:
        lines = [*self._meant()]
        if self.moved:
            lines.append(f"moved: {', '.join(_shown(node.key) for node in self.moved)}")
        return lines or ["no difference"]

    def _meant(self) -> Iterator[str]:
        yield from (f"+ {line}" for line in _nodes(self.nodes_added))
        yield from (f"- {line}" for line in _nodes(self.nodes_removed))
        for renamed in self.nodes_renamed:
            yield f"~ {_shown(renamed.old)} is called {_shown(renamed.new)}"
        for changed in self.nodes_changed:
            yield from (f"~ {_shown(changed.key)}{_field(field)}" for field in changed.fields)
        yield from (f"+ {_shown(str(edge))}" for edge in self.edges_added)
        yield from (f"- {_shown(str(edge))}" for edge in self.edges_removed)
        for opening in self.reordered:
            order = ", ".join(_shown(edge.source) for edge in opening.order)
            yield f"~ {_shown(opening.target)}.{_shown(opening.target_port)} takes {order}"


def _nodes(nodes: tuple[NodeNamed, ...]) -> Iterator[str]:
    for node in nodes:
        inside = sum(other.key.startswith(f"{node.key}/") for other in nodes)
        body = f", {inside} inside" if inside else ""
        yield f"{_shown(node.key)} ({_shown(node.kind)}{body})"


def diff(before: Graph, after: Graph) -> Diff:
    """Return what differs between two flows.

    Args:
        before: the earlier flow, or the base.
        after: the later one, or the variant.

    >>> from promptstudio_lab.flows.graph import Graph, Node
    >>> ask = Node("1", "ask", "input")
    >>> print(diff(Graph((ask,)), Graph((Node("1", "question", "input", {"type": "text"}),))))
    ~ ask is called question
    ~ question/config/type: added "text"
    """
    pairs = [(before.by_id[node.id], node) for node in after.nodes if node.id in before.by_id]
    old, new = ({edge.binding for edge in graph.edges} for graph in (before, after))
    return Diff(
        nodes_added=_only_in(after, before),
        nodes_removed=_only_in(before, after),
        nodes_renamed=tuple(
            NodeRenamed(now.id, before.name(was), after.name(now))
            for was, now in pairs
            if (was.key, was.parent) != (now.key, now.parent)
        ),
        nodes_changed=tuple(
            NodeChanged(now.id, after.name(now), fields)
            for was, now in pairs
            if (fields := _fields(was, now))
        ),
        edges_added=tuple(_named(e, after) for e in after.edges if e.binding not in old),
        edges_removed=tuple(_named(e, before) for e in before.edges if e.binding not in new),
        reordered=_reordered(before, after),
        moved=tuple(
            NodeMoved(now.id, after.name(now), (was.x, was.y), (now.x, now.y))
            for was, now in pairs
            if (was.x, was.y) != (now.x, now.y)
        ),
    )


def _only_in(one: Graph, other: Graph) -> tuple[NodeNamed, ...]:
    return tuple(
        NodeNamed(node.id, one.name(node), node.kind)
        for node in one.nodes
        if node.id not in other.by_id
    )


def _named(edge: Edge, graph: Graph) -> Binding:
    source, target = (
        graph.name(graph.by_id[end]) if end in graph.by_id else end
        for end in (edge.source, edge.target)
    )
    return Binding(source, edge.source_port, edge.source_path, target, edge.target_port)


def _reordered(before: Graph, after: Graph) -> tuple[Reordered, ...]:
    found = []
    for node in after.nodes:
        for port in dict.fromkeys(edge.target_port for edge in after.into(node.id)):
            was, now = (
                [edge for edge in graph.into(node.id) if edge.target_port == port]
                for graph in (before, after)
            )
            # What came or went is told as such; here only what stayed counts.
            old, new = [edge.binding for edge in was], [edge.binding for edge in now]
            if [one for one in old if one in new] != [one for one in new if one in old]:
                order = tuple(_named(edge, after) for edge in now)
                found.append(Reordered(after.name(node), port, order))
    return tuple(found)


def _fields(was: Node, now: Node) -> tuple[FieldChanged, ...]:
    old, new = (
        {"kind": node.kind, "v": node.version, "config": node.config, "policy": node.policy}
        for node in (was, now)
    )
    return tuple(_compared(old, new, ""))


def _compared(
    old: Mapping[str, Json], new: Mapping[str, Json], pointer: str
) -> Iterator[FieldChanged]:
    for name in sorted({*old, *new}):
        place = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in old:
            yield FieldChanged(place, "added", None, new[name])
        elif name not in new:
            yield FieldChanged(place, "removed", old[name], None)
        elif isinstance(old[name], dict) and isinstance(new[name], dict):
            yield from _compared(old[name], new[name], place)
        # As documents they differ where their texts do: 1 and 1.0, or true and 1, are not the same.
        elif dumps(old[name]) != dumps(new[name]):
            yield FieldChanged(place, "changed", old[name], new[name])


def _field(field: FieldChanged) -> str:
    place = _shown(field.pointer)
    if field.change == "added":
        return f"{place}: added {_value(field.new)}"
    if field.change == "removed":
        return f"{place}: removed {_value(field.old)}"
    old, new = field.old, field.new
    start = 0
    if isinstance(old, str) and isinstance(new, str):
        # Long texts are shown from where they part.
        same = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
        start = max(0, (min(len(old), len(new)) if same is None else same) - _BEFORE)
    return f"{place}: {_value(old, start)} → {_value(new, start)}"


def _value(value: Json, start: int = 0) -> str:
    text = f'"{value}"' if isinstance(value, str) else dumps(value)
    text = text[start:] if start <= _BEFORE else f"…{text[start + 1 :]}"
    return _shown(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")


def _shown(text: str) -> str:
    """Return text with everything spelled out that shows nothing or turns text around."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
