"""Rules about branches: which nodes can run together, and whether an answer always comes.

A node's condition is a set of cases of switches in disjunctive form: any one of its terms makes it
run. What cannot be told, because it would take too long or the flow is broken, counts as live.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from promptstudio_lab.errors import did_you_mean
from promptstudio_lab.flows.validation.problem import warnings
from promptstudio_lab.nodes.logic.switch import DEFAULT
from promptstudio_lab.nodes.ports import WHEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.flows.graph import Edge, Node
    from promptstudio_lab.flows.validation.problem import Problem, Subject
    from promptstudio_lab.values import Json

Term: TypeAlias = frozenset[tuple[str, str]]  # (switch, case) pairs that hold together
Condition: TypeAlias = frozenset[Term]  # of which one must hold

ALWAYS: Condition = frozenset({frozenset()})
NEVER: Condition = frozenset()
_MOST_TERMS = 64
_MOST_STEPS = 4_096


def liveness(subject: Subject) -> Iterator[Problem]:
    """Return what is wrong with branches: F107, F108 and F109, in the flow and in each body."""
    for container in subject.bodies():
        inside = subject.inside(container.id if container else None)
        switches = [node for node in inside if node.kind == "switch" and node.id in subject.shapes]
        for node in switches:
            yield from _cases(subject, node)
        if switches:
            yield from _answers(subject, inside, _Conditions(subject, inside))


class _Conditions:
    """When each node of a body runs."""

    def __init__(self, subject: Subject, inside: list[Node]) -> None:
        self._subject = subject
        self._found: dict[str, Condition] = {}
        self._into: dict[str, list[Edge]] = {node.id: [] for node in inside}
        for edge in subject.graph.edges:
            if edge.target in self._into and edge.source in self._into:
                self._into[edge.target].append(edge)
        self._fill(inside)

    def of(self, node_id: str) -> Condition:
        """Return when a node runs."""
        return self._found.get(node_id, ALWAYS)

    def into(self, node_id: str) -> list[Edge]:
        """Return the edges that end in a node."""
        return self._into.get(node_id, [])

    def given(self, edge: Edge) -> Condition:
        """Return when an edge carries a value."""
        source = self._subject.graph.by_id[edge.source]
        here = self.of(source.id)
        if source.kind == "switch":
            return both(here, frozenset({frozenset({(source.id, edge.source_port)})}))
        return here

    def _fill(self, inside: list[Node]) -> None:
        waiting = {node.id: len(self._into[node.id]) for node in inside}
        out: dict[str, list[str]] = {}
        for edges in self._into.values():
            for edge in edges:
                out.setdefault(edge.source, []).append(edge.target)
        ready = [node_id for node_id, count in waiting.items() if not count]
        while ready:
            here = ready.pop()
            self._found[here] = self._work_out(self._subject.graph.by_id[here])
            for target in out.get(here, ()):
                waiting[target] -= 1
                if not waiting[target]:
                    ready.append(target)

    def _work_out(self, node: Node) -> Condition:
        ports = self._subject.shapes.get(node.id)
        if ports is None:
            return ALWAYS
        openings: dict[str, list[Condition]] = {}
        for edge in self.into(node.id):
            openings.setdefault(edge.target_port, []).append(self.given(edge))
        found = ALWAYS
        for name, given in openings.items():
            port = ports.input(name)
            # What a node can do without does not hold it up.
            if port and (port.required or name == WHEN):
                found = both(found, any_of(given))
        return found


def both(one: Condition, other: Condition) -> Condition:
    """Return when two conditions hold at once."""
    if ALWAYS in (one, other):
        return other if one == ALWAYS else one
    terms = (a | b for a in one for b in other)
    return _short({term for term in terms if len({switch for switch, _ in term}) == len(term)})


def any_of(conditions: list[Condition]) -> Condition:
    """Return when one of some conditions holds."""
    return _short({term for condition in conditions for term in condition})


def _short(terms: set[Term]) -> Condition:
    if frozenset() in terms:
        return ALWAYS
    return frozenset(terms) if len(terms) <= _MOST_TERMS else ALWAYS


def fails_where(condition: Condition, cases: dict[str, list[str]]) -> dict[str, str] | None:
    """Return what switches have to choose for a condition to fail; None if it always holds.

    None, too, if it takes too long to tell.

    >>> a, b = frozenset({("s", "a")}), frozenset({("s", "default")})
    >>> cases = {"s": ["a", "default"]}
    >>> fails_where(frozenset({a, b}), cases), fails_where(frozenset({a}), cases)
    (None, {'s': 'default'})
    """
    waiting: list[tuple[Condition, dict[str, str]]] = [(condition, {})]
    steps = 0
    while waiting:
        here, chosen = waiting.pop()
        steps += 1
        if here == ALWAYS or frozenset() in here or steps > _MOST_STEPS:
            continue
        if not here:
            return chosen
        switch = min(pair[0] for term in here for pair in term)
        waiting += [
            (_assumed(here, switch, case), {**chosen, switch: case})
            for case in cases.get(switch, [])
        ]
    return None


def _assumed(condition: Condition, switch: str, case: str) -> Condition:
    kept = [
        frozenset(pair for pair in term if pair[0] != switch)
        for term in condition
        if all(pair[0] != switch or pair[1] == case for pair in term)
    ]
    return frozenset(kept)


def _answers(subject: Subject, inside: list[Node], conditions: _Conditions) -> Iterator[Problem]:
    outputs = [node for node in inside if node.kind == "output"]
    for node in outputs:
        if conditions.of(node.id) == NEVER:
            message = "it is skipped on every path: what feeds it lies in branches that exclude"
            yield subject.problem("F107", node, "", f"{message} one another")
    for node in inside:
        yield from _joins(subject, node, conditions)
    cases = {
        node.id: _possible(subject, node)
        for node in inside
        if node.kind == "switch" and node.id in subject.shapes
    }
    reached = any_of([conditions.of(node.id) for node in outputs])
    if outputs and reached != NEVER and (chosen := fails_where(reached, cases)) is not None:
        keys = {node.id: node.key for node in inside}
        where = " and ".join(f"{keys[one]} takes {case!r}" for one, case in chosen.items())
        message = f"where {where}, no answer is given; join that branch to the others by a merge"
        yield from warnings([subject.problem("F107", outputs[0], "", message)])


def _possible(subject: Subject, node: Node) -> list[str]:
    """Return the branches of a switch that can open: no default where each value has its case."""
    ports = [port.name for port in subject.shapes[node.id].outputs]
    words, cases = _words(subject, node), node.config.get("cases", [])
    if words is not None and isinstance(cases, list) and all(word in cases for word in words):
        return [name for name in ports if name in words]
    return ports


def _joins(subject: Subject, node: Node, conditions: _Conditions) -> Iterator[Problem]:
    """F109: a merge that waits for all of what can never all be there."""
    if node.kind != "merge" or node.config.get("strategy") not in ("all", "concat", "vote"):
        return
    given = [conditions.given(edge) for edge in conditions.into(node.id)]
    apart = any(both(a, b) == NEVER for n, a in enumerate(given) for b in given[:n])
    if apart:
        fix: dict[str, Json] = {
            "do": "set_setting",
            "node": node.id,
            "setting": "strategy",
            "value": "first",
        }
        message = f"{node.config['strategy']!r} joins branches that are never open together"
        found = subject.problem("F109", node, "/config/strategy", message, fix)
        yield from warnings([found])


def _cases(subject: Subject, node: Node) -> Iterator[Problem]:
    """F108: a case that no value has, and values that no case has."""
    cases = node.config.get("cases", [])
    words = _words(subject, node)
    if words is None or not isinstance(cases, list):
        return
    plain = [(n, case) for n, case in enumerate(cases) if isinstance(case, str)]
    for place, case in plain:
        if case not in words:
            message = f"the value is never {case!r}.{did_you_mean(case, words)}"
            found = subject.problem("F108", node, f"/config/cases/{place}", message)
            yield from warnings([found])
    missing = [word for word in words if word not in cases]
    joined = any(edge.source_port == DEFAULT for edge in subject.graph.out_of(node.id))
    if missing and len(plain) == len(cases) and not joined:
        fix: dict[str, Json] = {
            "do": "set_setting",
            "node": node.id,
            "setting": "cases",
            "value": [*cases, *missing],
        }
        message = f"no branch takes {', '.join(map(repr, missing))}"
        yield from warnings([subject.problem("F108", node, "/config/cases", message, fix)])


def _words(subject: Subject, node: Node) -> list[str] | None:
    """Return the values that a switch may be given, where they are known."""
    for edge in subject.graph.into(node.id):
        source = subject.shapes.get(edge.source)
        port = source.output(edge.source_port) if source else None
        schema: Json = port.schema if port and edge.target_port == "value" else None
        for part in filter(None, edge.source_path.split(".")):
            properties = schema.get("properties") if isinstance(schema, dict) else None
            schema = properties.get(part) if isinstance(properties, dict) else None
        words = schema.get("enum") if isinstance(schema, dict) else None
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return words
    return None
