"""What a rule reports, and what every rule is given to look at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from promptstudio_lab.flows.graph import NOTE, pointer_to
from promptstudio_lab.flows.shape import Surroundings
from promptstudio_lab.nodes import kinds
from promptstudio_lab.shown import card, named_html, printable, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.flows.graph import Graph, Node
    from promptstudio_lab.nodes import Ports
    from promptstudio_lab.values import Json


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or worth a look.

    Attributes:
        code: stable, such as `F203`.
        severity: `error` stops a run, `warning` does not.
        node: the whole name of the node, as `each/classify`, or None for the flow itself.
        pointer: the JSON pointer into the document.
        message: what is wrong and what would be right.
        fix: what a click may do about it, as data, or None; `flows.validation.fixes` turns it
            into edits.
    """

    code: str
    severity: Literal["error", "warning"]
    node: str | None
    pointer: str
    message: str
    fix: dict[str, Json] | None = None

    _repr_html_ = named_html

    def __str__(self) -> str:
        """Return the problem as one line."""
        where = f" {self.node}:" if self.node else ""
        return f"{self.code} {self.severity}{where} {self.message}"


class Problems(tuple[Problem, ...]):
    """Every problem of a flow, in the order of its nodes.

    >>> Problems()
    <no problems>
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """Say each in one line."""
        return printable("\n".join(map(str, self))) or "<no problems>"

    def _repr_html_(self) -> str:
        rows = [(each.severity, each.code, each.node or "", each.message) for each in self]
        title = f"{len(self):,} problems" if len(self) > 1 else "1 problem"
        heads = ("severity", "code", "node", "what is wrong")
        return card(title, table(heads, rows)) if rows else card("No problems")


def errors(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Return the problems that stop a run."""
    return tuple(problem for problem in problems if problem.severity == "error")


def warnings(found: Iterable[Problem]) -> list[Problem]:
    """Return problems as warnings."""
    return [replace(problem, severity="warning") for problem in found]


@dataclass(frozen=True)
class Subject:
    """A flow under validation.

    Attributes:
        graph: the flow.
        facts: what there is to refer to.
        names: whole names by node id.
        shapes: the openings of the nodes whose config tells them, by node id.
    """

    graph: Graph
    facts: Facts
    names: dict[str, str]
    shapes: dict[str, Ports] = field(default_factory=dict)
    _inside: dict[str | None, list[Node]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, graph: Graph, facts: Facts) -> Subject:
        """Look at a flow."""
        return cls(graph, facts, {node.id: graph.name(node) for node in graph.nodes})

    def shape(self, node: Node) -> None:
        """Work out a node's openings, once."""
        around = Surroundings(self.facts, self.graph, node)
        self.shapes[node.id] = kinds[node.kind].ports(node.config, around)

    def inside(self, parent: str | None) -> list[Node]:
        """Return the nodes of a body that do something."""
        if parent not in self._inside:
            found = [node for node in self.graph.inside(parent) if node.kind != NOTE]
            self._inside[parent] = found
        return self._inside[parent]

    def bodies(self) -> list[Node | None]:
        """Return what has a body: the flow itself as None, then each container."""
        return [None, *(node for node in self.graph.nodes if self.holds(node))]

    def holds(self, node: Node) -> bool:
        """Tell whether a node is a container, or something lies in it all the same."""
        kind = kinds.get(node.kind)
        return bool(kind and kind.container) or bool(self.graph.inside(node.id))

    def problem(
        self,
        code: str,
        node: Node | None,
        pointer: str,
        message: str,
        fix: dict[str, Json] | None = None,
    ) -> Problem:
        """Return an error of a node, or of the flow."""
        name = self.names.get(node.id, node.key) if node else None
        place = pointer if name is None else pointer_to(name, pointer)
        return Problem(code, "error", name, place, message, fix)
